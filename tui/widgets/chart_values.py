"""What a chart's crosshair reads: the points nearest to it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import isfinite

from bkd.chart import Look, Series
from bkd.chart_scene import whole_range
from bkd.chart_time import TIME
from bkd.text import duration, number


def value_text(series: Series, axis: str, smoothing: float, x: float | None, reach: float = 0.0) -> str:
    """Return a series' value at the point nearest to x, or its last one, smoothed as it is drawn.

    Args:
        series: The curve.
        axis: What x counts.
        smoothing: Weight of the past by which it is drawn.
        x: Where; None for the last point.
        reach: How far x may lie outside the points, beyond the distance of the last two. A series that ended before, or
            began after, has no value: "-".
    """
    positions = series.trace.positions(axis)
    if positions is None or len(positions) == 0:
        return "-"
    index = len(positions) - 1
    if x is not None:
        first, last = positions.ends
        interval = last - float(positions[[index - 1]][0]) if index else 0.0
        if not first - reach - interval <= x <= last + reach + interval:
            return "-"
        index = positions.nearest(x)
    return number(float(series.trace.lane(smoothing).values[index]))


def nearest_x(series: Iterable[Series], axis: str, x: float) -> float:
    """Return where the point nearest to x lies, of any series; x itself where there is none."""
    return min(_around(series, axis, x), key=lambda point: abs(point - x), default=x)


def next_x(series: Iterable[Series], axis: str, x: float, *, is_right: bool) -> float | None:
    """Return the nearest point beyond x on one side, of any series; None where there is none."""
    points = [point for point in _around(series, axis, x) if (point > x if is_right else point < x)]
    return min(points, key=lambda point: abs(point - x), default=None)


def carried(series: Sequence[Series], old: str, new: str, x: float) -> float:
    """Return where an x of one axis lies on another one, by the longest series that knows both; x itself if none."""
    known = [one.trace for one in series if {old, new} <= set(one.trace.axes) and len(one.trace)]
    if not known:
        return x
    trace = max(known, key=len)
    source, target = trace.positions(old), trace.positions(new)
    assert source is not None
    assert target is not None
    index = source.nearest(x)
    low, high = max(index - 1, 0), min(index + 1, len(source) - 1)
    (a, b), (c, d) = source[[low, high]].tolist(), target[[low, high]].tolist()
    return float(c + (x - a) * (d - c) / (b - a)) if b > a else float(c)


def place(axis: str, x: float) -> str:
    """Return where a point lies, in words."""
    return f"{axis} {duration(x) if axis == TIME else format(x, ',.6g')}"


def column_span(series: Sequence[Series], look: Look, width: int) -> float:
    """Return how much of the x axis a column holds."""
    low, high = look.x_range or whole_range(series, look.x_axis)
    return (high - low) / max(width, 1)


def _around(series: Iterable[Series], axis: str, x: float) -> list[float]:
    """Return the point nearest to x and its two neighbours, of each series."""
    found: list[float] = []
    for one in series:
        positions = one.trace.positions(axis)
        if positions is not None and len(positions):
            index = positions.nearest(x)
            found += positions[range(max(index - 1, 0), min(index + 2, len(positions)))].tolist()
    return [point for point in found if isfinite(point)]
