"""Turn curves into braille dots: a min/max envelope per dot column, lines joined between columns.

A terminal cell holds 2 x 4 dots. Dot columns count from the left, dot rows from the top; the ends of an axis lie on the
centres of its first and last dot.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bkd.chart_axis import Range
from bkd.chart_lane import Array, Indices
from bkd.chart_scene import Curve

Pattern = tuple[int, int]
Dots = NDArray[np.bool_]
Bits = NDArray[np.uint8]

DOTS_ACROSS, DOTS_DOWN = 2, 4
FAR = 1e12
"""A dot row outside any screen whose differences are still finite."""
BRAILLE = 0x2800
DOT_BITS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""The bit of each dot (row, column) in a braille character's code."""

SOLID: Pattern = (1, 1)
PATTERNS: tuple[Pattern, ...] = (SOLID, (6, 10), (2, 4), (10, 12))
"""How many dot columns of how many a line is drawn in: solid, dashes, dots, long dashes."""


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


def line_dots(line: Curve, grid: Grid, pattern: Pattern = SOLID) -> Dots:
    """Draw a curve, and a block of 2 x 2 dots for a point that no line touches.

    Returns:
        Dots that are set, (rows, columns).
    """
    edges, first = _bounds(line, grid)
    dots = _fill(*_spans(line, grid, edges, first), grid)
    if pattern != SOLID:
        on, period = pattern
        dots &= np.arange(grid.columns) % period < on
    alone = line.lane.lonely(int(first[0]), int(first[-1]))
    if alone.size:
        draw_blocks(dots, np.rint(grid.column(line.x[alone])), np.rint(grid.row(line.lane.values[alone])))
    return dots


def band_dots(low: Curve, high: Curve, grid: Grid) -> Dots:
    """Fill the space between two curves with every fourth dot, a pattern that stays put while the curves grow."""
    edges, first = _bounds(low, grid)
    (low_top, low_bottom), (high_top, high_bottom) = (_spans(end, grid, edges, first) for end in (low, high))
    dots = _fill(np.fmin(low_top, high_top), np.fmax(low_bottom, high_bottom), grid)
    row, column = np.ogrid[: grid.rows, : grid.columns]
    return np.asarray(dots & ((2 * column + row) % 4 == 0), dtype=np.bool_)


def level_dots(value: float, grid: Grid) -> Dots:
    """Draw a dashed line across the whole plot at a value; nothing where it lies outside."""
    dots = np.zeros((grid.rows, grid.columns), dtype=np.bool_)
    row = round(float(grid.row(np.array(value))))
    if 0 <= row < grid.rows:
        dots[row] = np.arange(grid.columns) % (2 * DOTS_ACROSS) < DOTS_ACROSS
    return dots


def thinned(dots: Dots) -> Dots:
    """Keep every other dot, so that they look faint without a colour of their own."""
    row, column = np.ogrid[: dots.shape[0], : dots.shape[1]]
    return np.asarray(dots & ((row + column) % 2 == 0), dtype=np.bool_)


def pack(dots: Dots) -> Bits:
    """Gather dots (rows, columns) into the braille bits of each cell, (rows / 4, columns / 2)."""
    rows, columns = dots.shape
    cells = dots.view(np.uint8).reshape(rows // DOTS_DOWN, DOTS_DOWN, columns // DOTS_ACROSS, DOTS_ACROSS)
    bits = np.zeros((rows // DOTS_DOWN, columns // DOTS_ACROSS), dtype=np.uint8)
    for down, pair in enumerate(DOT_BITS):
        for across, bit in enumerate(pair):
            bits |= cells[:, down, :, across] * np.uint8(bit)
    return bits


def crossings(line: Curve, grid: Grid) -> Array:
    """Return the dot row at which a curve's line passes each column edge, (columns + 1,), NaN where none does."""
    return _crossings(line, grid, *_bounds(line, grid))


def _bounds(line: Curve, grid: Grid) -> tuple[Array, Indices]:
    """Return the column edges and the first of the curve's points in or right of each column, (columns + 1,) each."""
    edges = grid.edges()
    return edges, line.x.before(edges)


def _spans(line: Curve, grid: Grid, edges: Array, first: Indices) -> tuple[Array, Array]:
    """Return the highest and the lowest dot row that a curve reaches in each dot column, NaN where it is absent."""
    if len(line.x) == 0:
        return np.full(grid.columns, np.nan), np.full(grid.columns, np.nan)
    low, high = line.lane.extremes(first)
    top, bottom = grid.row(high), grid.row(low)
    crossing = _crossings(line, grid, edges, first)
    for side in (crossing[:-1], crossing[1:]):  # a line through an edge belongs to the columns on both of its sides
        top, bottom = np.fmin(top, side), np.fmax(bottom, side)
    return top, bottom


def _crossings(line: Curve, grid: Grid, edges: Array, first: Indices) -> Array:
    """Return the dot row at which the curve's line passes each column edge, NaN where none does or a gap lies there."""
    after = np.minimum(first, len(line.x) - 1)
    before = np.maximum(after - 1, 0)
    passes = (first > 0) & (first < len(line.x))
    run = np.where(passes, line.x[after] - line.x[before], 1.0)
    share = (edges - line.x[before]) / run
    start = grid.row(line.lane.values[before])
    return np.where(passes, start + (grid.row(line.lane.values[after]) - start) * share, np.nan)


def draw_blocks(dots: Dots, columns: Array, rows: Array) -> None:
    """Set blocks of 2 x 2 dots, those outside left out."""
    seen = (columns >= 0) & (columns < dots.shape[1]) & (rows >= 0) & (rows < dots.shape[0])
    left, top = columns[seen].astype(np.intp) & ~1, rows[seen].astype(np.intp) & ~1
    for across in range(2):
        for down in range(2):
            dots[top + down, left + across] = True


def _fill(top: Array, bottom: Array, grid: Grid) -> Dots:
    """Set the dots from top to bottom in each column; a span outside the rows leaves none."""
    empty = np.isnan(top)
    first = np.rint(np.clip(np.where(empty, grid.rows, top), -1, grid.rows))
    last = np.rint(np.clip(np.where(empty, -1, bottom), -1, grid.rows))
    row = np.arange(grid.rows, dtype=np.int16)[:, None]
    return np.asarray((row >= first.astype(np.int16)) & (row <= last.astype(np.int16)), dtype=np.bool_)
