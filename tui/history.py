"""The curves of one run, grown record by record."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bkd.chart import Series

Floats = NDArray[np.float64]
Record = Mapping[str, Any]
RECENT = 50  # steps over which speed is taken


class Curve:
    """Points of one metric; amortised constant time a point."""

    def __init__(self) -> None:
        self._points: Floats = np.empty((2, 256))
        self._size = 0

    def append(self, x: float, y: float) -> None:
        """Add a point."""
        if self._size == self._points.shape[1]:
            self._points = np.concatenate([self._points, np.empty_like(self._points)], axis=1)
        self._points[:, self._size] = x, y
        self._size += 1

    def __len__(self) -> int:
        return self._size

    @property
    def x(self) -> Floats:
        """Positions (n,)."""
        return self._points[0, : self._size]

    @property
    def y(self) -> Floats:
        """Values (n,)."""
        return self._points[1, : self._size]


class History:
    """What the records of a run's event file add up to.

    Attributes:
        step: Steps taken.
        epoch: Epoch of the last record, from 0.
        time_s: When the last record was written, Unix seconds; None before the first.
        images_per_s: As the run said last.
        last: The last step's record.
    """

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget everything: the file was rewound."""
        self.curves: dict[tuple[str, str], Curve] = {}
        self.step = self.epoch = 0
        self.time_s: float | None = None
        self.images_per_s: float | None = None
        self.last: Record = {}
        self._steps_per_epoch: float | None = None
        self._recent: deque[tuple[float, int]] = deque(maxlen=RECENT)

    def add(self, records: Iterable[Record]) -> None:
        """Take in records in the file's order."""
        for record in records:
            kind = str(record.get("kind"))
            if kind in ("step", "epoch") and isinstance(record.get("step"), int):
                self._add(kind, record)
            if isinstance(record.get("t"), int | float):
                self.time_s = float(record["t"])

    def _add(self, kind: str, record: Record) -> None:
        self.step, self.epoch = record["step"], int(record.get("epoch") or 0)
        for key, value in record.items():
            if "/" in key:
                self._point(kind, key, value)
        if kind == "epoch":
            self._steps_per_epoch = self.step / (self.epoch + 1)
            return
        self.images_per_s = record.get("time/images_per_s") or self.images_per_s
        self.last = record
        self._recent.append((float(record.get("t") or 0.0), self.step))

    def _point(self, kind: str, key: str, value: Any) -> None:
        """Add a value; a null is a gap in a curve that has begun, and nothing before."""
        if isinstance(value, bool) or not isinstance(value, int | float | None):
            return
        if (kind, key) not in self.curves:
            if value is None:
                return
            self.curves[kind, key] = Curve()
        self.curves[kind, key].append(self.step, float("nan") if value is None else float(value))

    def series(self, name: str, key: str) -> Series | None:
        """Return a metric's curve by step: of single steps if there are, else of epochs; None without a point."""
        curve = self.curves.get(("step", key)) or self.curves.get(("epoch", key))
        return None if curve is None else Series(name, curve.x, curve.y)

    def share(self, epochs: int) -> float:
        """Return how much of a run of some epochs is done, 0 to 1; by whole epochs until the first has ended."""
        if not epochs:
            return 0.0
        done = self.epoch if self._steps_per_epoch is None else self.step / self._steps_per_epoch
        return min(1.0, done / epochs)

    def eta_s(self, epochs: int, steps_per_epoch: float | None) -> float | None:
        """Return the seconds that the rest takes at the speed of the last steps, or None while that is unknown.

        Args:
            epochs: Of the whole run.
            steps_per_epoch: A guess for the time before an epoch has ended.
        """
        per_epoch = self._steps_per_epoch or steps_per_epoch
        if per_epoch is None or len(self._recent) < 2:
            return None
        (t0, step0), (t1, step1) = self._recent[0], self._recent[-1]
        if step1 <= step0:
            return None
        return max(0.0, epochs * per_epoch - self.step) * (t1 - t0) / (step1 - step0)
