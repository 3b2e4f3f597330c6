"""Charts that are read together: one crosshair, one window and one x axis over all of them."""

from __future__ import annotations

from collections.abc import Iterator

from textual import on
from textual.containers import Container

from tui.widgets.chart_view import ChartView


class ChartGroup(Container):
    """Holds charts, at any depth, that follow the one which a person moves."""

    @on(ChartView.CrosshairMoved)
    def move_crosshairs(self, event: ChartView.CrosshairMoved) -> None:
        """Let the others read values at the same x."""
        for chart in self._others(event.chart):
            if chart.x_axis == event.chart.x_axis:
                chart.crosshair = event.x

    @on(ChartView.WindowMoved)
    def move_windows(self, event: ChartView.WindowMoved) -> None:
        """Let the others show the same part of the x axis."""
        for chart in self._others(event.chart):
            if chart.x_axis == event.chart.x_axis:
                chart.window = event.window

    @on(ChartView.SettingsChanged)
    def change_axes(self, event: ChartView.SettingsChanged) -> None:
        """Let the others count x by the same, those that can; log axis, smoothing and legend are each chart's own."""
        chart = event.chart
        for other in self._others(chart):
            if other.x_axis != chart.x_axis and chart.x_axis in other.axes:
                other.show_axis(chart.x_axis)
                other.window, other.crosshair = chart.window, chart.crosshair

    def _others(self, chart: object) -> Iterator[ChartView]:
        return (other for other in self.query(ChartView) if other is not chart)
