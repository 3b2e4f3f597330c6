"""The charts of a run: all of them where there is room, else one at a time; drawn no faster than a slow link takes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from textual import events
from textual.app import ComposeResult

from bkd.chart import Series
from tui.budget import PaintBudget
from tui.history import History
from tui.plots import Plot
from tui.widgets.chart_group import ChartGroup
from tui.widgets.chart_view import ChartView

CHART_EVERY_S = 0.5
CELLS_PER_S = 280.0  # of all charts; a cell costs five to nine bytes
GRID_COLUMNS, GRID_ROWS = 120, 36  # a terminal with fewer shows one chart at a time

SAMPLED = "sampled"
"""Said of curves that are drawn from a part of a long run's records, until all of them are read."""


class ChartGrid(ChartGroup):
    """Charts of one run, which are read together; one of them is the current one."""

    def __init__(self, plots: Sequence[Plot], history: History) -> None:
        """Create the charts.

        Args:
            plots: What each shows.
            history: Where the curves are; `history_grew` tells that it has more.
        """
        super().__init__(id="charts")
        self.plots = tuple(plots)
        self._history = history
        self._index = 0
        self._stale: set[int] = set()  # charts that lag behind the history
        self._budget = PaintBudget(CELLS_PER_S, CELLS_PER_S)
        self._last_drawn = 0  # of the charts that are not the current one

    def compose(self) -> ComposeResult:
        """Lay out the charts; an odd one out at the end takes two places."""
        for index, plot in enumerate(self.plots):
            chart = ChartView(plot.title, id=plot.id)
            chart.set_reactive(ChartView.log_y, plot.log_y)
            chart.set_class(index == len(self.plots) - 1 and index % 2 == 0, "-double")
            yield chart

    def on_mount(self) -> None:
        """Draw what there is, then keep up."""
        self._mark_current()
        self.history_grew()
        self._draw(sorted(self._stale))
        self.set_interval(CHART_EVERY_S, self._draw_due)

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """Take the chart that has the focus for the current one."""
        ids = [plot.id for plot in self.plots]
        if event.widget.id in ids:
            self._index = ids.index(event.widget.id)
            self._mark_current()

    @property
    def current(self) -> ChartView:
        """The chart that keys act on."""
        return self._chart(self._index)

    def fit_to(self, width: int, height: int) -> None:
        """Show as many charts as a terminal of a size has room for."""
        self.set_class(not has_room(width, height), "-single")
        self._mark_current()

    def show_next(self, steps: int) -> None:
        """Go to another chart."""
        self.show((self._index + steps) % len(self.plots))

    def show(self, index: int) -> None:
        """Go to a chart by its place, if there is one."""
        if index < len(self.plots):
            self._index = index
            self._mark_current()
            self.call_after_refresh(self.current.focus)

    def history_grew(self, *, at_once: bool = False) -> None:
        """Draw the charts anew in their turn, or at once."""
        self._stale = set(range(len(self.plots)))
        if at_once:
            self._draw(sorted(self._stale))

    # ---- drawing

    def _draw_due(self) -> None:
        """Bring the current chart up to date, and one of the others in turn, as far as the link allows."""
        if not self._stale or not self._budget.has_room:
            return
        others = sorted(self._stale - {self._index}, key=lambda i: (i - self._last_drawn) % len(self.plots) or 9)
        self._draw([*({self._index} & self._stale), *others[:1]])

    def _draw(self, due: Sequence[int]) -> None:
        for index in due:
            self._stale.discard(index)
            if index != self._index:
                self._last_drawn = index
            chart = self._chart(index)
            before = chart.painted_cells
            series = [self._series(*names) for names in self.plots[index].series]
            chart.set_series(series, note=SAMPLED if self._history.is_sampled else "")
            self._budget.spend(chart.painted_cells - before)

    def _series(self, name: str, key: str) -> Series:
        return self._history.series(name, key) or Series(name, np.empty(0), np.empty(0))

    def _chart(self, index: int) -> ChartView:
        return self.query_one(f"#{self.plots[index].id}", ChartView)

    def _mark_current(self) -> None:
        for index in range(len(self.plots)):
            self._chart(index).set_class(index == self._index, "-current")


def has_room(width: int, height: int) -> bool:
    """Whether a terminal of a size has room for all charts, and for the output under them."""
    return width >= GRID_COLUMNS and height >= GRID_ROWS
