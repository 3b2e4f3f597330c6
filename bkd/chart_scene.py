"""What a chart shows and how it is looked at: series, levels, the ranges of the axes; knows no dots and no pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import log2
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from bkd.chart_axis import Range, growing_range, value_range
from bkd.chart_lane import Lane
from bkd.chart_trace import Positions, Trace

SMALLEST = 1e-300
"""An interval that reaches below 0 ends here on a log axis."""

LEAST_SHARE = 1 / 3
"""A level lies on the y axis if the curves keep this share of it; else it would press them flat."""

LEAST_WEIGHT = 0.05
"""A smaller weight of the past is none: it would change less than can be seen."""


@dataclass(frozen=True, eq=False)
class Series:
    """A named curve. Only recorded values belong in it: a missing one is left out, NaN or infinity is shown as a gap.

    Attributes:
        name: what the legend says; no two series of a chart share it.
        x: positions, (n,), usually ascending steps; points whose x is not finite are left out.
        y: values, (n,).
        band: lower and upper ends of an interval around y, (n,) each, or None.
        grown: the points where they grow while they are drawn (`Series.of`); x and y are then a view of them.
    """

    name: str
    x: ArrayLike
    y: ArrayLike
    band: tuple[ArrayLike, ArrayLike] | None = None
    grown: Trace | None = field(default=None, repr=False)

    @classmethod
    def of(cls, name: str, trace: Trace) -> Series:
        """Return the curve of a trace, which may grow afterwards."""
        return cls(name, trace.x, trace.y, grown=trace)

    @cached_property
    def trace(self) -> Trace:
        """The points, prepared for drawing once.

        Raises:
            ValueError: the arrays differ in length.
        """
        return self.grown if self.grown is not None else self._traced(self.y)

    @cached_property
    def edges(self) -> tuple[Trace, Trace] | None:
        """Lower and upper end of the band, prepared for drawing once.

        Raises:
            ValueError: the arrays differ in length.
        """
        return None if self.band is None else (self._traced(self.band[0]), self._traced(self.band[1]))

    def _traced(self, y: ArrayLike) -> Trace:
        try:
            return Trace.of(self.x, y)
        except ValueError as error:
            raise ValueError(f"series {self.name!r} {error}") from None


class Level(NamedTuple):
    """A named value that does not change along x, such as what the teacher reached."""

    name: str
    value: float


@dataclass(frozen=True)
class Look:
    """How curves are looked at.

    Attributes:
        x_axis: name of the x axis; series that do not know it are not shown.
        x_range: ends of the x axis, or None to fit all data in steps.
        y_range: ends of the y axis, or None to fit the values inside the x range, and near levels unless it was given.
        log_y: logarithmic y axis; values <= 0 are gaps.
        smoothing: weight of the past in an exponential moving average, in [0, 1), for each point of the densest series;
            the others are smoothed over as much of x (`weights`). The raw values stay faintly visible.
        hidden: names of series and levels that are not shown.
        levels: values that lie across the whole chart.
        is_monochrome: tell series apart by the pattern of their lines, as there are no colours.
    """

    x_axis: str = "step"
    x_range: Range | None = None
    y_range: Range | None = None
    log_y: bool = False
    smoothing: float = 0.0
    hidden: frozenset[str] = frozenset()
    levels: Sequence[Level] = ()
    is_monochrome: bool = False

    def value(self, level: Level) -> float | None:
        """Return where a level is shown, None where it is not."""
        if level.name in self.hidden or not np.isfinite(level.value) or (self.log_y and level.value <= 0):
            return None
        return float(level.value)


class Curve(NamedTuple):
    """Where points lie along x, and a value of each."""

    x: Positions
    lane: Lane


@dataclass(frozen=True, eq=False)
class Layer:
    """The curves of one series: the line, and what lies faintly under it, its raw values and its band.

    Attributes:
        index: of the series, which gives it its colour.
        fitted: curves whose values the y axis has to hold.
    """

    index: int
    line: Curve
    raw: Curve | None
    band: tuple[Curve, Curve] | None
    fitted: Sequence[Curve]


@dataclass(frozen=True, eq=False)
class Scene:
    """What is to be drawn.

    Attributes:
        layers: from the lowest to the topmost.
        levels: values of the levels that are shown.
        why_empty: why there is no curve; empty when there is one.
    """

    layers: Sequence[Layer]
    levels: Sequence[float]
    x_range: Range
    y_range: Range
    why_empty: str


def set_scene(series: Sequence[Series], look: Look) -> Scene:
    """Return what is to be drawn of some series.

    Ranges that are not given end on round values and grow in jumps: while a run grows, most redraws change little.

    Raises:
        ValueError: a series' arrays differ in length, or smoothing is out of range.
    """
    layers = _layers(series, look)
    levels = [value for value in (look.value(level) for level in look.levels) if value is not None]
    x_range = _widened(look.x_range) if look.x_range else _fit_x(layers)
    low, high = _extremes(layers, x_range)
    why_empty = "" if low <= high else _why_empty(series, look)
    if not look.x_range:
        low, high = _with_levels(low, high, levels, look.log_y)
    y_range = (0.1, 1.0) if look.log_y else (0.0, 1.0)
    if look.y_range:
        y_range = _widened(look.y_range, look.log_y)
    elif low <= high:
        y_range = value_range(low, high, look.log_y)
    return Scene(layers, levels, x_range, y_range, why_empty)


def beyond(value: float, y_range: Range) -> int:
    """Tell where a value lies: 0 on the y axis, 1 above it, -1 below it."""
    return int(value > max(y_range)) - int(value < min(y_range))


def _with_levels(low: float, high: float, levels: Sequence[float], log: bool) -> Range:
    """Return a range of values widened to the levels near it, those that leave it its share; flat curves take any."""
    own = _length(low, high, log) if low < high else float("inf")
    for level in sorted(levels, key=lambda value: max(low - value, value - high)):
        ends = min(low, level), max(high, level)
        if own >= LEAST_SHARE * _length(*ends, log):
            low, high = ends
    return low, high


def _length(low: float, high: float, log: bool) -> float:
    """Return how far two values lie apart on an axis."""
    return log2(high) - log2(low) if log else high - low


def whole_range(series: Sequence[Series], x_axis: str) -> Range:
    """Return the x range that shows everything of some series."""
    return _fit_x(_layers(series, Look(x_axis)))


def weights(series: Sequence[Series], look: Look) -> list[float]:
    """Return the weight of the past by which each series is smoothed, a point.

    A curve of epochs beside one of steps must not be averaged over as many epochs: with points k times as far apart the
    weight is the k-th power, k to the nearest power of two, so that it seldom changes while the curves grow.
    """
    if not look.smoothing:
        return [0.0] * len(series)
    spacings = [_spacing(one, look.x_axis) for one in series]
    known = [spacing for spacing in spacings if spacing]
    ratios = [2.0 ** round(min(log2(spacing / min(known)), 60.0)) if spacing else 1.0 for spacing in spacings]
    found = [look.smoothing**ratio for ratio in ratios]
    return [weight if weight >= LEAST_WEIGHT else 0.0 for weight in found]


def _spacing(series: Series, x_axis: str) -> float:
    """Return the mean distance of a series' points along x, 0 where there is none."""
    x = series.trace.positions(x_axis)
    if x is None or len(x) < 2:
        return 0.0
    low, high = x.ends
    return (high - low) / (len(x) - 1)


