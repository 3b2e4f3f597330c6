"""A drawn chart: a grid of characters and paints, its rows as colour runs, and what changed since another one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bkd.chart_axis import Range

AXIS = 0
"""Paint of axes, labels and notes."""

MARK = -1
"""Paint of the line that marks a column."""

LEVEL = -2
"""Paint of a line at a value that does not change."""

NUM_COLOURS = 4
"""Series beyond so many repeat the colours, in lines of another pattern."""

SGR_SERIES = ("96", "93", "95", "92")
SGR_AXIS = "90"
MERGE_CELLS = 6
"""Two changed spans of a row closer than this are repainted as one: moving the cursor costs more bytes than that."""


def line_paint(index: int) -> int:
    """Return the paint of a series' line."""
    return 1 + 2 * index


def faint_paint(index: int) -> int:
    """Return the paint of a series' band, or of its raw values under the smoothed line."""
    return 2 + 2 * index


class Run(NamedTuple):
    """Neighbouring cells of one paint."""

    text: str
    paint: int

    @property
    def series(self) -> int | None:
        """Index of the drawn series; None for axes, labels, levels and the mark."""
        return (self.paint - 1) // 2 if self.paint > AXIS else None

    @property
    def is_faint(self) -> bool:
        """Whether it belongs to a band, or to raw values under a smoothed line."""
        return self.paint > AXIS and self.paint % 2 == 0


class Span(NamedTuple):
    """Cells `start` (inclusive) to `stop` (exclusive) of a row."""

    row: int
    start: int
    stop: int


@dataclass(frozen=True)
class Plot:
    """Where the curves lie inside a frame, in cells, and the data range that they span."""

    left: int
    top: int
    width: int
    height: int
    x_range: Range
    y_range: Range
    log_y: bool

    def x_at(self, column: int) -> float:
        """Return the x in the middle of a frame's column."""
        low, high = self.x_range
        dots = 2 * self.width - 1
        return low + (high - low) * (2 * (column - self.left) + 0.5) / dots

    def column_of(self, x: float) -> int:
        """Return the frame's column that shows x, which may lie outside the plot."""
        low, high = self.x_range
        dots = 2 * self.width - 1
        return self.left + int(np.floor((np.clip((x - low) / (high - low), -1, 2) * dots + 0.5) / 2))


@dataclass(frozen=True, eq=False)
class Frame:
    """A drawn chart.

    Attributes:
        glyphs: Unicode code points, (height, width).
        paints: what colours each cell, (height, width): AXIS, or `line_paint` or `faint_paint` of a series.
        plot: where the curves lie.
    """

    glyphs: NDArray[np.uint32]
    paints: NDArray[np.int16]
    plot: Plot

    @property
    def width(self) -> int:
        """Cells across."""
        return int(self.glyphs.shape[1])

    @property
    def height(self) -> int:
        """Rows."""
        return int(self.glyphs.shape[0])

    def text(self, row: int) -> str:
        """Return a row without colours."""
        return str(self.glyphs[row].astype("<u4").tobytes(), "utf-32-le")

    def row(self, row: int) -> list[Run]:
        """Return a row as colour runs; blanks have no colour of their own, so they never split a run."""
        text = self.text(row)
        shown = np.flatnonzero(self.glyphs[row] != ord(" "))
        if shown.size == 0:
            return [Run(text, AXIS)] if text else []
        paints = self.paints[row, shown]
        turns = np.flatnonzero(np.diff(paints)) + 1
        starts = [0, *shown[turns].tolist()]
        stops = [*starts[1:], len(text)]
        colours = paints[np.concatenate(([0], turns))].tolist()
        return [Run(text[a:b], paint) for a, b, paint in zip(starts, stops, colours, strict=True)]

    def rows(self) -> list[list[Run]]:
        """Return all rows as colour runs."""
        return [self.row(y) for y in range(self.height)]

    def marked(self, column: int) -> Frame:
        """Return a copy with a vertical line through the blank cells of a column of the plot."""
        plot = self.plot
        glyphs, paints = self.glyphs.copy(), self.paints.copy()
        rows = plot.top + np.flatnonzero(glyphs[plot.top : plot.top + plot.height, column] == ord(" "))
        glyphs[rows, column], paints[rows, column] = ord("│"), MARK
        return Frame(glyphs, paints, plot)

    def changes(self, other: Frame | None) -> list[Span]:
        """Return the spans of cells that look different from another frame's; all rows when its size differs."""
        if other is None or other.glyphs.shape != self.glyphs.shape:
            return [Span(y, 0, self.width) for y in range(self.height)]
        differs = self.glyphs != other.glyphs
        differs |= (self.paints != other.paints) & (self.glyphs != ord(" "))
        return [span for y in np.flatnonzero(differs.any(axis=1)).tolist() for span in _spans(y, differs[y])]


def ansi_lines(frame: Frame, colour: bool = True) -> list[str]:
    """Return a frame's rows for a terminal: in the 16 standard colours, reset at each row's end, or without any."""
    if not colour:
        return [frame.text(y).rstrip() for y in range(frame.height)]
    return ["".join(_ansi(run) for run in frame.row(y)).rstrip() for y in range(frame.height)]


def _ansi(run: Run) -> str:
    """Wrap a run in its colour."""
    if not run.text.strip():
        return run.text
    code = SGR_AXIS if run.series is None else SGR_SERIES[run.series % len(SGR_SERIES)]
    return f"\x1b[{'2;' if run.is_faint else ''}{code}m{run.text.rstrip()}\x1b[0m" + " " * _trailing(run.text)


def _trailing(text: str) -> int:
    """Count the spaces at a text's end."""
    return len(text) - len(text.rstrip())


def _spans(row: int, differs: NDArray[np.bool_]) -> Iterator[Span]:
    """Yield a row's changed spans, near ones merged."""
    cells = np.flatnonzero(differs)
    for group in np.split(cells, np.flatnonzero(np.diff(cells) > MERGE_CELLS) + 1):
        yield Span(row, int(group[0]), int(group[-1]) + 1)
