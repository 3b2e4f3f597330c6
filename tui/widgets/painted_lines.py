"""A scrolled widget that keeps the lines in view as they were painted, and repaints only those that look different."""

from __future__ import annotations

from collections.abc import Sequence

from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui.widgets.visibility import is_in_view


class PaintedLines(ScrollView):
    """Lines, each formatted when it comes into view.

    A child says in `_build_line` what a line looks like, and in `_lay_out`, which calls this one's, what depends on
    the size.
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._strips: dict[int, Strip] = {}  # what each line in view shows
        self._painted_size = Size()

    def render_line(self, y: int) -> Strip:
        """Return a line in view."""
        if self._painted_size != self.size:
            self._lay_out()
        if y not in self._strips:
            self._strips[y] = self._build_line(y)
        return self._strips[y]

    def notify_style_update(self) -> None:
        """Forget painted lines when colours change."""
        super().notify_style_update()
        self._strips.clear()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Forget painted lines when they move."""
        self._strips.clear()
        super().watch_scroll_y(old_value, new_value)

    def repaint_changed(self, lines: Sequence[int] | None = None) -> None:
        """Format lines in view again and repaint those that look different, also because time has passed.

        Args:
            lines: Those that may look different; None for all.
        """
        if not is_in_view(self):
            self._put_off()
            return
        if self._painted_size != self.size:
            self._lay_out()
            lines = None
        in_view = range(self.size.height)
        for y in in_view if lines is None else [line for line in lines if line in in_view]:
            strip = self._build_line(y)
            if strip != self._strips.get(y):
                self._strips[y] = strip
                self.refresh(Region(0, y, self.size.width, 1))

    def _put_off(self) -> None:
        """Forget what is painted, so that all of it is painted anew when the widget comes into view."""
        if self._strips:
            self._strips.clear()
            self.refresh()

    def _lay_out(self) -> None:
        """Get ready for the present size."""
        self._painted_size = self.size
        self._strips.clear()

    def _build_line(self, y: int) -> Strip:
        """Format a line in view."""
        raise NotImplementedError
