"""The mouse on a chart: the wheel zooms at the pointer, a drag pans, a click sets the crosshair or toggles a series."""

from __future__ import annotations

from dataclasses import dataclass

from textual import events
from textual.timer import Timer

from tui.widgets.chart_steering import SteeredChart
from tui.widgets.chart_window import Window

WHEEL = 0.5
"""Factor of a turn of the wheel."""

DRAG_PERIOD_S = 0.05
"""A drag is followed at most so often: each picture of it is painted in full."""


@dataclass(frozen=True)
class Press:
    """Where a button went down, in columns of the chart, and what was in view then."""

    column: int
    window: Window
    x_per_column: float


class ChartPointer(SteeredChart):
    """A chart under a mouse."""

    _press: Press | None = None
    _is_dragged = False
    _pointer = 0
    _drag_timer: Timer | None = None

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Begin a click or a drag."""
        column, row = self._cell(event)
        plot = self.plot
        if event.button != 1 or plot is None:
            return
        entry = self.entry_at(column, row)
        if entry is not None:
            self.toggle(entry)
        elif plot.left <= column < plot.left + plot.width and row >= self.heading_lines:
            self._press = Press(column, self.window, plot.x_at(column + 1) - plot.x_at(column))
            self._is_dragged = False
            self.capture_mouse()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Drag: pan where a part is in view, else move the crosshair."""
        if self._press is None:
            return
        self._pointer = self._cell(event)[0]
        self._is_dragged |= self._pointer != self._press.column
        if self._is_dragged and self._drag_timer is None:
            self._follow()
            self._drag_timer = self.set_timer(DRAG_PERIOD_S, self._catch_up)

    def on_mouse_up(self, event: events.MouseUp) -> None:
        """End a click or a drag."""
        if self._press is None:
            return
        self._pointer = self._cell(event)[0]
        self.release_mouse()
        if self._is_dragged:
            self._follow()
        else:
            self._point()
        self._press = None

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Zoom in at the pointer, or pan left with shift."""
        self._turn(event, WHEEL, -1)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Zoom out at the pointer, or pan right with shift."""
        self._turn(event, 1 / WHEEL, 1)

    def on_mouse_scroll_left(self, event: events.MouseScrollLeft) -> None:
        """Pan left."""
        self._turn(event, None, -1)

    def on_mouse_scroll_right(self, event: events.MouseScrollRight) -> None:
        """Pan right."""
        self._turn(event, None, 1)

    @property
    def heading_lines(self) -> int:
        """Lines above the drawing."""
        return self._picture.top if self._picture else 0

    def _turn(self, event: events.MouseEvent, factor: float | None, direction: int) -> None:
        """Zoom or pan; a chart without focus leaves the wheel to what it lies in, where that can scroll."""
        column, plot = self._cell(event)[0], self.plot
        if plot is None or not (self.has_focus or not self._is_in_scroller):
            return
        event.stop()
        if factor is None or event.shift:
            self.pan(direction)
        elif plot.left <= column < plot.left + plot.width:
            self.zoom(factor, plot.x_at(column))

    @property
    def _is_in_scroller(self) -> bool:
        return any(node.max_scroll_y > 0 for node in self.ancestors if hasattr(node, "max_scroll_y"))

    def _catch_up(self) -> None:
        """Follow a drag to where the pointer has come meanwhile."""
        self._drag_timer = None
        if self._press is not None:
            self._follow()

    def _follow(self) -> None:
        """Bring the point that was pressed under the pointer, or the crosshair there."""
        assert self._press is not None
        if self._press.window.chosen is None:
            self._point()
        else:
            distance = (self._press.column - self._pointer) * self._press.x_per_column
            self.move_window(self._press.window.shifted(distance, self.whole))

    def _point(self) -> None:
        """Bring the crosshair under the pointer, or to the plot's edge on its side."""
        plot = self.plot
        if plot is not None:
            self.move_crosshair(plot.x_at(min(max(self._pointer, plot.left), plot.left + plot.width - 1)))

    def _cell(self, event: events.MouseEvent) -> tuple[int, int]:
        """Return the chart's cell under the pointer."""
        region = self.content_region
        return int(event.screen_x) - region.x, int(event.screen_y) - region.y
