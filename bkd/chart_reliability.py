"""Draw a reliability diagram: bins in, rows of text with colour runs out.

Above, accuracy against confidence with the diagonal of perfect calibration; where there is one table, a line from each
point to the diagonal is its distance from it. Below, how many images lie in each bin.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any, NamedTuple

import numpy as np

from bkd.chart_axis import ticks
from bkd.chart_frame import AXIS, LEVEL, MARK, Frame, Plot, faint_paint, line_paint
from bkd.chart_lane import Array
from bkd.chart_raster import BRAILLE, DOTS_ACROSS, DOTS_DOWN, PATTERNS, Dots, Grid, draw_blocks, line_dots, pack
from bkd.chart_scene import Curve
from bkd.chart_trace import ANY_AXIS, Trace

PERCENT = (0.0, 100.0)
GUTTER = 7
COLUMNS_WITH_LABELS, ROWS_WITH_COUNTS, ROWS_WITH_AXIS = 20, 5, 7
"""A diagram with fewer columns has no labels, one with fewer rows no counts, and no x axis."""
ROWS_PER_COUNT_ROW, MOST_COUNT_ROWS = 6, 3
EIGHTHS = " ▁▂▃▄▅▆▇█"
DIAGONAL = (2, 4)


class Bin(NamedTuple):
    """Images whose confidence lies between two ends; fractions from 0 to 1.

    Attributes:
        low: Least confidence, not in it.
        high: Largest confidence, in it.
        images: How many there are, at least 1.
        confidence: Mean of their largest probabilities.
        accuracy: Share of them whose most likely class is right.
    """

    low: float
    high: float
    images: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class Reliability:
    """A named reliability table, empty bins left out, from the least to the most confident."""

    name: str
    bins: Sequence[Bin]

    @classmethod
    def read(cls, name: str, table: Iterable[Mapping[str, Any]]) -> Reliability:
        """Return the table as a run's results hold it; what is no bin with images is left out.

        Args:
            name: What the legend says.
            table: Bins with low, high, count, confidence, accuracy.
        """
        bins = (_bin(part) for part in table)
        return cls(name, sorted(part for part in bins if part is not None))

    @property
    def images(self) -> int:
        """How many images there are."""
        return sum(part.images for part in self.bins)

    @property
    def ece(self) -> float | None:
        """Expected calibration error, a fraction: mean over images of |accuracy - confidence| of their bin."""
        if not self.bins:
            return None
        return sum(part.images * abs(part.accuracy - part.confidence) for part in self.bins) / self.images


def draw_reliability(
    tables: Sequence[Reliability],
    *,
    width: int,
    height: int,
    chosen: float | None = None,
    is_monochrome: bool = False,
) -> Frame:
    """Draw reliability tables over each other, the first on top, into a grid of `width` x `height` cells.

    Args:
        tables: The tables; may be empty.
        width: Cells across, at least 1.
        height: Rows, at least 1.
        chosen: A confidence, a fraction, whose bin is marked; None marks none.
        is_monochrome: Tell tables apart by the pattern of their lines, as there are no colours.
    """
    frame, count_rows = _blank(max(width, 1), max(height, 1), len(tables))
    _draw_plot(frame, tables, is_monochrome)
    _draw_axes(frame, count_rows)
    _draw_counts(frame, tables, count_rows, chosen)
    if not any(table.bins for table in tables):
        _write(frame, frame.plot.height // 2, frame.plot.left, "not evaluated yet"[: frame.plot.width], AXIS)
    elif chosen is not None:
        frame = frame.marked(frame.plot.column_of(100 * chosen))
    return frame


def _bin(part: Mapping[str, Any]) -> Bin | None:
    """Return a bin that holds images; None for any other value."""
    try:
        low, high, confidence, accuracy = (float(part[key]) for key in ("low", "high", "confidence", "accuracy"))
        count = int(part["count"])
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    if count < 1 or not all(isfinite(value) for value in (low, high, confidence, accuracy)):
        return None
    return Bin(low, high, count, confidence, accuracy)


def _blank(width: int, height: int, num_tables: int) -> tuple[Frame, int]:
    """Return an empty frame and how many of its rows show counts."""
    count_rows = 0
    if height >= ROWS_WITH_COUNTS and num_tables:
        wanted = max(1, height // ROWS_PER_COUNT_ROW) if num_tables == 1 else num_tables
        count_rows = min(MOST_COUNT_ROWS, wanted, height // 3)
    axis_rows = 2 if height >= ROWS_WITH_AXIS else 0
    left = GUTTER if width >= COLUMNS_WITH_LABELS else 0
    plot = Plot(left, 0, width - left, height - count_rows - axis_rows, PERCENT, PERCENT, False)
    glyphs = np.full((height, width), ord(" "), dtype=np.uint32)
    return Frame(glyphs, np.full((height, width), AXIS, dtype=np.int16), plot), count_rows


def _draw_plot(frame: Frame, tables: Sequence[Reliability], is_monochrome: bool) -> None:
    """Paint the diagonal, the distances from it, and the tables' curves over them."""
    plot = frame.plot
    grid = Grid(plot.width * DOTS_ACROSS, plot.height * DOTS_DOWN, PERCENT, PERCENT)
    layers = [(line_dots(_curve(np.array(PERCENT), np.array(PERCENT)), grid, DIAGONAL), LEVEL)]
    if len(tables) == 1:
        layers.append((_distances(tables[0], grid), faint_paint(0)))
    for index, table in reversed(list(enumerate(tables))):
        x, y = (100 * np.array(values) for values in _coordinates(table))
        dots = line_dots(_curve(x, y), grid, PATTERNS[index % len(PATTERNS)] if is_monochrome else PATTERNS[0])
        draw_blocks(dots, np.rint(grid.column(x)), np.rint(grid.row(y)))
        layers.append((dots, line_paint(index)))
    bits = np.zeros((plot.height, plot.width), dtype=np.uint8)
    paints = np.full(bits.shape, AXIS, dtype=np.int16)
    for dots, paint in layers:
        packed = pack(dots)
        bits |= packed
        paints[packed > 0] = paint
    area = np.s_[: plot.height, plot.left :]
    frame.glyphs[area] = np.where(bits > 0, BRAILLE + bits.astype(np.uint32), ord(" "))
    frame.paints[area] = paints


