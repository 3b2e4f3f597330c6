"""A disk that fills and a registry that is busy, each for a real child process: what ends how, and what stays whole."""

import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from children import ended, steps_of, teacher_spec, until
from filelock import FileLock

from bkd import actions
from bkd.events import read_events
from bkd.launch import spawn
from bkd.paths import RunFolder
from bkd.runfile import read_run, read_user, write_run
from bkd.store import Store

LIMIT_BYTES = 300_000  # run.json, events and log fit, weights of 700 KB do not
TMPFS_KIB = 1500  # weights fit, a checkpoint of 2.1 MB does not


def child(folder: RunFolder, prepare: Callable[[], None] | None = None) -> subprocess.Popen[bytes]:
    """Start a run's child as the launcher does, but as our own process, so that we see its exit code."""
    with folder.log.open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "bkd", "run", str(folder.path)], stdin=subprocess.DEVNULL, stdout=log,
            stderr=log, preexec_fn=prepare, env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )  # fmt: skip


@contextmanager
def small_disk(folder: RunFolder, kib: int) -> Iterator[None]:
    """Put a run's folder on a file system of its own."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    files = {path: path.read_bytes() for path in folder.path.iterdir()}
    command = ["mount", "-t", "tmpfs", "-o", f"size={kib}k", "tmpfs", str(folder.path)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
    try:
        for path, content in files.items():
            path.write_bytes(content)
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder.path)], check=True)


def fill(path: Path) -> None:
    """Write a file until nothing more fits beside it."""
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))


def earlier_run(store: Store) -> tuple[dict[Path, bytes], dict[str, Any]]:
    """Leave a finished run behind; return its files and its row."""
    folder = actions.create(store, teacher_spec("Deterministic"), tags=["earlier"])
    folder.last_weights.write_bytes(b"weights")
    run = read_run(folder) | {"status": "done"}
    write_run(folder, run)
    store.register(run, read_user(folder))
    return {path: path.read_bytes() for path in folder.path.iterdir()}, store.rows()[0]


def assert_untouched(store: Store, earlier: tuple[dict[Path, bytes], dict[str, Any]]) -> None:
    files, row = earlier
    assert {path: path.read_bytes() for path in files} == files
    assert store.rows()[0] == row


def limit_files() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT_BYTES, LIMIT_BYTES))


@pytest.mark.parametrize(
    ("disk", "reason"), [("limit", "File too large"), ("tmpfs", "The disk is full: free some space")]
)
def test_a_run_whose_checkpoint_does_not_fit_fails_and_says_so(store: Store, disk: str, reason: str) -> None:
    earlier = earlier_run(store)
    folder = actions.create(store, teacher_spec("MSE"))
    if disk == "limit":
        code = child(folder, limit_files).wait()
        run, log, left = store.load(folder), folder.log.read_text(), sorted(folder.checkpoints.iterdir())
    else:
        with small_disk(folder, TMPFS_KIB):
            code = child(folder).wait()
            run, log, left = store.load(folder), folder.log.read_text(), sorted(folder.checkpoints.iterdir())
            assert steps_of(folder) >= 1
            assert read_events(folder.events)[-1]["status"] == "failed"
    assert code == 1
    assert run["status"] == "failed"
    assert f"{folder.checkpoints}/" in run["message"]
    assert reason in run["message"]
    assert log.count(reason) == 1  # one sentence
    assert "Traceback" not in log
    assert left == []  # no half-written checkpoint
    assert store.registry.get(run["id"])["status"] == "failed"
    assert_untouched(store, earlier)


def test_a_disk_full_to_the_last_byte_loses_the_run_and_nothing_else(store: Store) -> None:
    """Not even its end can be written: it is found lost, and goes on once there is space."""
    earlier = earlier_run(store)
    folder = actions.create(store, teacher_spec("MSE", epochs=1000, checkpoint_every=1000.0))
    with small_disk(folder, 16 * 1024):
        process = child(folder)
        until(lambda: steps_of(folder) >= 2, "two steps")
        filler = folder.path / "filler"
        fill(filler)
        assert process.wait() == 1
        run = store.load(folder)
        assert run["status"] == "lost"
        assert next(row for row in store.rows() if row["id"] == run["id"])["status"] == "lost"
        assert_untouched(store, earlier)
        filler.unlink()
        actions.resume(store, run["id"])
        until(lambda: steps_of(folder) >= 2 and store.load(folder)["status"] == "running", "a step after the resume")
        assert actions.stop_run(store, run["id"]) == "stopped"


def test_a_registry_that_is_busy_all_along_is_told_and_the_run_ends_done(store: Store) -> None:
    earlier = earlier_run(store)
    folder = actions.create(store, teacher_spec("MSE", epochs=1))
    queued = store.registry.get(read_run(folder)["id"])
    with FileLock(f"{store.registry.path}.lock"):
        spawn([folder])
        run = ended(store, folder)
        until(lambda: folder.log.read_text().count("The registry was not updated") == 2, "start and end are told of")
    assert run["status"] == "done", run["message"]
    assert "`bkd registry rebuild` mends the index" in folder.log.read_text()
    assert store.registry.get(run["id"]) == queued
    assert next(row for row in store.rows() if row["id"] == run["id"])["status"] == "done"  # as its folder says
    assert not store.registry.check(store.runs(), store.is_alive).is_good
    store.rebuild()
    assert store.registry.get(run["id"])["status"] == "done"
    assert_untouched(store, earlier)
