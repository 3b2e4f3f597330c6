"""A registry that is read again and again: what stayed is the same object, and nothing is ever stale."""

import os
import threading
import time
from pathlib import Path
from typing import Any

import orjson
import pytest
from tinydb import TinyDB

from registry import Registry, RegistryDamaged, RegistryError, mark_of, row_of
from registry.storage import AtomicStorage


def row(run_id: str, role: str = "teacher", **fields: Any) -> dict[str, Any]:
    return row_of({"id": run_id, "role": role, "created": f"2026-01-01 {run_id}"} | fields)


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    found = Registry(tmp_path / "registry.json")
    found.rebuild([row("a"), row("b"), row("s", "student")], lambda path: True)
    return found


def make_old(path: Path) -> None:
    """Put a file's time so far back that its mark is trusted."""
    os.utime(path, (time.time() - 60,) * 2)


def reads_of(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that grows with each read that took in the file's bytes."""
    sizes: list[int] = []
    read = AtomicStorage.read_marked

    def counted(self: AtomicStorage, known: Any = None) -> Any:
        mark, data = read(self, known)
        sizes.extend([] if data is None else [len(data)])
        return mark, data

    monkeypatch.setattr(AtomicStorage, "read_marked", counted)
    return sizes


class TestUnchanged:
    def test_a_file_that_stayed_is_not_read_again(self, registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
        make_old(registry.path)
        sizes = reads_of(registry, monkeypatch)
        first, second = registry.rows(), registry.rows()
        assert len(sizes) == 1
        assert all(one is other for one, other in zip(first, second, strict=True))

    def test_each_caller_has_a_list_of_its_own(self, registry: Registry) -> None:
        registry.rows().clear()
        registry.rows("teacher").clear()
        assert [r["id"] for r in registry.rows()] == ["a", "b", "s"]
        assert [r["id"] for r in registry.rows("teacher")] == ["a", "b"]

    def test_a_write_changes_no_row_that_was_handed_out(self, registry: Registry) -> None:
        before = registry.rows()
        registry.update("b", epoch=7)
        registry.put(row("a", epoch=8))
        assert [r["epoch"] for r in before] == [None, None, None]
        assert [r["epoch"] for r in registry.rows()] == [8, 7, None]


class TestChanged:
    def test_the_other_rows_stay_the_same_objects(self, registry: Registry) -> None:
        before = registry.rows()
        registry.update("b", epoch=7)
        registry.put(row("c"))
        after = registry.rows()
        assert [r["id"] for r in after] == ["a", "b", "c", "s"]
        assert after[0] is before[0]
        assert after[3] is before[2]

    def test_a_write_in_the_same_tick_of_the_same_size_is_seen(self, registry: Registry) -> None:
        registry.update("a", epoch=1)
        stat = registry.path.stat()
        assert registry.rows()[0]["epoch"] == 1
        text = registry.path.read_bytes().replace(b'"epoch":1', b'"epoch":2')
        registry.path.write_bytes(text)  # in place: the same inode
        os.utime(registry.path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        assert registry.rows()[0]["epoch"] == 2

    def test_what_plain_tinydb_wrote_is_seen(self, registry: Registry) -> None:
        registry.rows()
        with TinyDB(registry.path) as db:
            db.table("teachers").insert(row("t"))
        assert [r["id"] for r in registry.rows()] == ["a", "b", "s", "t"]
        registry.put(row("u"))
        assert [r["id"] for r in registry.rows()] == ["a", "b", "s", "t", "u"]

    def test_tables_of_others_do_no_harm(self, registry: Registry) -> None:
        with TinyDB(registry.path) as db:
            db.insert({"somebody": "else's"})
        assert len(registry.rows()) == 3
        registry.put(row("c"))
        assert len(registry.rows()) == 4
        assert orjson.loads(registry.path.read_bytes())["_default"] == {"1": {"somebody": "else's"}}


class TestWrites:
    def test_a_run_that_others_name_is_changed_alone(self, registry: Registry) -> None:
        registry.put(row("t", "student", teacher="a", note='"id":"a"'))
        lines = registry.path.read_bytes().splitlines()
        registry.update("a", epoch=5)
        after = registry.path.read_bytes().splitlines()
        assert [old == new for old, new in zip(lines, after, strict=True)].count(False) == 1
        assert [r["epoch"] for r in registry.rows()] == [5, None, None, None]

    def test_new_rows_get_numbers_that_no_row_has(self, registry: Registry) -> None:
        registry.remove("a")
        registry.put(row("c"))
        registry.put(row("d"))
        assert list(orjson.loads(registry.path.read_bytes())["teachers"]) == ["2", "3", "4"]

    def test_every_row_with_the_id_is_changed(self, registry: Registry) -> None:
        with TinyDB(registry.path) as db:
            db.table("teachers").insert(row("s"))
            db.table("teachers").insert(row("s"))
        registry.put(row("s", "student", epoch=4))
        assert [(r["id"], r["epoch"]) for r in registry.rows()] == [("a", None), ("b", None), ("s", 4)]

    @pytest.mark.parametrize("keep", [0, 1, 40, -1, -2])
    def test_a_truncated_file_is_not_written_over(self, registry: Registry, keep: int) -> None:
        text = registry.path.read_bytes()[:keep]
        registry.path.write_bytes(text)
        with pytest.raises(RegistryDamaged):
            registry.update("a", epoch=1)
        with pytest.raises(RegistryDamaged):
            registry.put(row("c"))
        assert registry.path.read_bytes() == text


class TestBadFiles:
    def test_gone_and_back_again(self, registry: Registry) -> None:
        make_old(registry.path)
        rows, away = registry.rows(), registry.path.with_name("away")
        registry.path.rename(away)
        assert registry.mark() is None
        assert registry.rows() == []
        away.rename(registry.path)
        assert registry.rows() == rows

    @pytest.mark.parametrize("keep", [0, 1, 40, -1, -2])
    def test_a_truncated_file_is_damaged_not_shorter(self, registry: Registry, keep: int) -> None:
        rows, text = registry.rows(), registry.path.read_bytes()
        registry.path.write_bytes(text[:keep])
        for _ in range(2):
            with pytest.raises(RegistryDamaged):
                registry.rows()
        registry.path.write_bytes(text)
        assert registry.rows() == rows

    def test_a_file_that_cannot_be_read_is_told_each_time(self, registry: Registry) -> None:
        rows, away = registry.rows(), registry.path.with_name("away")
        registry.path.rename(away)
        registry.path.mkdir()
        for _ in range(2):
            with pytest.raises(RegistryError, match="cannot be read"):
                registry.rows()
        registry.path.rmdir()
        away.rename(registry.path)
        assert registry.rows() == rows


class TestMark:
    def test_an_old_file_keeps_its_mark(self, registry: Registry) -> None:
        make_old(registry.path)
        assert registry.mark() == registry.mark() is not None

    def test_a_mark_just_after_a_write_equals_no_later_one(self, registry: Registry) -> None:
        stat = registry.path.stat()
        assert mark_of(stat) != mark_of(stat)


def test_threads_that_read_while_rows_are_written_see_whole_states(registry: Registry) -> None:
    faults: list[str] = []
    is_over = threading.Event()

    def read() -> None:
        last = -1
        while not is_over.is_set():
            epochs = [r["epoch"] or 0 for r in registry.rows()]
            if len(epochs) != 3 or epochs[0] < last:
                faults.append(f"{epochs} after {last}")
            last = epochs[0]

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for epoch in range(60):
        registry.update("a", epoch=epoch)
    is_over.set()
    for reader in readers:
        reader.join()
    assert faults == []
    assert registry.rows()[0]["epoch"] == 59
