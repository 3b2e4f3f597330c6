"""What the selected run is: its folder read in a thread, so that the cursor never waits for a disk."""

from __future__ import annotations

from collections.abc import Sequence

from textual import on, work
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.worker import get_current_worker

from bkd.errors import StorageError
from bkd.store import Store
from tui.messages import Row, RunRead
from tui.widgets.line import Line


class DetailPanel(VerticalScroll, can_focus=False):
    """Status, results, lineage and configuration of one run."""

    def __init__(self, store: Store, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._store = store
        self._row: Row | None = None
        self._rows: Sequence[Row] = ()

    def compose(self) -> ComposeResult:
        """Lay out the text."""
        yield Line(id="detail-text")

    def show(self, row: Row | None, rows: Sequence[Row]) -> None:
        """Show a run; nothing is read while the panel is hidden.

        Args:
            row: The run's row, None for no run.
            rows: All runs, among which its relatives are.
        """
        if row is None or self._row is None or row["id"] != self._row["id"]:
            self.scroll_home(animate=False)
        self._row, self._rows = row, rows
        if row is None:
            self.query_one(Line).say("", resizes=True)
        elif self.display:
            self.read(row)

    @work(thread=True, group="details", exclusive=True)
    def read(self, row: Row) -> None:
        """Read the run's folder; what the row says stands in where that fails."""
        try:
            run: Row = self._store.load(self._store.folder(str(row["path"])))
        except StorageError as error:
            run = {**row, "message": str(error)}
        if not get_current_worker().is_cancelled:
            self.post_message(RunRead(run))

    @on(RunRead)
    def tell(self, event: RunRead) -> None:
        """Show what was read, unless the cursor has gone on."""
        from tui.details import detail_text

        event.stop()
        if self._row is not None and self._row["id"] == event.run.get("id"):
            self.query_one(Line).say(detail_text(event.run, self._rows), resizes=True)
