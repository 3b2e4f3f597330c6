"""Points of a curve that grows; what a drawing needs of them is kept up to date at the cost of the new ones only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from bkd.chart_lane import Array, Growing, Indices, Lane
from bkd.chart_smoothing import Ema

ANY_AXIS = ""
"""Name of the only x axis of points that were given as plain arrays: it stands for whichever axis is asked for."""


@dataclass(frozen=True, eq=False)
class Positions:
    """Where the points of a trace lie on one of its axes: ascending values times a scale above 0."""

    values: Array
    scale: float

    def __len__(self) -> int:
        return self.values.size

    def __getitem__(self, indices: Indices | Sequence[int]) -> Array:
        return np.asarray(self.values[indices] * self.scale)

    @property
    def ends(self) -> tuple[float, float]:
        """The first and the last position; there must be one."""
        return float(self.values[0]) * self.scale, float(self.values[-1]) * self.scale

    def before(self, x: ArrayLike) -> Indices:
        """Count the points left of each x."""
        return np.searchsorted(self.values, np.asarray(x, dtype=np.float64) / self.scale)

    def until(self, x: float) -> int:
        """Count the points left of x and at it."""
        return int(np.searchsorted(self.values, x / self.scale, side="right"))

    def nearest(self, x: float) -> int:
        """Return the index of the point nearest to x; there must be one."""
        after = min(int(self.before(x)), len(self) - 1)
        left, right = (float(self.values[i]) * self.scale for i in (max(after - 1, 0), after))
        return after if after == 0 or abs(right - x) < abs(x - left) else after - 1


@dataclass(eq=False)
class _Derived:
    """A lane that is made from another one's values."""

    make: Callable[[Array], Array]
    lane: Lane = field(default_factory=Lane)

    def caught_up(self, source: Lane) -> Lane:
        """Take in what the source has more, and return the lane."""
        if len(self.lane) < len(source):
            self.lane.extend(self.make(source.values[len(self.lane) :]))
        return self.lane


class Axes:
    """Positions on one or several x axes, all ascending; several curves may lie along them (`Trace.along`).

    An x that goes back, as a clock may, is held at the largest so far.

    Args:
        names: Of the axes.
    """

    def __init__(self, *names: str) -> None:
        self.held = {name: Growing() for name in names}

    def __len__(self) -> int:
        return len(next(iter(self.held.values())))

    def extend(self, xs: Array) -> None:
        """Add finite positions (axes, n), in the order of the names; the array is changed."""
        for held, x in zip(self.held.values(), xs, strict=True):
            if len(held) and x.size:
                x[0] = max(x[0], held.values[-1])
            held.extend(np.maximum.accumulate(x) if (x[1:] < x[:-1]).any() else x)

    def part(self, start: int, stop: int) -> Axes:
        """Return a copy of some of the positions."""
        copy = Axes(*self.held)
        copy.extend(np.array([held.values[start:stop] for held in self.held.values()]))
        return copy


