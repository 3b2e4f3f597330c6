"""Rows of unsettled runs: as their folders say, and a folder is read only when it changed."""

import os
import time
from pathlib import Path
from typing import Any

import pytest

from bkd import live_rows
from bkd.locks import acquire
from bkd.paths import RunFolder
from bkd.runfile import SILENCE_S, this_host, write_run
from bkd.store import Store
from registry import row_of


class Runs:
    """A save root, and how often its run folders were read."""

    def __init__(self, root: Path) -> None:
        self.store = Store(root)
        self.reads: list[str] = []

    def add(self, run_id: str, **fields: Any) -> RunFolder:
        run = {"id": run_id, "role": "teacher", "path": f"teachers/{run_id}", "status": "running", "host": this_host()}
        folder = self.store.folder(str(run["path"]))
        folder.path.mkdir(parents=True)
        self.write(folder, run | fields)
        self.store.register(run | fields)
        return folder

    def write(self, folder: RunFolder, run: dict[str, Any]) -> None:
        write_run(folder, run)
        os.utime(folder.run, (time.time() - 60 - len(self.reads),) * 2)  # old enough for its mark to be trusted

    def shown(self) -> dict[str, str]:
        return {row["id"]: row["status"] for row in self.store.rows()}


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Runs:
    made = Runs(tmp_path / "save")
    read_run = live_rows.read_run

    def counted(folder: RunFolder) -> dict[str, Any]:
        made.reads.append(folder.path.name)
        return read_run(folder)

    monkeypatch.setattr(live_rows, "read_run", counted)
    return made


def test_a_folder_is_read_once_and_again_only_after_a_change(runs: Runs) -> None:
    folder = runs.add("a")
    runs.add("b", status="lost")
    runs.add("c", status="done")
    first = runs.store.rows()
    second = runs.store.rows()
    assert runs.reads == ["a", "b"]
    assert all(one is other for one, other in zip(first, second, strict=True))
    runs.write(folder, {"id": "a", "role": "teacher", "path": "teachers/a", "status": "done", "epoch": 9})
    third = runs.store.rows()
    assert runs.reads == ["a", "b", "a"]
    assert (third[0]["status"], third[0]["epoch"]) == ("done", 9)
    assert third[1] is second[1]


def test_the_lock_is_asked_each_time(runs: Runs) -> None:
    folder = runs.add("a")
    assert runs.shown() == {"a": "lost"}
    lock = acquire(folder.lock)
    assert runs.shown() == {"a": "running"}
    os.close(lock)
    assert runs.shown() == {"a": "lost"}
    assert runs.reads == ["a"]


def test_a_person_s_words_come_from_the_registry(runs: Runs) -> None:
    folder = runs.add("a")
    runs.store.rows()
    runs.store.registry.update("a", tags=["paper"], note="good", epoch=99)
    row = runs.store.rows()[0]
    assert (row["tags"], row["note"], row["epoch"]) == (["paper"], "good", None)
    assert runs.reads == ["a"]
    assert row == row_of(row)
    assert folder.run.exists()


def test_a_folder_that_goes_and_comes(runs: Runs) -> None:
    folder = runs.add("a")
    lock = acquire(folder.lock)
    assert runs.shown() == {"a": "running"}
    away = folder.path.with_name("away")
    folder.path.rename(away)
    assert runs.shown() == {"a": "lost"}
    away.rename(folder.path)
    assert runs.shown() == {"a": "running"}
    os.close(lock)


def test_a_folder_that_cannot_be_read_is_lost_until_it_is_mended(runs: Runs) -> None:
    folder = runs.add("a")
    lock = acquire(folder.lock)
    text = folder.run.read_bytes()
    folder.run.write_text("{torn")
    assert runs.shown() == {"a": "lost"}
    folder.run.write_bytes(text)
    assert runs.shown() == {"a": "running"}
    os.close(lock)


def test_a_run_elsewhere_falls_silent_without_a_change_of_any_file(runs: Runs) -> None:
    folder = runs.add("a", host="elsewhere")
    folder.lock.touch()
    assert runs.shown() == {"a": "unknown (on elsewhere)"}
    assert not runs.store.is_settled
    os.utime(folder.lock, (time.time() - 2 * SILENCE_S,) * 2)
    assert runs.shown() == {"a": "lost"}


def test_rows_are_settled_when_no_folder_has_to_be_looked_at(runs: Runs) -> None:
    runs.add("a", status="done")
    runs.store.rows()
    assert runs.store.is_settled
    runs.add("b", status="queued")
    runs.store.rows()
    assert not runs.store.is_settled
    runs.store.registry.remove("b")
    runs.store.rows()
    assert runs.store.is_settled
