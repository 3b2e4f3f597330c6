"""Import a tree: every folder once, teachers before what was made from them, one refusal leaving the others alone."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from bkd.errors import BkdError, CheckpointError
from bkd.foreign.layout import SNAPSHOT, ForeignRun, find_snapshots, read_folder
from bkd.foreign.runs import ImportedRun, Run, make_run, write_files
from bkd.foreign.snapshot import content_hash, read_bytes, read_snapshot, state_of
from bkd.runfile import read_user
from bkd.store import Store


class Fate(StrEnum):
    """What became of a folder."""

    IMPORTED = "imported"
    KNOWN = "known"  # imported earlier
    REFUSED = "refused"


@dataclass(frozen=True)
class Outcome:
    """What became of one folder.

    Attributes:
        run: run.json of an imported or known run.
        reason: Why it was refused.
        notes: What was left out of an imported run.
    """

    folder: Path
    fate: Fate
    run: Run | None = None
    reason: str = ""
    notes: tuple[str, ...] = ()


class Importer:
    """Imports foreign folders into one save root.

    Args:
        store: The save root.
        is_dry_run: Read and check everything, write nothing.
    """

    def __init__(self, store: Store, *, is_dry_run: bool = False) -> None:
        self.store = store
        self.is_dry_run = is_dry_run
        imported = [(run.get("imported"), run) for run in store.runs()]
        self._runs = {str(told["hash"]): run for told, run in imported if isinstance(told, dict) and told.get("hash")}
        self._hashes: dict[Path, str] = {}

    def run(self, path: Path) -> Iterator[Outcome]:
        """Import every folder at and below a path, yielding what became of each.

        Raises:
            SpecError: The path does not exist or holds no foreign run.
            StorageError: The save root cannot be written.
        """
        found = []
        for folder in find_snapshots(path):
            try:
                found.append(read_folder(folder))
            except CheckpointError as error:
                yield Outcome(folder, Fate.REFUSED, reason=str(error))
        for one in sorted(found, key=lambda run: run.rank):
            yield self._outcome(one)

    def _outcome(self, found: ForeignRun) -> Outcome:
        try:
            content = read_bytes(found.snapshot)
            fingerprint = self._hashes[found.folder] = content_hash(content, found.key)
            if fingerprint in self._runs:
                return Outcome(found.folder, Fate.KNOWN, self._runs[fingerprint])
            imported = self._read(found, content, fingerprint)
        except BkdError as error:
            return Outcome(found.folder, Fate.REFUSED, reason=f"{found.snapshot} is refused: {error}")
        self._runs[fingerprint] = imported.run
        if not self.is_dry_run:
            folder = write_files(self.store.root, imported)
            self.store.register(imported.run, read_user(folder))
        return Outcome(found.folder, Fate.IMPORTED, imported.run, notes=imported.figures.refusals)

    def _read(self, found: ForeignRun, content: bytes, fingerprint: str) -> ImportedRun:
        value, parent = read_snapshot(content), self._parent(found)
        run = parent[1] if parent else None
        if found.kind != "Laplace" or found.role == "student":
            return make_run(found, state_of(value), fingerprint, run)
        if parent is None:
            raise CheckpointError(
                f"Its Deterministic teacher {found.parent or 'of the same name up to its trial'} of {found.arch} is "
                "not among the imported runs. Import the whole save/ folder, with teachers/Deterministic in it."
            )
        twin = state_of(read_snapshot(read_bytes(parent[0] / SNAPSHOT)))
        return make_run(found, twin, fingerprint, run, posterior=value)

    def _parent(self, found: ForeignRun) -> tuple[Path, Run] | None:
        """Return folder and run of the imported teacher that a run was made from, if it is in its tree."""
        for folder in found.parent_folders():
            if (fingerprint := self._hash_of(folder)) in self._runs:
                return folder, self._runs[fingerprint]
        return None

    def _hash_of(self, folder: Path) -> str:
        if folder not in self._hashes:
            try:
                teacher = read_folder(folder)
                self._hashes[folder] = content_hash(read_bytes(teacher.snapshot), teacher.key)
            except BkdError:
                self._hashes[folder] = ""
        return self._hashes[folder]
