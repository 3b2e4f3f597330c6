"""The first tab of a view that follows a run, with the end of the output under it where there is room."""

from __future__ import annotations

from pathlib import Path

from textual.app import ComposeResult

from tui.history import History
from tui.messages import Row
from tui.plots import Plot
from tui.widgets.chart_grid import ChartGrid
from tui.widgets.log_tail import LogTail
from tui.widgets.made_view import MadeView
from tui.widgets.pane import Pane


class MainPane(Pane):
    """Holds what its child composes and the output's end, which is read only while it is in view."""

    def __init__(self, log: Path) -> None:
        super().__init__(id="main")
        self._log = log
        self._is_awake = False

    def compose(self) -> ComposeResult:
        """Lay out the output's end under what the child lays out."""
        yield LogTail(self._log)

    def wake(self, run: Row, history: History) -> None:
        """Show the run, and follow the output if it is in view."""
        self._is_awake = True
        super().wake(run, history)
        self.follow_log()

    def sleep(self) -> None:
        """Read nothing any more."""
        self._is_awake = False
        self.follow_log()

    def follow_log(self) -> None:
        """Read the output's end if it is in view, else nothing."""
        tail = self.query_one(LogTail)
        if self._is_awake and self.screen.has_class("-log"):
            tail.wake()
        else:
            tail.sleep()

    def history_grew(self, *, is_first: bool) -> None:
        """Draw what has grown; `is_first` tells that there was nothing before."""


class ChartsPane(MainPane):
    """The curves of a run; of a teacher made in one pass its results."""

    MAIN = "ChartView.-current, ChartView, MadeView"

    def __init__(self, log: Path, plots: tuple[Plot, ...], history: History) -> None:
        super().__init__(log)
        self._plots, self._history = plots, history

    def compose(self) -> ComposeResult:
        """Lay out charts or results."""
        yield ChartGrid(self._plots, self._history) if self._plots else MadeView()
        yield from super().compose()

    @property
    def charts(self) -> ChartGrid | None:
        """The charts; None of a teacher made without training."""
        return self.query_one(ChartGrid) if self._plots else None

    def wake(self, run: Row, history: History) -> None:
        """Draw what has grown meanwhile."""
        super().wake(run, history)
        self.history_grew(is_first=True)

    def show_run(self, run: Row) -> None:
        """Show the results of a run without curves."""
        if not self._plots:
            self.query_one(MadeView).show_run(run)

    def history_grew(self, *, is_first: bool) -> None:
        """Let the curves grow; the first points at once, later ones in their own time."""
        if self.charts is not None:
            self.charts.history_grew(at_once=is_first)
