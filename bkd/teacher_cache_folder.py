"""Folders of cached teacher answers: one per key, what they hold, how to remove them.

Nothing but `delete_cache` removes a folder; a cache that is full stops growing and is still read.
"""

import fcntl
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bkd.errors import BkdError, RunBusy, StorageError
from bkd.files import read_json, storage_error

VERSION = 1
HEADER, IDS, ROWS = "header.json", "ids.bin", "rows.bin"
ID_BYTES = 8
MIB, GIB = 1024**2, 1024**3
_NAME = re.compile(r"[0-9a-f]{32}")


class CacheError(BkdError):
    """A folder of cached answers is foreign, or cannot be used now."""


@dataclass(frozen=True)
class CacheInfo:
    """One cache on disk.

    Attributes:
        path: Its folder, named by the digest of its key.
        key: The key's parts in clear; empty if the header cannot be read.
        entries: Answers it holds.
        size_bytes: On disk.
        last_used: Unix seconds when a student last opened it.
    """

    path: Path
    key: dict[str, Any]
    entries: int
    size_bytes: int
    last_used: float


def list_caches(folder: Path) -> list[CacheInfo]:
    """Return the caches in a folder, last used first; a missing folder has none."""
    found = [_describe(path) for path in cache_paths(folder)]
    return sorted(found, key=lambda info: info.last_used, reverse=True)


def total_bytes(folder: Path) -> int:
    """Return the size of all caches in a folder together."""
    return sum(_size(path / name) for path in cache_paths(folder) for name in (IDS, ROWS))


def cache_paths(folder: Path) -> list[Path]:
    """Return the folders within `folder` that are caches by their names and files."""
    if not folder.is_dir():
        return []
    return [path for path in folder.iterdir() if _NAME.fullmatch(path.name) and (path / ROWS).is_file()]


def holds_answers(path: Path) -> bool:
    """Return whether a cache has any entry."""
    return _size(path / IDS) > 0


def delete_cache(path: Path) -> int:
    """Remove one cache and return the bytes that were freed; files that are none of its own stay.

    Raises:
        CacheError: The folder is no cache.
        RunBusy: A student reads or writes it.
        StorageError: It cannot be removed.
    """
    if path not in cache_paths(path.parent):
        raise CacheError(f"{path} is no teacher cache. List the caches that there are and name one of them.")
    freed = sum(_size(path / name) for name in (HEADER, IDS, ROWS))
    try:
        descriptor = os.open(path / ROWS, os.O_RDWR | os.O_CLOEXEC)
        try:
            if not lock_alone(descriptor):
                raise RunBusy(
                    f"Teacher cache {path.name} is in use by a student. Wait for the student or stop it first."
                )
            for name in (HEADER, IDS, ROWS):
                (path / name).unlink(missing_ok=True)
        finally:
            os.close(descriptor)
        if not any(path.iterdir()):
            path.rmdir()
    except OSError as error:
        raise storage_error(path, error) from error
    return freed


def lock_alone(descriptor: int) -> bool:
    """Lock a file for this process alone; return False at once if another process uses it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def free_bytes(folder: Path) -> int:
    """Return the free space of the disk that a folder lies on."""
    return shutil.disk_usage(folder).free


def _describe(path: Path) -> CacheInfo:
    try:
        key = read_json(path / HEADER).get("key")
    except StorageError:
        key = None
    size = sum(_size(path / name) for name in (HEADER, IDS, ROWS))
    entries = _size(path / IDS) // ID_BYTES
    return CacheInfo(path, key if isinstance(key, dict) else {}, entries, size, path.stat().st_mtime)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
