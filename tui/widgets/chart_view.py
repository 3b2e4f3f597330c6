"""A chart that repaints only the cells that changed.

Textual repaints a changed line from the left edge of its widget on. So the chart stands in a few narrow slices side by
side, and one new point at the end of a curve costs the cells of one slice instead of a whole line.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.geometry import Region
from textual.reactive import reactive
from textual.strip import Strip
from textual.timer import Timer
from textual.widget import Widget

from bkd.chart import Plot, Series, draw
from bkd.chart_axis import Range
from tui.widgets.chart_picture import Picture, View, take, with_old_values
from tui.widgets.chart_window import Window
from tui.widgets.visibility import is_in_view

SLICES = 8
SMOOTHINGS = (0.0, 0.6, 0.9, 0.97, 0.99)
ZOOM, PAN = 0.5, 0.25
LEGEND_PERIOD_S = 1.0


class ChartSlice(Widget):
    """A narrow upright part of a chart."""

    def render_line(self, y: int) -> Strip:
        """Return this slice's cells of one of the chart's lines."""
        chart = self.parent
        assert isinstance(chart, ChartView)
        return chart.line(y).crop(self.left, self.left + self.size.width)

    @property
    def left(self) -> int:
        """The chart's column at which this slice begins."""
        return self.region.x - self.parent.content_region.x if isinstance(self.parent, Widget) else 0


