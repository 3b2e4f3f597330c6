"""A table of runs that can hang them under each other."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType

from bkd.text import count
from tui.widgets.columns import Column, Placed, Row
from tui.widgets.folds import Folds
from tui.widgets.mark_table import MarkTable
from tui.widgets.marks import Marks
from tui.widgets.outline import LEVEL_CELLS, Forest, Outline, Parents, forest
from tui.widgets.run_lines import Cell, row_cells
from tui.widgets.run_table import RunMessage

LEAST_NAME_CELLS = 10  # what guides leave of a name
WORDY_CELLS = 40  # of the column, from which on the number of folded runs stands with its noun


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
        self._found: Collection[str] | None = None
        self._forest: Forest | None = None  # of all given rows in the present order
        self._ordered: tuple[Sequence[Row], Parents] = ((), {})  # what it was made from
        self._order: object = None  # and by what order
        self._outline: Outline | None = None  # of a tree; its rows are the table's
        self.folds = Folds()

    def set_flat(self, rows: Sequence[Row]) -> None:
        """Show rows one after the other."""
        self._parents = self._found = self._forest = None
        self.set_rows(rows)

    def set_tree(
        self, rows: Sequence[Row], parents: Parents, folds: Folds, found: Collection[str] | None = None
    ) -> None:
        """Show rows under each other.

        Args:
            rows: Siblings in the order in which they are to be shown; the object that was given before, if they are
                the same, saves the time to find out how they hang together.
            parents: What each run hangs under.
            folds: Which are folded; changed by keys and clicks.
            found: Ids of the runs to be shown, those that they hang under muted; None for all.
        """
        self._parents, self._found, self.folds = parents, found, folds
        self.set_rows(rows)

    @property
    def is_tree(self) -> bool:
        """Whether runs hang under each other."""
        return self._parents is not None

    def is_shown_for_others(self, row: Row) -> bool:
        """Whether a row is there only for what hangs under it."""
        return self._found is not None and row["id"] not in self._found

    def reveal(self, run_id: str) -> bool:
        """Move the cursor to a run, unfolding what it hangs under; return whether it is in the table."""
        if self._parents is not None:
            self._unfold_above(run_id, self._parents)
        return self.select(run_id)

    def action_fold(self) -> None:
        """Fold the run under the cursor; one that is folded or has nothing under it: go to its parent."""
        if self._outline is None or self._parents is None or not self.rows:
            return
        if self._outline.has_heirs(self.cursor) and not self._outline.is_folded(self.cursor):
            self._set_fold(is_folded=True)
        elif (parent := self._parents.get(self.rows[self.cursor]["id"])) is not None:
            self.select(parent)

    def action_unfold(self) -> None:
        """Unfold the run under the cursor; one that is unfolded: go to the first run under it."""
        if self._outline is None or not self.rows:
            return
        if self._outline.is_folded(self.cursor):
            self._set_fold(is_folded=False)
        elif self._outline.has_heirs(self.cursor):
            self.cursor += 1

    def action_fold_all(self) -> None:
        """Fold all runs, or unfold them if none that has others under it is unfolded."""
        if self._outline is not None:
            self.folds.set_all(is_folded=self._outline.is_any_open)
            self._folds_changed(None)

    def row_clicked(self, row: int, x: int, event: events.Click) -> None:
        """Fold or unfold a run whose sign was clicked."""
        if self._outline is not None and self._outline.has_heirs(row) and x in self._sign_cells(row):
            self.cursor = row
            self._set_fold(is_folded=not self._outline.is_folded(row))
        else:
            super().row_clicked(row, x, event)

    def _set_fold(self, *, is_folded: bool) -> None:
        run_id = str(self.rows[self.cursor]["id"])
        self.folds.set(run_id, is_folded=is_folded)
        self._folds_changed(run_id)

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

    def show_live(self, figures: Mapping[str, object]) -> None:
        """Show live figures; those by which runs are ordered are looked at when they are ordered next."""
        if self.sort_by is not None:
            self._forest = None
        super().show_live(figures)

    def _in_order(self) -> Sequence[Row]:
        """Return the rows in view: of a tree those that no fold hides."""
        if self._parents is None:
            self._outline = None
            return super()._in_order()
        self._outline = Outline(self._in_tree_order(self._parents), self._found, self.folds.is_folded)
        return self._outline.rows

    def _in_tree_order(self, parents: Parents) -> Forest:
        """Return all given rows in order, found out anew only when that may have changed."""
        given, known = self._ordered
        order = self.sort_by, self.descending, self.columns
        if self._forest is None or given is not self._given or known is not parents or order != self._order:
            self._forest = forest(super()._in_order(), parents)
            self._ordered, self._order = (self._given, parents), order
        return self._forest

    def _put_in_place(self, changed: Mapping[str, Row]) -> None:
        """Show newer rows of runs that stay where they are."""
        if self._outline is None or self._forest is None:
            super()._put_in_place(changed)
        else:
            self._forest, self._ordered = self._forest.with_rows(changed), (self._given, self._ordered[1])
            self._outline.swap(self._forest)
            self._rows = self._outline.rows

    def _index_of_selected(self) -> int | None:
        """Return where the cursor's run is now, or the nearest run in view that it hangs under."""
        at = super()._index_of_selected()
        if at is not None or self._parents is None or self._selected is None:
            return at
        found = map(self._index_of, _ancestors(self._selected, self._parents.get))
        return next((index for index in found if index is not None), None)

    def _cells(self, row: int) -> list[Cell]:
        """Put guides before a name, and the number of folded runs after it."""
        if self._outline is None:
            return super()._cells(row)
        run, is_cursor = self._shown_row(row), row == self.cursor
        cells = row_cells(self._placed, run, is_cursor=is_cursor, is_muted=self.is_shown_for_others(run))
        at = next((i for i, cell in enumerate(cells) if cell.placed.column.title == self._tree_column), None)
        if at is not None:
            below = self._outline.num_below(row) if self._outline.is_folded(row) else 0
            tone = None if is_cursor else "muted"
            cells[at : at + 1] = _with_guides(cells[at], self._outline.guides(row), below, tone)
        return cells

    def _sign_cells(self, row: int) -> range:
        """Return the cells of a row's fold sign; none where the column of the tree does not fit."""
        placed = next((placed for placed in self._placed if placed.column.title == self._tree_column), None)
        if placed is None or self._outline is None:
            return range(0)
        end = placed.start + len(_cut_guides(self._outline.guides(row), placed.width))
        return range(end - LEVEL_CELLS, end)


def _cut_guides(guides: str, width: int) -> str:
    """Return the guides of a name in a column, of a run that hangs very deep the last ones."""
    return guides[-max(LEVEL_CELLS, width - LEAST_NAME_CELLS) :]


def _with_guides(cell: Cell, guides: str, below: int, tone: str | None) -> list[Cell]:
    """Split a name's cell in guides, name and the number of runs that are folded away below it."""
    column, start, width = cell.placed
    guides = _cut_guides(guides, width)
    number = ""
    if below:
        number = count(below, "run") if width >= WORDY_CELLS else f"+{below}"
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
