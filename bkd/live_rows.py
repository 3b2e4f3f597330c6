"""Rows of unfinished and lost runs as their folders have them now, read again and again."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bkd.errors import StorageError
from bkd.paths import RunFolder
from bkd.runfile import UNFINISHED, Status, read_run, status_of
from registry import Mark, mark_of, row_of

UNSETTLED = UNFINISHED | {Status.LOST}  # rows whose run folder is looked at before they are shown
Row = dict[str, Any]


@dataclass(frozen=True)
class _Look:
    """What a run's folder held when it was last looked at.

    Attributes:
        indexed: The row that the registry had.
        mark: Of run.json; None where there is none.
        own: The row by run.json, with the status that stands there; None where it cannot be read.
        status: How the run stood.
        shown: The row that was made of all this.
    """

    indexed: Row
    mark: Mark | None
    own: Row | None
    status: str
    shown: Row


class LiveRows:
    """Looks into the folders of unsettled runs; a run.json is read only when it changed.

    Args:
        root: The save root.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._looks: dict[str, _Look] = {}

    @property
    def is_needed(self) -> bool:
        """Whether the last rows had unsettled ones among them: those can change without the registry's doing."""
        return bool(self._looks)

    def rows(self, indexed: Iterable[Row]) -> list[Row]:
        """Return the registry's rows, the unsettled ones as their folders say; an unchanged one is the same object."""
        looks: dict[str, _Look] = {}
        rows = []
        for row in indexed:
            if row.get("status") in UNSETTLED:
                look = looks[row["id"]] = self._look(row)
                row = look.shown
            rows.append(row)
        self._looks = looks
        return rows

    def _look(self, row: Row) -> _Look:
        folder = RunFolder(self._root / str(row.get("path")))  # "None" holds no run
        before, mark = self._looks.get(row["id"]), _mark(folder)
        if before is not None and before.mark == mark and before.indexed.get("path") == row.get("path"):
            own = before.own
        else:
            before, own = None, _read(folder, row["id"])
        status = Status.LOST.value if own is None else status_of(own, folder)
        if before is not None and before.indexed is row and before.status == status:
            return before
        said = {"path": row.get("path"), "tags": list(row.get("tags") or ()), "note": row.get("note")}
        shown = row | {"status": status} if own is None else own | said | {"status": status}
        return _Look(row, mark, own, status, shown)


def _mark(folder: RunFolder) -> Mark | None:
    try:
        return mark_of(os.stat(folder.run))
    except OSError:
        return None


def _read(folder: RunFolder, run_id: str) -> Row | None:
    """Return a run's row by its run.json; None where that cannot be read or is another run's."""
    try:
        run = read_run(folder)
    except StorageError:
        return None
    return row_of(run) if run["id"] == run_id else None
