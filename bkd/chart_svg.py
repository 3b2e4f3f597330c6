"""What a chart shows as an SVG drawing for a page: white ground, the curves as paths, the legend above them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from bkd.chart_axis import ticks
from bkd.chart_lane import Array
from bkd.chart_raster import Grid, crossings
from bkd.chart_scene import Curve, Layer, Look, Series, set_scene
from bkd.chart_time import TIME, time_ticks
from bkd.text import cell_width, clean

COLOURS = ("#d98a00", "#0b4fb3", "#14181d", "#c9408f")
DASHES = ("", "9 5", "2 4", "14 4 2 4")
INK, GREY, RULE, ACCENT, LEVEL = "#14181d", "#5d6a75", "#e2e7eb", "#0f766e", "#6a4bbd"
FONT = "font-family='DejaVu Sans, Helvetica, Arial, sans-serif' font-size='12'"

LEFT, RIGHT, ABOVE, BELOW = 64, 16, 34, 44
"""Pixels around the plot; below are the labels and the name of the x axis, above the first line of the legend."""
LINE, SIGN, GAP, LETTER = 18, 26, 18, 7.5
"""Pixels of a line of the legend, of a sign in it, between two entries, and of a letter."""
PIXELS_PER_LABEL = (110, 48)

MOST_POINTS = 3
"""Points a pixel column above which a curve is drawn by its extremes in each column."""

FAR = 1e5
"""A pixel outside any page: what lies farther is drawn there."""


@dataclass(frozen=True)
class Entry:
    """An entry of the legend: a name with its value, and the attributes of its sign, a stroke."""

    text: str
    stroke: str


@dataclass(frozen=True)
class Caption:
    """What is written around a drawing.

    Attributes:
        title: name of the values, with their unit.
        values: of each series and then of each level by name, as text.
        at: where the values are from; empty for the last ones.
        mark: the x of a vertical line, or None.
    """

    title: str
    values: dict[str, str]
    at: str = ""
    mark: float | None = None


def to_svg(series: Sequence[Series], look: Look, caption: Caption, *, width: int = 900, height: int = 480) -> str:
    """Return an SVG document of what a chart shows.

    Args:
        series: the chart's.
        look: how they are looked at.
        caption: what is written around them.
        width: of the document, in pixels.
        height: of the document, in pixels; further lines of the legend are added to it.

    Raises:
        ValueError: as `bkd.chart.draw`.
    """
    legend, lines = _legend(caption, _entries(series, look, caption), width)
    top, height = ABOVE + lines * LINE, height + lines * LINE
    scene = set_scene(series, look)
    grid = Grid(width - LEFT - RIGHT, height - top - BELOW, scene.x_range, scene.y_range, look.log_y)
    curves = [path for layer in scene.layers for path in _layer(layer, grid)]
    levels = [_stroke(f"M0,{_row(grid, v):.2f}H{grid.columns}", _level_stroke()) for v in scene.levels]
    if caption.mark is not None:
        levels.append(_stroke(f"M{_column(grid, caption.mark):.2f},0V{grid.rows}", f"stroke='{ACCENT}'"))
    note = _text(grid.columns / 2, grid.rows / 2, scene.why_empty, "middle", GREY)
    frame = f"<clipPath id='plot'><rect width='{grid.columns}' height='{grid.rows}'/></clipPath>"
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{width}' height='{height}' "
        f"viewBox='0 0 {width} {height}' {FONT} fill='{INK}'>",
        "<rect width='100%' height='100%' fill='white'/>",
        *legend,
        f"<g transform='translate({LEFT},{top})'>{frame}",
        *_axes(grid, look),
        "<g clip-path='url(#plot)' fill='none' stroke-linejoin='round' stroke-linecap='round'>",
        *curves,
        *levels,
        "</g>",
        note if scene.why_empty else "",
        "</g></svg>",
    ]
    return "\n".join(part for part in parts if part) + "\n"


# ---- legend


def _entries(series: Sequence[Series], look: Look, caption: Caption) -> list[Entry]:
    """Return what the legend says of the shown series and levels."""
    strokes = [(one.name, _series_stroke(index)) for index, one in enumerate(series)]
    strokes += [(level.name, _level_stroke()) for level in look.levels]
    return [
        Entry(f"{clean(name)} {caption.values.get(name, '')}".rstrip(), stroke)
        for name, stroke in strokes
        if name not in look.hidden
    ]


def _legend(caption: Caption, entries: Sequence[Entry], width: int) -> tuple[list[str], int]:
    """Return the title and the legend, and how many lines the legend takes."""
    title = f"<tspan font-weight='bold'>{escape(clean(caption.title))}</tspan>"
    at = f"<tspan fill='{ACCENT}' dx='12'>{escape(clean(caption.at))}</tspan>" if caption.at else ""
    parts = [f"<text x='{LEFT}' y='22'>{title}{at}</text>"]
    x, line = LEFT, 1
    for entry in entries:
        room = SIGN + round(LETTER * cell_width(entry.text)) + GAP
        if x > LEFT and x + room > width:
            x, line = LEFT, line + 1
        y = 22 + line * LINE
        parts.append(_stroke(f"M{x},{y - 4}h{SIGN - 8}", entry.stroke))
        parts.append(_text(x + SIGN, y, entry.text, "start", INK))
        x += room
    return parts, line if entries else 0


# ---- axes


def _axes(grid: Grid, look: Look) -> Iterator[str]:
    """Yield rules, labels and the name of the x axis."""
    wide, tall = (max(2, size // each) for size, each in zip((grid.columns, grid.rows), PIXELS_PER_LABEL, strict=True))
    for value, label in ticks(*grid.y_range, tall, grid.log_y):
        y = _row(grid, value)
        yield _stroke(f"M0,{y:.2f}H{grid.columns}", f"stroke='{RULE}'")
        yield _text(-8, y + 4, label, "end", GREY)
    for value, label in (time_ticks if look.x_axis == TIME else ticks)(*grid.x_range, wide):
        x = _column(grid, value)
        yield _stroke(f"M{x:.2f},{grid.rows}v4", f"stroke='{GREY}'")
        yield _text(x, grid.rows + 18, label, "middle", GREY)
    yield _stroke(f"M0,0V{grid.rows}H{grid.columns}", f"stroke='{GREY}' fill='none'")
    yield _text(grid.columns, grid.rows + 36, look.x_axis, "end", GREY)


# ---- curves


def _layer(layer: Layer, grid: Grid) -> Iterator[str]:
    """Yield the paths of a series, the topmost last."""
    colour = COLOURS[layer.index % len(COLOURS)]
    if layer.band:
        yield f"<path d='{_band(*layer.band, grid)}' fill='{colour}' fill-opacity='.16' stroke='none'/>"
    if layer.raw:
        yield _stroke(_line(layer.raw, grid), f"stroke='{colour}' stroke-opacity='.3'")
    yield _stroke(_line(layer.line, grid), f"{_series_stroke(layer.index)}")


def _line(line: Curve, grid: Grid) -> str:
    """Return the path of a curve; a point that no line touches becomes a dot."""
    x, low, high = _reduced(line, grid)
    if low is not high:
        x, low = np.repeat(x, 2), np.stack([high, low], axis=1).ravel()
    return "".join(_joined(x[part], low[part], "M") for part in _unbroken(low))


def _band(low: Curve, high: Curve, grid: Grid) -> str:
    """Return the path around the space between two curves."""
    x, bottom, _ = _reduced(low, grid)
    _, _, top = _reduced(high, grid)
    return "".join(
        _joined(x[part], bottom[part], "M") + _joined(x[part][::-1], top[part][::-1], "L") + "Z"
        for part in _unbroken(bottom + top)
    )


def _reduced(line: Curve, grid: Grid) -> tuple[Array, Array, Array]:
    """Return pixels of a curve's points: x, lowest and highest y; NaN stands where it is broken.

    Where a pixel column holds many points, they are those of its extremes; else lowest and highest are one array.
    """
    bounds = line.x.before(grid.edges())
    start, stop = max(int(bounds[0]) - 1, 0), min(int(bounds[-1]) + 1, len(line.x))
    if stop - start <= MOST_POINTS * grid.columns:
        part = np.arange(start, stop)
        y = grid.row(line.lane.values[part])
        return grid.column(line.x[part]), y, y
    low, high = line.lane.extremes(bounds)
    held = np.flatnonzero(np.isfinite(low))
    breaks = np.flatnonzero(np.isnan(crossings(line, grid)[held]))[1:] if held.size else held
    x, bottom, top = (
        np.insert(values, breaks, np.nan)
        for values in (held.astype(np.float64), grid.row(low[held]), grid.row(high[held]))
    )
    return x, bottom, top


def _unbroken(y: Array) -> list[slice]:
    """Return the parts of an array without NaN."""
    known = np.concatenate([[False], np.isfinite(y), [False]])
    turns = np.flatnonzero(known[1:] != known[:-1]).tolist()
    return [slice(a, b) for a, b in zip(turns[::2], turns[1::2], strict=True)]


def _joined(x: Array, y: Array, first: str) -> str:
    """Return the commands that join points; the first one is moved to or drawn to."""
    points = [f"{a:.2f},{b:.2f}" for a, b in zip(_near(x).tolist(), _near(y).tolist(), strict=True)]
    return first + "L".join(points) + ("h0" if first == "M" and len(points) == 1 else "")


def _near(pixels: Array) -> Array:
    """Return pixels of which none is farther out than a viewer can count."""
    return np.asarray(np.clip(pixels, -FAR, FAR))


def _row(grid: Grid, value: float) -> float:
    return float(_near(grid.row(np.array(value))))


def _column(grid: Grid, value: float) -> float:
    return float(_near(grid.column(np.array(value))))


# ---- elements


def _series_stroke(index: int) -> str:
    dashes = DASHES[index // len(COLOURS) % len(DASHES)]
    return f"stroke='{COLOURS[index % len(COLOURS)]}' stroke-width='1.6'" + (
        f" stroke-dasharray='{dashes}'" if dashes else ""
    )


def _level_stroke() -> str:
    return f"stroke='{LEVEL}' stroke-width='1.4' stroke-dasharray='5 4'"


def _stroke(path: str, attributes: str) -> str:
    return f"<path d='{path}' {attributes}/>"


def _text(x: float, y: float, text: str, anchor: str, colour: str) -> str:
    return f"<text x='{x:.1f}' y='{y:.1f}' text-anchor='{anchor}' fill='{colour}'>{escape(clean(text))}</text>"
