"""The save root as one thing: the registry for speed, the run folders for truth."""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bkd.errors import RunNotFound, StorageError
from bkd.live_rows import LiveRows
from bkd.paths import RunFolder, find_run_files, save_root
from bkd.runfile import Status, read_run, read_user, status_of
from bkd.text import clean, count, listed
from registry import RebuildReport, Registry, RegistryDamaged, RegistryError, is_below, row_of


class Store:
    """Everything below one save root.

    Args:
        root: The save root; unset: BKD_SAVE, else ./save.
        warn: Called with one sentence when the registry had to be rebuilt or could not be written.
    """

    def __init__(self, root: str | Path | None = None, *, warn: Callable[[str], None] = lambda text: None) -> None:
        self.root = save_root(root)
        self.registry = Registry(self.root / "registry.json")
        self.warn = warn
        self._live = LiveRows(self.root)

    def folder(self, path: str) -> RunFolder:
        """Return the folder of a run by its path relative to the save root.

        Raises:
            StorageError: If the path leads out of the save root.
        """
        if not is_below(path):
            raise StorageError(f"{clean(path)!r} leads out of the save root {self.root}. Mend the file that says so.")
        return RunFolder(self.root / path)

    def holds(self, folder: RunFolder) -> bool:
        """Whether a run's folder lies below the save root, by its name or by where links lead."""
        named = Path(os.path.normpath(folder.path)), Path(os.path.realpath(folder.path))
        roots = Path(os.path.normpath(self.root)), Path(os.path.realpath(self.root))
        return any(root in path.parents for root, path in zip(roots, named, strict=True))

    def rows(self) -> list[dict[str, Any]]:
        """Return one row per run, oldest first; unfinished runs as their folder says, not as the index remembers.

        A damaged registry is set aside and rebuilt, a missing one is rebuilt if there are runs. Rows are to be looked
        at, not to be changed: one that did not change since the last call is the same object.

        Raises:
            StorageError: If the registry cannot be read at all.
        """
        return self._live.rows(self._indexed())

    @property
    def is_settled(self) -> bool:
        """Whether the rows that `rows` returned last can change by the registry's doing only."""
        return not self._live.is_needed

    def _indexed(self) -> list[dict[str, Any]]:
        try:
            if self.registry.path.exists() or not self.root.exists():
                return self.registry.rows()
        except RegistryDamaged:
            report = self.rebuild()
            where = report.quarantined.name if report.quarantined else "another process's copy"
            self.warn(
                f"The registry was damaged: set aside as {where} and rebuilt from {count(report.count, 'run folder')}."
            )
        except RegistryError as error:
            raise StorageError(str(error)) from error
        else:
            if next(iter(find_run_files(self.root)), None):
                report = self.rebuild()
                self.warn(f"The registry was missing: rebuilt from {count(report.count, 'run folder')}.")
        try:
            return self.registry.rows()
        except RegistryError as error:
            raise StorageError(str(error)) from error

    def find(self, ref: str) -> RunFolder:
        """Return the folder of the run that an id, an unambiguous prefix of an id, a name, or a path means.

        Raises:
            RunNotFound: If none or several answer.
            StorageError: If the registry does not know where it lies.
        """
        return self._by_path(ref) or self._folder_of(self._row(ref))

    def _folder_of(self, row: Mapping[str, Any]) -> RunFolder:
        if not row.get("path"):
            raise StorageError(f"The registry does not say where {row['id']} lies. `bkd registry rebuild` mends it.")
        return self.folder(row["path"])

    def _row(self, ref: str) -> dict[str, Any]:
        """Return the row that an id, an unambiguous prefix of an id, or a name means."""
        rows = self._indexed()
        ids = [row for row in rows if row["id"] == ref or row.get("name") == ref]
        found = ids or [row for row in rows if len(ref) >= 1 and row["id"].startswith(ref)]
        if not found:
            raise RunNotFound(f"No run answers to {clean(ref)!r} in {self.root}. `bkd list` shows the ids.")
        if len(found) > 1:
            names = ", ".join(row["id"] for row in found[:5])
            raise RunNotFound(
                f"{clean(ref)!r} is ambiguous: {names}{' ...' if len(found) > 5 else ''}. Give more characters."
            )
        return found[0]

    def _by_path(self, ref: str) -> RunFolder | None:
        """Return the run folder that a path means: absolute, from here, or from the save root."""
        if "/" not in ref and ref not in (".", ".."):
            return None
        for candidate in (Path(ref).expanduser(), self.root / ref, self.root.parent / ref):
            if candidate.name == "run.json":
                candidate = candidate.parent
            if (candidate / "run.json").is_file():
                return RunFolder(candidate.absolute())
        raise RunNotFound(
            f"{clean(ref)} is no run folder: it holds no run.json. Give an id (`bkd list`) or a run's folder."
        )

    def read(self, ref: str) -> tuple[RunFolder, dict[str, Any]]:
        """Return (folder, run.json with the status as it is now, tags and note) of a run.

        Raises:
            RunNotFound: As `find`.
            StorageError: If run.json is unreadable, or is another run's than the registry says.
        """
        if folder := self._by_path(ref):
            return folder, self.load(folder)
        row = self._row(ref)
        folder = self._folder_of(row)
        run = self.load(folder)
        if run["id"] != row["id"]:
            raise StorageError(
                f"The registry leads to {run['id']} for {row['id']}. `bkd registry rebuild` mends the index."
            )
        return folder, run

    def load(self, folder: RunFolder) -> dict[str, Any]:
        """Return run.json with the status as it is now, tags and note.

        Raises:
            StorageError: If run.json is unreadable.
        """
        run = read_run(folder)
        return run | read_user(folder) | {"status": status_of(run, folder)}

    def heirs_of(self, run_id: str) -> list[dict[str, Any]]:
        """Return the rows of the runs that came from a run: its students, and teachers made from it."""
        return [row for row in self.rows() if row.get("teacher") == run_id or run_id in (row.get("members") or ())]

    def students_of(self, teacher_id: str) -> list[dict[str, Any]]:
        """Return the rows of the students that came from a teacher."""
        return [row for row in self.heirs_of(teacher_id) if row.get("role") == "student"]

    def register(self, run: dict[str, Any], user: dict[str, Any] | None = None) -> None:
        """Put a run into the registry; a registry that is busy or broken is told of, never fatal."""
        try:
            self._put(row_of(run | (user or {})))
        except (RegistryError, StorageError) as error:
            self.warn(
                f"The registry was not updated ({error}) The run goes on; `bkd registry rebuild` mends the index."
            )

    def _put(self, row: dict[str, Any]) -> None:
        try:
            self.registry.put(row)
        except RegistryDamaged:
            self.rebuild()
            self.registry.put(row)

    def runs(self) -> Iterator[dict[str, Any]]:
        """Yield every run.json below the save root with its tags and note; unreadable ones are told of and left out."""
        for file in find_run_files(self.root):
            folder = RunFolder(file.parent)
            try:
                run = read_run(folder)
            except StorageError as error:
                self.warn(str(error))
                continue
            yield run | read_user(folder) | {"path": str(file.parent.relative_to(self.root))}

    def is_alive(self, path: str) -> bool:
        """Return whether a run that says queued or running has a process."""
        folder = self.folder(path)
        try:
            return status_of(read_run(folder), folder) != Status.LOST
        except StorageError:
            return False

    def rebuild(self) -> RebuildReport:
        """Remake the registry from the run folders.

        Raises:
            StorageError: If it cannot be written.
        """
        try:
            return self.registry.rebuild(self.runs(), self.is_alive)
        except RegistryError as error:
            raise StorageError(str(error)) from error


def root_of(folder: RunFolder) -> Path:
    """Return the save root that a run's folder lies in, by the path that its run.json tells.

    Raises:
        StorageError: If run.json is missing, unreadable or without a path.
    """
    path = read_run(folder).get("path")
    depth = len(Path(path).parts) if path else 0
    if not 0 < depth <= len(folder.path.parents):
        raise StorageError(f"{folder.run} does not say where it lies in its save root. Mend the file.")
    return folder.path.parents[depth - 1]


def heirs_text(heirs: Sequence[Mapping[str, Any]]) -> str:
    """Return how many runs came from another: "2 students and 1 teacher"."""
    found = Counter(str(heir["role"]) for heir in heirs)
    return listed([count(found[role], role) for role in ("student", "teacher", "experiment") if found[role]])
