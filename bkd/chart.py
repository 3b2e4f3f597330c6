"""Draw curves in braille: arrays in, rows of text with colour runs out. Knows no terminal and no Textual.

`bkd watch` prints the rows with `ansi_lines`, the app paints them with `tui.widgets.chart_view`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bkd.chart_axis import Range, Tick, growing_range, ticks, value_range
from bkd.chart_frame import AXIS, Frame, Plot, Run, Span, ansi_lines, faint_paint, line_paint
from bkd.chart_raster import (
    BRAILLE,
    DOTS_ACROSS,
    DOTS_DOWN,
    Array,
    Bits,
    Grid,
    band_dots,
    curve,
    line_dots,
    pack,
)
from bkd.chart_smoothing import ema

__all__ = ["Frame", "Plot", "Run", "Series", "Span", "ansi_lines", "draw", "ema"]

AXIS_ROWS = 2
ROWS_WITH_AXIS, COLUMNS_WITH_LABELS = 6, 24
"""A chart with fewer rows has no x axis, one with fewer columns no y labels."""

LABEL_CELLS = 6
ROWS_PER_TICK, COLUMNS_PER_TICK = 3, 12
SMALLEST = 1e-300


@dataclass(frozen=True, eq=False)
class Series:
    """A named curve. Only recorded values belong in it: a missing one is left out, NaN or infinity is shown as a gap.

    Attributes:
        name: what the legend says.
        x: positions, (n,), usually ascending steps; points whose x is not finite are left out.
        y: values, (n,).
        band: lower and upper ends of an interval around y, (n,) each, or None.
    """

    name: str
    x: ArrayLike
    y: ArrayLike
    band: tuple[ArrayLike, ArrayLike] | None = None


@dataclass(frozen=True, eq=False)
class _Layer:
    """Arrays of one series ordered by x: the line, and what lies faintly under it, its raw values and its band."""

    x: Array
    line: Array
    raw: Array | None
    band: tuple[Array, Array] | None


def draw(
    series: Sequence[Series],
    *,
    width: int,
    height: int,
    x_range: Range | None = None,
    y_range: Range | None = None,
    log_y: bool = False,
    smoothing: float = 0.0,
) -> Frame:
    """Draw series into a grid of `width` x `height` cells; a later series lies on top of an earlier one.

    Each dot column shows the least and the greatest value that fall into it, so no spike is lost. Ranges that are not
    given end on round values and grow in jumps: while a run grows, most redraws change a few cells.

    Args:
        series: curves; may be empty.
        width: cells across, at least 1.
        height: rows, at least 1.
        x_range: ends of the x axis, or None to fit all data in steps.
        y_range: ends of the y axis, or None to fit the values inside the x range.
        log_y: logarithmic y axis; values <= 0 are gaps.
        smoothing: weight of the past in an exponential moving average, in [0, 1); the raw values stay faintly visible.

    Returns:
        The drawn frame; with nothing to draw, axes and a note that says why.

    Raises:
        ValueError: a series' arrays differ in length, or smoothing is out of range.
    """
    layers = [_layer(s, smoothing, log_y) for s in series]
    x_range = _widened(x_range) if x_range else _fit_x(layers)
    layers = [_clip(layer, x_range) for layer in layers]
    fitted = _fit_y(layers, x_range, log_y)
    y_range = _widened(y_range, log_y) if y_range else fitted or ((0.1, 1.0) if log_y else (0.0, 1.0))
    frame, marks = _blank((max(width, 1), max(height, 1)), x_range, y_range, log_y)
    _draw_curves(frame, layers)
    _draw_axes(frame, marks)
    if fitted is None:
        _note(frame, _why_empty(series, log_y))
    return frame


def _layer(series: Series, smoothing: float, log_y: bool) -> _Layer:
    """Order a series by x, smooth it and, for a logarithmic axis, make gaps of what is not above 0."""
    arrays = [np.asarray(a, dtype=np.float64) for a in (series.x, series.y, *(series.band or ()))]
    if len({a.shape for a in arrays}) != 1 or arrays[0].ndim != 1:
        raise ValueError(f"series {series.name!r} needs arrays of one length, got {[a.shape for a in arrays]}")
    if not np.isfinite(arrays[0]).all():
        arrays = [a[np.isfinite(arrays[0])] for a in arrays]
    if (arrays[0][1:] < arrays[0][:-1]).any():
        order = np.argsort(arrays[0], kind="stable")
        arrays = [a[order] for a in arrays]
    x, y, *band = arrays
    lines = [ema(y, smoothing), y] if smoothing > 0 else [y]
    if log_y:
        lines, band = [_positive(a) for a in lines], [_positive(a) for a in band]
    return _Layer(x, lines[0], lines[1] if smoothing > 0 else None, (band[0], band[1]) if band else None)


def _positive(values: Array) -> Array:
    """Return values with NaN where they are not above 0."""
    above = values > 0
    return values if above.all() else np.where(above, values, np.nan)


def _clip(layer: _Layer, x_range: Range) -> _Layer:
    """Keep the points inside an x range and one neighbour on either side, to which lines lead."""
    first = max(int(np.searchsorted(layer.x, x_range[0])) - 1, 0)
    part = slice(first, int(np.searchsorted(layer.x, x_range[1], side="right")) + 1)
    band = (layer.band[0][part], layer.band[1][part]) if layer.band else None
    return _Layer(layer.x[part], layer.line[part], None if layer.raw is None else layer.raw[part], band)


def _widened(ends: Range, log: bool = False) -> Range:
    """Return a given range in ascending order with room between its ends."""
    low, high = min(ends), max(ends)
    if log:
        high = high if high > 0 else 1.0
        low = low if 0 < low < high else high / 1e3
    return (low, high) if high > low else (low - 0.5, low + 0.5)


def _fit_x(layers: Sequence[_Layer]) -> Range:
    """Return the x range of all layers, growing in steps."""
    ends = [(layer.x[0], layer.x[-1]) for layer in layers if layer.x.size]
    if not ends:
        return 0.0, 1.0
    return growing_range(float(min(low for low, _ in ends)), float(max(high for _, high in ends)))


def _fit_y(layers: Sequence[_Layer], x_range: Range, log_y: bool) -> Range | None:
    """Return the y range of lines and bands inside an x range, None without a finite value.

    Raw values may leave it. A line whose points all lie outside is fitted by the two that it connects.
    """
    lowest, highest = np.inf, -np.inf
    for layer in layers:
        first, stop = np.searchsorted(layer.x, x_range[0]), np.searchsorted(layer.x, x_range[1], side="right")
        for values in (layer.line, *(layer.band or ())):
            low, high = _extremes(values[first:stop] if stop > first else values)
            lowest, highest = min(lowest, low), max(highest, high)
    return value_range(lowest, highest, log_y) if lowest <= highest else None


def _extremes(values: Array) -> Range:
    """Return the least and greatest finite value, (inf, -inf) without any."""
    low, high = np.min(values, initial=np.inf), np.max(values, initial=-np.inf)
    if not np.isfinite([low, high]).all():  # NaN wins in min: the common case, all finite, costs no mask
        finite = values[np.isfinite(values)]
        low, high = np.min(finite, initial=np.inf), np.max(finite, initial=-np.inf)
    return float(low), float(high)


def _blank(size: tuple[int, int], x_range: Range, y_range: Range, log_y: bool) -> tuple[Frame, list[Tick]]:
    """Return an empty frame of (width, height) and the ticks of its y axis."""
    width, height = size
    plot_height = height - AXIS_ROWS if height >= ROWS_WITH_AXIS else height
    marks = ticks(*y_range, max(2, plot_height // ROWS_PER_TICK), log_y)
    gutter = max([LABEL_CELLS, *(len(text) for _, text in marks)]) + 1 if width >= COLUMNS_WITH_LABELS else 0
    plot = Plot(gutter, 0, width - gutter, plot_height, x_range, y_range, log_y)
    glyphs = np.full((height, width), ord(" "), dtype=np.uint32)
    return Frame(glyphs, np.full((height, width), AXIS, dtype=np.int16), plot), marks


def _draw_curves(frame: Frame, layers: Sequence[_Layer]) -> None:
    """Paint bands and raw values first, then the lines; lines that share a cell keep all their dots."""
    plot, grid = frame.plot, _grid(frame.plot)
    shape = (plot.height, plot.width)
    bits, paints = np.zeros(shape, dtype=np.uint8), np.full(shape, AXIS, dtype=np.int16)
    is_line = np.zeros(shape, dtype=np.bool_)
    for index, layer in enumerate(layers):
        for packed in _faint(layer, grid):
            bits |= packed
            paints[packed > 0] = faint_paint(index)
    for index, layer in enumerate(layers):
        packed = pack(line_dots(curve(layer.x, layer.line), grid))
        drawn = packed > 0
        bits[drawn & ~is_line] = 0
        bits |= packed
        is_line |= drawn
        paints[drawn] = line_paint(index)
    area = np.s_[plot.top : plot.top + plot.height, plot.left : plot.left + plot.width]
    frame.glyphs[area] = np.where(bits > 0, BRAILLE + bits.astype(np.uint32), ord(" "))
    frame.paints[area] = paints


def _faint(layer: _Layer, grid: Grid) -> list[Bits]:
    """Draw what lies under a layer's line."""
    drawn = []
    if layer.band:
        low, high = layer.band
        if grid.log_y:  # an interval that reaches below 0 reaches the axis
            low = np.where(np.isnan(low) & (high > 0), SMALLEST, low)
        drawn.append(pack(band_dots(curve(layer.x, low), curve(layer.x, high), grid)))
    if layer.raw is not None:
        drawn.append(pack(line_dots(curve(layer.x, layer.raw), grid)))
    return drawn


