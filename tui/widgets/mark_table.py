"""A table of runs of which several can be chosen at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from rich.segment import Segment
from textual import events
from textual.binding import Binding, BindingType
from textual.strip import Strip

from tui.widgets.columns import Column, Row
from tui.widgets.marks import Marks
from tui.widgets.run_table import RunMessage, RunTable

MARK = "◆"


class MarkTable(RunTable):
    """Marked rows bear a sign in the margin; a mark stays with its run while rows come, go and are sorted."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "mark", "Mark"),
        Binding("a", "mark_all", "Mark all", show=False),
        Binding("shift+up,K", "mark_range(-1)", "Mark upwards", show=False),
        Binding("shift+down,J", "mark_range(1)", "Mark downwards", show=False),
    ]
    COMPONENT_CLASSES: ClassVar[set[str]] = {"run-table--mark"}

    class MarksChanged(RunMessage):
        """A run was marked or unmarked; `run_id` is None when several were."""

    def __init__(
        self, columns: Sequence[Column], *, empty: str = "No runs.", id: str | None = None, marks: Marks | None = None
    ) -> None:
        """Create a table without rows.

        Args:
            columns: From left to right.
            empty: What to show instead of rows.
            id: Id in the DOM.
            marks: Shared with other tables; unset: its own.
        """
        super().__init__(columns, empty=empty, id=id)
        self._marks = Marks() if marks is None else marks
        self._range: tuple[str, str, list[str]] | None = None  # from, to, and what was marked before

    @property
    def marked(self) -> Sequence[str]:
        """Ids of the marked runs, in the order in which they were marked."""
        return list(self._marks)

    def row_clicked(self, row: int, x: int, event: events.Click) -> None:
        """Mark what is between the cursor and a row that was clicked with Shift, or the row with Control."""
        if event.shift:
            self.action_mark_range(row - self.cursor)
        elif event.ctrl:
            self.cursor = row
            self._toggle()
        else:
            super().row_clicked(row, x, event)

    def action_mark(self) -> None:
        """Mark the run under the cursor, or take its mark away, and go on to the next row."""
        if self.selected_row is not None:
            self._toggle()
            self.cursor += 1

    def action_mark_all(self) -> None:
        """Mark all runs in the table, or take their marks away if all of them are marked."""
        shown = [str(row["id"]) for row in self.rows if not self.is_shown_for_others(row)]
        if all(run_id in self._marks for run_id in shown):
            self._marks.drop(shown)
        else:
            self._marks.add(shown)
        self._say_changed(None)

    def action_mark_range(self, rows: int) -> None:
        """Move the cursor by some rows and mark all that it has passed; going back takes the marks away again."""
        row = self.selected_row
        if row is None:
            return
        first, last, before = self._range or ("", "", [])
        if last != row["id"] or (start := self._index_of(first)) is None:
            first, start, before = str(row["id"]), self.cursor, list(self._marks)
        self.cursor += rows
        low, high = sorted((start, self.cursor))
        passed = [str(row["id"]) for row in self.rows[low : high + 1] if not self.is_shown_for_others(row)]
        self._marks.replace([*before, *passed])
        self._range = first, str(self.rows[self.cursor]["id"]), before
        self._say_changed(None)

    def set_marks(self, run_ids: Iterable[str]) -> None:
        """Mark these runs and no others."""
        self._marks.replace(run_ids)
        self._say_changed(None)

    def is_shown_for_others(self, row: Row) -> bool:
        """Whether a row is no result of its own: it is marked only one by one."""
        return False

    def _toggle(self) -> None:
        run_id = str(self.rows[self.cursor]["id"])
        self._marks.toggle(run_id)
        self._say_changed(run_id)

    def _say_changed(self, run_id: str | None) -> None:
        self.post_message(self.MarksChanged(self, run_id))
        self.repaint_changed()

    def _build_line(self, y: int) -> Strip:
        """Put the sign into the margin of a marked row."""
        strip = super()._build_line(y)
        row = self.scroll_offset.y + y - 1
        if y == 0 or row >= len(self.rows) or self.rows[row]["id"] not in self._marks:
            return strip
        style = next(iter(strip), Segment("")).style if row == self.cursor else self._style("mark")
        return Strip([Segment(MARK, style), *strip.crop(1)], strip.cell_length)
