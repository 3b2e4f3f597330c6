"""The charts of a run: all of them where there is room, else page by page or one at a time; drawn no faster than a
slow link takes."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np
from textual import events, on
from textual.app import ComposeResult

from bkd.chart import Level, Series
from tui.budget import PaintBudget
from tui.history import History
from tui.memory import Memory
from tui.plots import Plot
from tui.widgets.chart_group import ChartGroup
from tui.widgets.chart_index import ChartIndex
from tui.widgets.chart_layout import grid_shape
from tui.widgets.chart_view import ChartView

CHART_EVERY_S = 0.5
CELLS_PER_S = 200.0  # of all charts; a cell costs five to nine bytes
GRID_COLUMNS, GRID_ROWS = 120, 36  # a terminal with fewer shows one chart at a time
HIDDEN = "charts.hidden"
"""Under which the app remembers the charts that a person put away."""

SAMPLED = "sampled"
"""Said of curves that are drawn from a part of a long run's records, until all of them are read."""


class ChartGrid(ChartGroup):
    """Charts of one run, which are read together; one of them is the current one and always in view."""

    DEFAULT_CSS = """
    ChartGrid {
        ChartView.-away { display: none; }
    }
    """

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
        self._hidden: frozenset[str] = frozenset()
        self._page_size = 4
        self._stale = set(range(len(self.plots)))  # charts that lag behind the history
        self._budget = PaintBudget(CELLS_PER_S, CELLS_PER_S)
        self._last_drawn = 0  # of the charts that are not the current one

    def compose(self) -> ComposeResult:
        """Lay out the charts, and their index."""
        for plot in self.plots:
            chart = ChartView(plot.title, unit=plot.unit, id=plot.id)
            chart.set_reactive(ChartView.log_y, plot.log_y)
            yield chart
        yield ChartIndex([plot.word for plot in self.plots])

    def on_mount(self) -> None:
        """Draw what there is, then keep up."""
        names: list[object] = self._memory.get(HIDDEN, []) if self._memory else []
        self._hidden = frozenset(name for name in names if isinstance(name, str))
        if not self._places:
            self._hidden = frozenset()
        self._index = self._places[0]
        self._arrange()
        self.set_interval(CHART_EVERY_S, self._draw_due)

    def on_resize(self, event: events.Resize) -> None:
        """Show as many charts as there is room for."""
        self._arrange()

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """Take the chart that has the focus for the current one."""
        ids = [plot.id for plot in self.plots]
        if event.widget.id in ids:
            self._index = ids.index(event.widget.id)
            self._arrange()

    @on(ChartIndex.ChartChosen)
    def choose(self, event: ChartIndex.ChartChosen) -> None:
        """Go to the chart whose name was clicked."""
        event.stop()
        self.show(event.index)

    def action_hide_chart(self) -> None:
        """Put the current chart away, unless it is the last one."""
        if len(self._places) > 1:
            hidden = self._hidden | {self.plots[self._index].id}
            self.show_next(1)
            self._hide(hidden)

    def action_show_hidden(self) -> None:
        """Show the charts that were put away."""
        self._hide(self._hidden - {plot.id for plot in self.plots})

    @property
    def current(self) -> ChartView:
        """The chart that keys act on."""
        return self._chart(self._index)

    def fit_to(self, width: int, height: int) -> None:
        """Show as many charts as a terminal of a size has room for."""
        self._show_single(not has_room(width, height))

    def toggle_single(self) -> None:
        """Show one chart, or all of them."""
        self._show_single(not self.has_class("-single"))

    def show_next(self, steps: int) -> None:
        """Go to another chart that is not hidden."""
        places = self._places
        at = places.index(self._index) if self._index in places else 0
        self.show(places[(at + steps) % len(places)])

    def show(self, index: int) -> None:
        """Go to a chart by its place, if there is one; a hidden one is hidden no more."""
        if index < len(self.plots):
            self._index = index
            self._hide(self._hidden - {self.plots[index].id})
            self.call_after_refresh(self.current.focus)

    def history_grew(self, *, at_once: bool = False) -> None:
        """Draw the charts anew in their turn, or at once."""
        self._stale = set(range(len(self.plots)))
        if at_once:
            self._draw(self._page)

    # ---- arrangement

    @property
    def _places(self) -> list[int]:
        """The places of the charts that are not hidden."""
        return [index for index, plot in enumerate(self.plots) if plot.id not in self._hidden]

    @property
    def _page(self) -> list[int]:
        """The places of the charts that are in view."""
        if self.has_class("-single"):
            return [self._index]
        size, places = self._page_size, self._places
        first = places.index(self._index) // size * size if self._index in places else 0
        return places[first : first + size]

    def _show_single(self, is_single: bool) -> None:
        if is_single != self.has_class("-single"):
            self.set_class(is_single, "-single")
            self._arrange()

    def _hide(self, hidden: frozenset[str]) -> None:
        if hidden != self._hidden and self._memory:
            self._memory.put(HIDDEN, sorted(hidden))
        self._hidden = hidden
        self._arrange()

    def _arrange(self) -> None:
        """Give the charts of this page their places, and draw those that are not up to date."""
        width, height = self.size
        self._page_size = prod(grid_shape(len(self._places), width, height))
        page = self._page
        columns, rows = grid_shape(len(page), width, height)
        self.styles.grid_size_columns, self.styles.grid_size_rows = columns, rows
        for index in range(len(self.plots)):
            chart = self._chart(index)
            chart.set_class(index == self._index, "-current")
            chart.set_class(index not in page, "-away")
            left = -len(page) % columns if index == page[-1] else 0
            chart.styles.column_span = 1 + left  # the last one fills its line
        marks = self.query_one(ChartIndex)
        marks.set_class(len(page) < len(self.plots), "-shown")
        marks.mark(self._index, frozenset(range(len(self.plots))) - set(self._places))
        self._draw([index for index in page if index in self._stale])

    @property
    def _memory(self) -> Memory | None:
        found = getattr(self.app, "memory", None)
        return found if isinstance(found, Memory) else None

    # ---- drawing

    def _draw_due(self) -> None:
        """Bring the current chart up to date, and one of the others in turn, as far as the link allows."""
        stale = self._stale.intersection(self._page)
        if not stale or not self._budget.has_room:
            return
        others = sorted(stale - {self._index}, key=lambda i: (i - self._last_drawn - 1) % len(self.plots))
        self._draw([*({self._index} & stale), *others[:1]])

    def _draw(self, due: Sequence[int]) -> None:
        for index in due:
            self._stale.discard(index)
            if index != self._index:
                self._last_drawn = index
            chart, plot = self._chart(index), self.plots[index]
            before = chart.painted_cells
            levels = [Level(name, value) for name, value in plot.levels]
            note = SAMPLED if self._history.is_sampled else ""
            chart.set_series([self._series(*names) for names in plot.series], levels, note)
            self._budget.spend(chart.painted_cells - before)

    def _series(self, name: str, key: str) -> Series:
        return self._history.series(name, key) or Series(name, np.empty(0), np.empty(0))

    def _chart(self, index: int) -> ChartView:
        return self.query_one(f"#{self.plots[index].id}", ChartView)


def has_room(width: int, height: int) -> bool:
    """Whether a terminal of a size has room for all charts, and for the output under them."""
    return width >= GRID_COLUMNS and height >= GRID_ROWS
