"""Painted lines under a heading, one of them under a cursor."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.reactive import reactive

from tui.widgets.painted_lines import PaintedLines


class CursorLines(PaintedLines):
    """A cursor that stays on a line and in view; line 0 is a heading that does not scroll."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("pageup,ctrl+b", "page(-1)", "Page up", show=False),
        Binding("pagedown,ctrl+f", "page(1)", "Page down", show=False),
        Binding("home,g", "go(0)", "First", show=False),
        Binding("end,G", "go(-1)", "Last", show=False),
    ]

    cursor: reactive[int] = reactive(0, repaint=False, init=False)
    """Index of the line under the cursor, in the order shown."""

    @property
    def num_lines(self) -> int:
        """How many lines there are below the heading."""
        raise NotImplementedError

    def watch_cursor(self, before: int, now: int) -> None:
        """Repaint the lines that the cursor left and entered."""
        self.scroll_to_cursor()
        top = self.scroll_offset.y - 1
        self.repaint_changed([before - top, now - top] if self._strips else None)

    def validate_cursor(self, cursor: int) -> int:
        """Keep the cursor on a line."""
        return max(0, min(cursor, self.num_lines - 1))

    def on_resize(self) -> None:
        """Keep the cursor in view."""
        self.scroll_to_cursor()

    def action_move(self, lines: int) -> None:
        """Move the cursor by some lines."""
        self.cursor += lines

    def action_page(self, pages: int) -> None:
        """Move the cursor by as many lines as are in view."""
        self.cursor += pages * max(1, self.size.height - 2)

    def action_go(self, line: int) -> None:
        """Move the cursor to a line; -1 is the last."""
        self.cursor = line % max(1, self.num_lines)

    @property
    def is_cursor_in_view(self) -> bool:
        """Whether the cursor's line is among those in view."""
        return 0 <= self.cursor - self.scroll_offset.y < max(1, self.size.height - 1)

    def scroll_to_cursor(self) -> None:
        """Scroll as little as it takes to bring the cursor into view."""
        top, lines = self.scroll_offset.y, max(1, self.size.height - 1)
        wanted = min(max(top, self.cursor - lines + 1), self.cursor)
        if self.size and wanted != top:
            self.scroll_to(y=wanted, animate=False)
