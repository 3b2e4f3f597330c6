"""A TinyDB storage that is read without a lock and written in one step."""

import errno
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson
from tinydb.storages import Storage

from registry.errors import RegistryDamaged, RegistryError
from registry.lines import encode, read_around
from registry.rows import TABLES, damage_of

Tables = dict[str, dict[str, Any]]
Mark = tuple[int, ...]
"""What changes whenever a file is replaced or written to."""

_YOUNG_NS = 200_000_000  # a file system's clock may stand still for as long as this, and two writes bear one time


class AtomicStorage(Storage):
    """A JSON file that a reader always finds whole, in the format of TinyDB's own JSONStorage, one row a line.

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
        _, data = self.read_marked()
        return None if data is None else parse(data, self.path)

    def read_around(self, run_id: str) -> Tables:
        """Return all tables; rows of other runs may still be text that only `write` understands.

        Raises:
            RegistryDamaged: As `read`; damage inside a row of another run is left to whoever reads that row.
            RegistryError: As `read`.
        """
        _, data = self.read_marked()
        if data is None:
            return {}
        return read_around(data, run_id) or sound(parse(data, self.path), self.path)

    def read_marked(self, known: Mark | None = None) -> tuple[Mark | None, bytes | None]:
        """Return the file's mark, None where there is no file, and its bytes, None where the mark is the known one.

        Raises:
            RegistryError: The file is there and cannot be read.
        """
        try:
            return _read_marked(self.path, known)
        except FileNotFoundError:
            return None, None
        except OSError as error:
            raise RegistryError(
                f"{self.path} cannot be read: {_reason(error)}. Mend its permissions or use another save folder."
            ) from error

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


def mark_of(stat: os.stat_result) -> Mark:
    """Return a file's mark; one that is taken just after a write never equals a later one."""
    now = time.time_ns()
    taken = now if now - stat.st_mtime_ns < _YOUNG_NS else 0
    return stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, taken


def _read_marked(path: Path, known: Mark | None) -> tuple[Mark, bytes | None]:
    try:
        return _open_and_read(path, known)
    except OSError as error:
        # On NFS a file that another host replaces between open and read is gone; its successor is there at once.
        if error.errno != errno.ESTALE:
            raise
        return _open_and_read(path, known)


def _open_and_read(path: Path, known: Mark | None) -> tuple[Mark, bytes | None]:
    # Opened even where only the mark is asked for: to open is what makes NFS look at the server.
    with open(path, "rb", buffering=0) as file:
        mark = mark_of(os.fstat(file.fileno()))
        return mark, None if mark == known else file.readall()


def parse(data: bytes, path: Path) -> Tables:
    """Return the tables in a registry's text.

    Raises:
        RegistryDamaged: It is empty, not JSON, or not tables of rows.
    """
    try:
        tables = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        fault = f"it is not JSON ({error})" if data else "it is empty"
    else:
        fault = _fault(tables)
    if fault:
        raise RegistryDamaged(damaged(path, fault))
    return tables  # type: ignore[no-any-return]


def sound(tables: Tables, path: Path) -> Tables:
    """Return the tables if each of their rows can be used.

    Raises:
        RegistryDamaged: A row has no id or a wrong role, or its path leads out of the save folder.
    """
    for name in TABLES.values():
        if fault := next(filter(None, map(damage_of, tables.get(name, {}).values())), ""):
            raise RegistryDamaged(damaged(path, fault))
    return tables


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
            return encode(data)
        except TypeError:
            # Twice as slow, and rows that were JSON once never need it.
            return encode(data, orjson.OPT_NON_STR_KEYS)
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
