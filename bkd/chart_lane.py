"""Values of a curve in the order of its points, with the extremes of each block of them: what lies in a column of a
drawing is found without a look at every point."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Indices = NDArray[np.intp]

BLOCK = 64
"""Points a block: a drawing looks at no more than two of them point by point in each of its columns."""


class Growing:
    """An array that grows at its end, at amortised constant cost a value; views of it stay valid."""

    def __init__(self) -> None:
        self._held: Array = np.empty(0)
        self._size = 0

    def __len__(self) -> int:
        return self._size

    @property
    def values(self) -> Array:
        """All values, (n,)."""
        return self._held[: self._size]

    def extend(self, values: Array) -> None:
        """Add values; an array that is the first to be added is not copied and must not change afterwards."""
        size = self._size + values.size
        if not self._size:
            self._held, self._size = values, size
            return
        if size > self._held.size:
            held = np.empty(max(size, 2 * self._held.size, 256))
            held[: self._size] = self.values
            self._held = held
        self._held[self._size : size] = values
        self._size = size


class Lane:
    """Values of a curve, NaN where there is a gap.

    Attributes:
        lowest: The least value; NaN without any.
        highest: The greatest value; NaN without any.
    """

    def __init__(self) -> None:
        self.lowest = self.highest = float("nan")
        self._values, self._low, self._high = Growing(), Growing(), Growing()
        self._alone = Growing()  # indices of values between gaps, the last value aside: its right side is not known

    def __len__(self) -> int:
        return len(self._values)

    @property
    def values(self) -> Array:
        """All values, (n,)."""
        return self._values.values

    def extend(self, values: Array) -> None:
        """Add values; those that are not finite become gaps."""
        finite = np.isfinite(values)
        if not finite.all():
            values = np.where(finite, values, np.nan)
        before = len(self)
        self._values.extend(values)
        if len(self) > before:
            self._find_alone(max(before - 1, 0))
        full = slice(len(self._low) * BLOCK, len(self) // BLOCK * BLOCK)
        blocks = self.values[full].reshape(-1, BLOCK)
        self._low.extend(np.fmin.reduce(blocks, axis=1))
        self._high.extend(np.fmax.reduce(blocks, axis=1))
        self.lowest = float(np.fmin(self.lowest, np.fmin.reduce(values, initial=np.nan)))
        self.highest = float(np.fmax(self.highest, np.fmax.reduce(values, initial=np.nan)))

    def extremes(self, bounds: Indices) -> tuple[Array, Array]:
        """Return the least and the greatest of the values between neighbouring bounds.

        Args:
            bounds: Indices into the values, (m + 1,), ascending.

        Returns:
            Two arrays (m,), NaN where there is no value.
        """
        start, stop = bounds[:-1], bounds[1:]
        head = np.minimum(-(-start // BLOCK) * BLOCK, stop)  # where the first whole block begins
        tail = np.maximum(stop // BLOCK * BLOCK, head)
        whole = head // BLOCK, np.where(tail > head, tail // BLOCK, head // BLOCK)
        points, blocks = (self.values, self.values), (self._low.values, self._high.values)
        low = high = np.full(start.size, np.nan)
        for source, ends in ((points, (start, head)), (points, (tail, stop)), (blocks, whole)):
            found = _reduced(*source, *ends)
            low, high = np.fmin(low, found[0]), np.fmax(high, found[1])
        return low, high

    def lonely(self, start: int, stop: int) -> Indices:
        """Return the indices from start up to stop of values with a gap, or nothing, on either side."""
        found = self._alone.values
        indices = found[np.searchsorted(found, start) : np.searchsorted(found, stop)].astype(np.intp)
        last = len(self) - 1
        if (
            start <= last < stop
            and np.isfinite(self.values[last])
            and not np.isfinite(self.values[last - 1 : last]).any()
        ):
            return np.append(indices, last)
        return indices

    def _find_alone(self, start: int) -> None:
        """Note which values from start on, without the last one, stand between gaps."""
        known = np.isfinite(self.values[max(start - 1, 0) :])
        if start == 0:
            known = np.concatenate([[False], known])
        self._alone.extend((np.flatnonzero(known[1:-1] & ~known[:-2] & ~known[2:]) + start).astype(np.float64))


def _reduced(lows: Array, highs: Array, start: Indices, stop: Indices) -> tuple[Array, Array]:
    """Return the least of each lows[start : stop] and the greatest of each highs[start : stop], NaN where empty."""
    low, high = np.full(start.size, np.nan), np.full(start.size, np.nan)
    sizes = stop - start
    held = np.flatnonzero(sizes > 0)
    if held.size:
        ends = np.cumsum(sizes[held])
        begins = ends - sizes[held]
        within = np.arange(ends[-1]) + np.repeat(start[held] - begins, sizes[held])
        taken = lows[within]
        low[held] = np.fmin.reduceat(taken, begins)
        high[held] = np.fmax.reduceat(taken if highs is lows else highs[within], begins)
    return low, high
