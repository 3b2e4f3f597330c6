"""Starting and stopping the processes of runs, with small programs in the children's place."""

import signal
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pytest

from bkd import launch
from bkd.errors import RunBusy, StorageError
from bkd.launch import owner, spawn, stop, stop_together
from bkd.locks import is_locked
from bkd.paths import RunFolder
from bkd.runfile import read_run, this_host, write_run

OBEYS = "signal.signal(15, lambda *_: sys.exit())"
DEAF = "signal.signal(15, signal.SIG_IGN)"
SLEEPS = "time.sleep(60)"
LETS_GO_ON_REQUEST = """
held = dict(zip(map(int, sys.argv[2].split(",")), map(Path, sys.argv[3:])))
while held:
    for fd, path in list(held.items()):
        if (path / "stop.request").exists():
            os.close(fd)
            del held[fd]
    time.sleep(0.01)
"""


@dataclass
class Starter:
    """Starts programs in the place of children; `owners_before` are those seen while a process was being started."""

    root: Path
    started: list[RunFolder]
    program: str = ""
    owners_before: list[int | None] = field(default_factory=list)

    def __call__(self, *names: str, program: str = OBEYS, then: str = SLEEPS) -> list[RunFolder]:
        folders = [RunFolder(self.root / name) for name in names]
        for folder in folders:
            folder.path.mkdir(exist_ok=True)
            write_run(folder, {"id": folder.path.name, "status": "running", "path": folder.path.name})
        ready = self.root / f"{names[0]}.ready"
        head = "import os, signal, sys, time\nfrom pathlib import Path"
        self.program = f"{head}\n{program}\nPath({str(ready)!r}).touch()\n{then}"
        spawn(folders)
        self.started.extend(folders)
        deadline = time.monotonic() + 60
        while not ready.exists():
            assert time.monotonic() < deadline, "the program never began"
            time.sleep(0.005)
        return folders

    def command(self, word: str, folders: Sequence[RunFolder], locks: Sequence[int], flags: Sequence[str]) -> list[str]:
        self.owners_before = [owner(folder) for folder in folders]
        paths = [str(folder.path) for folder in folders]
        return [sys.executable, "-c", self.program, "", ",".join(map(str, locks)), *paths]


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Starter]:
    starter = Starter(tmp_path, [])
    monkeypatch.setattr(launch, "_command", starter.command)
    yield starter
    launch._signal_owners(starter.started, signal.SIGKILL)
    for folder in starter.started:
        launch._wait_until_free(folder, 5)


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Little patience with processes that do not answer."""
    monkeypatch.setattr(launch, "MIN_GRACE_S", 0.5)


def run_of(folder: RunFolder) -> dict[str, Any]:
    return read_run(folder)


# ---- starting


def test_a_process_owns_all_its_runs(start: Starter) -> None:
    a, b = start("a", "b")
    [c] = start("c")
    assert owner(a) == owner(b) != owner(c)
    assert None not in (owner(a), owner(c))
    note = orjson.loads(a.lock.read_bytes())
    assert (note["host"], note["runs"]) == (this_host(), 2)


def test_the_log_of_a_process_is_its_first_runs_and_the_others_say_so(start: Starter) -> None:
    a, b = start("a", "b", program=f"print('hello', flush=True); {OBEYS}")
    assert a.log.read_text() == "hello\n"
    assert str(a.log) in b.log.read_text()


def test_a_request_to_an_earlier_process_does_not_stop_this_one(start: Starter, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    RunFolder(tmp_path / "a").stop_request.touch()
    [a] = start("a")
    assert not a.stop_request.exists()


def test_the_note_of_an_earlier_process_is_not_believed(start: Starter, tmp_path: Path) -> None:
    """Until a process is noted as owner nobody is, least of all the one before: its number may be another's by now."""
    folder = RunFolder(tmp_path / "a")
    folder.path.mkdir()
    folder.lock.write_bytes(orjson.dumps({"pid": 1, "host": this_host()}))
    start("a")
    assert start.owners_before == [None]
    assert owner(folder) not in (None, 1)


def test_none_is_started_if_one_of_them_is_busy(start: Starter, tmp_path: Path) -> None:
    [a] = start("a")
    b = RunFolder(tmp_path / "b")
    b.path.mkdir()
    with pytest.raises(RunBusy, match="a is running already"):
        spawn([b, a])
    assert not is_locked(b.lock)
    with pytest.raises(StorageError):
        spawn([b, RunFolder(tmp_path / "missing")])
    assert not is_locked(b.lock)


# ---- stopping one


def test_the_only_run_of_a_process_is_stopped_by_signal(start: Starter) -> None:
    [a] = start("a")
    assert stop(a, run_of(a)) == "stopped"
    assert not a.stop_request.exists()
    assert not is_locked(a.lock)


@pytest.mark.usefixtures("hasty")
def test_one_that_does_not_answer_is_killed(start: Starter) -> None:
    [a] = start("a", program=DEAF)
    assert stop(a, run_of(a)) == "stopped"
    assert run_of(a)["message"] == "stopped (no checkpoint)"
    assert not is_locked(a.lock)


def test_one_of_several_is_asked_and_the_others_stay(start: Starter) -> None:
    a, b = start("a", "b", program=DEAF, then=LETS_GO_ON_REQUEST)
    assert stop(a, run_of(a)) == "stopped"
    assert not is_locked(a.lock)
    assert is_locked(b.lock)
    assert owner(b) is not None


@pytest.mark.usefixtures("hasty")
def test_one_of_several_that_does_not_answer_yet_is_not_killed_with_the_others(start: Starter) -> None:
    """It may still be opening its data: the others would die for it."""
    a, b = start("a", "b", program=DEAF)
    assert stop(a, run_of(a)) == "running"
    assert a.stop_request.exists()
    assert is_locked(a.lock)
    assert is_locked(b.lock)
    assert run_of(b)["status"] == "running"


def test_asking_without_waiting_returns_at_once(start: Starter) -> None:
    [a] = start("a", program=DEAF)
    assert stop(a, run_of(a), wait=False) == "running"
    assert is_locked(a.lock)


def test_there_is_nothing_to_stop_where_nothing_runs(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    with pytest.raises(RunBusy, match="a is not running on this machine: it is done"):
        stop(folder, {"id": "a", "status": "done"})


# ---- stopping several


def test_runs_of_several_processes_are_all_stopped(start: Starter) -> None:
    folders = [*start("a", "b"), *start("c")]
    stop_together(folders)
    assert not any(is_locked(folder.lock) for folder in folders)
    assert {run_of(folder)["status"] for folder in folders} == {"stopped"}


def test_only_a_process_that_does_not_answer_is_killed(start: Starter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "MIN_GRACE_S", 2.0)
    deaf = start("a", "b", program=DEAF)
    [obeys] = start("c", program="signal.signal(15, lambda *_: (open(sys.argv[3] + '/obeyed', 'w'), sys.exit()))")
    stop_together([*deaf, obeys])
    assert not any(is_locked(folder.lock) for folder in (*deaf, obeys))
    assert (obeys.path / "obeyed").exists()


def test_stopping_none_does_nothing() -> None:
    stop_together([])
