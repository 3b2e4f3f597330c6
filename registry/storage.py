"""A TinyDB storage that is read without a lock and written in one step."""

import errno
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson
from tinydb.storages import Storage

from registry.errors import RegistryDamaged, RegistryError

Tables = dict[str, dict[str, Any]]


class AtomicStorage(Storage):
    """A JSON file that a reader always finds whole, in the format of TinyDB's own JSONStorage.

    Reading takes no lock and keeps no handle. Writing goes to a file beside, which then takes the place of the old one,
    so a reader sees the old state or the new one. Two writers need a lock of their own around read and write: without
    it the later one undoes what the earlier one wrote.

    Args:
        path: The file. It and its folder need not exist; a link is followed, so that the link itself survives.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> Tables | None:
        """Return all tables, or None where there is no file.

        Raises:
            RegistryDamaged: The file is empty, not JSON, or not tables of rows.
            RegistryError: The file is there and cannot be read.
        """
        try:
            data = _read_bytes(self.path)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise RegistryError(
                f"{self.path} cannot be read: {_reason(error)}. Mend its permissions or use another save folder."
            ) from error
        return _tables(data, self.path)

    def write(self, data: Tables) -> None:
        """Replace all tables at once.

        Raises:
            RegistryError: The disk is full, writing is forbidden or a value is not JSON; the old file is as it was.
        """
        encoded = _encode(data, self.path)
        target = Path(os.path.realpath(self.path))
        # A fixed name, because the lock allows one writer: what a killed writer left is cleaned up by the next.
        beside = target.with_name(target.name + ".tmp")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            _write_beside(beside, encoded, _mode(target))
            os.replace(beside, target)
        except OSError as error:
            with suppress(OSError):
                beside.unlink(missing_ok=True)
            raise RegistryError(
                f"{self.path} cannot be written: {_reason(error)}. "
                f"Free space or mend the permissions of {target.parent}; the earlier file is unchanged."
            ) from error


def damaged(path: Path, fault: str) -> str:
    """Say that a registry is damaged and what mends it."""
    return f"{path} is damaged: {fault}. Run `bkd registry rebuild`, which sets it aside and remakes it."


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        # On NFS a file that another host replaces between open and read is gone; its successor is there at once.
        if error.errno != errno.ESTALE:
            raise
        return path.read_bytes()


def _tables(data: bytes, path: Path) -> Tables:
    try:
        tables = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        fault = f"it is not JSON ({error})" if data else "it is empty"
    else:
        fault = _fault(tables)
    if fault:
        raise RegistryDamaged(damaged(path, fault))
    return tables  # type: ignore[no-any-return]


def _fault(tables: object) -> str:
    """Say why `tables` is not what TinyDB writes, or return an empty string."""
    if not isinstance(tables, dict):
        return "it holds no tables"
    for name, table in tables.items():
        if not isinstance(table, dict):
            return f"table {name!r} is not an object"
        if not all(map(str.isdecimal, table)):
            return f"table {name!r} has a row whose number is not a number"
        if not all(type(row) is dict for row in table.values()):
            return f"table {name!r} has a row that is not an object"
    return ""


def _encode(data: Tables, path: Path) -> bytes:
    try:
        try:
            return orjson.dumps(data)
        except TypeError:
            # Twice as slow, and TinyDB's own calls never need it: they make the row numbers text.
            return orjson.dumps(data, option=orjson.OPT_NON_STR_KEYS)
    except TypeError as error:
        raise RegistryError(
            f"{path} is left as it was: a row holds a value that is no JSON ({error}). Use text, numbers and lists."
        ) from error


def _mode(target: Path) -> int | None:
    try:
        return target.stat().st_mode & 0o7777
    except FileNotFoundError:
        return None


def _write_beside(path: Path, data: bytes, mode: int | None) -> None:
    path.unlink(missing_ok=True)
    # Opened anew and exclusively: never through a link that lies there. The folder is not fsynced: after a power cut
    # either name is good, and the run folders hold the truth.
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666), "wb") as file:
        if mode is not None:
            os.fchmod(file.fileno(), mode)
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
