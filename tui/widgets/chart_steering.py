"""What can be done with a chart, and the messages that tell of it."""

from __future__ import annotations

from dataclasses import replace

from textual.message import Message

from bkd.chart_axis import Range
from bkd.chart_scene import whole_range
from tui.widgets.chart_canvas import ChartCanvas
from tui.widgets.chart_settings import ChartSettings
from tui.widgets.chart_values import carried, nearest_x, next_x
from tui.widgets.chart_window import Window

PAN = 0.25
"""Share of the window by which it moves."""


class _FromChart(Message, bubble=True):
    """A message of a chart."""

    def __init__(self, chart: SteeredChart) -> None:
        super().__init__()
        self.chart = chart

    @property
    def control(self) -> SteeredChart:
        """The chart."""
        return self.chart


class SteeredChart(ChartCanvas):
    """A chart with verbs for what a person asks of it.

    They are told by messages. What the program sets (`crosshair`, `window`, `settings`, `show_axis`) is not, so that
    charts which follow each other do not answer each other.
    """

    class CrosshairMoved(_FromChart, namespace="chart_view"):
        """A person moved the crosshair, or put it away (x is None)."""

        def __init__(self, chart: SteeredChart, x: float | None) -> None:
            super().__init__(chart)
            self.x = x

    class WindowMoved(_FromChart, namespace="chart_view"):
        """A person zoomed or panned."""

        def __init__(self, chart: SteeredChart, window: Window) -> None:
            super().__init__(chart)
            self.window = window

    class SettingsChanged(_FromChart, namespace="chart_view"):
        """A person changed the axes, the smoothing, or what is hidden."""

        def __init__(self, chart: SteeredChart, settings: ChartSettings) -> None:
            super().__init__(chart)
            self.settings = settings

    @property
    def whole(self) -> Range:
        """The x range that shows everything."""
        return whole_range(self.view.shown(self.series), self.x_axis)

    @property
    def axes(self) -> tuple[str, ...]:
        """What x can count for all series that have points."""
        held = [one.trace.axes for one in self.series if len(one.trace)]
        return tuple(axis for axis in held[0] if all(axis in axes for axes in held)) if held else ()

    @property
    def names(self) -> list[str]:
        """Names in the legend."""
        return [*(one.name for one in self.series), *(level.name for level in self.levels)]

    def zoom(self, factor: float, around: float | None = None) -> None:
        """Multiply the window's length; the point around which, the crosshair or the middle, stays where it is."""
        whole = self.whole
        middle = sum(self.window.chosen or whole) / 2
        points = (around, self.crosshair, middle)
        self.move_window(self.window.zoomed(factor, next(x for x in points if x is not None), whole))

    def pan(self, direction: int) -> None:
        """Move the window by a share of itself, to the right for a positive direction."""
        self.move_window(self.window.panned(PAN if direction > 0 else -PAN, self.whole))

    def move_window(self, window: Window) -> None:
        """Show another part of the x axis."""
        if window != self.window:
            self.window = window
            self.post_message(self.WindowMoved(self, window))

    def step_crosshair(self, steps: int) -> None:
        """Move the crosshair by columns, at least to the next point; the window follows it."""
        plot, series = self.plot, self.view.shown(self.series)
        if self.crosshair is None or plot is None:
            return
        axis = self.x_axis
        x, here = plot.x_at(plot.column_of(self.crosshair) + steps), nearest_x(series, axis, self.crosshair)
        if nearest_x(series, axis, x) == here:
            point = next_x(series, axis, here, is_right=steps > 0)
            x = x if point is None else point
        if not plot.left <= plot.column_of(x) < plot.left + plot.width:
            self.pan(steps)
            low, high = self.window.chosen or plot.x_range
            x = min(max(x, low), high)
        self.move_crosshair(x)

    def move_crosshair(self, x: float | None) -> None:
        """Read values elsewhere; None puts the crosshair away."""
        if x != self.crosshair:
            self.crosshair = x
            self.post_message(self.CrosshairMoved(self, x))

    @property
    def settings(self) -> ChartSettings:
        """How the curves are looked at, as a layout remembers it."""
        return ChartSettings(self.x_axis, self.log_y, self.smoothing, self.hidden)

    @settings.setter
    def settings(self, settings: ChartSettings) -> None:
        self.show_axis(settings.x_axis)
        self.log_y, self.smoothing, self.hidden = settings.log_y, settings.smoothing, settings.hidden

    def change_settings(self, settings: ChartSettings) -> None:
        """Look at the curves in another way."""
        if settings != self.settings:
            self.settings = settings
            self.post_message(self.SettingsChanged(self, settings))

    def toggle(self, name: str) -> None:
        """Hide or show a series or level."""
        self.change_settings(replace(self.settings, hidden=self.hidden ^ {name}))

    def show_axis(self, axis: str) -> None:
        """Count x by something else; the window and the crosshair stay at the same points."""
        old = self.x_axis
        if axis == old:
            return
        if self.window.chosen:
            low, high = (carried(self.series, old, axis, x) for x in self.window.chosen)
            self.window = Window((low, high)) if low < high else Window()
        if self.crosshair is not None:
            self.crosshair = carried(self.series, old, axis, self.crosshair)
        self.x_axis = axis
