"""The registry of runs, for many writers and readers in many processes."""

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tinydb import TinyDB
from tinydb.storages import Storage
from tinydb.table import Table

from registry.errors import RegistryBusy, RegistryDamaged, RegistryError
from registry.kept import KeptRows, sort
from registry.lines import entries_of
from registry.reports import CheckReport, RebuildReport, compare, expected_rows
from registry.rows import TABLES, Row, age_of, fault_of
from registry.storage import AtomicStorage, Mark, Tables, mark_of, sound

Places = dict[str, list[int]]
"""The numbers of a run's rows, by table."""

# Processes that wait poll; updates take milliseconds, so a waiter that looks often is served soon.
_POLL_S = 0.005


class Registry:
    """An index of runs in one TinyDB file with the tables teachers, students and experiments.

    Every write is lock, read, change, write, unlock; every read takes no lock and sees the last complete write. No file
    stays open in between, so an instance may be kept for long, copied into a fork and used from any thread.

    Args:
        path: The file, usually `<save>/registry.json`; the lock lies beside it with `.lock` added.
        lock_timeout_s: How long a write waits for other writers before it raises RegistryBusy.
        storage: Where the tables are, in place of a file at `path`.
    """

    def __init__(self, path: Path, *, lock_timeout_s: float = 10.0, storage: Storage | None = None) -> None:
        self.path = path
        self.lock_timeout_s = lock_timeout_s
        self._storage = AtomicStorage(path) if storage is None else storage
        self._kept = KeptRows(self._storage) if isinstance(self._storage, AtomicStorage) else None

    # ---- reading

    def rows(self, role: str | None = None) -> list[Row]:
        """Return the rows of a role, or of all three, oldest first.

        A row that did not change since the last call is the same object: rows are to be looked at, not to be changed.

        Raises:
            RegistryDamaged: The file is not a registry; rebuild it.
            RegistryError: The file cannot be read.
        """
        # Straight from the storage: TinyDB would wrap each row in a Document, which costs more than reading the file.
        found = self._kept.rows() if self._kept else sort(entries_of(self._read()))
        return list(found.everything if role is None else found.of_table[_table_of(role)])

    def mark(self) -> Mark | None:
        """Return what changes whenever the file does; None where there is no file, or none that can be looked at."""
        try:
            return mark_of(os.stat(self.path))
        except OSError:
            return None

    def get(self, run_id: str) -> Row | None:
        """Return the row of a run, or None."""
        return next((row for row in self.rows() if row["id"] == run_id), None)

    def resolve(self, prefix: str) -> list[Row]:
        """Return the rows whose id starts with `prefix`, oldest first; a complete id returns its own row alone."""
        found = [row for row in self.rows() if row["id"].startswith(prefix)]
        return [row for row in found if row["id"] == prefix] or found

    # ---- writing; each raises RegistryBusy, RegistryDamaged or RegistryError and then has changed nothing

    def put(self, row: Row) -> None:
        """Insert a row into the table of its role, in place of any earlier row with its id."""
        if fault := fault_of(row):
            raise ValueError(fault)
        target = _table_of(row["role"])

        def change(db: TinyDB, places: Places) -> bool:
            for name in places.keys() - {target}:
                _table(db, name).remove(doc_ids=places[name])
            if target in places:
                _table(db, target).update(_replacing(row), doc_ids=places[target])
            else:
                _table(db, target).insert(row)
            return True

        self._change(row["id"], change)

    def update(self, run_id: str, **fields: Any) -> bool:
        """Set fields of a run's row; return whether there is such a row."""
        if moved := {"id", "role"} & fields.keys():
            raise ValueError(f"a row's {moved.pop()} is fixed; put a new row instead")

        def change(db: TinyDB, places: Places) -> bool:
            for name, numbers in places.items():
                _table(db, name).update(fields, doc_ids=numbers)
            return bool(places)

        return self._change(run_id, change)

    def remove(self, run_id: str) -> bool:
        """Remove a run's row; return whether there was one."""

        def change(db: TinyDB, places: Places) -> bool:
            for name, numbers in places.items():
                _table(db, name).remove(doc_ids=numbers)
            return bool(places)

        return self._change(run_id, change)

    # ---- mending

    def check(self, runs: Iterable[Mapping[str, Any]], is_alive: Callable[[str], bool]) -> CheckReport:
        """Compare the rows with the run.json dicts of all run folders; change nothing.

        Args:
            runs: One dict a run folder, with its `path` and with tags and note filled in.
            is_alive: Whether the run with this `path` has a process.
        """
        expected, skipped = expected_rows(runs, is_alive)
        return compare(self.rows(), expected, skipped)

    def rebuild(self, runs: Iterable[Mapping[str, Any]], is_alive: Callable[[str], bool]) -> RebuildReport:
        """Remake the registry from the run folders alone; a damaged file is set aside first.

        A run that is queued or running and has no process becomes `lost`. `runs` is read under the lock: a run that
        changes its run.json meanwhile then updates its row after the rebuild, so nothing is missed.

        Args:
            runs: As in `check`.
            is_alive: As in `check`.
        """
        with self._locked():
            expected, skipped = expected_rows(runs, is_alive)
            quarantined = self._set_aside_if_damaged()
            staged = _Staged({})
            for name in TABLES.values():
                rows = [row for row in expected.values() if _table_of(row["role"]) == name]
                _table(staged.db, name).insert_multiple(sorted(rows, key=age_of))
            self._storage.write(staged.tables)
        return RebuildReport(len(expected), quarantined, skipped)

    def quarantine(self) -> Path | None:
        """Set a damaged file aside as `registry.broken-<UTC stamp>.json` and return where; a good one stays, None."""
        with self._locked():
            return self._set_aside_if_damaged()

    def _set_aside_if_damaged(self) -> Path | None:
        # Looked at again under the lock: another process may have set it aside and rebuilt it meanwhile.
        try:
            self._read()
        except RegistryDamaged:
            return _set_aside(self.path)
        return None

    # ---- one read, one write

    def _read(self) -> Tables:
        return sound(self._storage.read() or {}, self.path)

    def _change(self, run_id: str, change: Callable[[TinyDB, Places], bool]) -> bool:
        """Apply `change` to a run's rows, given where they are; write them if it returns True, and return that."""
        with self._locked():
            tables = self._storage.read_around(run_id) if isinstance(self._storage, AtomicStorage) else self._read()
            staged = _Staged(tables)
            changed = change(staged.db, _places(tables, run_id))
            if changed:
                self._storage.write(staged.tables)
            return changed

    @contextmanager
    def _locked(self) -> Iterator[None]:
        # Imported here: it costs 35 ms, and a process that only reads never needs it.
        from filelock import FileLock, Timeout

        lock = FileLock(f"{self.path}.lock", timeout=self.lock_timeout_s, poll_interval=_POLL_S)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        except Timeout as error:
            raise RegistryBusy(
                f"{lock.lock_file} has been held by another process for {self.lock_timeout_s:g} s. "
                f"Try again in a moment; `fuser {lock.lock_file}` names the process that holds it."
            ) from error
        except (OSError, NotImplementedError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise RegistryError(
                f"{lock.lock_file} cannot be locked: {reason.lower()}. Free space or mend its folder's permissions."
            ) from error
        try:
            yield
        finally:
            lock.release()


class _Staged(Storage):
    """The tables during one change: TinyDB works on them here, and the file is written once, at the end."""

    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        self.db = TinyDB(storage=lambda: self)

    def read(self) -> Tables:
        return self.tables

    def write(self, data: Tables) -> None:
        self.tables = data


def _table(db: TinyDB, name: str) -> Table:
    return db.table(name, cache_size=0)


def _table_of(role: str) -> str:
    if role not in TABLES:
        raise ValueError(f"role must be one of {', '.join(TABLES)}, got {role!r}")
    return TABLES[role]


def _places(tables: Tables, run_id: str) -> Places:
    """Return the numbers of a run's rows in each table that has any."""
    found = {
        name: [int(number) for number, row in tables.get(name, {}).items() if type(row) is dict and row["id"] == run_id]
        for name in TABLES.values()
    }
    return {name: numbers for name, numbers in found.items() if numbers}


def _replacing(row: Row) -> Callable[[MutableMapping[Any, Any]], None]:
    def replace(old: MutableMapping[Any, Any]) -> None:
        old.clear()
        old.update(row)

    return replace


def _set_aside(path: Path) -> Path:
    """Rename a damaged file to a name that no earlier one has."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    names = [f"{path.stem}.broken-{stamp}{suffix}{path.suffix}" for suffix in ("", *(f"-{n}" for n in range(2, 1000)))]
    target = next(path.with_name(name) for name in names if not path.with_name(name).exists())
    try:
        os.rename(path, target)
    except OSError as error:
        raise RegistryError(
            f"{path} is damaged and cannot be set aside: {error.strerror}. Mend the permissions of {path.parent}."
        ) from error
    return target
