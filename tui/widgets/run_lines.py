"""Format the lines of the run table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import NamedTuple

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from bkd.text import clean, fit, fit_ends
from tui.widgets.columns import Placed, Row

SORTED_UP, SORTED_DOWN = "▲", "▼"


class Cell(NamedTuple):
    """A text, where it stands, and the component class that colours it; None for the line's own style."""

    placed: Placed
    text: str
    tone: str | None


def heading_cells(columns: Sequence[Placed], sort_by: str | None, descending: bool) -> list[Cell]:
    """Return the column titles; the one by which rows are ordered bears an arrow."""
    arrow = SORTED_DOWN if descending else SORTED_UP
    return [
        Cell(placed, placed.column.title + arrow, "sorted")
        if placed.column.title == sort_by
        else Cell(placed, placed.column.title, "header")
        for placed in columns
    ]


def row_cells(columns: Sequence[Placed], row: Row, *, is_cursor: bool, is_muted: bool = False) -> list[Cell]:
    """Return a run's cells; under the cursor all have one colour, and those of a muted run."""
    cells = []
    for placed in columns:
        column = placed.column
        tone = None if is_cursor else "muted" if is_muted else column.tone(row) if column.tone else None
        cells.append(Cell(placed, clean(column.show(column.value_of(row))), tone))
    return cells


def empty_text(text: str, line: int, width: int) -> str:
    """Return a line of the text that stands where there are no rows, blank outside it."""
    lines = text.splitlines()
    return fit(" " + clean(lines[line]), width) if 0 <= line < len(lines) else " " * width


def join_cells(cells: Sequence[Cell], width: int, base: Style, style_of: Callable[[str], Style]) -> Strip:
    """Fit cells into a line of a width, neighbours of one style in one segment."""
    pieces: list[tuple[str, Style]] = []
    end = 0
    for (column, start, cells_wide), text, tone in ((c.placed, c.text, c.tone) for c in cells):
        pieces.append((" " * (start - end), base))
        text = fit_ends(text, cells_wide) if column.keeps_end else fit(text, cells_wide, column.align)
        pieces.append((text, style_of(tone) if tone else base))
        end = start + cells_wide
    pieces.append((" " * (width - end), base))
    joined = [("".join(text for text, _ in run), style) for style, run in groupby(pieces, key=lambda piece: piece[1])]
    strip = Strip([Segment(text, style) for text, style in joined if text])
    return strip.crop(0, width)
