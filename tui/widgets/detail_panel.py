"""What the selected run is: its folder read in threads, so that the cursor never waits for a disk."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.containers import Container, Vertical, VerticalScroll
from textual.message import Message
from textual.worker import get_current_worker

from bkd.errors import StorageError
from bkd.store import Store
from tui.messages import Row, RunRead
from tui.selected_run import SETTLE_S, Followed, SelectedRun
from tui.widgets.line import Line
from tui.widgets.now_block import NowBlock

if TYPE_CHECKING:
    from tui.widgets.run_chart import RunChart


FIRST_S = 0.5
"""Before the first curve, whose drawing takes a while to load: the first screen is painted meanwhile."""

LOW_LINES = 36


class DetailText(VerticalScroll, can_focus=False):
    """What is written of the run, as far as there is room."""


class DetailPanel(Container):
    """How one run stands now and its loss as a curve; under them results, lineage and configuration."""

    class RunFollowed(Message):
        """Something new of the selected run was read."""

        def __init__(self, found: Followed) -> None:
            super().__init__()
            self.found = found

    def __init__(self, store: Store, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._store = store
        self._row: Row | None = None
        self._rows: Sequence[Row] = ()
        self._chart: RunChart | None = None
        self._settle_s = FIRST_S
        self._followed: object = None  # what the run that is followed was like when that began

    def compose(self) -> ComposeResult:
        """Lay out figures, curve and text."""
        with Vertical(id="detail-live"):
            yield NowBlock()  # and a chart, once there is something to draw
        with DetailText(id="detail-scroll"):
            yield Line(id="detail-text")

    def on_mount(self) -> None:
        """Keep figures and curve out of sight until there are some."""
        self._show_live(None)

    def on_resize(self) -> None:
        """Leave the text some lines on a low terminal."""
        self.set_class(self.size.height < LOW_LINES, "-low")

    def show(self, row: Row | None, rows: Sequence[Row]) -> None:
        """Show a run; nothing is read while the panel is hidden.

        Args:
            row: The run's row, None for no run.
            rows: All runs, among which its relatives are.
        """
        if row is None or self._row is None or row["id"] != self._row["id"]:
            self.query_one(DetailText).scroll_home(animate=False)
        self._row, self._rows = row, rows
        if row is None or not self.display:
            self._followed = None
            self.workers.cancel_group(self, "follow")
        if row is None:
            self._say("")
            self._show_live(None)
        elif self.display:
            self.read(row)
            self._follow(row)

    # ---- what is written

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
            self._say(detail_text(event.run, self._rows))

    def _say(self, text: Text | str) -> None:
        self.query_one("#detail-text", Line).say(text, resizes=True)

    # ---- what goes on

    def _follow(self, row: Row) -> None:
        """Follow the run's events, unless that is done already."""
        self.query_one(NowBlock).know(row)
        state = row["id"], row.get("status"), row.get("started"), row.get("path")
        if state != self._followed:
            self._followed = state
            self.follow(row)

    @work(thread=True, group="follow", exclusive=True)
    def follow(self, row: Row) -> None:
        """Post figures and points of the run while it goes on and somebody looks."""
        worker, screen = get_current_worker(), self.screen
        run = SelectedRun(self._store, row, settle_s=self._settle_s)
        self._settle_s = SETTLE_S
        for found in run.changes(lambda: worker.is_cancelled, lambda: screen.is_current and self.display):
            if worker.is_cancelled:
                return
            self.post_message(self.RunFollowed(found))

    @on(RunFollowed)
    def show_followed(self, event: RunFollowed) -> None:
        """Show what was read, unless the cursor has gone on."""
        event.stop()
        if self._row is not None and self._row["id"] == event.found.run_id:
            self._show_live(event.found)

    def _show_live(self, found: Followed | None) -> None:
        found = found or Followed("")
        now, chart = self.query_one(NowBlock), self._chart
        now.show(self._row or {}, found.live, found.system)
        if found.plot is not None and chart is None:
            chart = self._mount_chart()
        if chart is not None:
            chart.display = found.plot is not None
            if found.plot is not None and found.history is not None:
                chart.show_history(found.plot, found.history)
            chart.add(found.records)
        self.query_one("#detail-live").display = now.display or found.plot is not None

    def _mount_chart(self) -> RunChart:
        from tui.widgets.run_chart import RunChart

        self._chart = RunChart(id="detail-chart")
        self.query_one("#detail-live").mount(self._chart)
        return self._chart
