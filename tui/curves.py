"""Metrics of records of one kind as curves; those that every record holds share their positions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np

from bkd.chart_lane import Array
from bkd.chart_trace import Axes, Trace

Record = Mapping[str, Any]
MISSING = object()
PLAIN = {float, int, type(None)}
"""Types whose values become an array in one go."""


class Curves:
    """Curves by metric, grown by many records at a time: 8 bytes a value, and 16 a record for step and time.

    A metric that some records lack has positions of its own, 24 bytes a value. A null is a gap in a curve that has
    begun, and nothing before; what is no number is no point.

    Args:
        axes: Names of the x axes.
    """

    def __init__(self, *axes: str) -> None:
        self._axes = Axes(*axes)
        self.traces: dict[str, Trace] = {}

    def extend(self, records: Sequence[Record], positions: Array) -> list[Trace]:
        """Take in records in their order.

        Args:
            records: Whose metrics are looked at.
            positions: Of the records, (axes, n), finite.

        Returns:
            The curves that are new.
        """
        first = len(self._axes)
        self._axes.extend(positions.copy())
        keys = [key for key in dict.fromkeys(chain.from_iterable(records)) if is_metric(key)]
        new = [key for key in keys if self._add(key, [r.get(key, MISSING) for r in records], first)]
        for key, trace in self.traces.items():
            if trace.is_sharing and key not in keys:
                trace.own()
        return [self.traces[key] for key in new]

    def _add(self, key: str, values: list[Any], first: int) -> bool:
        """Add a metric's values of some records to its curve; return whether the curve is new."""
        trace = self.traces.get(key)
        start = _start(values) if trace is None else 0
        if start == len(values):
            return False
        taken = values[start:]
        is_whole = PLAIN.issuperset(map(type, taken))
        if not is_whole or (trace is not None and not trace.is_sharing):
            self._add_apart(key, taken, first + start)
            return trace is None
        if trace is None:
            self.traces[key] = Trace.along(self._axes, first + start)
        self.traces[key].extend_along(np.array(taken, dtype=np.float64))
        return trace is None

    def _add_apart(self, key: str, values: list[Any], first: int) -> None:
        """Add values that not every record has, with positions of their own."""
        held = [i for i, value in enumerate(values) if type(value) in PLAIN]
        trace = self.traces.setdefault(key, Trace(*self._axes.held))
        at = np.array(held, dtype=np.intp) + first
        xs = [positions.values[at] for positions in self._axes.held.values()]
        trace.extend(np.array([values[i] for i in held], dtype=np.float64), *xs)


def is_metric(key: str) -> bool:
    """Whether a record's key names a metric."""
    return "/" in key or key == "lr"


def _start(values: Iterable[Any]) -> int:
    """Return the index of the first number, which begins a curve; how many values there are if there is none."""
    index = -1
    for index, value in enumerate(values):
        if type(value) in (float, int):
            return index
    return index + 1
