"""What a chart shows as a table of comma-separated values: every point inside its x range, at full precision."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from bkd.chart_axis import Range
from bkd.chart_lane import Array
from bkd.chart_scene import Look, Series, weights
from bkd.text import clean

ROWS_A_PART = 10_000


@dataclass(frozen=True, eq=False)
class _Columns:
    """The points of one series: a name, and arrays of one length for the table's columns, None where it has none."""

    name: str
    arrays: Sequence[Array | None]


class Table:
    """A frozen copy of what a chart shows, one point a row: series, x axes, value, and what else there is of it.

    Columns: ``series``; every x axis that a series knows; ``value``; ``smoothed`` where smoothing is on; ``low`` and
    ``high`` where a series has a band. A gap has an empty value. A level has no x. Taken on the thread that lets the
    series grow, it can be written on another one.

    Args:
        series: The chart's.
        look: What is hidden, the x range, the smoothing, the levels.
    """

    def __init__(self, series: Sequence[Series], look: Look) -> None:
        weighted = zip(series, weights(series, look), strict=True)
        held = [(one, w) for one, w in weighted if one.name not in look.hidden and one.trace.positions(look.x_axis)]
        shown = [one for one, _ in held]
        known = [axis for one in shown for axis in one.trace.axes]
        self._axes = list(dict.fromkeys([look.x_axis, *known]))
        self._has_band = any(one.edges for one in shown)
        self._is_smoothed = look.smoothing > 0
        self._parts = [self._columns(one, look, weight) for one, weight in held]
        self._levels = [(level.name, level.value) for level in look.levels if level.name not in look.hidden]

    def text(self) -> str:
        """Return the whole table."""
        return "".join(self.parts())

    def parts(self) -> Iterator[str]:
        """Yield the table in parts of some thousand rows."""
        header = ["series", *self._axes, "value"]
        header += ["smoothed"] * self._is_smoothed + ["low", "high"] * self._has_band
        yield _lines([header])
        for part in self._parts:
            size = len(next(a for a in part.arrays if a is not None))
            for start in range(0, size, ROWS_A_PART):
                cells = [_texts(a, slice(start, start + ROWS_A_PART), size) for a in part.arrays]
                yield _lines([[part.name, *row] for row in zip(*cells, strict=True)])
        blank = [""] * len(self._axes)
        yield _lines([[clean(name), *blank, repr(float(value))] for name, value in self._levels])

    def _columns(self, series: Series, look: Look, weight: float) -> _Columns:
        """Return a series' arrays inside the x range."""
        trace = series.trace
        part = _inside(series, look)
        lanes = [trace.lane()]
        lanes += [trace.lane(weight)] if self._is_smoothed else []
        bands: list[Array | None] = []
        if self._has_band:
            bands = [edge.y[part] for edge in series.edges] if series.edges else [None, None]
        known = (look.x_axis, *trace.axes)  # plain arrays would answer to any
        held = [trace.positions(axis) if axis in known else None for axis in self._axes]
        xs = [None if x is None else x[np.arange(part.start, part.stop)] for x in held]
        return _Columns(clean(series.name), [*xs, *(lane.values[part] for lane in lanes), *bands])


def to_csv(series: Sequence[Series], look: Look | None = None) -> str:
    """Return what a chart shows as comma-separated values (`Table`)."""
    return Table(series, look or Look()).text()


def _inside(series: Series, look: Look) -> slice:
    """Return which points lie inside the x range."""
    x = series.trace.positions(look.x_axis)
    assert x is not None
    ends: Range | None = look.x_range
    return slice(0, len(x)) if ends is None else slice(int(x.before(min(ends))), x.until(max(ends)))


def _texts(values: Array | None, part: slice, size: int) -> list[str]:
    """Return numbers as short as they can be written exactly, NaN as nothing."""
    if values is None:
        return [""] * len(range(*part.indices(size)))
    return [
        "" if v != v else str(int(v)) if v.is_integer() and abs(v) < 1e15 else repr(v) for v in values[part].tolist()
    ]


def _lines(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as lines of comma-separated values."""
    held = io.StringIO()
    csv.writer(held, lineterminator="\n").writerows(rows)
    return held.getvalue()
