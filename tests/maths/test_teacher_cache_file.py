"""Answers on disk: against a dictionary, with several writers, and after every kind of damage."""

import errno
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bkd import teacher_cache_file
from bkd.errors import RunBusy, StorageError
from bkd.teacher_cache_file import AnswerFile, CacheFull
from bkd.teacher_cache_folder import CacheError, delete_cache, list_caches, total_bytes

NAME, OTHER = "0123456789abcdef" * 2, "fedcba9876543210" * 2
NUM_IDS, PAYLOAD = 400, 40
ENTRY = PAYLOAD + 16  # with checksum and id


@pytest.fixture(autouse=True)
def _roomy_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(teacher_cache_file, "free_bytes", lambda folder: 2**40)


def open_file(folder: Path, name: str = NAME, limit: int = 2**30, **header: Any) -> AnswerFile:
    document = {"key": {"teacher": name}, **header}
    return AnswerFile(folder / name, document, num_ids=NUM_IDS, payload_bytes=PAYLOAD, limit_bytes=limit)


def entries(ids: Any, salt: int = 0) -> tuple[Any, Any, Any]:
    """Ids, digests and payloads that depend on the id."""
    ids = np.array(ids, np.int64)
    payload = np.stack([np.random.default_rng([int(i), salt]).integers(0, 256, PAYLOAD, np.uint8) for i in ids])
    return ids, ids.astype(np.uint64) * 7 + 1, payload


def there(file: AnswerFile, ids: Any) -> list[int]:
    """The ids whose answers are found, after checking that they are the right ones."""
    wanted, digests, payload = entries(ids)
    found, is_there = file.read(wanted, digests)
    assert np.array_equal(found[is_there], payload[is_there])
    return wanted[is_there].tolist()


def test_it_is_a_dictionary(tmp_path: Path) -> None:
    random, model = np.random.default_rng(0), set[int]()
    first, second = open_file(tmp_path), open_file(tmp_path)
    for step in range(60):
        file = (first, second)[step % 2]
        ids = random.choice(NUM_IDS, 10, replace=False)
        assert there(file, ids) == [i for i in ids.tolist() if i in model]
        file.append(*entries(ids))
        model |= set(ids.tolist())
    assert there(open_file(tmp_path), np.arange(NUM_IDS)) == sorted(model)
    assert first.count <= len(model) == open_file(tmp_path).count
    assert total_bytes(tmp_path) == len(model) * ENTRY


def test_ids_outside_are_never_there(tmp_path: Path) -> None:
    file = open_file(tmp_path)
    file.append(*entries([3, NUM_IDS, NUM_IDS + 5]))
    assert there(file, [3, NUM_IDS, NUM_IDS + 5]) == [3]
    assert not file.read(np.array([-1]), np.array([1], np.uint64))[1].any()
    assert file.count == 1


def test_answers_belong_to_their_pixels(tmp_path: Path) -> None:
    file = open_file(tmp_path)
    ids, digests, payload = entries([1, 2])
    file.append(ids, digests, payload)
    _, is_there = file.read(ids, digests + np.array([0, 1], np.uint64))
    assert is_there.tolist() == [True, False]
    assert file.damaged == 1


