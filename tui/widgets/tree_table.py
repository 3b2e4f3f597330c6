"""A table of runs that can hang them under each other."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType

from bkd.text import count
from tui.widgets.branches import LEVEL_CELLS, Branch, Parents, branches
from tui.widgets.columns import Column, Placed, Row
from tui.widgets.folds import Folds
from tui.widgets.mark_table import MarkTable
from tui.widgets.marks import Marks
from tui.widgets.run_lines import Cell, row_cells
from tui.widgets.run_table import RunMessage

LEAST_NAME_CELLS = 10  # what guides leave of a name
WORDY_CELLS = 44  # of the column, from which on the number of folded runs stands with its noun


class TreeTable(MarkTable):
    """Runs under the runs that they were made from, with guides before their names, or one after the other.

    What a filter left out is not given; an ancestor that stands only for what hangs under it is muted.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "fold", "Fold, or to the parent", show=False),
        Binding("right,l", "unfold", "Unfold, or to the first below", show=False),
        Binding("z", "fold_all", "Fold all", show=False),
    ]

    class FoldsChanged(RunMessage):
        """A run was folded or unfolded; `run_id` is None when all were."""

    def __init__(
        self, columns: Sequence[Column], *, tree_column: str = "Name", empty: str = "No runs.", id: str | None = None,
        marks: Marks | None = None,
    ) -> None:  # fmt: skip
        """Create a table without rows.

        Args:
            columns: From left to right.
            tree_column: Title of the one that bears the guides.
            empty: What to show instead of rows.
            id: Id in the DOM.
            marks: Shared with other tables; unset: its own.
        """
        super().__init__(columns, empty=empty, id=id, marks=marks)
        self._tree_column = tree_column
        self._parents: Parents | None = None
        self._muted: Collection[str] = frozenset()
        self._branches: list[Branch] = []
        self.folds = Folds()

    def set_flat(self, rows: Sequence[Row]) -> None:
        """Show rows one after the other."""
        self._parents, self._muted = None, frozenset()
        self.set_rows(rows)

    def set_tree(self, rows: Sequence[Row], parents: Parents, muted: Collection[str], folds: Folds) -> None:
        """Show rows under each other.

        Args:
            rows: Each with all that it hangs under, siblings in the order in which they are to be shown.
            parents: What each run hangs under.
            muted: Ids of rows that are there for the sake of others.
            folds: Which are folded; changed by keys and clicks.
        """
        self._parents, self._muted, self.folds = parents, muted, folds
        self.set_rows(rows)

    @property
    def is_tree(self) -> bool:
        """Whether runs hang under each other."""
        return self._parents is not None

    def is_shown_for_others(self, row: Row) -> bool:
        """Whether a row is there only for what hangs under it."""
        return row["id"] in self._muted

    def reveal(self, run_id: str) -> bool:
        """Move the cursor to a run, unfolding what it hangs under; return whether it is in the table."""
        if self._parents is not None:
            self._unfold_above(run_id, self._parents)
        return self.select(run_id)

    def action_fold(self) -> None:
        """Fold the run under the cursor; one that is folded or has nothing under it: go to its parent."""
        branch = self._branch()
        if branch is None or self._parents is None:
            return
        if branch.below and not branch.is_folded:
            self._set_fold(branch, is_folded=True)
        elif (parent := self._parents.get(branch.row["id"])) is not None:
            self.select(parent)

    def action_unfold(self) -> None:
        """Unfold the run under the cursor; one that is unfolded: go to the first run under it."""
        branch = self._branch()
        if branch is not None and branch.is_folded:
            self._set_fold(branch, is_folded=False)
        elif branch is not None and branch.below:
            self.cursor += 1

    def action_fold_all(self) -> None:
        """Fold all runs, or unfold them if none that has others under it is unfolded."""
        if self.is_tree:
            self.folds.set_all(is_folded=any(branch.below and not branch.is_folded for branch in self._branches))
            self._folds_changed(None)

    def row_clicked(self, row: int, x: int, event: events.Click) -> None:
        """Fold or unfold a run whose sign was clicked."""
        branch = self._branches[row] if self._branches else None
        sign = self._sign_start(branch)
        if branch is not None and branch.below and sign is not None and sign <= x < sign + LEVEL_CELLS:
            self.cursor = row
            self._set_fold(branch, is_folded=not branch.is_folded)
        else:
            super().row_clicked(row, x, event)

    def _branch(self) -> Branch | None:
        return self._branches[self.cursor] if self._branches else None

    def _set_fold(self, branch: Branch, *, is_folded: bool) -> None:
        self.folds.set(str(branch.row["id"]), is_folded=is_folded)
        self._folds_changed(str(branch.row["id"]))

    def _folds_changed(self, run_id: str | None) -> None:
        self._arrange()
        self.post_message(self.FoldsChanged(self, run_id))

    def _unfold_above(self, run_id: str, parents: Parents) -> None:
        above = [at for at in _ancestors(run_id, parents.get) if self.folds.is_folded(at)]
        for at in above:
            self.folds.set(at, is_folded=False)
        if above:
            self._folds_changed(run_id)

    # ---- what is shown

    def _in_order(self) -> Sequence[Row]:
        """Return the rows in view: of a tree those that no fold hides."""
        rows = super()._in_order()
        self._branches = []
        if self._parents is None:
            return rows
        self._branches = branches(rows, self._parents, self.folds.is_folded)
        return [branch.row for branch in self._branches]

    def _index_of_selected(self) -> int | None:
        """Return where the cursor's run is now, or the nearest run in view that it hangs under."""
        at = super()._index_of_selected()
        if at is not None or self._parents is None or self._selected is None:
            return at
        found = map(self._index_of, _ancestors(self._selected, self._parents.get))
        return next((index for index in found if index is not None), None)

    def _cells(self, row: int) -> list[Cell]:
        """Put guides before a name, and the number of folded runs after it."""
        if not self._branches:
            return super()._cells(row)
        branch = self._branches[row]
        is_muted = branch.row["id"] in self._muted
        cells = row_cells(self._placed, branch.row, is_cursor=row == self.cursor, is_muted=is_muted)
        tone = None if row == self.cursor else "muted"
        found: list[Cell] = []
        for cell in cells:
            is_name = cell.placed.column.title == self._tree_column
            found += _with_guides(cell, branch, tone) if is_name else [cell]
        return found

    def _sign_start(self, branch: Branch | None) -> int | None:
        """Return the cell of a run's fold sign; None where the column of the tree does not fit."""
        placed = next((placed for placed in self._placed if placed.column.title == self._tree_column), None)
        return None if placed is None or branch is None else placed.start + len(_guides(branch, placed)) - LEVEL_CELLS


def _guides(branch: Branch, placed: Placed) -> str:
    """Return a run's guides, of one that hangs very deep the last."""
    return branch.guides[-max(LEVEL_CELLS, placed.width - LEAST_NAME_CELLS) :]


def _with_guides(cell: Cell, branch: Branch, tone: str | None) -> list[Cell]:
    """Split a name's cell in guides, name and number of folded runs."""
    column, start, width = cell.placed
    guides = _guides(branch, cell.placed)
    number = ""
    if branch.is_folded:
        number = count(branch.below, "run") if width >= WORDY_CELLS else f"+{branch.below}"
    room = width - len(guides) - (len(number) + 1 if number else 0)
    cells = [
        Cell(Placed(column, start, len(guides)), guides, tone),
        Cell(Placed(column, start + len(guides), room), cell.text, cell.tone),
    ]
    if number:
        cells.append(Cell(Placed(column, start + width - len(number), len(number)), number, tone))
    return cells


def _ancestors(run_id: str, parent_of: Callable[[str], str | None]) -> list[str]:
    """Return the runs above a run, the nearest first."""
    found: list[str] = []
    at = parent_of(run_id)
    while at is not None:
        found.append(at)
        at = parent_of(at)
    return found
