"""Read the runs that are to be compared, again where they go on, and every run that they came from."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bkd.errors import StorageError
from bkd.paths import RunFolder
from bkd.report_groups import Run, origins_of
from bkd.runfile import Status
from bkd.store import Store

DELETED = "deleted"
"""Status of a run whose folder vanished while it was compared."""


@dataclass(frozen=True)
class Compared:
    """Runs side by side.

    Attributes:
        runs: run.json of each with its status as it is now, in the order in which they were named, each once.
        origins: Every run that they came from, by id, as far as it is still there.
    """

    runs: tuple[Run, ...]
    origins: Mapping[str, Run]


class RunWatch:
    """Looks at the compared runs again and again."""

    def __init__(self, store: Store, compared: Compared) -> None:
        self._store = store
        self._compared = compared
        self._marks = [self._mark(run) for run in compared.runs]

    def look(self) -> Compared | None:
        """Return the runs as they are now, None if nothing has changed since the last look.

        One that was deleted meanwhile stays as it was, with the status "deleted".
        """
        marks = [self._mark(run) for run in self._compared.runs]
        seen = zip(self._compared.runs, self._marks, marks, strict=True)
        runs = tuple(self._again(run) if before != now or _may_change(run) else run for run, before, now in seen)
        self._marks = marks
        if runs == self._compared.runs:
            return None
        self._compared = replace(self._compared, runs=runs)
        return self._compared

    def _again(self, run: Run) -> Run:
        folder = folder_of(self._store, run)
        if not folder.run.exists():
            return {**run, "status": DELETED}
        return _load(self._store, str(run.get("path"))) or {**run, "status": Status.LOST.value}

    def _mark(self, run: Run) -> tuple[int, int] | None:
        """Return what changes whenever run.json is replaced."""
        try:
            stat = folder_of(self._store, run).run.stat()
        except OSError:
            return None
        return stat.st_mtime_ns, stat.st_ino


def _may_change(run: Run) -> bool:
    """Whether a run's status may be another one though its run.json is the same: it is told by a lock."""
    return run.get("status") not in (Status.DONE, Status.FAILED, Status.STOPPED, DELETED)


def read_compared(store: Store, refs: Iterable[str]) -> Compared:
    """Return the runs that ids, prefixes, names or paths mean.

    Raises:
        RunNotFound: If none or several answer to one of them.
        StorageError: If a run.json is unreadable.
    """
    runs = {str(run["id"]): run for _, run in (store.read(ref) for ref in refs)}
    return Compared(tuple(runs.values()), _origins(store, [*runs.values()]))


def read_ids(store: Store, ids: Iterable[str]) -> Compared:
    """Return the runs with these ids; one that is gone or unreadable is left out.

    Raises:
        StorageError: If the registry cannot be read at all.
    """
    paths = {str(row["id"]): str(row.get("path")) for row in store.rows()}
    runs = [run for run_id in dict.fromkeys(ids) if run_id in paths and (run := _load(store, paths[run_id]))]
    return Compared(tuple(runs), _origins(store, runs, paths))


def folder_of(store: Store, run: Run) -> RunFolder:
    """Return the folder of a run."""
    return store.folder(str(run.get("path")))


def _origins(store: Store, runs: Sequence[Run], paths: Mapping[str, str] | None = None) -> dict[str, Run]:
    """Return by id every run that these came from, however far back."""
    found: dict[str, Run] = {}
    wanted = [origin for run in runs for origin in origins_of(run)]
    while wanted:
        if paths is None:
            paths = {str(row["id"]): str(row.get("path")) for row in store.rows()}
        wanted = [origin for origin in dict.fromkeys(wanted) if origin not in found]
        read = [run for origin in wanted if origin in paths and (run := _load(store, paths[origin]))]
        found |= {str(run["id"]): run for run in read}
        wanted = [origin for run in read for origin in origins_of(run)]
    return found


def _load(store: Store, path: str) -> dict[str, Any] | None:
    try:
        return store.load(store.folder(path))
    except StorageError:
        return None
