"""Looking at the runs of a save root again and again, whatever happens to its registry meanwhile."""

import os
import time
from collections.abc import Callable
from typing import Any

import pytest
from pilot_save import SaveRoot

from bkd.locks import acquire
from bkd.runfile import read_run, this_host, write_run
from registry.storage import AtomicStorage
from tui import row_watch
from tui.messages import RowsRead
from tui.row_watch import RowWatch

Action = Callable[[], object]


def nothing() -> None:
    """Stand for a look before which nothing happens."""


@pytest.fixture(autouse=True)
def _without_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_watch, "LOOK_EVERY_S", 0.0)


def looks(watch: RowWatch, *before_each: Action) -> list[RowsRead]:
    """Look once after each of some actions, and return what was told."""
    left, is_over = list(before_each), False

    def is_watched() -> bool:
        nonlocal is_over
        if not left:
            is_over = True
            return False
        left.pop(0)()
        return True

    return list(watch.changes(lambda: is_over, is_watched))


def statuses(told: RowsRead) -> dict[str, Any]:
    return {row["id"]: row["status"] for row in told.rows}


def make_old(save: SaveRoot) -> None:
    """Put the registry's time so far back that its mark is trusted."""
    os.utime(save.store.registry.path, (time.time() - 60,) * 2)


def test_nothing_is_told_or_read_while_nothing_changes(save: SaveRoot, monkeypatch: pytest.MonkeyPatch) -> None:
    save.teacher("a1")
    make_old(save)
    watch = RowWatch(save.store)
    watch.first()
    monkeypatch.setattr(AtomicStorage, "read_marked", lambda *_: pytest.fail("the registry was opened"))
    assert looks(watch, nothing, nothing) == []


def test_lost_runs_do_not_have_the_registry_or_a_folder_read(save: SaveRoot, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = save.teacher("a1", status="running")
    save.teacher("b2")
    make_old(save)
    os.utime(folder.run, (time.time() - 60,) * 2)
    watch = RowWatch(save.store)
    first = watch.first()
    monkeypatch.setattr("bkd.live_rows.read_run", lambda _: pytest.fail("the run folder was read"))
    monkeypatch.setattr("registry.kept.parse", lambda *_: pytest.fail("the registry was parsed"))
    monkeypatch.setattr("registry.lines.orjson.loads", lambda *_: pytest.fail("the registry was parsed"))
    assert [row["status"] for row in first] == ["lost", "done"]
    assert looks(watch, nothing, nothing) == []


def test_one_changed_row_leaves_the_others_the_same_objects(save: SaveRoot) -> None:
    for run_id in ("a1", "b2", "c3"):
        save.teacher(run_id)
    watch = RowWatch(save.store)
    first = watch.first()
    (told,) = looks(watch, nothing, lambda: save.store.registry.update("b2", epoch=1), nothing)
    assert [new is old for new, old in zip(told.rows, first, strict=True)] == [True, False, True]


def test_a_run_that_dies_is_told_though_no_file_changes(save: SaveRoot) -> None:
    folder = save.teacher("a1", status="running", host=this_host())
    lock = acquire(folder.lock)
    watch = RowWatch(save.store)
    assert [row["status"] for row in watch.first()] == ["running"]
    told = looks(watch, nothing, lambda: os.close(lock), nothing)
    assert [statuses(one) for one in told] == [{"a1": "lost"}]


def test_an_epoch_that_only_the_folder_tells(save: SaveRoot) -> None:
    folder = save.teacher("a1", status="running", epoch=1, host=this_host())
    lock = acquire(folder.lock)
    watch = RowWatch(save.store)
    watch.first()
    told = looks(watch, lambda: write_run(folder, read_run(folder) | {"epoch": 2}), nothing)
    assert [one.rows[0]["epoch"] for one in told] == [2]
    os.close(lock)


class TestBadRegistries:
    def test_a_damaged_one_is_rebuilt_and_the_rows_stay(self, save: SaveRoot) -> None:
        save.teacher("a1")
        warnings: list[str] = []
        save.store.warn = warnings.append
        watch, path = RowWatch(save.store), save.store.registry.path
        watch.first()
        told = looks(watch, lambda: path.write_bytes(path.read_bytes()[:-9]), nothing)
        assert all((statuses(one), one.error) == ({"a1": "done"}, "") for one in told)
        assert len(warnings) == 1
        assert "rebuilt from 1 run folder" in warnings[0]
        assert len(list(save.path.glob("registry.broken-*.json"))) == 1

    def test_a_deleted_one_is_rebuilt(self, save: SaveRoot) -> None:
        save.teacher("a1")
        warnings: list[str] = []
        save.store.warn = warnings.append
        watch = RowWatch(save.store)
        watch.first()
        told = looks(watch, save.store.registry.path.unlink, nothing)
        assert all(statuses(one) == {"a1": "done"} for one in told)
        assert len(warnings) == 1
        assert save.store.registry.path.exists()

    def test_one_of_another_save_root_takes_its_place(self, save: SaveRoot) -> None:
        save.teacher("a1")
        watch, path = RowWatch(save.store), save.store.registry.path
        watch.first()
        other = SaveRoot(save.path.parent / "other")
        other.teacher("b2", status="failed")
        told = looks(watch, lambda: os.replace(other.store.registry.path, path), nothing)
        assert [statuses(one) for one in told] == [{"b2": "failed"}]

    def test_one_that_cannot_be_read_is_told_once_and_mended_later(self, save: SaveRoot) -> None:
        save.teacher("a1")
        watch, path = RowWatch(save.store), save.store.registry.path
        watch.first()
        away = path.with_name("away")

        def hide() -> None:
            path.rename(away)
            path.mkdir()

        def mend() -> None:
            path.rmdir()
            away.rename(path)

        told = looks(watch, nothing, hide, nothing, mend, nothing)
        assert [statuses(one) for one in told] == [{"a1": "done"}] * 2
        assert "cannot be read" in told[0].error
        assert told[1].error == ""
