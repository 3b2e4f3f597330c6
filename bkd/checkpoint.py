"""Checkpoints: one folder made by one rename, safetensors for tensors, JSON with hashes for the rest; no pickle."""

import hashlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
from safetensors import SafetensorError
from safetensors.torch import load, load_file, save
from torch import Tensor

from bkd.errors import CheckpointError
from bkd.files import storage_error, write_bytes

VERSION = 1
KEEP = 2  # the newest, and the one before it in case the newest is torn


def write(folder: Path, step: int, tensors: Mapping[str, Mapping[str, Tensor]], state: Mapping[str, Any]) -> Path:
    """Write a checkpoint and drop all but the newest two, and what a killed process left unfinished.

    Args:
        folder: The run's checkpoints folder; made if missing, the run's own is not.
        step: Steps taken; the checkpoint's name.
        tensors: Group -> name -> tensor; one safetensors file a group.
        state: JSON values: position, event offset, histories.

    Returns:
        The checkpoint's folder.

    Raises:
        StorageError: If it cannot be written; earlier checkpoints are untouched.
    """
    final = folder / f"{step:09d}"
    staged = folder / f".{final.name}.{os.getpid()}"
    try:
        folder.mkdir(exist_ok=True)
        staged.mkdir()
        hashes = {name: _write_file(staged / f"{name}.safetensors", to_bytes(group)) for name, group in tensors.items()}
        document = {"v": VERSION, "step": step, "hashes": hashes, "state": dict(state)}
        _write_file(staged / "state.json", orjson.dumps(document))
        if final.exists():
            shutil.rmtree(final)
        os.replace(staged, final)
        _sync_folder(folder)
    except OSError as error:
        shutil.rmtree(staged, ignore_errors=True)
        raise storage_error(final, error) from error
    torn = [child for child in folder.iterdir() if child.name.startswith(".")]  # by processes that were killed
    for old in (*_complete(folder)[KEEP:], *torn):
        shutil.rmtree(old, ignore_errors=True)
    return final


def steps(folder: Path) -> list[int]:
    """Return the steps of the checkpoints in a folder, newest first."""
    return [int(child.name) for child in _complete(folder)]


def read(
    folder: Path, *, device: str = "cpu", step: int | None = None
) -> tuple[dict[str, dict[str, Tensor]], dict[str, Any], list[str]] | None:
    """Return (tensors, state, warnings) of the newest checkpoint that is whole, or None if there is none at all.

    Args:
        folder: The run's checkpoints folder.
        device: Where the tensors are put.
        step: Read the checkpoint of this step and no other.

    Raises:
        CheckpointError: If there are checkpoints and none is whole.
    """
    complete = [child for child in _complete(folder) if step is None or int(child.name) == step]
    warnings: list[str] = []
    for candidate in complete:
        try:
            tensors, state = _read_one(candidate, device)
        except CheckpointError as error:
            warnings.append(str(error))
            continue
        return tensors, state, warnings
    if complete:
        advice = " No other checkpoint is left: launch the run anew." if step is None else ""
        raise CheckpointError(" ".join(warnings) + advice)
    return None


def drop_after(folder: Path, step: int) -> None:
    """Delete the checkpoints of later steps, which a run that goes on from this one will write anew."""
    for child in _complete(folder):
        if int(child.name) > step:
            shutil.rmtree(child, ignore_errors=True)


def _complete(folder: Path) -> list[Path]:
    """Return the checkpoints of a folder, newest first."""
    if not folder.is_dir():
        return []
    return sorted((child for child in folder.iterdir() if child.name.isdigit()), reverse=True)


def _read_one(folder: Path, device: str) -> tuple[dict[str, dict[str, Tensor]], dict[str, Any]]:
    try:
        document = orjson.loads((folder / "state.json").read_bytes())
        hashes, state, version = document["hashes"], document["state"], document["v"]
    except (OSError, orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise CheckpointError(f"Checkpoint {folder} has no readable state.json ({type(error).__name__}).") from error
    if version != VERSION:
        raise CheckpointError(f"Checkpoint {folder} has version {version}, this bkd reads {VERSION}.")
    tensors = {}
    for name, expected in hashes.items():
        if not isinstance(name, str) or "/" in name or name.startswith("."):
            raise CheckpointError(f"Checkpoint {folder} names a file outside itself.")
        file = folder / f"{name}.safetensors"
        try:
            content = file.read_bytes()
        except OSError as error:
            raise CheckpointError(f"Checkpoint file {file} is missing or unreadable.") from error
        if _hash(content) != expected:
            raise CheckpointError(f"Checkpoint file {file} is truncated or was changed (its hash differs).")
        try:
            tensors[name] = {
                key: value.to(device) for key, value in load(content).items()
            }  # the bytes that were hashed
        except SafetensorError as error:
            raise CheckpointError(f"Checkpoint file {file} is no safetensors file ({error}).") from error
    return tensors, state


def to_bytes(tensors: Mapping[str, Tensor]) -> bytes:
    """Return tensors in safetensors format."""
    return save({name: tensor.detach().contiguous().cpu().clone() for name, tensor in tensors.items()})


def write_weights_file(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Replace a safetensors file by one rename.

    Raises:
        StorageError: If it cannot be written; the old file is untouched.
    """
    write_bytes(path, to_bytes(tensors))


def load_weights_file(path: Path, *, device: str = "cpu") -> dict[str, Tensor]:
    """Return the tensors of a safetensors file.

    Raises:
        CheckpointError: If it is missing, truncated or no safetensors file.
    """
    try:
        return load_file(path, device=device)
    except FileNotFoundError:
        raise CheckpointError(f"{path} does not exist. Resume the run until it writes its weights.") from None
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(
            f"{path} is no whole safetensors file ({error}). Restore it, or resume the run from its last checkpoint."
        ) from error


def _write_file(path: Path, content: bytes) -> str:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return _hash(content)


def _hash(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
