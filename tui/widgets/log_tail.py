"""The end of a run's output, following what is appended."""

from __future__ import annotations

from collections.abc import Sequence

from rich.segment import Segment
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from bkd.text import fit


class LogTail(ScrollView, can_focus=True):
    """Lines of a log; keeps to the end unless it was scrolled away from it."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._lines: Sequence[str] = ()
        self.border_title = "output.log"

    @property
    def lines(self) -> Sequence[str]:
        """The lines that it holds."""
        return self._lines

    def render_line(self, y: int) -> Strip:
        """Return a line in view."""
        at, width = self.scroll_offset.y + y, self.size.width
        if not self._lines and y == 0:
            text = "The run has printed nothing."
        else:
            text = self._lines[at] if at < len(self._lines) else ""
        return Strip([Segment(fit(text, width), self.rich_style)], width)

    def on_resize(self) -> None:
        """Stay at the end."""
        self.call_after_refresh(self.scroll_end, animate=False)

    def set_lines(self, lines: Sequence[str]) -> None:
        """Replace the lines (harmless text); repaint those that look different."""
        before, top, height = self._lines, self.scroll_offset.y, self.size.height
        is_at_end = self.is_vertical_scroll_end
        self._lines = lines
        self.virtual_size = Size(1, len(lines))
        if is_at_end and len(lines) > height:
            self.refresh()
            self.call_after_refresh(self.scroll_end, animate=False)
            return
        for y in range(height):
            if before[top + y : top + y + 1] != lines[top + y : top + y + 1] or not before:
                self.refresh(Region(0, y, self.size.width, 1))
