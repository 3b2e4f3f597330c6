"""A small chart of one run's loss that only shows: it takes neither keys nor the mouse."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from bkd.chart import Series
from tui.history import History
from tui.messages import Row
from tui.plots import Plot
from tui.widgets.chart_canvas import ChartCanvas

DRAW_EVERY_S = 1.0


class RunChart(ChartCanvas, can_focus=False):
    """Draws curves as they grow, once a second at most."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__("Loss", id=id)
        self._plot_shown: Plot | None = None
        self._history = History()
        self._drawn_at = 0.0
        self._is_due = False

    def show_history(self, plot: Plot, history: History) -> None:
        """Show other curves, at once."""
        self._plot_shown, self._history = plot, history
        self.title = plot.title
        self.set_reactive(ChartCanvas.log_y, plot.log_y)
        self._draw()

    def add(self, records: Sequence[Row]) -> None:
        """Let the curves grow."""
        if not records:
            return
        self._history.add(records)
        if not self._is_due:
            wait_s = self._drawn_at + DRAW_EVERY_S - time.monotonic()
            self._is_due = wait_s > 0
            self.set_timer(wait_s, self._draw) if wait_s > 0 else self._draw()

    def _draw(self) -> None:
        self._drawn_at, self._is_due = time.monotonic(), False
        if self._plot_shown is not None:
            series = [
                self._history.series(name, key) or Series(name, np.empty(0), np.empty(0))
                for name, key in self._plot_shown.series
            ]
            self.set_series(series)
