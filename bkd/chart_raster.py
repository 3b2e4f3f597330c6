"""Turn curves into braille dots: a min/max envelope per dot column, lines joined between columns.

A terminal cell holds 2 x 4 dots. Dot columns count from the left, dot rows from the top; the ends of an axis lie on the
centres of its first and last dot.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bkd.chart_axis import Range

Array = NDArray[np.float64]
Dots = NDArray[np.bool_]
Bits = NDArray[np.uint8]

DOTS_ACROSS, DOTS_DOWN = 2, 4
FAR = 1e12
"""A dot row outside any screen whose differences are still finite."""
BRAILLE = 0x2800
DOT_BITS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""The bit of each dot (row, column) in a braille character's code."""


@dataclass(frozen=True)
class Grid:
    """The dots of a plot and the ranges of x and y that they span."""

    columns: int
    rows: int
    x_range: Range
    y_range: Range
    log_y: bool = False

    def column(self, x: Array) -> Array:
        """Return the dot column of each x, with fraction; it may lie outside."""
        low, high = self.x_range
        return (x - low) * ((self.columns - 1) / (high - low))

    def edges(self) -> Array:
        """Return the x of the left edge of every dot column and of the last one's right edge, (columns + 1,)."""
        low, high = self.x_range
        width = (high - low) / (self.columns - 1)
        return np.arange(-0.5, self.columns) * width + low

    def row(self, y: Array) -> Array:
        """Return the dot row of each y, with fraction; it may lie outside."""
        low, high = np.log10(self.y_range) if self.log_y else self.y_range
        with np.errstate(over="ignore"):
            scaled = np.log10(y) if self.log_y else y
            return np.clip((high - scaled) * ((self.rows - 1) / (high - low)), -FAR, FAR)


@dataclass(frozen=True)
class Curve:
    """A curve's finite points, ordered by x.

    Attributes:
        x: positions, (n,).
        y: values, (n,).
        starts: indices of the points to which no line leads from the point before, ascending, the first is 0.
    """

    x: Array
    y: Array
    starts: NDArray[np.intp]


def curve(x: Array, y: Array) -> Curve:
    """Drop the points whose y is not finite; what lay on either side of one is not joined.

    Args:
        x: positions, (n,), ascending, finite.
        y: values, (n,), NaN or infinite where there is a gap.
    """
    finite = np.isfinite(y)
    if finite.all():
        return Curve(x, y, np.zeros(min(y.size, 1), dtype=np.intp))
    kept = np.flatnonzero(finite)
    return Curve(x[kept], y[kept], np.flatnonzero(np.diff(kept, prepend=-2) > 1))


def line_dots(line: Curve, grid: Grid) -> Dots:
    """Draw a curve, and a block of 2 x 2 dots for a point that no line touches.

    Returns:
        Dots that are set, (rows, columns).
    """
    dots = _fill(*_spans(line, grid), grid)
    alone = line.starts[np.diff(line.starts, append=line.y.size) == 1]
    column, row = np.rint(grid.column(line.x[alone])), np.rint(grid.row(line.y[alone]))
    seen = (column >= 0) & (column < grid.columns) & (row >= 0) & (row < grid.rows)
    left, top = column[seen].astype(np.intp) & ~1, row[seen].astype(np.intp) & ~1
    for across in range(2):
        for down in range(2):
            dots[top + down, left + across] = True
    return dots


def band_dots(low: Curve, high: Curve, grid: Grid) -> Dots:
    """Fill the space between two curves with every fourth dot, a pattern that stays put while the curves grow."""
    (low_top, low_bottom), (high_top, high_bottom) = _spans(low, grid), _spans(high, grid)
    dots = _fill(np.fmin(low_top, high_top), np.fmax(low_bottom, high_bottom), grid)
    row, column = np.ogrid[: grid.rows, : grid.columns]
    return np.asarray(dots & ((2 * column + row) % 4 == 0), dtype=np.bool_)


def pack(dots: Dots) -> Bits:
    """Gather dots (rows, columns) into the braille bits of each cell, (rows / 4, columns / 2)."""
    rows, columns = dots.shape
    cells = dots.view(np.uint8).reshape(rows // DOTS_DOWN, DOTS_DOWN, columns // DOTS_ACROSS, DOTS_ACROSS)
    bits = np.zeros((rows // DOTS_DOWN, columns // DOTS_ACROSS), dtype=np.uint8)
    for down, pair in enumerate(DOT_BITS):
        for across, bit in enumerate(pair):
            bits |= cells[:, down, :, across] * np.uint8(bit)
    return bits


def _spans(line: Curve, grid: Grid) -> tuple[Array, Array]:
    """Return the highest and the lowest dot row that a curve reaches in each dot column, NaN where it is absent."""
    top, bottom = np.full(grid.columns, np.nan), np.full(grid.columns, np.nan)
    if line.x.size == 0:
        return top, bottom
    edges = grid.edges()
    first = np.searchsorted(line.x, edges)  # the first point in or right of each column, (columns + 1,)
    held = np.flatnonzero(first[1:] > first[:-1])
    if held.size:
        inside = line.y[: first[-1]]
        top[held] = grid.row(np.maximum.reduceat(inside, first[held]))
        bottom[held] = grid.row(np.minimum.reduceat(inside, first[held]))
    crossing = _crossings(line, grid, edges, first)
    for side in (crossing[:-1], crossing[1:]):  # a line through an edge belongs to the columns on both of its sides
        top, bottom = np.fmin(top, side), np.fmax(bottom, side)
    return top, bottom


def _crossings(line: Curve, grid: Grid, edges: Array, first: NDArray[np.intp]) -> Array:
    """Return the dot row at which the curve's line passes each column edge, NaN where none does."""
    after = np.minimum(first, line.x.size - 1)
    before = np.maximum(after - 1, 0)
    passes = (first > 0) & (first < line.x.size) & ~np.isin(after, line.starts)
    run = np.where(passes, line.x[after] - line.x[before], 1.0)
    share = (edges - line.x[before]) / run
    start = grid.row(line.y[before])
    return np.where(passes, start + (grid.row(line.y[after]) - start) * share, np.nan)


def _fill(top: Array, bottom: Array, grid: Grid) -> Dots:
    """Set the dots from top to bottom in each column; a span outside the rows leaves none."""
    empty = np.isnan(top)
    first = np.rint(np.clip(np.where(empty, grid.rows, top), -1, grid.rows))
    last = np.rint(np.clip(np.where(empty, -1, bottom), -1, grid.rows))
    row = np.arange(grid.rows, dtype=np.int16)[:, None]
    return np.asarray((row >= first.astype(np.int16)) & (row <= last.astype(np.int16)), dtype=np.bool_)
