"""A table of runs that formats only the rows in view and repaints only the lines that changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive
from textual.strip import Strip

from tui.widgets.columns import Column, Placed, Row, column_at, ordered, place
from tui.widgets.cursor_lines import CursorLines
from tui.widgets.run_lines import Cell, empty_text, heading_cells, join_cells, row_cells

TONES = ("header", "sorted", "empty", "muted", "running", "done", "failed", "lost", "cursor")
"""Component classes without their prefix: what the table's own parts and a column's `tone` may be."""


class RunMessage(Message):
    """Something happened to a run of a table.

    Attributes:
        table: Where.
        run_id: Which run.
    """

    def __init__(self, table: RunTable, run_id: str | None) -> None:
        super().__init__()
        self.table = table
        self.run_id = run_id

    @property
    def control(self) -> RunTable:
        """The table."""
        return self.table


class RunTable(CursorLines, can_focus=True):
    """Runs as rows, one of them under the cursor.

    The cursor stays on its run when rows are replaced or sorted. Columns that do not fit are left out by priority: show
    a run's full values elsewhere.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "Open"),
        Binding("s", "sort_next", "Sort"),
        Binding("S", "sort_reverse", "Reverse", show=False),
    ]

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"run-table--{tone}" for tone in TONES}

    sort_by: reactive[str | None] = reactive(None, repaint=False, init=False)
    """Title of the column by which rows are ordered; None keeps the order given."""
    descending: reactive[bool] = reactive(False, repaint=False, init=False)
    """Whether the largest value comes first."""

    class RunSelected(RunMessage):
        """The cursor has come to another run; `run_id` is None when the table has become empty."""

    class RunOpened(RunMessage):
        """A run was chosen by Enter or a double click."""

    def __init__(self, columns: Sequence[Column], *, empty: str = "No runs.", id: str | None = None) -> None:
        """Create a table without rows.

        Args:
            columns: From left to right.
            empty: What to show instead of rows, one or more lines.
            id: Id in the DOM.
        """
        super().__init__(id=id)
        self.columns = tuple(columns)
        self._empty = empty
        self._given: Sequence[Row] = ()
        self._rows: Sequence[Row] = ()
        self._selected: str | None = None
        self._figures: Mapping[str, object] = {}
        self._placed: list[Placed] = []

    @property
    def num_lines(self) -> int:
        """How many rows there are."""
        return len(self._rows)

    def watch_cursor(self, before: int, now: int) -> None:
        """Tell who is selected, too."""
        super().watch_cursor(before, now)
        self._tell_selected()

    def on_mount(self) -> None:
        """Order the rows anew whenever the order changes."""
        for name in ("sort_by", "descending"):
            self.watch(self, name, self._arrange, init=False)

    def on_click(self, event: events.Click) -> None:
        """Sort by the heading that was clicked, or select the row; a double click opens it."""
        if (offset := event.get_content_offset(self)) is None:
            return
        if offset.y == 0:
            self._sort_at(offset.x)
        elif (row := self.scroll_offset.y + offset.y - 1) < len(self._rows):
            self.row_clicked(row, offset.x, event)

    def row_clicked(self, row: int, x: int, event: events.Click) -> None:
        """Select the row, or open it."""
        self.cursor = row
        if event.chain == 2:
            self.action_open()

    def action_open(self) -> None:
        """Tell that the run under the cursor is to be opened."""
        if self._selected is not None:
            self.post_message(self.RunOpened(self, self._selected))

    def action_sort_next(self) -> None:
        """Sort by the next column in view; after the last one keep the order given."""
        titles = [None, *(placed.column.title for placed in self._placed)]
        at = titles.index(self.sort_by) if self.sort_by in titles else 0
        self.sort_by = titles[(at + 1) % len(titles)]

    def action_sort_reverse(self) -> None:
        """Turn the order round."""
        self.descending = not self.descending

    @property
    def rows(self) -> Sequence[Row]:
        """The rows in the order shown."""
        return self._rows

    @property
    def selected(self) -> str | None:
        """Id of the run under the cursor."""
        return self._selected

    @property
    def selected_row(self) -> Row | None:
        """The row under the cursor."""
        return self._rows[self.cursor] if self._rows else None

    @property
    def rows_in_view(self) -> Sequence[Row]:
        """The rows that lie between the heading and the table's lower edge now."""
        top = self.scroll_offset.y
        return self._rows[top : top + max(0, self.size.height - 1)]

    def show_live(self, figures: Mapping[str, object]) -> None:
        """Show what is known of some runs by the second, and repaint what looks different for it.

        Args:
            figures: By run id; columns find them in the row under "live".
        """
        self._figures = figures
        self.repaint_changed()

    def with_live(self, row: Row) -> Row:
        """Return a row with its run's live figures, if there are any."""
        figures = self._figures.get(row["id"])
        return row if figures is None else {**row, "live": figures}

    def set_rows(self, rows: Sequence[Row]) -> None:
        """Replace the rows; the cursor stays on its run, or where it is when that run is gone.

        Args:
            rows: Objects of `bkd list --json`; each has an `id` that no other has.
        """
        self._given = rows
        self._arrange()

    def swap_rows(self, changed: Mapping[str, Row]) -> None:
        """Replace rows by newer ones of the same runs.

        Args:
            changed: The newer rows by id.
        """
        self._given = [changed.get(row["id"], row) for row in self._given]
        if self.sort_by is None:
            self._put_in_place(changed)
            self.repaint_changed()
        else:
            self._arrange()

    def set_empty(self, text: str) -> None:
        """Replace the text that stands where there are no rows."""
        if text != self._empty:
            self._empty = text
            self.repaint_changed()

    def set_columns(self, columns: Sequence[Column]) -> None:
        """Show other columns."""
        if tuple(columns) != self.columns:
            self.columns = tuple(columns)
            self._lay_out()
            self._arrange()

    def left_out(self) -> list[Column]:
        """Return the columns that do not fit the present width."""
        fitting = [placed.column for placed in place(self.columns, self.size.width)]
        return [column for column in self.columns if column not in fitting]

    def select(self, run_id: str) -> bool:
        """Move the cursor to a run; return whether it is in the table."""
        at = self._index_of(run_id)
        if at is not None:
            self.cursor = at
        return at is not None

    def _lay_out(self) -> None:
        """Choose the columns that fit the present width."""
        super()._lay_out()
        self._placed = place(self.columns, self.size.width)

    def _arrange(self) -> None:
        """Order the given rows and find the selected one again."""
        was_in_view = self.is_cursor_in_view
        self._rows = self._in_order()
        at = self._index_of_selected()
        self.set_reactive(RunTable.cursor, self.validate_cursor(self.cursor if at is None else at))
        self.virtual_size = Size(1, len(self._rows) + 1)
        if was_in_view:
            self.scroll_to_cursor()
        self.repaint_changed()
        self._tell_selected()

    def _in_order(self) -> Sequence[Row]:
        """Return the given rows as they are to be shown."""
        given = [self.with_live(row) for row in self._given] if self._figures and self.sort_by else self._given
        return ordered(given, self.columns, self.sort_by, self.descending)

    def _put_in_place(self, changed: Mapping[str, Row]) -> None:
        """Show newer rows of runs that stay where they are."""
        self._rows = [changed.get(row["id"], row) for row in self._rows]

    def _index_of_selected(self) -> int | None:
        """Return where the cursor's run is now."""
        return self._index_of(self._selected)

    def _index_of(self, run_id: str | None) -> int | None:
        """Return the row of a run, the one under the cursor first."""
        if self.cursor < len(self._rows) and self._rows[self.cursor]["id"] == run_id:
            return self.cursor
        return next((i for i, row in enumerate(self._rows) if row["id"] == run_id), None)

    def _tell_selected(self) -> None:
        """Post the selected run when it is another one than before."""
        run_id = self._rows[self.cursor]["id"] if self._rows else None
        if run_id != self._selected:
            self._selected = run_id
            self.post_message(self.RunSelected(self, run_id))

    def _sort_at(self, x: int) -> None:
        """Sort by the column at a cell; by the same one again, the other way round."""
        column = column_at(self._placed, x)
        if column and column.title == self.sort_by:
            self.descending = not self.descending
        elif column:
            self.sort_by = column.title

    def _build_line(self, y: int) -> Strip:
        """Format a line in view: the heading, a row, a line of the text for an empty table, or a blank."""
        row = self.scroll_offset.y + y - 1
        if y == 0:
            cells = heading_cells(self._placed, self.sort_by, self.descending)
        elif not self._rows:
            text = empty_text(self._empty, y - 2, self.size.width)
            return Strip([Segment(text, self._style("empty"))], self.size.width)
        elif row < len(self._rows):
            cells = self._cells(row)
        else:
            cells = []
        base = self._style("cursor") if self._rows and y > 0 and row == self.cursor else self.rich_style
        return join_cells(cells, self.size.width, base, self._style)

    def _cells(self, row: int) -> list[Cell]:
        """Return what a row shows."""
        return row_cells(self._placed, self._shown_row(row), is_cursor=row == self.cursor)

    def _shown_row(self, row: int) -> Row:
        """Return a row as it is to be shown."""
        return self.with_live(self._rows[row])

    def _style(self, tone: str) -> Style:
        """Return the style of a component class."""
        return self.get_component_rich_style(f"run-table--{tone}")
