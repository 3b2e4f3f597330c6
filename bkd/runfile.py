"""run.json and user.json: what a run is, how it stands, what a person says of it."""

import os
import socket
import time
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from bkd.errors import StorageError
from bkd.files import read_json, write_json
from bkd.locks import is_locked
from bkd.paths import RunFolder
from bkd.sound import sound_run

HEARTBEAT_S = 10.0  # the child touches run.lock this often
SILENCE_S = 60.0  # a run on another host without a heartbeat for this long counts as lost


class Status(StrEnum):
    """How a run stands. `lost` is never written: it is what a reader finds.

    A run on another host whose lock cannot be probed from here reads "unknown (on HOST)" instead.
    """

    QUEUED = "queued"  # written, the child has not entered its loop yet
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    STOPPED = "stopped"
    LOST = "lost"  # neither finished nor locked


UNFINISHED = frozenset({Status.QUEUED, Status.RUNNING})


def boot_id() -> str:
    """Return the id of this boot of this machine, "" where the system has none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def this_host() -> str:
    """Return this machine's name."""
    return socket.gethostname()


def read_run(folder: RunFolder) -> dict[str, Any]:
    """Return run.json; what holds something else than it should reads as None.

    Raises:
        StorageError: If it is missing, unreadable or without an id.
    """
    run = sound_run(read_json(folder.run))
    if not run.get("id"):
        raise StorageError(f"{folder.run} holds no id. Mend the file or remove its folder.")
    return run


def write_run(folder: RunFolder, run: Mapping[str, Any]) -> None:
    """Replace run.json.

    Raises:
        StorageError: If it cannot be written; the old one is untouched.
    """
    write_json(folder.run, dict(run))


def read_user(folder: RunFolder) -> dict[str, Any]:
    """Return {"tags": [...], "note": "..."}; empty ones if a person said nothing."""
    try:
        value = read_json(folder.user) if folder.user.exists() else {}
    except StorageError:
        value = {}
    tags = value.get("tags")
    return {"tags": [str(tag) for tag in tags] if isinstance(tags, list) else [], "note": str(value.get("note") or "")}


def write_user(folder: RunFolder, *, tags: list[str] | None = None, note: str | None = None) -> dict[str, Any]:
    """Change tags or note under their lock and return what now holds.

    Raises:
        StorageError: If the lock stays busy or the file cannot be written.
    """
    try:
        with FileLock(folder.user_lock, timeout=5):
            value = read_user(folder)
            if tags is not None:
                value["tags"] = tags
            if note is not None:
                value["note"] = note
            write_json(folder.user, value)
    except Timeout:
        raise StorageError(f"{folder.user_lock} is busy. Close the other program that edits this run's tags.") from None
    except OSError as error:
        raise StorageError(f"{folder.user_lock}: {error.strerror}. Check the folder's rights.") from error
    return value


def status_of(run: Mapping[str, Any], folder: RunFolder, *, now: float | None = None) -> str:
    """Return how a run stands now, by its file, its lock and, on another host, its heartbeat."""
    status = str(run.get("status", ""))
    if status not in UNFINISHED:
        return status
    host = str(run.get("host") or "")
    if host and host != this_host():
        return f"{_UNKNOWN}{host})" if _heartbeat_age(folder, now) < SILENCE_S else Status.LOST.value
    return status if is_locked(folder.lock) else Status.LOST.value


_UNKNOWN = "unknown (on "


def is_unknown(status: str) -> bool:
    """Whether a status says that a run may be at work on another host."""
    return status.startswith(_UNKNOWN)


def _heartbeat_age(folder: RunFolder, now: float | None) -> float:
    try:
        return (time.time() if now is None else now) - os.stat(folder.lock).st_mtime
    except OSError:
        return float("inf")
