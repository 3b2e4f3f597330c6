"""A list of teachers to choose from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen

from bkd.text import clean
from tui.messages import Row
from tui.run_columns import PICKED
from tui.widgets.filter_bar import FilterBar
from tui.widgets.line import Line
from tui.widgets.mark_table import MarkTable
from tui.widgets.run_table import RunTable

ONE = "enter takes it   / filters   s sorts   esc back"
SEVERAL = "space marks   enter takes the marked   / filters   s sorts   esc back"


class PickScreen(ModalScreen[list[str]]):
    """Ends with the ids that were chosen, with None on Escape."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "Cancel"),
        Binding("slash", "filter", "Filter", key_display="/"),
    ]
    AUTO_FOCUS = "RunTable"

    def __init__(self, title: str, rows: Sequence[Row], chosen: Sequence[str], *, takes_several: bool) -> None:
        """Create the list.

        Args:
            title: What is chosen.
            rows: The teachers that will do, newest first.
            chosen: Ids, or their beginnings, that were typed so far.
            takes_several: Whether several may be chosen.
        """
        super().__init__()
        self._title, self._rows, self._takes_several = title, rows, takes_several
        self._chosen = [str(row["id"]) for ref in chosen for row in rows if str(row["id"]).startswith(ref)]

    def compose(self) -> ComposeResult:
        """Lay out title, filter, table and keys."""
        with Vertical(classes="dialog -list"):
            yield Line(clean(self._title), classes="title")
            yield FilterBar(id="filter-bar")
            table = MarkTable if self._takes_several else RunTable
            yield table(PICKED, empty="No teacher will do yet.\n\nesc goes back; train one first.")
            yield Line(SEVERAL if self._takes_several else ONE, classes="hint")

    def on_mount(self) -> None:
        """Fill the table, with the cursor on what was chosen."""
        table = self.query_one(RunTable)
        table.set_rows(self._rows)
        if self._chosen:
            table.select(self._chosen[0])
        if isinstance(table, MarkTable):
            table.set_marks(self._chosen)

    @on(RunTable.RunOpened)
    def take(self, event: RunTable.RunOpened) -> None:
        """End with the marked ones, or the one under the cursor."""
        table = event.table
        marked = list(table.marked) if isinstance(table, MarkTable) else []
        self.dismiss(marked or [str(event.run_id)])

    def action_filter(self) -> None:
        """Type a filter."""
        self.add_class("-filtering")
        self.query_one(FilterBar).open(sorted({key for row in self._rows for key in row.get("metrics") or ()}))

    @on(FilterBar.FilterChanged)
    def put_filter(self, event: FilterBar.FilterChanged) -> None:
        """Show the teachers that match."""
        self.query_one(RunTable).set_rows([row for row in self._rows if event.matches(row)])

    @on(FilterBar.FilterLeft)
    def leave_filter(self) -> None:
        """Go back to the table."""
        self.query_one(RunTable).focus()