def _coordinates(table: Reliability) -> tuple[list[float], list[float]]:
    """Return confidence and accuracy of each bin."""
    return [part.confidence for part in table.bins], [part.accuracy for part in table.bins]


def _curve(x: Array, y: Array) -> Curve:
    """Return points as a curve."""
    trace = Trace.of(x, y)
    positions = trace.positions(ANY_AXIS)
    assert positions is not None
    return Curve(positions, trace.lane())


def _distances(table: Reliability, grid: Grid) -> Dots:
    """Draw a vertical line from each point to the diagonal."""
    dots = np.zeros((grid.rows, grid.columns), dtype=np.bool_)
    for part in table.bins:
        ends = np.rint(grid.row(100 * np.array([part.accuracy, part.confidence]))).astype(int)
        column = round(float(grid.column(np.array(100 * part.confidence))))
        dots[min(ends) : max(ends) + 1, column] = True
    return dots


def _draw_axes(frame: Frame, count_rows: int) -> None:
    """Write the labels left of the plot, the line under it and the labels at the bottom, where there is room."""
    plot = frame.plot
    counts = frame.height - (frame.height >= ROWS_WITH_AXIS) - count_rows
    marks = ticks(*PERCENT, 4 if plot.height >= 10 else 2)
    if plot.left:
        for row in (*range(plot.height), *range(counts, counts + count_rows)):
            _write(frame, row, plot.left - 1, "│", AXIS)
        grid = Grid(2, plot.height * DOTS_DOWN, PERCENT, PERCENT)
        for value, text in marks:
            row = round(float(grid.row(np.array(value)))) // DOTS_DOWN
            _write(frame, row, 0, f"{text:>{plot.left - 1}}┤", AXIS)
    if frame.height >= ROWS_WITH_AXIS:
        _draw_x_axis(frame)
    if plot.left and count_rows:
        _write(frame, counts, 0, "images", AXIS)


def _draw_x_axis(frame: Frame) -> None:
    """Write the line under the plot and the labels in the last row."""
    plot = frame.plot
    _write(frame, plot.height, max(plot.left - 1, 0), ("└" if plot.left else "") + "─" * plot.width, AXIS)
    for value, text in ticks(*PERCENT, 4 if plot.width >= 40 else 2):
        column = min(plot.column_of(value), plot.left + plot.width - 1)
        _write(frame, plot.height, column, "┬", AXIS)
        _write(frame, frame.height - 1, max(min(column - len(text) // 2, frame.width - len(text)), 0), text, AXIS)


def _draw_counts(frame: Frame, tables: Sequence[Reliability], count_rows: int, chosen: float | None) -> None:
    """Draw how many images each bin has: one table in all the rows, several in one row each as far as there are."""
    if not count_rows:
        return
    rows = count_rows if len(tables) == 1 else 1
    top = frame.height - (frame.height >= ROWS_WITH_AXIS) - count_rows
    for index, table in enumerate(tables[: count_rows // rows]):
        _draw_histogram(frame, table, slice(top + index, top + index + rows), index, chosen)


def _draw_histogram(frame: Frame, table: Reliability, rows: slice, index: int, chosen: float | None) -> None:
    """Draw a table's counts as bars; one that holds any image is at least an eighth of a row high."""
    most = max((part.images for part in table.bins), default=1)
    height = rows.stop - rows.start
    for part in table.bins:
        first, last = (frame.plot.column_of(100 * end) for end in (part.low, part.high))
        last = max(first + 1, min(last, frame.width))
        eighths = max(1, round(part.images / most * height * 8))
        is_chosen = chosen is not None and part.low < chosen <= part.high
        for up in range(height):
            glyph = EIGHTHS[min(max(eighths - 8 * up, 0), 8)]
            _write(frame, rows.stop - 1 - up, first, glyph * (last - first), MARK if is_chosen else line_paint(index))


def _write(frame: Frame, row: int, column: int, text: str, paint: int) -> None:
    """Put text into a row, cut at the frame's right edge."""
    codes = np.frombuffer(text.encode("utf-32-le"), dtype="<u4")[: max(frame.width - column, 0)]
    frame.glyphs[row, column : column + codes.size] = codes
    frame.paints[row, column : column + codes.size] = paint
