"""Read `snapshot_sd.pt`: tensors by name, without running anything that the file says."""

import hashlib
import io
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bkd.errors import CheckpointError
from bkd.files import storage_error
from bkd.foreign.pickles import FAULTS

State = dict[str, Tensor]
MAX_BYTES = 4 << 30  # the largest network of the scripts takes a quarter of a GiB


def read_bytes(path: Path, limit: int = MAX_BYTES) -> bytes:
    """Return a file's content.

    Raises:
        CheckpointError: It is no ordinary file, or larger than `limit` bytes.
        StorageError: It cannot be read.
    """
    try:
        size = path.stat().st_size
        if not path.is_file() or size > limit:
            what = f"has {size:,} bytes, at most {limit:,} are read" if path.is_file() else "is no ordinary file"
            raise CheckpointError(f"{path.name} {what}. Nothing in it was run.")
        return path.read_bytes()
    except OSError as error:
        raise storage_error(path, error) from error


def content_hash(content: bytes, key: str) -> str:
    """Return what tells one foreign run from another: its weights, and what it is in its tree."""
    return hashlib.blake2b(content, digest_size=16, key=hashlib.sha256(key.encode()).digest()).hexdigest()


def read_snapshot(content: bytes) -> Any:
    """Return what `torch.save` wrote, with its tensors on the CPU.

    Raises:
        CheckpointError: It is truncated, no file of `torch.save`, or holds anything but tensors and plain values.
    """
    _check_archive(content)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of sparse tensors, which are refused by name later
            return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except (*FAULTS, ImportError) as error:
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise CheckpointError(
            f"It holds more than tensors and plain values ({first}) Nothing in it was run."
        ) from error


def _check_archive(content: bytes) -> None:
    """Check that the file is torch's zip and that unpacking it takes no more memory than the file has bytes."""
    if content[:2] != b"PK":
        raise CheckpointError("It is no file of torch.save (1.6 or later). Nothing in it was run.")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, *FAULTS) as error:
        raise CheckpointError("It is truncated or damaged. Copy it again; nothing in it was run.") from error
    # torch stores tensors as they are: a packed entry could unpack to any size.
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        raise CheckpointError("It holds packed entries, which torch.save never writes. Nothing in it was run.")
    if sum(entry.file_size for entry in entries) > len(content):
        raise CheckpointError("It claims more bytes than it has. Nothing in it was run.")


def state_of(value: Any) -> State:
    """Return a network's state dict as plain tensors.

    Raises:
        CheckpointError: It is no dict of tensors by name.
    """
    if not isinstance(value, Mapping) or not value:
        raise CheckpointError(f"It holds a {type(value).__name__}, must hold a network's tensors by name.")
    for name, tensor in value.items():
        if not isinstance(name, str) or not is_plain(tensor):
            raise CheckpointError(
                f"Its entry {name!r} is no tensor, must be one: a network's state dict has no others."
            )
    return {name: tensor.detach() for name, tensor in value.items()}


def is_plain(value: Any) -> bool:
    """Return whether a value is an ordinary tensor of numbers in memory."""
    return (
        isinstance(value, Tensor)
        and value.layout is torch.strided
        and value.device.type == "cpu"
        and not value.is_quantized
        and not value.is_complex()
    )