def _layers(series: Sequence[Series], look: Look) -> list[Layer]:
    """Return the curves of the series that can be shown."""
    found = (
        _layer(i, one, look, weight) for i, (one, weight) in enumerate(zip(series, weights(series, look), strict=True))
    )
    return [layer for layer in found if layer]


def _layer(index: int, series: Series, look: Look, weight: float) -> Layer | None:
    """Return the curves of a series, None when it is hidden, has no points or does not know the axis."""
    x = series.trace.positions(look.x_axis)
    if series.name in look.hidden or x is None or len(x) == 0:
        return None
    line = Curve(x, series.trace.lane(weight, look.log_y))
    raw = Curve(x, series.trace.lane(0.0, look.log_y)) if weight else None
    if series.edges is None:
        return Layer(index, line, raw, None, [line])
    low, high = (Curve(x, edge.lane(0.0, look.log_y)) for edge in series.edges)
    drawn_low = Curve(x, series.edges[0].floored(SMALLEST)) if look.log_y else low
    return Layer(index, line, raw, (drawn_low, high), [line, low, high])


def _widened(ends: Range, log: bool = False) -> Range:
    """Return a given range in ascending order with room between its ends."""
    low, high = min(ends), max(ends)
    if log:
        high = high if high > 0 else 1.0
        low = low if 0 < low < high else high / 1e3
    return (low, high) if high > low else (low - 0.5, low + 0.5)


def _fit_x(layers: Sequence[Layer]) -> Range:
    """Return the x range of all layers, growing in steps."""
    ends = [layer.line.x.ends for layer in layers]
    if not ends:
        return 0.0, 1.0
    return growing_range(min(low for low, _ in ends), max(high for _, high in ends))


def _extremes(layers: Sequence[Layer], x_range: Range) -> Range:
    """Return the least and the greatest value of lines and bands inside an x range, (inf, -inf) without any.

    Raw values may leave it. A line whose points all lie outside is fitted by the two that it connects.
    """
    lowest, highest = np.inf, -np.inf
    for x, lane in (curve for layer in layers for curve in layer.fitted):
        first, stop = int(x.before(x_range[0])), x.until(x_range[1])
        if stop <= first:
            first, stop = max(first - 1, 0), min(first + 1, len(x))
        low, high = lane.extremes(np.array([first, stop]))
        lowest, highest = np.fmin(lowest, low[0]), np.fmax(highest, high[0])
    return float(lowest), float(highest)


def _why_empty(series: Sequence[Series], look: Look) -> str:
    """Say why no curve could be drawn."""
    held = [one for one in series if len(one.trace)]
    if not held:
        return "no data yet"
    shown = [one for one in held if one.name not in look.hidden]
    if not shown:
        return "all series are hidden"
    known = [one for one in shown if one.trace.positions(look.x_axis) is not None]
    if not known:
        return f"no {look.x_axis} is known here"
    if look.log_y and any(np.isfinite(one.trace.lane().lowest) for one in known):
        return "no values above 0 here for a log axis"
    return "no finite values here"