@pytest.mark.parametrize(
    ("name", "damage", "lost"),
    [
        ("rows.bin", lambda content: content[: -PAYLOAD // 2], [9]),
        ("rows.bin", lambda content: content[:10] + bytes([content[10] ^ 1]) + content[11:], [5]),
        ("rows.bin", lambda content: bytes(len(content)), [5, 6, 7, 8, 9]),
        ("rows.bin", lambda content: b"", [5, 6, 7, 8, 9]),
        ("ids.bin", lambda content: content[:-3], [9]),
        ("ids.bin", lambda content: content[8:16] + content[:8] + content[16:], [5, 6]),
        ("ids.bin", lambda content: content[:8] + b"\xff" * 8 + content[16:], [6]),
    ],
)
def test_damaged_answers_are_absent_and_written_anew(tmp_path: Path, name: str, damage: Any, lost: list[int]) -> None:
    ids = [5, 6, 7, 8, 9]
    file = open_file(tmp_path)
    file.append(*entries(ids))
    file.close()
    path = tmp_path / NAME / name
    path.write_bytes(damage(path.read_bytes()))
    damaged = open_file(tmp_path)
    assert there(damaged, ids) == [i for i in ids if i not in lost]
    damaged.append(*entries(lost))
    assert there(damaged, ids) == ids
    assert there(open_file(tmp_path), ids) == ids


def test_rows_of_another_key_are_not_believed(tmp_path: Path) -> None:
    for name in (NAME, OTHER):
        file = open_file(tmp_path, name)
        file.append(*entries([1, 2, 3]))
        file.close()
    (tmp_path / NAME / "rows.bin").write_bytes((tmp_path / OTHER / "rows.bin").read_bytes())
    assert there(open_file(tmp_path), [1, 2, 3]) == []


def test_an_interrupted_write_leaves_the_rest_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = open_file(tmp_path)
    file.append(*entries([1, 2, 3]))
    whole, calls = os.pwrite, []

    def torn(descriptor: int, content: Any, offset: int) -> int:
        calls.append(offset)
        if len(calls) == 2:  # the ids; the rows are written
            whole(descriptor, bytes(content)[:11], offset)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return whole(descriptor, content, offset)

    monkeypatch.setattr(os, "pwrite", torn)
    with pytest.raises(StorageError, match="disk is full"):
        file.append(*entries([4, 5, 6]))
    monkeypatch.undo()
    monkeypatch.setattr(teacher_cache_file, "free_bytes", lambda folder: 2**40)
    fresh = open_file(tmp_path)
    assert there(fresh, [1, 2, 3, 4, 5, 6]) == [1, 2, 3, 4]
    fresh.append(*entries([5, 6]))
    assert there(fresh, [1, 2, 3, 4, 5, 6]) == [1, 2, 3, 4, 5, 6]


def test_the_limit_holds_for_all_caches_together(tmp_path: Path) -> None:
    neighbour = open_file(tmp_path, OTHER)
    neighbour.append(*entries(range(10)))
    file = open_file(tmp_path, limit=15 * ENTRY)
    file.append(*entries(range(5)))
    with pytest.raises(CacheFull, match="limit"):
        file.append(*entries(range(4, 6)))
    assert there(file, range(6)) == [0, 1, 2, 3, 4]
    assert total_bytes(tmp_path) == 15 * ENTRY


def test_the_disk_keeps_a_reserve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = open_file(tmp_path)
    monkeypatch.setattr(teacher_cache_file, "free_bytes", lambda folder: 2**30 + ENTRY)
    file.append(*entries([1]))
    with pytest.raises(CacheFull, match="1 GiB left"):
        file.append(*entries([2, 3]))


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b'{"v": 0}', "version 0"),
        (b"\x80\x04pickle", "no readable header"),
        (b'{"v": 1, "key": {"teacher": "another"}, "row_bytes": 48}', "another cache"),
    ],
)
def test_a_foreign_header_empties_the_cache_and_says_so(tmp_path: Path, content: bytes, word: str) -> None:
    file = open_file(tmp_path)
    file.append(*entries([1, 2]))
    file.close()
    (tmp_path / NAME / "header.json").write_bytes(content)
    (tmp_path / NAME / "notes.txt").write_text("not ours")
    renewed = open_file(tmp_path)
    assert word in renewed.notes[0]
    assert "emptied" in renewed.notes[0]
    assert there(renewed, [1, 2]) == []
    renewed.append(*entries([1, 2]))
    assert there(open_file(tmp_path), [1, 2]) == [1, 2]
    assert (tmp_path / NAME / "notes.txt").read_text() == "not ours"


def test_a_foreign_header_in_use_is_left_alone(tmp_path: Path) -> None:
    file = open_file(tmp_path)
    file.append(*entries([1]))
    with pytest.raises(CacheError, match="another cache"):
        open_file(tmp_path, layout="other")
    assert there(file, [1]) == [1]


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text("mine")
    with pytest.raises(StorageError, match=NAME):
        open_file(tmp_path)
    assert (tmp_path / NAME).read_text() == "mine"


def test_a_cache_that_cannot_be_written_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = open_file(tmp_path)
    file.append(*entries([1, 2]))
    plain = os.open

    def read_only(path: Any, flags: int, *rest: Any, **named: Any) -> int:
        if flags & os.O_RDWR:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
        return plain(path, flags, *rest, **named)

    monkeypatch.setattr(os, "open", read_only)
    reader = open_file(tmp_path)
    assert not reader.is_writable
    assert "not written" in reader.notes[0]
    assert there(reader, [1, 2, 3]) == [1, 2]


def test_caches_are_listed_and_deleted(tmp_path: Path) -> None:
    file = open_file(tmp_path)
    file.append(*entries([1, 2, 3]))
    (tmp_path / "else").mkdir()
    [info] = list_caches(tmp_path)
    assert (info.path, info.key, info.entries) == (tmp_path / NAME, {"teacher": NAME}, 3)
    assert info.size_bytes > 3 * ENTRY
    with pytest.raises(RunBusy, match="in use"):
        delete_cache(info.path)
    assert there(file, [1, 2, 3]) == [1, 2, 3]
    file.close()
    assert delete_cache(info.path) == info.size_bytes
    assert [path.name for path in tmp_path.iterdir()] == ["else"]
    with pytest.raises(CacheError, match="no teacher cache"):
        delete_cache(tmp_path / "else")
    assert list_caches(tmp_path / "missing") == []


def test_processes_write_one_cache_at_a_time(tmp_path: Path) -> None:
    script = textwrap.dedent("""
        import sys
        from pathlib import Path
        sys.path.insert(0, sys.argv[3])
        import numpy as np
        import test_teacher_cache_file as shared
        shared.teacher_cache_file.free_bytes = lambda folder: 2**40
        file, random = shared.open_file(Path(sys.argv[1])), np.random.default_rng(int(sys.argv[2]))
        for ids in random.permutation(shared.NUM_IDS).reshape(-1, 20):
            shared.there(file, ids)
            file.append(*shared.entries(ids))
        assert "torch" not in sys.modules
    """)
    here = str(Path(__file__).parent)
    arguments = [[sys.executable, "-c", script, str(tmp_path), str(seed), here] for seed in range(3)]
    children = [subprocess.Popen(line, cwd=Path(__file__).parents[2]) for line in arguments]
    assert [child.wait() for child in children] == [0, 0, 0]
    file = open_file(tmp_path)
    assert there(file, np.arange(NUM_IDS)) == list(range(NUM_IDS))
    assert file.count == NUM_IDS  # none was written twice
