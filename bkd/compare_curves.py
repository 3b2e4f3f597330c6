"""One metric of many runs over time: curves read from events, put on one grid, averaged over repetitions."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bkd.compare_groups import RunGroup
from bkd.report_groups import Repetition
from bkd.stats import t_quantile

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
Record = Mapping[str, Any]

MOST_POINTS = 20_000
"""Points of a common grid; where the curves have more different positions, every so many of them are taken."""

_KINDS = ("step", "epoch")


class Axis(StrEnum):
    """What curves are aligned by."""

    STEP = "step"  # steps taken
    EPOCH = "epoch"  # passes over the training images: comparable where batch sizes or images differ


@dataclass(frozen=True, eq=False)
class Points:
    """A curve: x ascending and finite, (n,); y, (n,), NaN where the run had no finite value."""

    x: Floats
    y: Floats


class Columns(NamedTuple):
    """A curve by all that it can be aligned by: arrays (n,), steps ascending.

    Attributes:
        steps: Taken since the run began.
        epochs: Done, None while it is not known how many steps one has.
        y: Values, NaN where the run had no finite one.
    """

    steps: Floats
    epochs: Floats | None
    y: Floats


@dataclass(frozen=True, eq=False)
class Band:
    """The mean of repetitions at each point of a grid, with its 95 % interval.

    Attributes:
        x: Positions, (G,).
        mean: (G,), NaN where no repetition has a value.
        low, high: Ends of the interval, (G,), NaN where fewer than two have one.
        n: Repetitions with a value, (G,).
    """

    x: Floats
    mean: Floats
    low: Floats
    high: Floats
    n: Counts


class MetricCurve:
    """One metric of one run, grown record by record.

    Args:
        key: Of the metric, "train/loss".
        steps_per_epoch: A guess for the time before an epoch has ended.
    """

    def __init__(self, key: str, steps_per_epoch: float | None = None) -> None:
        self.key = key
        self._guess = steps_per_epoch
        self.clear()

    def clear(self) -> None:
        """Forget everything: the file was rewound."""
        self._parts: dict[str, list[Floats]] = {kind: [] for kind in _KINDS}
        self._steps_per_epoch = self._guess
        self.time_s: float | None = None
        self.keys: set[str] = set()

    def add(self, records: Sequence[Record]) -> None:
        """Take in records in the file's order; a null is a gap in a curve that has begun, and nothing before.

        Attributes set: `time_s`, when the last one was written; `keys`, metrics that records have.
        """
        for kind in _KINDS:
            mine = [record for record in records if record.get("kind") == kind and _is_count(record.get("step"))]
            if mine:
                self.keys.update(key for key in mine[-1] if "/" in key)
                self._grow(kind, mine)
        for record in reversed(records):
            if isinstance(record.get("t"), int | float):
                self.time_s = float(record["t"])
                break

    def _grow(self, kind: str, records: Sequence[Record]) -> None:
        if kind == "epoch":
            last = records[-1]
            self._steps_per_epoch = last["step"] / (int(last.get("epoch") or 0) + 1) or self._steps_per_epoch
        told = [record for record in records if self.key in record]
        columns = (
            [record["step"] for record in told],
            [record.get("epoch") or 0 for record in told],
            [_number(record[self.key]) for record in told],
        )
        grown: Floats = np.stack([np.array(column, dtype=np.float64) for column in columns])
        if not self._parts[kind]:
            begun = np.flatnonzero(np.isfinite(grown[2]))
            grown = grown[:, begun[0] :] if begun.size else grown[:, :0]
        if grown.size:
            self._parts[kind].append(grown)

    def columns(self) -> Columns | None:
        """Return the curve: of single steps if there are, else of epochs; None without a point."""
        for kind in _KINDS:
            if parts := self._parts[kind]:
                parts[:] = [np.concatenate(parts, axis=1)]
                steps, epochs, y = _ordered(parts[0])
                return Columns(steps, self._epochs_done(kind, steps, epochs), np.where(np.isfinite(y), y, np.nan))
        return None

    def points(self, axis: Axis) -> Points | None:
        """Return the curve by one axis; None without a point, and where the axis is not known."""
        if (found := self.columns()) is None:
            return None
        x = found.steps if axis is Axis.STEP else found.epochs
        return None if x is None else Points(*_ordered(np.stack([x, found.y])))

    def _epochs_done(self, kind: str, steps: Floats, epochs: Floats) -> Floats | None:
        """Return how many epochs were done: an epoch's figures stand at its end, a step's within it."""
        if kind == "epoch":
            return epochs + 1
        return steps / self._steps_per_epoch if self._steps_per_epoch else None


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else np.nan


def _ordered(columns: Floats) -> Floats:
    """Return columns (k, n) by ascending values of the first; of several at one place the last."""
    x = columns[0]
    if (x[1:] > x[:-1]).all():
        return columns
    columns = columns[:, np.argsort(x, kind="stable")]
    is_last = np.append(columns[0, 1:] > columns[0, :-1], True)
    return columns[:, is_last]


# ---- a common grid


def align(curves: Sequence[Points], most: int = MOST_POINTS) -> tuple[Floats, Floats]:
    """Put curves on one grid.

    Between two points of a curve its value is interpolated; before the first, after the last and beside a gap there is
    none.

    Args:
        curves: At least one.
        most: Points of the grid.

    Returns:
        The grid, (G,): all positions that a curve has, or every so many of them and both ends; and the values,
        (R, G), NaN where a curve has none.
    """
    grid = _grid([curve.x for curve in curves], most)
    rows = [
        curve.y if np.array_equal(curve.x, grid) else np.interp(grid, curve.x, curve.y, left=np.nan, right=np.nan)
        for curve in curves
    ]
    return grid, np.stack(rows)


def _grid(positions: Sequence[Floats], most: int) -> Floats:
    longest = max(positions, key=len)
    is_alike = all(np.array_equal(x, longest[: len(x)]) for x in positions)
    grid = longest if is_alike else np.unique(np.concatenate(positions))
    if len(grid) <= most:
        return grid
    return grid[np.linspace(0, len(grid) - 1, most).astype(np.intp)]


def mean_band(
    grid: Floats, values: Floats, repetitions: Sequence[Repetition] | None = None, level: float = 0.95
) -> Band:
    """Return the mean over repetitions with Student's t interval at each point, over those that have a value there.

    Args:
        grid: Positions, (G,).
        values: Of each run, (R, G), NaN where it has none.
        repetitions: Of each run which repetition it is; runs of one are averaged first. None: all different.
        level: Of the interval.
    """
    if repetitions is not None and len(set(repetitions)) < len(repetitions):
        rows = [[i for i, other in enumerate(repetitions) if other == one] for one in dict.fromkeys(repetitions)]
        values = np.stack([_mean(values[own])[0] for own in rows])
    mean, n = _mean(values)
    with np.errstate(over="ignore", invalid="ignore"):
        squares = np.where(np.isfinite(values), (values - mean) ** 2, 0.0).sum(axis=0)
        half = np.full(grid.shape, np.nan)
        many = n > 1
        half[many] = _quantiles(n[many], level) * np.sqrt(squares[many] / (n[many] - 1) / n[many])
        return Band(grid, mean, mean - half, mean + half, n)


def _mean(values: Floats) -> tuple[Floats, Counts]:
    """Return the mean of the finite values in each column, (G,), NaN without any, and their number, (G,)."""
    finite = np.isfinite(values)
    n = finite.sum(axis=0)
    with np.errstate(over="ignore", invalid="ignore"):
        total = np.where(finite, values, 0.0).sum(axis=0)
    return np.divide(total, n, out=np.full(n.shape, np.nan), where=n > 0), n


def _quantiles(n: Counts, level: float) -> Floats:
    """Return for each n > 1 the t below which (1 + level) / 2 of Student's distribution with n - 1 degrees lies."""
    counts, where = np.unique(n, return_inverse=True)
    table = np.array([t_quantile((1 + level) / 2, int(count) - 1) for count in counts], dtype=np.float64)
    return table[where]


def group_bands(groups: Iterable[RunGroup], curves: Mapping[str, Points], most: int = MOST_POINTS) -> list[Band | None]:
    """Return the band of each group of runs, None of one without a point.

    Args:
        groups: Runs that repeat each other; all count that have a curve, also those that go on.
        curves: By run id.
        most: Points of a group's grid.
    """
    found: list[Band | None] = []
    for group in groups:
        members = [member for member in group.members if member.id in curves]
        if not members:
            found.append(None)
            continue
        grid, values = align([curves[member.id] for member in members], most)
        found.append(mean_band(grid, values, [member.repetition for member in members]))
    return found
