"""A log of any size: its end, followed, or any other part of it; with a search."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events, on, work
from textual.binding import Binding, BindingType
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget
from textual.worker import get_current_worker

from bkd.text import cell_width, count
from tui.cells import visible
from tui.log_file import spans
from tui.log_reader import ANYWAY, IF_FOLLOWED, LogFault, LogGrew, LogPage, LogReader, LogSearched
from tui.log_window import LogRow, LogWindow
from tui.moving import MOVE_KEYS

PAN_CELLS = 8
WHEEL_ROWS = 3


class LogView(Widget, can_focus=True):
    """Shows a part of a log; reads nothing until it is woken, and nothing any more once it is put to sleep."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *MOVE_KEYS,
        Binding("home,g", "top", "First", show=False),
        Binding("end,G", "follow", "Last", show=False),
        Binding("f", "toggle_follow", "Follow the end, or stay", show=False),
        Binding("left,h", f"pan(-{PAN_CELLS})", "Left", show=False),
        Binding("right,l", f"pan({PAN_CELLS})", "Right", show=False),
        Binding("shift+left", "pan_page(-1)", "Far left", show=False),
        Binding("shift+right", "pan_page(1)", "Far right", show=False),
        Binding("w", "wrap", "Wrap long lines", show=False),
        Binding("n", "match(1)", "Next match", show=False),
        Binding("N", "match(-1)", "Previous match", show=False),
    ]
    COMPONENT_CLASSES: ClassVar[set[str]] = {"log-view--match", "log-view--current", "log-view--muted"}

    class Changed(Message):
        """What the view says of itself has changed: its place, whether it follows, what a search has found."""

    def __init__(self, path: Path, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.window = LogWindow()
        self._reader = LogReader(path)
        self._asked: tuple[str, int] | None = None
        self._fault = ""
        self._new_lines = 0
        self._rows: Sequence[LogRow] = ()
        self._needle, self._place = "", 0
        self._found: Sequence[int] = ()
        self._is_searched = self._is_full = False
        self._current: int | None = None  # the line of the match that one is at

    @property
    def lines(self) -> Sequence[str]:
        """The lines that it holds."""
        return [line.text for line in self.window.lines]

    def render_line(self, y: int) -> Strip:
        """Return a row in view."""
        width, base = self.size.width, self.rich_style
        if not self.window.lines:
            text = (self._fault or "The run has printed nothing.") if y == 0 else ""
            return _strip([(text, self.get_component_rich_style("log-view--muted"))], width, base)
        return _strip(self._pieces(self._rows[y]) if y < len(self._rows) else [], width, base)

    # ---- orders

    def wake(self) -> None:
        """Read the file, and follow it if that is wanted."""
        self.follow_file()

    def sleep(self) -> None:
        """Read nothing any more."""
        self.workers.cancel_group(self, "log")

    def search(self, needle: str) -> None:
        """Look for a text; "" ends a search."""
        if needle == self._needle:
            return
        self._needle, self._current, self._found = needle, None, ()
        self._is_searched = not needle
        self._place = self.window.place
        self._reader.search(needle, self._place)
        self._repaint(is_all=True)

    @property
    def standing(self) -> str:
        """Whether it follows the file, else what came since, and where one is."""
        if not self.window.lines:
            return ""
        if self.window.is_following:
            return "following"
        new = f"{count(self._new_lines, 'new line')}, " if self._new_lines else ""
        return f"not following: {new}f follows   {self.window.share:.0%}"

    @property
    def found_text(self) -> str:
        """How many lines hold what is searched, and which of them one is at: "3/17", "3/17+" while it goes on."""
        if not self._needle:
            return ""
        if not self._found:
            return "not found" if self._is_searched else "searching"
        at = bisect_left(self._found, self._current) + 1 if self._current is not None else "-"
        more = "" if self._is_searched and not self._is_full else "+"
        return f"{at}/{len(self._found):,}{more}"

    # ---- reading

    @work(thread=True, group="log", exclusive=True)
    def follow_file(self) -> None:
        """Read what is asked for, what is new, what is searched."""
        worker = get_current_worker()
        for message in self._reader.changes(lambda: worker.is_cancelled):
            self.post_message(message)

    @on(LogPage)
    def take_page(self, event: LogPage) -> None:
        """Show what was read."""
        window = self.window
        self._fault, self._asked = "", None
        if event.page == "tail":
            if event.place == IF_FOLLOWED and not window.is_following:
                return
            self._new_lines = 0
            window.is_following = True
            window.replace(event.lines, event.size)
        elif event.page == "around":
            window.is_following = False
            window.replace(event.lines, max(event.size, window.size))
            window.show(event.place)
        else:
            window.add(event.page, event.lines)
        self._repaint()

    @on(LogGrew)
    def take_growth(self, event: LogGrew) -> None:
        """Say how many lines came."""
        self.window.size = event.size
        self._new_lines += event.lines
        self._repaint()

    @on(LogFault)
    def take_fault(self, event: LogFault) -> None:
        """Say why there is nothing to read; what was read stays in view."""
        self._fault = event.text
        self._repaint(is_all=not self.window.lines)

    @on(LogSearched)
    def take_found(self, event: LogSearched) -> None:
        """Go to the nearest line that was found."""
        if event.needle != self._needle:
            return
        self._found, self._is_searched, self._is_full = event.found, event.is_complete, event.is_full
        if self._current is None and self._found:
            ahead = bisect_left(self._found, self._place)
            self._go_to(self._found[ahead] if ahead < len(self._found) else self._found[-1])
        self.post_message(self.Changed())

    # ---- handlers and actions

    def on_resize(self, event: events.Resize) -> None:
        """Show as much as there is room for."""
        self.window.resize(*self.size)
        self._repaint(is_all=True)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Go up."""
        event.stop()
        self.action_move(-WHEEL_ROWS)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Go down."""
        event.stop()
        self.action_move(WHEEL_ROWS)

    def action_move(self, rows: int) -> None:
        """Go up or down."""
        was_following = self.window.is_following
        self.window.move(rows)
        if self.window.is_following and not was_following:
            self._new_lines = 0
        self._repaint()

    def action_page(self, pages: int) -> None:
        """Go up or down by a page."""
        self.action_move(pages * max(1, self.size.height - 1))

    def action_half_page(self, halves: int) -> None:
        """Go up or down by half a page."""
        self.action_move(halves * max(1, self.size.height // 2))

    def action_top(self) -> None:
        """Go to the beginning of the file."""
        if self.window.holds(0):
            self.action_move(-len(self.window.lines) * max(1, self.window.longest))
        else:
            self.window.is_following = False
            self._reader.is_following = False
            self._reader.ask("around", 0)

    def action_follow(self) -> None:
        """Go to the end of the file, and stay there."""
        self._reader.ask("tail", ANYWAY)

    def action_toggle_follow(self) -> None:
        """Follow the end, or stay where one is."""
        if not self.window.is_following:
            self.action_follow()
            return
        self.window.is_following = False
        self._repaint()

    def action_pan(self, cells: int) -> None:
        """Go left or right along lines that are longer than the view."""
        self.window.pan(cells)
        self._repaint(is_all=True)

    def action_pan_page(self, pages: int) -> None:
        """Go left or right by most of the view's width."""
        self.action_pan(pages * max(PAN_CELLS, self.size.width - PAN_CELLS))

    def action_wrap(self) -> None:
        """Wrap long lines, or cut them at the edge."""
        self.window.wrap(not self.window.is_wrapped)
        self._repaint(is_all=True)

    def action_match(self, steps: int) -> None:
        """Go to the next or previous line that was found."""
        if not self._found:
            return
        at = self._current if self._current is not None else self.window.place
        index = bisect_right(self._found, at) if steps > 0 else bisect_left(self._found, at) - 1
        self._go_to(self._found[index % len(self._found)])

    # ---- drawing

    def _go_to(self, start: int) -> None:
        self._current = start
        self.window.is_following = self._reader.is_following = False
        if self.window.holds(start):
            self.window.show(start)
        else:
            self._reader.ask("around", start)
        self._repaint(is_all=True)

    def _repaint(self, *, is_all: bool = False) -> None:
        """Paint the rows that changed, and ask for what should be read next."""
        before, self._rows = self._rows, self.window.rows()
        self._reader.is_following = self.window.is_following
        if is_all or not before:
            self.refresh()
        else:
            for y in range(self.size.height):
                if before[y : y + 1] != self._rows[y : y + 1]:
                    self.refresh(Region(0, y, self.size.width, 1))
        wanted = self.window.wants
        if wanted is not None and wanted != self._asked:
            self._asked = wanted
            self._reader.ask(*wanted)
        self.post_message(self.Changed())

    def _pieces(self, row: LogRow) -> list[tuple[str, Style]]:
        """Return a row's texts with their styles."""
        text, width, left = row.line.text, self.size.width, self.window.left
        muted = self.get_component_rich_style("log-view--muted")
        if row.part is not None:
            return self._marked(row, row.part)
        lead, (start, end) = visible(text, left, width)
        if not left and end == len(text):
            return self._marked(row, (start, end))
        cut_left, cut_right = bool(left and text), end < len(text)
        lead, part = visible(text, left + cut_left, width - cut_left - cut_right)
        pieces = [("…" if cut_left else "", muted), (" " * lead, self.rich_style), *self._marked(row, part)]
        return [*pieces, ("…", muted)] if cut_right else pieces

    def _marked(self, row: LogRow, part: tuple[int, int]) -> list[tuple[str, Style]]:
        """Return part of a line with what is searched for marked in it."""
        text, (at, end), base = row.line.text, part, self.rich_style
        tone = "log-view--current" if row.line.start == self._current else "log-view--match"
        pieces: list[tuple[str, Style]] = []
        for first, stop in spans(text, self._needle) if self._needle else ():
            first, stop = max(first, at), min(stop, end)
            if first < stop:
                pieces += [(text[at:first], base), (text[first:stop], self.get_component_rich_style(tone))]
                at = stop
        return [*pieces, (text[at:end], base)]


def _strip(pieces: Sequence[tuple[str, Style]], width: int, base: Style) -> Strip:
    """Return pieces of text as a line of a width."""
    used = sum(cell_width(text) for text, _ in pieces)
    filled = [*pieces, (" " * max(0, width - used), base)]
    return Strip([Segment(text, style) for text, style in filled if text], max(width, used))
