"""Checkpoints: whole or refused, never executed."""

import pickle
from pathlib import Path

import pytest
import torch

from bkd import checkpoint
from bkd.errors import CheckpointError, StorageError

TENSORS = {"model": {"w": torch.arange(6.0).reshape(2, 3)}, "meter": {"rows": torch.ones(2, dtype=torch.float64)}}


def test_what_is_written_is_read_back_bit_for_bit(tmp_path: Path) -> None:
    for step in (1, 2, 3):
        checkpoint.write(tmp_path, step, TENSORS, {"epoch": step})
    found = checkpoint.read(tmp_path)
    assert found is not None
    tensors, state, warnings = found
    assert (state, warnings) == ({"epoch": 3}, [])
    assert torch.equal(tensors["model"]["w"], TENSORS["model"]["w"])
    assert tensors["meter"]["rows"].dtype is torch.float64
    assert [child.name for child in sorted(tmp_path.iterdir())] == ["000000002", "000000003"]


def test_none_at_all_is_none(tmp_path: Path) -> None:
    assert checkpoint.read(tmp_path / "missing") is None


@pytest.mark.parametrize("damage", ["truncated", "changed", "missing", "no state", "foreign name"])
def test_a_damaged_one_is_told_of_and_the_one_before_it_used(tmp_path: Path, damage: str) -> None:
    checkpoint.write(tmp_path, 1, TENSORS, {"epoch": 1})
    newest = checkpoint.write(tmp_path, 2, TENSORS, {"epoch": 2})
    file, state = newest / "model.safetensors", newest / "state.json"
    if damage == "truncated":
        file.write_bytes(file.read_bytes()[:-4])
    elif damage == "changed":
        file.write_bytes(file.read_bytes()[:-1] + b"\x01")
    elif damage == "missing":
        file.unlink()
    elif damage == "no state":
        state.write_text("{")
    else:
        state.write_text(state.read_text().replace('"model"', '"../../model"'))
    found = checkpoint.read(tmp_path)
    assert found is not None
    assert found[1] == {"epoch": 1}
    assert len(found[2]) == 1


def test_only_damaged_ones_are_refused(tmp_path: Path) -> None:
    newest = checkpoint.write(tmp_path, 2, TENSORS, {})
    (newest / "model.safetensors").write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"truncated or was changed.*launch the run anew"):
        checkpoint.read(tmp_path)


def test_one_of_a_wanted_step_is_read_or_none(tmp_path: Path) -> None:
    for step in (4, 7):
        checkpoint.write(tmp_path, step, TENSORS, {"epoch": step})
    assert checkpoint.steps(tmp_path) == [7, 4]
    assert checkpoint.steps(tmp_path / "missing") == []
    found = checkpoint.read(tmp_path, step=4)
    assert found is not None
    assert found[1] == {"epoch": 4}
    assert checkpoint.read(tmp_path, step=5) is None


def test_another_step_does_not_stand_in_for_a_damaged_one_that_was_asked_for(tmp_path: Path) -> None:
    for step in (4, 7):
        checkpoint.write(tmp_path, step, TENSORS, {"epoch": step})
    (tmp_path / "000000007" / "model.safetensors").write_bytes(b"")
    with pytest.raises(CheckpointError, match="truncated or was changed"):
        checkpoint.read(tmp_path, step=7)


def test_later_ones_are_dropped_when_a_run_goes_on_from_an_earlier(tmp_path: Path) -> None:
    for step in (4, 7):
        checkpoint.write(tmp_path, step, TENSORS, {})
    checkpoint.drop_after(tmp_path, 7)
    assert checkpoint.steps(tmp_path) == [7, 4]
    checkpoint.drop_after(tmp_path, 5)
    assert checkpoint.steps(tmp_path) == [4]
    checkpoint.drop_after(tmp_path / "missing", 0)


def test_what_a_killed_process_left_unfinished_is_cleared(tmp_path: Path) -> None:
    (tmp_path / ".000000003.1234").mkdir()
    (tmp_path / ".000000003.1234" / "model.safetensors").write_bytes(b"half")
    checkpoint.write(tmp_path, 4, TENSORS, {})
    assert [child.name for child in tmp_path.iterdir()] == ["000000004"]


def test_a_run_folder_that_was_deleted_is_not_made_anew(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="does not exist"):
        checkpoint.write(tmp_path / "gone" / "checkpoints", 1, TENSORS, {})
    assert not (tmp_path / "gone").exists()


class Hostile:
    """Leaves a mark if it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (open, ("pwned", "w"))  # type: ignore[return-value]


def test_a_pickle_in_place_of_weights_is_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "model.safetensors"
    file.write_bytes(pickle.dumps(Hostile()))
    with pytest.raises(CheckpointError, match="no whole safetensors"):
        checkpoint.load_weights_file(file)
    assert not (tmp_path / "pwned").exists()


def test_a_failed_write_leaves_the_earlier_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint.write(tmp_path, 1, TENSORS, {"epoch": 1})

    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint.os, "fsync", full)
    with pytest.raises(StorageError, match="disk is full"):
        checkpoint.write(tmp_path, 2, TENSORS, {"epoch": 2})
    assert [child.name for child in tmp_path.iterdir()] == ["000000001"]
