"""Curves that repaint only the cells that changed.

Textual repaints a changed line from the left edge of its widget on. So the drawing stands in a few narrow slices side
by side, and one new point at the end of a curve costs the cells of one slice instead of a whole line.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.app import ComposeResult
from textual.geometry import Region
from textual.reactive import reactive
from textual.strip import Strip
from textual.timer import Timer
from textual.widget import Widget

from bkd.chart import Level, Look, Plot, Series, Span
from tui.widgets.chart_picture import Picture, View, take, with_old_values
from tui.widgets.chart_window import Window
from tui.widgets.visibility import is_in_view

SLICES = 8
LEGEND_PERIOD_S = 1.0
FOCUS_SIGN = "▸"
"""Stands before the title of the focused chart where there are no colours to tell it."""


class ChartSlice(Widget):
    """A narrow upright part of a chart."""

    def render_line(self, y: int) -> Strip:
        """Return this slice's cells of one of the chart's lines."""
        chart = self.parent
        assert isinstance(chart, ChartCanvas)
        return chart.line(y).crop(self.left, self.left + self.size.width)

    @property
    def left(self) -> int:
        """The chart's column at which this slice begins."""
        return self.region.x - self.parent.content_region.x if isinstance(self.parent, Widget) else 0


class ChartCanvas(Widget):
    """Live curves with a legend; what they look like follows from its reactives."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "chart-view--title",
        "chart-view--text",
        "chart-view--axis",
        "chart-view--level",
        "chart-view--mark",
        *(f"chart-view--series-{n}" for n in (1, 2, 3, 4)),
        *(f"chart-view--series-{n}-faint" for n in (1, 2, 3, 4)),
    }

    x_axis: reactive[str] = reactive("step", repaint=False, init=False)
    """What x counts."""
    log_y: reactive[bool] = reactive(False, repaint=False, init=False)
    """Whether the y axis is logarithmic."""
    smoothing: reactive[float] = reactive(0.0, repaint=False, init=False)
    """Weight of the past in the moving average, in [0, 1)."""
    hidden: reactive[frozenset[str]] = reactive(frozenset(), repaint=False, init=False)
    """Names of the series and levels that are not shown."""
    window: reactive[Window] = reactive(Window(), repaint=False, init=False)
    """The part of the x axis in view."""
    crosshair: reactive[float | None] = reactive(None, repaint=False, init=False)
    """The x whose values are shown; None for the last ones and no crosshair."""
    chosen: reactive[str | None] = reactive(None, repaint=False, init=False)
    """Name of the legend entry that a key hides or shows; None for none."""

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
            x_name: What x counts at first: "step", "epoch", "time" (seconds), or what else the series know.
            id: Id in the DOM.
            clock: Seconds, for the pace of the legend.
        """
        super().__init__(id=id)
        self.title = f"{title} ({unit})" if unit else title
        self.painted_cells = 0
        """Cells that were repainted so far because curves changed: what the chart costs a slow link."""
        self.series: Sequence[Series] = ()
        self.levels: Sequence[Level] = ()
        self.note = ""
        self._clock = clock
        self._legend_at = -math.inf
        self._legend_timer: Timer | None = None
        self._picture: Picture | None = None  # None: to be drawn when a line of it is needed
        self._drawn_size = self.size
        self._strips: dict[int, Strip] = {}
        self.set_reactive(ChartCanvas.x_axis, x_name)

    def compose(self) -> ComposeResult:
        """Lay out the slices."""
        for _ in range(SLICES):
            yield ChartSlice()

    def line(self, y: int) -> Strip:
        """Return a whole line: of the heading, or a row of the drawing."""
        if self._picture is None or self._drawn_size != self.content_size:
            self._picture = self._take()
            self._strips.clear()
        if y not in self._strips:
            pieces = self._picture.line(y)
            segments = [Segment(piece.text, self._style(piece.tone)) for piece in pieces]
            self._strips[y] = Strip(segments, self._picture.width)
        return self._strips[y]

    def notify_style_update(self) -> None:
        """Paint everything again when colours change."""
        super().notify_style_update()
        self._strips.clear()
        for part in self.query(ChartSlice):
            part.refresh()

    def on_mount(self) -> None:
        """Draw again whenever the view changes."""
        for name in ("x_axis", "log_y", "smoothing", "hidden", "window", "crosshair", "chosen"):
            self.watch(self, name, self.redraw, init=False)
        if self.app.no_color:
            self.watch(self, "has_focus", self.redraw, init=False)

    def set_series(self, series: Sequence[Series], levels: Sequence[Level] = (), note: str = "") -> None:
        """Replace the curves; what looks different is repainted, nothing at all while the chart is out of view.

        Args:
            series: Curves of different names; `Series.of` those that grow, so that only what is new is looked at.
            levels: Values that lie across the chart, such as what the teacher reached.
            note: A word on what the curves are, "sampled"; empty where they are all that is known.
        """
        self.series, self.levels, self.note = series, levels, note
        self._redraw(is_hasty=self.crosshair is None)

    def redraw(self) -> None:
        """Draw again and repaint the cells that changed; while out of view, as soon as it comes into view."""
        self._redraw(is_hasty=False)

    @property
    def look(self) -> Look:
        """How the curves are looked at now."""
        return Look(
            x_axis=self.x_axis,
            x_range=self.window.chosen,
            log_y=self.log_y,
            smoothing=self.smoothing,
            hidden=self.hidden,
            levels=self.levels,
            is_monochrome=self.app.no_color,
        )

    @property
    def view(self) -> View:
        """How the curves are shown now."""
        sign = FOCUS_SIGN if self.app.no_color and self.has_focus else ""
        return View(sign + self.title, self.look, self.crosshair, self.chosen, self.note)

    @property
    def plot(self) -> Plot | None:
        """Where the curves lie, in the cells below the heading, once they are drawn."""
        return self._picture.frame.plot if self._picture else None

    def entry_at(self, x: int, y: int) -> str | None:
        """Return the name of the legend entry in one of the chart's cells, None where there is none."""
        return self._picture.entry_at(x, y) if self._picture else None

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
        self._refresh_cells(picture.changes(before))

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
        self._drawn_size = self.content_size
        return take(self.series, self.view, *self.content_size)

    def _refresh_cells(self, spans: Sequence[Span]) -> None:
        """Repaint spans of cells, in whichever slices they lie."""
        parts = [(part, part.left, part.left + part.size.width) for part in self.query(ChartSlice)] if spans else []
        for y, start, stop in spans:
            self._strips.pop(y, None)
            self.painted_cells += stop - start
            for part, left, right in parts:
                first, last = max(start, left), min(stop, right)
                if first < last:
                    part.refresh(Region(first - left, y, last - first, 1))

    def _style(self, tone: str) -> Style:
        """Return the style of a component class."""
        return self.get_component_rich_style(f"chart-view--{tone}")
