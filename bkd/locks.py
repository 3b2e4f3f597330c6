"""Who owns a run: an flock on run.lock, held by the child for its whole life."""

import fcntl
import os
from pathlib import Path

from bkd.errors import RunBusy
from bkd.files import storage_error


def acquire(path: Path) -> int:
    """Create and lock a file and return its descriptor, which a child process can inherit.

    Raises:
        RunBusy: If another process holds the lock.
        StorageError: If the file cannot be made.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise storage_error(path, error) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise RunBusy(f"{path.parent.name} is running already. Watch it with `bkd watch` or stop it first.") from None
    except OSError as error:
        os.close(descriptor)
        raise storage_error(path, error) from error
    return descriptor


def is_locked(path: Path) -> bool:
    """Return whether a live process of this host holds the lock; never creates or changes the file."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return False