class ChartView(Widget, can_focus=True):
    """Live curves with a legend, zoom, and a crosshair that reads values."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("plus,equals_sign", "zoom_in", "Zoom in", key_display="+", show=False),
        Binding("minus", "zoom_out", "Zoom out", key_display="-", show=False),
        Binding("0", "fit", "Fit", show=False),
        Binding("left", "step(-1)", "Left", show=False),
        Binding("right", "step(1)", "Right", show=False),
        Binding("shift+left", "step(-10)", "Far left", show=False),
        Binding("shift+right", "step(10)", "Far right", show=False),
        Binding("c", "crosshair", "Crosshair"),
        Binding("escape", "crosshair_off", "Crosshair off", show=False),
        Binding("l", "log", "Log axis"),
        Binding("m", "smooth", "Smoothing"),
    ]

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "chart-view--title",
        "chart-view--text",
        "chart-view--axis",
        "chart-view--mark",
        *(f"chart-view--series-{n}" for n in (1, 2, 3, 4)),
        *(f"chart-view--series-{n}-faint" for n in (1, 2, 3, 4)),
    }

    log_y: reactive[bool] = reactive(False, repaint=False, init=False)
    """Whether the y axis is logarithmic."""
    smoothing: reactive[float] = reactive(0.0, repaint=False, init=False)
    """Weight of the past in the moving average, in [0, 1)."""
    window: reactive[Window] = reactive(Window(), repaint=False, init=False)
    """The part of the x axis in view."""
    crosshair: reactive[float | None] = reactive(None, repaint=False, init=False)
    """The x whose values are shown; None for the last ones and no crosshair."""

    def __init__(
        self,
        title: str,
        *,
        unit: str = "",
        x_name: str = "step",
        id: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Create an empty chart.

        Args:
            title: What the values are.
            unit: Their unit, shown behind the title.
            x_name: What x counts, shown beside the crosshair's place.
            id: Id in the DOM.
            clock: Seconds, for the pace of the legend.
        """
        super().__init__(id=id)
        self.painted_cells = 0
        """Cells that were repainted so far because curves changed: what the chart costs a slow link."""
        self._clock = clock
        self._legend_at = -math.inf
        self._legend_timer: Timer | None = None
        self._title = f"{title} ({unit})" if unit else title
        self._x_name = x_name
        self._series: Sequence[Series] = ()
        self._picture: Picture | None = None  # None: to be drawn when a line of it is needed
        self._strips: dict[int, Strip] = {}

    def compose(self) -> ComposeResult:
        """Lay out the slices."""
        for _ in range(SLICES):
            yield ChartSlice()

    def line(self, y: int) -> Strip:
        """Return a whole line: the heading, or a row of the drawing."""
        if self._picture is None or self._picture.size != self.content_size:
            self._picture = self._take()
            self._strips.clear()
        if y not in self._strips:
            pieces = self._picture.line(y)
            self._strips[y] = Strip([Segment(text, self._style(tone)) for text, tone in pieces], self._picture.width)
        return self._strips[y]

    def notify_style_update(self) -> None:
        """Paint everything again when colours change."""
        super().notify_style_update()
        self._strips.clear()
        for part in self.query(ChartSlice):
            part.refresh()

    def on_mount(self) -> None:
        """Draw again whenever the view changes."""
        for name in ("log_y", "smoothing", "window", "crosshair"):
            self.watch(self, name, self.redraw, init=False)

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Put the crosshair under the pointer."""
        self._point_at(event)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Drag the crosshair."""
        if event.button == 1:
            self._point_at(event)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Zoom in at the pointer, when the chart has focus."""
        self._zoom_at(event, ZOOM)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Zoom out at the pointer, when the chart has focus."""
        self._zoom_at(event, 1 / ZOOM)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave Escape to the screen while there is no crosshair."""
        return action != "crosshair_off" or self.crosshair is not None

    def action_zoom_in(self) -> None:
        """Show half as much around the crosshair or the middle."""
        self._zoom(ZOOM)

    def action_zoom_out(self) -> None:
        """Show twice as much."""
        self._zoom(1 / ZOOM)

    def action_fit(self) -> None:
        """Show everything."""
        self.window = Window()

    def action_step(self, steps: int) -> None:
        """Move the crosshair by columns, or without one the window by a share of itself."""
        plot = self._plot
        if self.crosshair is None or plot is None:
            self._pan(steps)
            return
        column = plot.column_of(self.crosshair) + steps
        first, last = plot.left, plot.left + plot.width - 1
        if not first <= column <= last:
            self._pan(steps)
        self.crosshair = plot.x_at(min(max(column, first), last))

    def action_crosshair(self) -> None:
        """Show the crosshair in the middle, or put it away."""
        plot = self._plot
        self.crosshair = plot.x_at(plot.left + plot.width // 2) if plot and self.crosshair is None else None

    def action_crosshair_off(self) -> None:
        """Put the crosshair away."""
        self.crosshair = None

    def action_log(self) -> None:
        """Change between a linear and a logarithmic axis."""
        self.log_y = not self.log_y

    def action_smooth(self) -> None:
        """Take the next smoothing of the usual ones."""
        following = [smoothing for smoothing in SMOOTHINGS if smoothing > self.smoothing]
        self.smoothing = following[0] if following else SMOOTHINGS[0]

    def set_series(self, series: Sequence[Series]) -> None:
        """Replace the curves; what looks different is repainted, nothing at all while the chart is out of view."""
        self._series = series
        self._redraw(is_hasty=self.crosshair is None)

    def redraw(self) -> None:
        """Draw again and repaint the cells that changed; while out of view, as soon as it comes into view."""
        self._redraw(is_hasty=False)

    def _redraw(self, is_hasty: bool) -> None:
        """Draw again; in haste the legend keeps its values until its turn: they cost more bytes than the curves."""
        if not is_in_view(self):
            self._put_off()
            return
        before, picture = self._picture, self._take()
        wait_s = self._legend_at + LEGEND_PERIOD_S - self._clock() if is_hasty else 0.0
        if wait_s > 0:
            picture = with_old_values(picture, before)
            self._legend_timer = self._legend_timer or self.set_timer(wait_s, self._legend_turn)
        else:
            self._legend_at = self._clock()
        self._picture = picture
        if before is None:
            self._strips.clear()
        for span in self._picture.changes(before):
            self._strips.pop(span.row, None)
            self._refresh_cells(*span)

    def _legend_turn(self) -> None:
        """Show the values that waited."""
        self._legend_timer = None
        self.redraw()

    def _put_off(self) -> None:
        """Forget the picture, so that a new one is drawn when a line of it is needed."""
        if self._picture is not None:
            self._picture = None
            for part in self.query(ChartSlice):
                part.refresh()

    def _take(self) -> Picture:
        """Draw the curves in the present size and view."""
        view = View(self._title, self._x_name, self.log_y, self.smoothing, self.window, self.crosshair)
        return take(self._series, view, *self.content_size)

    def _refresh_cells(self, y: int, start: int, stop: int) -> None:
        """Repaint cells `start` to `stop` of a line, in whichever slices they lie."""
        self.painted_cells += stop - start
        for part in self.query(ChartSlice):
            left, width = part.left, part.size.width
            first, last = max(start, left), min(stop, left + width)
            if first < last:
                part.refresh(Region(first - left, y, last - first, 1))

    def _whole(self) -> Range:
        """Return the x range that shows everything."""
        return draw(self._series, width=1, height=1).plot.x_range

    @property
    def _plot(self) -> Plot | None:
        """Where the curves lie, once they are drawn."""
        return self._picture.frame.plot if self._picture else None

    def _pan(self, direction: int) -> None:
        """Move the window by a share of itself, to the right for a positive direction."""
        self.window = self.window.panned(math.copysign(PAN, direction), self._whole())

    def _zoom(self, factor: float, around: float | None = None) -> None:
        """Zoom around a point, the crosshair or the middle."""
        whole = self._whole()
        middle = sum(self.window.chosen or whole) / 2
        points = (around, self.crosshair, middle)
        self.window = self.window.zoomed(factor, next(x for x in points if x is not None), whole)

    def _zoom_at(self, event: events.MouseScrollUp | events.MouseScrollDown, factor: float) -> None:
        """Zoom around the pointer; an unfocused chart leaves the wheel to what it lies in."""
        x = self._x_under(event)
        if self.has_focus and x is not None:
            event.stop()
            self._zoom(factor, x)

    def _point_at(self, event: events.MouseEvent) -> None:
        """Put the crosshair under the pointer."""
        x = self._x_under(event)
        if x is not None:
            self.crosshair = x

    def _x_under(self, event: events.MouseEvent) -> float | None:
        """Return the x under the pointer; None outside the plot."""
        column, plot = int(event.screen_x) - self.content_region.x, self._plot
        return plot.x_at(column) if plot and plot.left <= column < plot.left + plot.width else None

    def _style(self, tone: str) -> Style:
        """Return the style of a component class."""
        return self.get_component_rich_style(f"chart-view--{tone}")