def _grid(plot: Plot) -> Grid:
    """Return the dots of a plot."""
    return Grid(plot.width * DOTS_ACROSS, plot.height * DOTS_DOWN, plot.x_range, plot.y_range, plot.log_y)


def _draw_axes(frame: Frame, marks: Sequence[Tick]) -> None:
    """Write the y labels left of the plot and the x axis under it, where there is room."""
    plot = frame.plot
    if plot.left:
        _write(frame, np.s_[: plot.height, plot.left - 1], "│" * plot.height)
        rows = np.rint(_grid(plot).row(np.array([value for value, _ in marks]))).astype(np.intp) // DOTS_DOWN
        for row, (_, text) in zip(rows.tolist(), marks, strict=True):
            _write(frame, np.s_[row, : plot.left], f"{text:>{plot.left - 1}}┤")
    if frame.height > plot.height:
        _draw_x_axis(frame)


def _draw_x_axis(frame: Frame) -> None:
    """Write the x axis and the labels that do not touch each other."""
    plot = frame.plot
    line, text = ["─"] * plot.width, [" "] * frame.width
    marks = ticks(*plot.x_range, max(2, plot.width // COLUMNS_PER_TICK))
    free = 0
    for value, label in marks:
        cell = min(plot.column_of(value) - plot.left, plot.width - 1)
        line[cell] = "┬"
        start = min(max(plot.left + cell - len(label) // 2, 0), frame.width - len(label))
        if start >= free:
            text[start : start + len(label)] = label
            free = start + len(label) + 1
    _write(frame, np.s_[plot.height, plot.left :], "".join(line))
    _write(frame, np.s_[plot.height + 1, :], "".join(text))
    if plot.left:
        _write(frame, np.s_[plot.height, plot.left - 1 : plot.left], "└")


def _why_empty(series: Sequence[Series], log_y: bool) -> str:
    """Say why no curve could be drawn."""
    if not any(np.size(s.y) for s in series):
        return "no data yet"
    if log_y and any(np.isfinite(np.asarray(s.y, dtype=np.float64)).any() for s in series):
        return "no values above 0 here for a log axis"
    return "no finite values here"


def _note(frame: Frame, text: str) -> None:
    """Write a note in the middle of the plot, cut where it does not fit."""
    plot = frame.plot
    text = text[: plot.width]
    left = plot.left + (plot.width - len(text)) // 2
    _write(frame, np.s_[plot.height // 2, left : left + len(text)], text)


def _write(frame: Frame, where: tuple[int | slice, int | slice], text: str) -> None:
    """Put characters into a frame's cells in the colour of the axes."""
    codes: NDArray[np.uint32] = np.frombuffer(text.encode("utf-32-le"), dtype="<u4")
    frame.glyphs[where] = codes
    frame.paints[where] = AXIS