class Trace:
    """A curve that only grows, by one or several x axes that all ascend.

    Points with an x that is not finite are left out. An x that goes back is held at the largest so far. A y that is not
    finite is a gap.

    Args:
        axes: Names of the x axes.
    """

    def __init__(self, *axes: str) -> None:
        self._axes, self._first = Axes(*(axes or (ANY_AXIS,))), 0
        self._is_sharing = False
        self._scaled: dict[str, tuple[str, float]] = {}
        self._raw = Lane()
        self._derived: dict[str, _Derived] = {}
        self._smoothing = 0.0
        self._new: list[float | None] = []  # appended, not yet in the arrays: each value before its positions

    @staticmethod
    def of(x: ArrayLike, y: ArrayLike) -> Trace:
        """Return a trace of given points in any order.

        Args:
            x: Positions, (n,).
            y: Values, (n,).

        Raises:
            ValueError: The arrays differ in length.
        """
        xs, ys = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
        if xs.shape != ys.shape or xs.ndim != 1:
            raise ValueError(f"needs arrays of one length, got {[xs.shape, ys.shape]}")
        if not np.isfinite(xs).all():
            xs, ys = xs[np.isfinite(xs)], ys[np.isfinite(xs)]
        if (xs[1:] < xs[:-1]).any():
            order = np.argsort(xs, kind="stable")
            xs, ys = xs[order], ys[order]
        trace = Trace()
        trace.extend(ys, xs)
        return trace

    @staticmethod
    def along(axes: Axes, first: int) -> Trace:
        """Return a trace whose points lie at the positions of axes that it shares, from the index `first` on.

        Sharing spares memory: many metrics are recorded at the same steps. `extend_along` adds values; a point anywhere
        else ends the sharing.
        """
        trace = Trace()
        trace._axes, trace._first, trace._is_sharing = axes, first, True
        return trace

    @property
    def is_sharing(self) -> bool:
        """Whether the points lie along axes that other traces share."""
        return self._is_sharing

    def extend_along(self, y: Array) -> None:
        """Add values (n,) of the shared axes' next positions, which are there already."""
        self._raw.extend(y)

    def own(self) -> None:
        """End the sharing: keep a copy of the positions."""
        if self._is_sharing:
            self._axes = self._axes.part(self._first, self._first + len(self._raw))
            self._first, self._is_sharing = 0, False

    def append(self, y: float | None, *xs: float) -> None:
        """Add a point; None is a gap. Costs little: the arrays grow when they are next read.

        Args:
            y: Its value.
            xs: Its positions, in the order of the axes.

        Raises:
            ValueError: Not as many positions as axes.
        """
        if len(xs) != self._num_axes:
            raise ValueError(f"a point needs a value and {self._num_axes} positions, got {1 + len(xs)} numbers")
        self.own()
        self._new += (y, *xs)

    def extend(self, y: ArrayLike, *xs: ArrayLike) -> None:
        """Add points.

        Args:
            y: Their values, (n,).
            xs: Their positions, (n,) each, in the order of the axes.

        Raises:
            ValueError: Not as many positions as axes, or arrays of different lengths.
        """
        self._settle()
        self.own()
        self._extend(np.array([y, *xs], dtype=np.float64))

    def scale(self, axis: str, of: str, by: float) -> None:
        """Offer an axis that is another one times a number: epochs, by how many steps each has.

        Args:
            axis: Its name.
            of: Name of the axis that it is made from.
            by: Above 0.
        """
        self._scaled[axis] = (of, by)

    def __len__(self) -> int:
        return len(self._raw) + len(self._new) // (1 + self._num_axes)

    @property
    def axes(self) -> tuple[str, ...]:
        """Names of the x axes; none for plain arrays, which go by any."""
        return tuple(axis for axis in (*self._axes.held, *self._scaled) if axis != ANY_AXIS)

    @property
    def _num_axes(self) -> int:
        return len(self._axes.held)

    @property
    def x(self) -> Array:
        """Positions on the first axis, (n,)."""
        self._settle()
        return self._values(next(iter(self._axes.held.values())))

    @property
    def y(self) -> Array:
        """Values, (n,), NaN for gaps."""
        self._settle()
        return self._raw.values

    def positions(self, axis: str) -> Positions | None:
        """Return where the points lie on an axis; None when it is not known."""
        self._settle()
        of, by = self._scaled.get(axis, (axis, 1.0))
        held = self._axes.held.get(of, self._axes.held.get(ANY_AXIS))
        return None if held is None else Positions(self._values(held), by)

    def _values(self, held: Growing) -> Array:
        """Return this curve's part of the positions on an axis."""
        return held.values[self._first : self._first + len(self._raw)]

    def lane(self, smoothing: float = 0.0, is_log: bool = False) -> Lane:
        """Return the values, smoothed where the weight of the past is above 0; on a log axis those <= 0 are gaps."""
        self._settle()
        lane = self._raw
        if smoothing:
            if smoothing != self._smoothing:
                self._derived = {name: one for name, one in self._derived.items() if "smooth" not in name}
                self._smoothing = smoothing
            lane = self._made("smooth", Ema(smoothing).extend, lane)
        if is_log and lane.lowest <= 0:
            return self._made("smooth above 0" if smoothing else "above 0", _above_zero, lane)
        return lane

    def floored(self, floor: float) -> Lane:
        """Return the values, those below a floor raised to it: always the same floor."""
        self._settle()
        return self._made("floored", lambda values: np.maximum(values, floor), self._raw)

    def _made(self, name: str, make: Callable[[Array], Array], source: Lane) -> Lane:
        """Return the derived lane of a name, up to date; made anew where there is none."""
        if name not in self._derived:
            self._derived[name] = _Derived(make)
        return self._derived[name].caught_up(source)

    def _settle(self) -> None:
        """Take appended points into the arrays."""
        if self._new:
            new, self._new = self._new, []
            self._extend(np.array(new, dtype=np.float64).reshape(-1, 1 + self._num_axes).T.copy())

    def _extend(self, points: Array) -> None:
        """Add points (1 + axes, n), the first row their values."""
        if len(points) != 1 + self._num_axes:
            raise ValueError(f"a point needs a value and {self._num_axes} positions, got {len(points)} numbers")
        known = np.isfinite(points[1:]).all(axis=0)
        if not known.all():
            points = points[:, known]
        self._axes.extend(points[1:])
        self._raw.extend(points[0])


def _above_zero(values: Array) -> Array:
    """Return values with NaN where they are not above 0."""
    return np.where(values > 0, values, np.nan)
