"""What stands on the terminal, cell by cell, so that only the cells that differ are sent."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import repeat
from typing import TypeAlias

from rich.cells import get_character_cell_size
from rich.color import ColorSystem
from rich.segment import Segment
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate
from textual.geometry import Size

from tui.pen import PLAIN, Pen, change, on_blanks, pen_of

Cell: TypeAlias = tuple[str, Pen]
"""A character with the combining ones that belong to it, or "" right of a wide one; how it is drawn."""

BLANK: Cell = (" ", PLAIN)
NARROW = re.compile(r"[ -~\u00a1-\u00ac\u00ae-\u02ff\u2500-\u25fc\u2800-\u28ff]*")
"""Texts of which each character takes one cell: letters, frames, blocks, braille."""

GAP = 6
"""So many cells that are right already are sent again rather than jumped over."""

SPAN_TO_ERASE = 4
ERASE_LINE, ERASE_ALL = "\x1b[K", "\x1b[2J"
FILLS = (
    "xterm",
    "tmux",
    "alacritty",
    "foot",
    "wezterm",
    "rxvt",
    "linux",
    "konsole",
    "vte",
    "gnome",
    "iterm",
    "ghostty",
)
"""Beginnings of TERM of terminals that erase with the background colour; others only with their own."""


class Painter:
    """Keeps the picture that a terminal shows and tells what turns it into the next one.

    Args:
        colours: What the terminal can show; None for no colours at all.
        term: Its TERM.
    """

    def __init__(self, colours: ColorSystem | None, term: str = "") -> None:
        self.colours = colours
        self._fills = term.startswith(FILLS)
        self._size = Size()
        self._shown: list[list[Cell]] = []
        self._wanted: list[list[Cell]] = []
        self._changed: set[int] = set()
        self._is_known = False  # whether the terminal shows what is in _shown

    def forget(self) -> None:
        """Send everything next time: the terminal may show anything."""
        self._is_known = False

    def paint(self, update: CompositorUpdate, size: Size) -> str:
        """Return the sequence that brings an update onto the terminal, "" if it looks like that already."""
        if size != self._size:
            self._size, self._is_known = size, False
            self._wanted = [[BLANK] * size.width for _ in range(size.height)]
        for y, x, segments in _pieces(update):
            self._put(y, x, segments)
        return self._difference()

    def _put(self, y: int, x: int, segments: Iterable[Segment]) -> None:
        if not 0 <= y < self._size.height:
            return
        cells: list[Cell] = []
        for segment in segments:
            _append(cells, segment.text, pen_of(segment.style, self.colours))
        cells = cells[max(-x, 0) : max(self._size.width - x, 0)]
        if cells:
            _replace(self._wanted[y], max(x, 0), cells)
            self._changed.add(y)

    def _difference(self) -> str:
        out: list[str] = []
        if not self._is_known:
            out.append(self._clear())
        pen = PLAIN
        for y in sorted(self._changed):
            wanted, shown = self._wanted[y], self._shown[y]
            if wanted != shown:
                for start, end in _runs(wanted, shown):
                    pen = self._send(out, y, start, end, pen)
                self._shown[y] = wanted.copy()
        self._changed.clear()
        if out:
            out.append(change(pen, PLAIN))
        return "".join(out)

    def _clear(self) -> str:
        """Empty the terminal in the colour that most of it is to have."""
        counts = Counter(on_blanks(line[x][1]) for line in self._wanted if line for x in (0, len(line) // 3, -1))
        common = counts.most_common(1)[0][0] if counts and self._fills else PLAIN
        fill = PLAIN if common.attributes else common
        self._shown = [[(" ", fill)] * self._size.width for _ in range(self._size.height)]
        self._changed.update(range(self._size.height))
        self._is_known = True
        return f"\x1b[m{change(PLAIN, fill)}{ERASE_ALL}{change(fill, PLAIN)}"

    def _send(self, out: list[str], y: int, start: int, end: int, pen: Pen) -> Pen:
        """Send the cells of a line from `start` to `end`; return the pen that the terminal has then."""
        line = self._wanted[y]
        erased = self._tail(line, end)
        out.append(f"\x1b[{y + 1};{start + 1}H")
        for x in range(start, min(end, erased)):
            text, wanted = line[x]
            if wanted is not pen and (text != " " or wanted is not on_blanks(pen)):
                out.append(change(pen, wanted))
                pen = wanted
            out.append(text)
            if len(text) != 1:  # terminals do not agree on how wide such a character is
                out.append(f"\x1b[{x + 2}G")
        if erased < end:
            paper = line[-1][1]
            out.append(change(pen, paper) + ERASE_LINE)
            pen = paper
        return pen

    def _tail(self, line: Sequence[Cell], end: int) -> int:
        """Return where the blanks begin with which a line ends, if erasing them is shorter than sending them."""
        last = line[-1]
        if end < len(line) or last[0] != " " or last[1].attributes or (last[1].paper and not self._fills):
            return end
        at = len(line)
        while at and line[at - 1] == last:
            at -= 1
        return at if end - at >= SPAN_TO_ERASE else end


def _pieces(update: CompositorUpdate) -> Iterator[tuple[int, int, Iterable[Segment]]]:
    """Yield line, column and segments of all that an update draws."""
    if isinstance(update, LayoutUpdate):
        for y, strips in enumerate(update.strips, update.region.y):
            yield y, update.region.x, (segment for strip in strips for segment in strip)
    elif isinstance(update, ChopsUpdate):
        for y, first, last in update.spans:
            for end, (x, strip) in zip(update.chop_ends[y], update.chops[y].items(), strict=False):
                if strip is not None and x <= last and end > first:
                    yield y, x, strip


def _replace(line: list[Cell], x: int, cells: Sequence[Cell]) -> None:
    """Put cells into a line; of a wide character that was cut through, the other half becomes blank."""
    end = x + len(cells)
    if x and not line[x][0]:
        line[x - 1] = (" ", on_blanks(line[x - 1][1]))
    if end < len(line) and not line[end][0]:
        line[end] = (" ", on_blanks(line[end][1]))
    line[x:end] = cells


def _append(cells: list[Cell], text: str, pen: Pen) -> None:
    """Add the cells of a text; a character that terminals do not print, or that steers them, leaves its cells blank."""
    blank = on_blanks(pen)
    if NARROW.fullmatch(text):
        if blank is pen or " " not in text:
            cells.extend(zip(text, repeat(pen)))
        else:
            cells.extend([(character, blank if character == " " else pen) for character in text])
        return
    for character in text:
        width = get_character_cell_size(character)
        if not character.isprintable():
            cells.extend([(" ", blank)] * width)
        elif width > 0:
            cells.append((character, blank if character == " " else pen))
            cells.extend([("", pen)] * (width - 1))
        elif cells:
            at = -2 if not cells[-1][0] and len(cells) > 1 else -1
            cells[at] = (cells[at][0] + character, cells[at][1])


def _runs(wanted: Sequence[Cell], shown: Sequence[Cell]) -> list[tuple[int, int]]:
    """Return the spans of a line that differ; short gaps between two of them are taken in."""
    runs: list[tuple[int, int]] = []
    for x, (new, old) in enumerate(zip(wanted, shown, strict=True)):
        if new == old:
            continue
        start = x - 1 if not new[0] and x else x  # never half of a wide character
        if runs and start - runs[-1][1] <= GAP:
            runs[-1] = (runs[-1][0], x + 1)
        else:
            runs.append((start, x + 1))
    return runs
