"""The part of a log that is in view: which lines are held, which rows of them are seen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from tui.cells import wrapped
from tui.log_file import LogLine

HELD_LINES = 2000
HELD_BYTES = 1 << 22
MARGIN_PAGES = 3
"""Pages above and below that are held, so that moving need not wait for the disk."""

Where = Literal["before", "after"]


class LogRow(NamedTuple):
    """A row of the terminal: its line, and which characters of it it shows; None for all (the line is not wrapped)."""

    line: LogLine
    part: tuple[int, int] | None


class LogWindow:
    """Holds consecutive lines of a file and a place among them.

    Attributes:
        lines: What is held.
        size: Bytes of the file when it was last looked at.
        is_following: Whether the view stays at the end.
        is_wrapped: Whether long lines go on in the next row.
        left: First cell that is seen of lines that are not wrapped.
    """

    def __init__(self) -> None:
        self.lines: Sequence[LogLine] = ()
        self.size = 0
        self.width, self.height = 80, 24
        self.is_following = True
        self.is_wrapped = False
        self.left = 0
        self._top, self._row = 0, 0  # the first line in view, and which of its rows

    # ---- what is in view

    def rows(self) -> list[LogRow]:
        """Return the rows in view."""
        found: list[LogRow] = []
        for index in range(self._top, len(self.lines)):
            rows = self._rows_of(index)
            found += rows[self._row :] if index == self._top else rows
            if len(found) >= self.height:
                break
        return found[: self.height]

    @property
    def share(self) -> float:
        """How much of the file lies above the end of what is in view, 0 to 1."""
        rows = self.rows()
        return min(1.0, rows[-1].line.end / self.size) if rows and self.size else 1.0

    @property
    def place(self) -> int:
        """Where the first line in view starts."""
        return self.lines[self._top].start if self.lines else 0

    @property
    def end(self) -> int:
        """Where the lines that are held end."""
        return self.lines[-1].end if self.lines else 0

    @property
    def longest(self) -> int:
        """Characters of the longest line in view."""
        return max((len(row.line.text) for row in self.rows()), default=0)

    @property
    def wants(self) -> tuple[Where, int] | None:
        """Which lines should be read next: ("before" or "after", a place)."""
        margin = MARGIN_PAGES * self.height
        if not self.lines:
            return None
        if self._top < margin and self.lines[0].start > 0:
            return "before", self.lines[0].start
        if len(self.lines) - self._top - self.height < margin and self.end < self.size:
            return "after", self.end
        return None

    # ---- moving

    def resize(self, width: int, height: int) -> None:
        """Take another size."""
        self.width, self.height = max(1, width), max(1, height)
        self._row = 0
        self._settle()

    def wrap(self, is_wrapped: bool) -> None:
        """Let long lines go on in the next row, or end at the edge."""
        self.is_wrapped, self._row, self.left = is_wrapped, 0, 0
        self._settle()

    def move(self, rows: int) -> None:
        """Go down by rows, up if negative; at the end of the file it is followed."""
        last = self._last()
        for _ in range(abs(rows)):
            if rows > 0 and (self._top, self._row) >= last:
                break
            if not self._step(1 if rows > 0 else -1):
                break
        self.is_following = (self._top, self._row) >= last and self.end >= self.size

    def pan(self, cells: int) -> None:
        """Go right by cells, left if negative."""
        if not self.is_wrapped:
            self.left = max(0, min(self.left + cells, max(0, self.longest - self.width // 2)))

    def show(self, start: int) -> None:
        """Go to a line that is held, a third of a page above it where it was not in view."""
        index = next((i for i, line in enumerate(self.lines) if line.start >= start), len(self.lines) - 1)
        if any(row.line.start == start for row in self.rows()) or index < 0:
            return
        self._top, self._row = max(0, index - self.height // 3), 0
        last = self._last()
        self._top, self._row = min((self._top, self._row), last)
        self.is_following = False

    def holds(self, start: int) -> bool:
        """Whether the line that starts at a place is held."""
        return bool(self.lines) and self.lines[0].start <= start < self.end

    # ---- what was read

    def replace(self, lines: Sequence[LogLine], size: int) -> None:
        """Hold these lines and no others: the end of the file if it is followed, else its beginning."""
        self.lines, self.size, self._top, self._row = lines, size, 0, 0
        self._settle()

    def add(self, where: Where, lines: Sequence[LogLine]) -> None:
        """Hold more lines, if they join those that are held."""
        if not lines or not self.lines:
            return
        if where == "before" and lines[-1].end == self.lines[0].start:
            self.lines = [*lines, *self.lines]
            self._top += len(lines)
            while len(self.lines) > self._top + self.height and self._is_too_much:
                self.lines = self.lines[:-1]
        if where == "after" and lines[0].start == self.end:
            self.lines = [*self.lines, *lines]
            while self._top > 0 and self._is_too_much:
                self.lines, self._top = self.lines[1:], self._top - 1

    # ----

    @property
    def _is_too_much(self) -> bool:
        return len(self.lines) > HELD_LINES or self.end - self.lines[0].start > HELD_BYTES

    def _rows_of(self, index: int) -> list[LogRow]:
        line = self.lines[index]
        if not self.is_wrapped:
            return [LogRow(line, None)]
        return [LogRow(line, part) for part in wrapped(line.text, self.width)]

    def _step(self, direction: int) -> bool:
        """Go one row up or down; tell whether that was possible."""
        if direction > 0:
            if self._row + 1 < len(self._rows_of(self._top)):
                self._row += 1
            elif self._top + 1 < len(self.lines):
                self._top, self._row = self._top + 1, 0
            else:
                return False
        elif self._row > 0:
            self._row -= 1
        elif self._top > 0:
            self._top -= 1
            self._row = len(self._rows_of(self._top)) - 1
        else:
            return False
        return True

    def _last(self) -> tuple[int, int]:
        """Return the place at which the last row that is held is the last one in view."""
        room = self.height
        for index in range(len(self.lines) - 1, -1, -1):
            rows = len(self._rows_of(index))
            if rows >= room:
                return index, rows - room
            room -= rows
        return 0, 0

    def _settle(self) -> None:
        """Keep to the end if it is followed, and off the empty space behind it."""
        last = self._last()
        self._top, self._row = last if self.is_following else min((self._top, self._row), last)
