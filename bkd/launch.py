"""Start a run's child process, and stop one."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from bkd.errors import RunBusy, StorageError
from bkd.events import last_events
from bkd.files import storage_error
from bkd.locks import acquire, is_locked
from bkd.paths import RunFolder
from bkd.runfile import Status, read_run, this_host, write_run

MIN_GRACE_S = 10.0  # between SIGTERM and SIGKILL


def spawn(folders: Sequence[RunFolder], *, resume: bool = False) -> int:
    """Start one child for the runs in `folders` and return its process id.

    The child leads its own session, so that neither a closed app nor a lost terminal reaches it, and inherits the
    locked run.lock of each folder, so that no moment passes without an owner.

    Raises:
        RunBusy: If one of the runs is running.
        StorageError: If a lock or log cannot be written.
    """
    with _locks_of(folders) as locks:
        return _started("run", folders, locks, ["--resume"] if resume else [])


def spawn_queue(folders: Sequence[RunFolder]) -> int:
    """Start one process that runs the runs in `folders` one after another and return its process id.

    It holds the locks of those that wait: they are queued until their turn comes, also once this process has ended.

    Raises:
        RunBusy, StorageError: As `spawn`.
    """
    with _locks_of(folders) as locks:
        return _started("queue", folders, locks)


def start_locked(folder: RunFolder, lock: int) -> subprocess.Popen[bytes]:
    """Start the child of a run whose lock this process holds already; it has a copy of its own from then on.

    Raises:
        StorageError: If the log cannot be written.
    """
    process = _process("run", [folder], [lock])
    _note_owner(lock, process.pid, 1)
    return process


@contextmanager
def _locks_of(folders: Sequence[RunFolder]) -> Iterator[list[int]]:
    """Hold the locks of runs; who inherits them keeps them."""
    locks: list[int] = []
    try:
        for folder in folders:
            locks.append(acquire(folder.lock))
            os.ftruncate(locks[-1], 0)  # whoever had it before owns it no longer
            folder.stop_request.unlink(missing_ok=True)  # meant for the process before this one
        yield locks
    finally:
        for lock in locks:
            os.close(lock)  # the child has its own copy; the lock lives until the last one closes


def _started(word: str, folders: Sequence[RunFolder], locks: Sequence[int], flags: Sequence[str] = ()) -> int:
    process = _process(word, folders, locks, flags)
    for lock in locks:
        _note_owner(lock, process.pid, len(folders))
    threading.Thread(target=process.wait, daemon=True, name="reaper").start()  # no zombies in a long-lived app
    return process.pid


def _process(
    word: str, folders: Sequence[RunFolder], locks: Sequence[int], flags: Sequence[str] = ()
) -> subprocess.Popen[bytes]:
    log = _open_log(folders, word)
    try:
        return subprocess.Popen(
            _command(word, folders, locks, flags), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True, pass_fds=locks, env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )  # fmt: skip
    finally:
        os.close(log)


def _command(word: str, folders: Sequence[RunFolder], locks: Sequence[int], flags: Sequence[str]) -> list[str]:
    paths = [str(folder.path) for folder in folders]
    return [sys.executable, "-P", "-m", "bkd", word, *paths, "--lock-fds", ",".join(map(str, locks)), *flags]


def _open_log(folders: Sequence[RunFolder], word: str) -> int:
    """Open the log of a process, that of its first run; of runs that share it the others' say where it is."""
    first, *others = (folder.log for folder in folders)
    try:
        for log in others if word == "run" else ():
            with log.open("a", encoding="utf-8") as file:
                file.write(f"Shares its process with other runs, which print to {first}.\n")
        return os.open(first, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise storage_error(first, error) from error


def _note_owner(lock: int, pid: int, runs: int) -> None:
    os.ftruncate(lock, 0)
    os.pwrite(lock, orjson.dumps({"pid": pid, "host": this_host(), "runs": runs}), 0)


def owner(folder: RunFolder) -> int | None:
    """Return the process id of the child that holds a run's lock on this host, or None."""
    note = _owner_note(folder)
    return int(note["pid"]) if note else None


def _owner_note(folder: RunFolder) -> dict[str, Any] | None:
    """Return what is noted of the child that holds a run's lock: its pid and how many runs share it."""
    if not is_locked(folder.lock):
        return None
    try:
        note = orjson.loads(folder.lock.read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return None
    if not isinstance(note, dict) or note.get("host") != this_host():
        return None
    # Process 0 would mean this process's own group, 1 everybody's.
    return note if type(note.get("pid")) is int and note["pid"] > 1 and type(note.get("runs", 1)) is int else None


def grace_s(folder: RunFolder) -> float:
    """Return how long a stopping run may take: ten seconds, or three steps and a checkpoint if that is longer."""
    recent = [e for e in last_events(folder.events) if e.get("kind") in ("step", "epoch")]
    step = max((float(e.get("time/step_s") or 0.0) for e in recent), default=0.0)
    checkpoint = max((float(e.get("time/checkpoint_s") or 0.0) for e in recent), default=0.0)
    return max(MIN_GRACE_S, 3 * step + checkpoint)


def stop_together(folders: Sequence[RunFolder]) -> None:
    """Stop runs, those that share a process after the same step; kill a process that does not answer."""
    _signal_owners(folders, signal.SIGTERM)
    deadline = time.monotonic() + max(map(grace_s, folders), default=0.0)
    stuck = [folder for folder in folders if not _wait_until_free(folder, deadline - time.monotonic())]
    _signal_owners(stuck, signal.SIGKILL)
    for folder in stuck:
        _wait_until_free(folder, MIN_GRACE_S)
    for folder in folders:
        settle_stopped(folder)


def _signal_owners(folders: Sequence[RunFolder], number: int) -> None:
    for pid in {pid for folder in folders if (pid := owner(folder)) is not None}:
        _signal_group(pid, number)


def _grace_of_students_s(folder: RunFolder, run: Mapping[str, Any]) -> float:
    """Return how long the students of a stopping sweep may take; 0 for a run without students."""
    students = [s for s in run.get("students") or () if s.get("path")]
    root = folder.path.parents[len(Path(str(run["path"])).parts) - 1] if students else folder.path
    return max((grace_s(RunFolder(root / s["path"])) + MIN_GRACE_S for s in students), default=0.0)


def stop(folder: RunFolder, run: Mapping[str, Any], *, wait: bool = True) -> str:
    """Ask a run to finish its step, write a checkpoint and stop; kill it if it does not.

    A run that shares its process with others is asked through `stop.request`, and never killed: they would die with it.
    The only one is asked by SIGTERM.

    Returns:
        The status that the run ends with; its status now if `wait` is False, or if it shares its process and has not
        answered yet.

    Raises:
        RunBusy: If it is not running here.
    """
    note = _owner_note(folder)
    if note is None:
        raise RunBusy(f"{run['id']} is not running on this machine: it is {run['status']}. There is nothing to stop.")
    is_shared = int(note.get("runs", 1)) > 1
    if is_shared:
        folder.stop_request.touch()
    else:
        _signal_group(int(note["pid"]), signal.SIGTERM)
    if not wait:
        return str(run["status"])
    is_free = _wait_until_free(folder, max(grace_s(folder), _grace_of_students_s(folder, run)))
    if not is_free and not is_shared:
        _signal_group(int(note["pid"]), signal.SIGKILL)
        _wait_until_free(folder, MIN_GRACE_S)
    return settle_stopped(folder)


def settle_stopped(folder: RunFolder) -> str:
    """Write `stopped (no checkpoint)` for a run whose process was killed before it could say so; return its status."""
    run = read_run(folder)
    if run["status"] in (Status.QUEUED, Status.RUNNING) and not is_locked(folder.lock):
        run |= {"status": Status.STOPPED.value, "ended": round(time.time(), 3), "message": "stopped (no checkpoint)"}
        write_run(folder, run)
    return str(run["status"])


def _wait_until_free(folder: RunFolder, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while is_locked(folder.lock):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _signal_group(pid: int, number: int) -> None:
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        return
    except PermissionError as error:
        raise StorageError(f"Process {pid} belongs to somebody else. Ask its owner to stop it.") from error
