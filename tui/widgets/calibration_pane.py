"""How well a run's confidence fits, beside its teacher's, whose run.json is read once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult

from bkd.errors import BkdError
from bkd.store import Store
from tui.messages import Row, RunRead
from tui.widgets.chart_reliability_pane import ReliabilityPane
from tui.widgets.key_bar import Key
from tui.widgets.pane import Pane


class CalibrationPane(Pane):
    """The reliability diagrams of a run."""

    MAIN = "ReliabilityView"
    KEYS: ClassVar[Sequence[Key]] = (Key("v", "next split", "pane('next_split')"),)

    def __init__(self, store: Store) -> None:
        super().__init__(id="reliability")
        self._store = store
        self._run: Row = {}
        self._teacher: Row | None = None
        self._asked = ""

    def compose(self) -> ComposeResult:
        """Lay out the diagrams."""
        yield ReliabilityPane()

    def show_run(self, run: Row) -> None:
        """Show the run at once, and its teacher as soon as it is read."""
        self._run = run
        self.query_one(ReliabilityPane).show_run(run, self._teacher)
        source = str(run.get("teacher") or "")
        if source and source != self._asked:
            self._asked = source
            self.read_teacher(source)

    @work(thread=True, group="teacher", exclusive=True)
    def read_teacher(self, source: str) -> None:
        """Post the teacher's run.json, unless it was deleted."""
        try:
            self.post_message(RunRead(self._store.read(source)[1]))
        except BkdError:
            return

    @on(RunRead)
    def take_teacher(self, event: RunRead) -> None:
        """Show the teacher beside the run."""
        event.stop()
        self._teacher = event.run
        self.query_one(ReliabilityPane).show_run(self._run, self._teacher)

    async def action_next_split(self) -> None:
        """Show the next split where there is no room for two."""
        await self.query_one(ReliabilityPane).run_action("next_split(1)")
