"""Small files written whole or not at all, and read back with a clear error."""

import os
import tempfile
from pathlib import Path
from typing import Any

import orjson

from bkd.errors import StorageError


def write_bytes(path: Path, content: bytes) -> None:
    """Replace a file by one rename, so that a reader sees the old or the new content and a crash loses neither.

    Raises:
        StorageError: If the disk is full, the folder is missing or not writable; the old file is untouched.
    """
    try:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise storage_error(path, error) from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o666 & ~_umask())
        os.replace(name, path)
    except OSError as error:
        Path(name).unlink(missing_ok=True)
        raise storage_error(path, error) from error


def write_json(path: Path, value: Any) -> None:
    """Replace a file by the JSON of `value`; non-finite numbers become null.

    Raises:
        StorageError: As `write_bytes`.
    """
    write_bytes(path, orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


def read_json(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file.

    Raises:
        StorageError: If the file is missing, unreadable or holds no JSON object.
    """
    try:
        value = orjson.loads(path.read_bytes())
    except OSError as error:
        raise storage_error(path, error) from error
    except orjson.JSONDecodeError as error:
        raise StorageError(f"{path} is not valid JSON ({error}). Mend the file or remove its folder.") from error
    if not isinstance(value, dict):
        raise StorageError(f"{path} holds no JSON object. Mend the file or remove its folder.")
    return value


def storage_error(path: Path, error: OSError) -> StorageError:
    """Return the error in a person's words, with what to do."""
    import errno

    advice = {
        errno.ENOSPC: "The disk is full: free some space and try again.",
        errno.EDQUOT: "The disk quota is used up: free some space and try again.",
        errno.EACCES: "There is no permission: change its rights or choose another place with --save.",
        errno.EPERM: "There is no permission: change its rights or choose another place with --save.",
        errno.EROFS: "The file system is read-only: choose another place with --save.",
        errno.ENOENT: "It does not exist.",
    }
    reason = advice.get(error.errno or 0, "Check the disk and try again.")
    return StorageError(f"{path}: {error.strerror or error}. {reason}")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
