"""A chart that repaints only the cells that changed.

Textual repaints a changed line from the left edge of its widget on. So the chart stands in a few narrow slices side by side,
and one new point at the end of a curve costs the cells of one slice instead of a whole line.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.errors import NoWidget
from textual.geometry import Region
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from bkd.chart import Frame, Series, draw
from bkd.chart_axis import Range
from bkd.chart_frame import MARK, Run
from tui.widgets.chart_heading import Heading, value_text
from tui.widgets.chart_window import Window

SLICES = 8
SMOOTHINGS = (0.0, 0.6, 0.9, 0.97, 0.99)
ZOOM, PAN, STRIDE = 0.5, 0.25, 10


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

    def __init__(self, title: str, *, unit: str = "", x_name: str = "step", id: str | None = None) -> None:
        """Create an empty chart.

        Args:
            title: What the values are.
            unit: Their unit, shown behind the title.
            x_name: What x counts, shown beside the crosshair's place.
            id: Id in the DOM.
        """
        super().__init__(id=id)
        self._name = f"{title} ({unit})" if unit else title
        self._x_name = x_name
        self._series: Sequence[Series] = ()
        self._frame: Frame | None = None
        self._strips: dict[int, Strip] = {}
        self._is_stale = True

    def compose(self) -> ComposeResult:
        """Lay out the slices."""
        for _ in range(SLICES):
            yield ChartSlice()

    def line(self, y: int) -> Strip:
        """Return a whole line: the heading, or a row of the drawing."""
        if self._is_stale or self._frame is None:
            self._draw()
        if y not in self._strips:
            self._strips[y] = self._heading_strip() if y == 0 else self._row_strip(y - 1)
        return self._strips[y]

    def notify_style_update(self) -> None:
        """Paint everything again when colours change."""
        super().notify_style_update()
        self._strips.clear()
        for part in self.query(ChartSlice):
            part.refresh()

    def watch_log_y(self) -> None:
        """Draw with the other axis."""
        self.redraw()

    def watch_smoothing(self) -> None:
        """Draw smoother or rougher."""
        self.redraw()

    def watch_window(self) -> None:
        """Draw the new part."""
        self.redraw()

    def watch_crosshair(self) -> None:
        """Move the crosshair and its values."""
        self.redraw()

    def on_resize(self) -> None:
        """Draw in the new size."""
        self._is_stale = True
        self._frame = None
        self._strips.clear()

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
        frame = self._frame
        if self.crosshair is None or frame is None:
            self.window = self.window.panned(PAN * math.copysign(1, steps), self._whole())
            return
        column = frame.plot.column_of(self.crosshair) + steps
        first, last = frame.plot.left, frame.plot.left + frame.plot.width - 1
        if not first <= column <= last:
            self.window = self.window.panned(PAN * math.copysign(1, steps), self._whole())
        self.crosshair = frame.plot.x_at(min(max(column, first), last))

    def action_crosshair(self) -> None:
        """Show the crosshair in the middle, or put it away."""
        if self.crosshair is None and self._frame is not None:
            self.crosshair = self._frame.plot.x_at(self._frame.plot.left + self._frame.plot.width // 2)
        else:
            self.crosshair = None

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
        self.redraw()

    def redraw(self) -> None:
        """Draw again and repaint the cells that changed; while out of view, as soon as it comes into view."""
        if not self._is_in_view():
            self._put_off()
            return
        before, heading = self._frame, self._strips.get(0)
        self._draw()
        assert self._frame is not None
        for row, start, stop in self._frame.changes(before):
            self._strips.pop(row + 1, None)
            self._refresh_cells(row + 1, start, stop)
        self._strips[0] = self._heading_strip()
        if heading is None or self._strips[0] != heading:
            self._refresh_cells(0, *_difference(heading, self._strips[0]))

    def _put_off(self) -> None:
        """Note that the drawing is out of date."""
        if not self._is_stale:
            self._is_stale = True
            for part in self.query(ChartSlice):
                part.refresh()

    def _draw(self) -> None:
        """Draw the curves and the crosshair."""
        width, height = self.content_size
        ranges = self.window.chosen
        frame = draw(
            self._series,
            width=max(width, 1),
            height=max(height - 1, 1),
            x_range=ranges,
            log_y=self.log_y,
            smoothing=self.smoothing,
        )
        if self.crosshair is not None:
            column = frame.plot.column_of(self.crosshair)
            if frame.plot.left <= column < frame.width:
                frame = frame.marked(column)
        if self._is_stale:
            self._strips.clear()
        self._frame, self._is_stale = frame, False

    def _refresh_cells(self, y: int, start: int, stop: int) -> None:
        """Repaint cells `start` to `stop` of a line, in whichever slices they lie."""
        for part in self.query(ChartSlice):
            left, width = part.left, part.size.width
            first, last = max(start, left), min(stop, left + width)
            if first < last:
                part.refresh(Region(first - left, y, last - first, 1))

    def _is_in_view(self) -> bool:
        """Tell whether any cell of the chart is on the terminal now."""
        if not self.is_attached or not self.screen.is_current or not self.content_size:
            return False
        try:
            return bool(self.screen.find_widget(self).visible_region)
        except NoWidget:
            return False

    def _whole(self) -> Range:
        """Return the x range that shows everything."""
        return draw(self._series, width=1, height=1).plot.x_range

    def _zoom(self, factor: float, around: float | None = None) -> None:
        """Zoom around a point, the crosshair or the middle."""
        whole = self._whole()
        low, high = self.window.chosen or whole
        self.window = self.window.zoomed(factor, around or self.crosshair or (low + high) / 2, whole)

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
        column = int(event.screen_x) - self.content_region.x
        if self._frame is None or not self._frame.plot.left <= column < self._frame.width:
            return None
        return self._frame.plot.x_at(column)

    def _heading_strip(self) -> Strip:
        """Return the line over the drawing."""
        settings = [
            *(["log"] if self.log_y else []),
            *([f"smooth {self.smoothing:g}"] if self.smoothing else []),
            *(["zoom"] if self.window.chosen else []),
        ]
        values = [value_text(series, self.smoothing, self.crosshair) for series in self._series]
        at = "" if self.crosshair is None else f"{self._x_name} {self.crosshair:,.6g}"
        heading = Heading(self._name, [series.name for series in self._series], values, settings, at)
        pieces = heading.pieces(self.content_size.width)
        return Strip([Segment(text, self._style(tone)) for text, tone in pieces], self.content_size.width)

    def _row_strip(self, row: int) -> Strip:
        """Return a row of the drawing; a blank below it while sizes are changing."""
        assert self._frame is not None
        if row >= self._frame.height:
            return Strip.blank(self.content_size.width, self.rich_style)
        return Strip([Segment(run.text, self._style(_tone(run))) for run in self._frame.row(row)], self._frame.width)

    def _style(self, tone: str) -> Style:
        """Return the style of a component class."""
        return self.get_component_rich_style(f"chart-view--{tone}")


def _tone(run: Run) -> str:
    """Return the component class, without prefix, of a run."""
    if run.series is None:
        return "mark" if run.paint == MARK else "axis"
    return f"series-{run.series % 4 + 1}{'-faint' if run.is_faint else ''}"


def _difference(before: Strip | None, after: Strip) -> tuple[int, int]:
    """Return the first cell in which two lines differ and the one after the last; all of them where styles differ."""
    if before is None or [(len(s.text), s.style) for s in before] != [(len(s.text), s.style) for s in after]:
        return 0, after.cell_length
    ends = list(accumulate(segment.cell_length for segment in after))
    changed = [i for i, (old, new) in enumerate(zip(before, after, strict=True)) if old.text != new.text]
    return ends[changed[0]] - list(after)[changed[0]].cell_length, ends[changed[-1]]
