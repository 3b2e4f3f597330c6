"""Lines of styled text that are scrolled; only those in view are made, only those that changed are painted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from bkd.text import cell_width, fit
from tui.moving import MOVE_KEYS

Piece = tuple[str, str]
"""Harmless text and the component class, without prefix, that it is shown in; "" for plain."""
Pieces = Sequence[Piece]


def plain(line: Pieces) -> str:
    """Return a line's text without styles."""
    return "".join(text for text, _ in line)


class LinesView(ScrollView, can_focus=True):
    """Shows lines; one of them is under a cursor where that is wanted."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *MOVE_KEYS,
        Binding("home,g", "go(0)", "First", show=False),
        Binding("end,G", "go(-1)", "Last", show=False),
        Binding("enter", "choose", "Open", show=False),
    ]
    TONES: ClassVar = ("strong", "muted", "changed", "running", "done", "failed", "lost", "cursor")
    COMPONENT_CLASSES: ClassVar[set[str]] = {f"lines-view--{tone}" for tone in TONES}

    cursor: reactive[int] = reactive(0, repaint=False, init=False)
    """Index of the line under the cursor."""

    class LineChosen(Message):
        """The line under the cursor was chosen by Enter or a click on it.

        Attributes:
            index: Which line.
        """

        def __init__(self, view: LinesView, index: int) -> None:
            super().__init__()
            self.view, self.index = view, index

    def __init__(self, *, has_cursor: bool = False, id: str | None = None) -> None:
        super().__init__(id=id)
        self._has_cursor = has_cursor
        self._lines: Sequence[Pieces] = ()

    @property
    def lines(self) -> Sequence[Pieces]:
        """The lines."""
        return self._lines

    @property
    def text(self) -> str:
        """All lines without styles."""
        return "\n".join(map(plain, self._lines))

    @property
    def text_width(self) -> int:
        """Cells of a line: what the scrollbar leaves, for which there is always room."""
        return self.scrollable_content_region.width

    def set_lines(self, lines: Sequence[Pieces], *, follows: bool = False) -> None:
        """Replace the lines.

        Args:
            lines: Of harmless text.
            follows: Whether to stay at the end where the end is in view.
        """
        before, top, height = self._lines, self.scroll_offset.y, self.size.height
        is_at_end = follows and self.is_vertical_scroll_end
        self._lines = lines
        self.virtual_size = Size(1, len(lines))
        self.set_reactive(LinesView.cursor, max(0, min(self.cursor, len(lines) - 1)))
        if is_at_end and len(lines) > height:
            self.refresh()
            self.call_after_refresh(self.scroll_end, animate=False)
            return
        for y in range(height):
            if before[top + y : top + y + 1] != lines[top + y : top + y + 1]:
                self.refresh(Region(0, y, self.size.width, 1))

    def render_line(self, y: int) -> Strip:
        """Return a line in view."""
        at, width, base = self.scroll_offset.y + y, self.text_width, self.rich_style
        line = self._lines[at] if at < len(self._lines) else ()
        if self._has_cursor and at == self.cursor and line:
            return Strip([Segment(fit(plain(line), width), self._style("cursor"))], width)
        segments, used = [], 0
        for text, tone in line:
            room = width - used
            text = fit(text, room) if cell_width(text) > room else text
            segments.append(Segment(text, self._style(tone) if tone else base))
            used += cell_width(text)
        return Strip([*segments, Segment(" " * max(0, width - used), base)], width)

    def watch_cursor(self, before: int, now: int) -> None:
        """Paint both lines, and scroll to the new one."""
        for index in (before, now):
            self.refresh(Region(0, index - self.scroll_offset.y, self.size.width, 1))
        height = self.size.height
        if not self.scroll_offset.y <= now < self.scroll_offset.y + height:
            top = now if now < self.scroll_offset.y else now - height + 1
            self.scroll_to(y=max(0, top), animate=False)

    def validate_cursor(self, index: int) -> int:
        """Keep the cursor on a line."""
        return max(0, min(index, len(self._lines) - 1))

    def on_focus(self) -> None:
        """Show where the cursor is."""
        self.refresh()

    def on_click(self, event: object) -> None:
        """Go to the line that was clicked; a second click chooses it."""
        y = getattr(event, "y", 0) + self.scroll_offset.y
        if not self._has_cursor or y >= len(self._lines):
            return
        if y == self.cursor:
            self.action_choose()
        self.cursor = y

    def action_move(self, lines: int) -> None:
        """Move the cursor, or scroll."""
        if self._has_cursor:
            self.cursor += lines
        else:
            self.scroll_relative(y=lines, animate=False)

    def action_page(self, pages: int) -> None:
        """Move by a page."""
        self.action_move(pages * max(1, self.size.height - 1))

    def action_half_page(self, halves: int) -> None:
        """Move by half a page."""
        self.action_move(halves * max(1, self.size.height // 2))

    def action_go(self, index: int) -> None:
        """Go to the first or the last line."""
        if self._has_cursor:
            self.cursor = index if index >= 0 else len(self._lines) - 1
        elif index:
            self.scroll_end(animate=False)
        else:
            self.scroll_home(animate=False)

    def action_choose(self) -> None:
        """Choose the line under the cursor."""
        if self._has_cursor and self._lines:
            self.post_message(self.LineChosen(self, self.cursor))

    def _style(self, tone: str) -> Style:
        return self.get_component_rich_style(f"lines-view--{tone}")
