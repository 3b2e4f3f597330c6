"""Draw curves in braille: arrays in, rows of text with colour runs out. Knows no terminal and no Textual.

`bkd watch` prints the rows with `ansi_lines`, the app paints them with `tui.widgets.chart_view`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bkd.chart_axis import Tick, ticks
from bkd.chart_frame import (
    AXIS,
    LEVEL,
    NUM_COLOURS,
    Frame,
    Plot,
    Run,
    Span,
    ansi_lines,
    faint_paint,
    line_paint,
)
from bkd.chart_raster import (
    BRAILLE,
    DOTS_ACROSS,
    DOTS_DOWN,
    PATTERNS,
    Bits,
    Dots,
    Grid,
    Pattern,
    band_dots,
    level_dots,
    line_dots,
    pack,
    thinned,
)
from bkd.chart_scene import Layer, Level, Look, Scene, Series, set_scene
from bkd.chart_smoothing import ema
from bkd.chart_time import TIME, time_ticks
from bkd.chart_trace import Trace

__all__ = ["Frame", "Level", "Look", "Plot", "Run", "Series", "Span", "Trace", "ansi_lines", "draw", "ema"]

AXIS_ROWS = 2
ROWS_WITH_AXIS, ROWS_WITH_LABELS = 6, 4
"""A chart with fewer rows has no line under the plot, one with still fewer no labels there."""

COLUMNS_WITH_LABELS, COLUMNS_WITH_ROOM = 20, 40
"""A chart with fewer columns has no y labels, one with fewer of the second no room kept for them and no axis name."""

LABEL_CELLS = 6
ROWS_PER_TICK, COLUMNS_PER_TICK = 3, 12


def draw(series: Sequence[Series], *, width: int, height: int, look: Look | None = None) -> Frame:
    """Draw series into a grid of `width` x `height` cells; a later series lies on top of an earlier one.

    Each dot column shows the least and the greatest value that fall into it, so no spike is lost.

    Args:
        series: curves; may be empty.
        width: cells across, at least 1.
        height: rows, at least 1.
        look: how to look at them; None: all of them by step.

    Returns:
        The drawn frame; with nothing to draw, axes and a note that says why.

    Raises:
        ValueError: a series' arrays differ in length, or smoothing is out of range.
    """
    look = look or Look()
    scene = set_scene(series, look)
    frame, marks = _blank((max(width, 1), max(height, 1)), scene, look.log_y)
    _draw_curves(frame, scene, look.is_monochrome)
    _draw_axes(frame, marks, look.x_axis)
    if scene.why_empty:
        _note(frame, scene.why_empty)
    return frame


def pattern_of(index: int, is_monochrome: bool) -> Pattern:
    """Return the pattern of a series' line: another one for each where there are no colours, else once these repeat."""
    return PATTERNS[(index if is_monochrome else index // NUM_COLOURS) % len(PATTERNS)]


def _blank(size: tuple[int, int], scene: Scene, log_y: bool) -> tuple[Frame, list[Tick]]:
    """Return an empty frame of (width, height) and the ticks of its y axis."""
    width, height = size
    axis_rows = AXIS_ROWS if height >= ROWS_WITH_AXIS else int(height >= ROWS_WITH_LABELS)
    plot_height = height - axis_rows
    marks = ticks(*scene.y_range, max(2, plot_height // ROWS_PER_TICK), log_y)
    gutter = 0
    if width >= COLUMNS_WITH_LABELS:
        least = LABEL_CELLS if width >= COLUMNS_WITH_ROOM else 0
        gutter = max([least, *(len(text) for _, text in marks)]) + 1
    plot = Plot(gutter, 0, width - gutter, plot_height, scene.x_range, scene.y_range, log_y)
    glyphs = np.full((height, width), ord(" "), dtype=np.uint32)
    return Frame(glyphs, np.full((height, width), AXIS, dtype=np.int16), plot), marks


def _draw_curves(frame: Frame, scene: Scene, is_monochrome: bool) -> None:
    """Paint bands, raw values and levels first, then the lines; lines that share a cell keep all their dots."""
    plot, grid = frame.plot, _grid(frame.plot)
    shape = (plot.height, plot.width)
    bits, paints = np.zeros(shape, dtype=np.uint8), np.full(shape, AXIS, dtype=np.int16)
    under = [(p, faint_paint(layer.index)) for layer in scene.layers for p in _faint(layer, grid, is_monochrome)]
    under += [(pack(level_dots(value, grid)), LEVEL) for value in scene.levels]
    for packed, paint in under:
        bits |= packed
        paints[packed > 0] = paint
    is_line = np.zeros(shape, dtype=np.bool_)
    for layer in scene.layers:
        packed = pack(line_dots(layer.line, grid, pattern_of(layer.index, is_monochrome)))
        drawn = packed > 0
        bits[drawn & ~is_line] = 0
        bits |= packed
        is_line |= drawn
        paints[drawn] = line_paint(layer.index)
    area = np.s_[plot.top : plot.top + plot.height, plot.left : plot.left + plot.width]
    frame.glyphs[area] = np.where(bits > 0, BRAILLE + bits.astype(np.uint32), ord(" "))
    frame.paints[area] = paints


def _faint(layer: Layer, grid: Grid, is_monochrome: bool) -> list[Bits]:
    """Draw what lies under a layer's line."""
    drawn: list[Dots] = []
    if layer.band:
        drawn.append(band_dots(*layer.band, grid))
    if layer.raw:
        raw = line_dots(layer.raw, grid)
        drawn.append(thinned(raw) if is_monochrome else raw)
    return [pack(dots) for dots in drawn]


def _grid(plot: Plot) -> Grid:
    """Return the dots of a plot."""
    return Grid(plot.width * DOTS_ACROSS, plot.height * DOTS_DOWN, plot.x_range, plot.y_range, plot.log_y)


def _draw_axes(frame: Frame, marks: Sequence[Tick], x_axis: str) -> None:
    """Write the y labels left of the plot and the x axis under it, where there is room."""
    plot = frame.plot
    if plot.left:
        _write(frame, np.s_[: plot.height, plot.left - 1], "│" * plot.height)
        rows = np.rint(_grid(plot).row(np.array([value for value, _ in marks]))).astype(np.intp) // DOTS_DOWN
        for row, (_, text) in zip(rows.tolist(), marks, strict=True):
            _write(frame, np.s_[row, : plot.left], f"{text:>{plot.left - 1}}┤")
    below = frame.height - plot.height
    if not below:
        return
    line, labels = _x_axis(plot, frame.width, x_axis)
    _write(frame, np.s_[frame.height - 1, :], labels)
    if below == AXIS_ROWS:
        _write(frame, np.s_[plot.height, plot.left :], line)
        if plot.left:
            _write(frame, np.s_[plot.height, plot.left - 1 : plot.left], "└")


def _x_axis(plot: Plot, width: int, name: str) -> tuple[str, str]:
    """Return the line under a plot, and the labels under it that do not touch each other, with the axis' name."""
    line, text = ["─"] * plot.width, [" "] * width
    most = max(2, plot.width // COLUMNS_PER_TICK)
    marks = time_ticks(*plot.x_range, most) if name == TIME else ticks(*plot.x_range, most)
    free, end = 0, width
    if width >= COLUMNS_WITH_ROOM:
        end -= len(name) + 1
        text[end + 1 :] = name
    for value, label in marks:
        cell = min(plot.column_of(value) - plot.left, plot.width - 1)
        line[cell] = "┬"
        start = min(max(plot.left + cell - len(label) // 2, 0), width - len(label))
        if start >= free and start + len(label) <= end:
            text[start : start + len(label)] = label
            free = start + len(label) + 1
    return "".join(line), "".join(text)


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
