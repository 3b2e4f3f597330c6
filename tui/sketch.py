"""A curve in a few cells of one line."""

from __future__ import annotations

import math
from collections.abc import Sequence

LEVELS = "▁▂▃▄▅▆▇█"
FLAT = "▄"
MOST_BUCKETS = 64


class Sketch:
    """The means of a curve that grows, over equally many steps each; however long the curve, there are few of them."""

    def __init__(self) -> None:
        self._steps = 1  # that a bucket spans
        self._buckets: dict[int, tuple[float, int]] = {}  # by its place: sum and number of values

    def add(self, step: int, value: float) -> None:
        """Add a value; one that is not finite is passed over."""
        if not math.isfinite(value):
            return
        self._put(step // self._steps, value, 1)
        while len(self._buckets) > MOST_BUCKETS:
            self._steps *= 2
            finer, self._buckets = self._buckets, {}
            for place, (total, number) in finer.items():
                self._put(place // 2, total, number)

    def _put(self, place: int, total: float, number: int) -> None:
        before = self._buckets.get(place, (0.0, 0))
        self._buckets[place] = before[0] + total, before[1] + number

    def text(self, cells: int) -> str:
        """Return the curve from its first to its last step in a number of cells; "" without a value."""
        if not self._buckets:
            return ""
        first = min(self._buckets)
        span = max(self._buckets) - first + 1
        sums = [(0.0, 0)] * cells
        for place, (total, number) in self._buckets.items():
            start, end = ((at - first) * cells // span for at in (place, place + 1))
            for cell in range(start, max(start + 1, end)):
                sums[cell] = sums[cell][0] + total, sums[cell][1] + number
        return bars([total / number if number else None for total, number in sums])


def bars(values: Sequence[float | None]) -> str:
    """Return one block a value, the least and the greatest at the scale's ends; a gap repeats what is before it."""
    known = [value for value in values if value is not None and math.isfinite(value)]
    if not known:
        return ""
    low, high = min(known), max(known)
    text, last = "", known[0]
    for value in values:
        last = value if value is not None and math.isfinite(value) else last
        text += FLAT if high == low else LEVELS[round((last - low) / (high - low) * (len(LEVELS) - 1))]
    return text
