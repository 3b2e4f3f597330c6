"""The curves of one run, grown record by record."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

from bkd.chart import Series, Trace
from bkd.chart_time import TIME
from bkd.sound import is_count

Record = Mapping[str, Any]
RECENT = 50  # steps over which speed is taken
STEP, EPOCH = "step", "epoch"


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
        self._steps_per_epoch: float | None = None
        self.clear()

    def clear(self) -> None:
        """Forget everything: the file was rewound."""
        self.curves: dict[tuple[str, str], Trace] = {}
        self.step = self.epoch = 0
        self.time_s: float | None = None
        self.images_per_s: float | None = None
        self.last: Record = {}
        self._began: float | None = None
        self._recent: deque[tuple[float, int]] = deque(maxlen=RECENT)

    def add(self, records: Iterable[Record]) -> None:
        """Take in records in the file's order."""
        for record in records:
            kind = str(record.get("kind"))
            if kind in ("step", "epoch") and is_count(record.get("step")) and is_count(record.get("epoch", 0)):
                self._add(kind, record)
            if isinstance(record.get("t"), int | float):
                self.time_s = float(record["t"])

    def _add(self, kind: str, record: Record) -> None:
        self.step, self.epoch = record["step"], int(record.get("epoch") or 0)
        time_s = float(record["t"]) if isinstance(record.get("t"), int | float) else 0.0
        self._began = time_s if self._began is None else self._began
        if kind == "epoch":
            self.know_steps_per_epoch(self.step / (self.epoch + 1))
        for key, value in record.items():
            if "/" in key:
                self._point(kind, key, value, time_s - self._began)
        if kind == "epoch":
            return
        speed = record.get("time/images_per_s")
        self.images_per_s = speed if isinstance(speed, int | float) and speed else self.images_per_s
        self.last = record
        self._recent.append((time_s, self.step))

    def know_steps_per_epoch(self, steps: float | None) -> None:
        """Let curves be looked at by epoch, where it is known how many steps one has."""
        if steps and steps != self._steps_per_epoch:
            self._steps_per_epoch = steps
            for curve in self.curves.values():
                curve.scale(EPOCH, STEP, 1 / steps)

    def _point(self, kind: str, key: str, value: Any, time_s: float) -> None:
        """Add a value; a null is a gap in a curve that has begun, and nothing before."""
        if isinstance(value, bool) or not isinstance(value, int | float | None):
            return
        curve = self.curves.get((kind, key))
        if curve is None:
            if value is None:
                return
            curve = self.curves[kind, key] = Trace(STEP, TIME)
            if self._steps_per_epoch:
                curve.scale(EPOCH, STEP, 1 / self._steps_per_epoch)
        curve.append(value, self.step, time_s)

    def series(self, name: str, key: str) -> Series | None:
        """Return a metric's curve by step: of single steps if there are, else of epochs; None without a point."""
        curve = self.curves.get(("step", key)) or self.curves.get(("epoch", key))
        return None if curve is None else Series.of(name, curve)

    def share(self, epochs: int) -> float:
        """Return how much of a run of some epochs is done, 0 to 1; by whole epochs while their steps are unknown."""
        if not epochs:
            return 0.0
        done = self.epoch if self._steps_per_epoch is None else self.step / self._steps_per_epoch
        return min(1.0, done / epochs)

    def eta_s(self, epochs: int) -> float | None:
        """Return the seconds that the rest takes at the speed of the last steps, or None while that is unknown."""
        if self._steps_per_epoch is None or len(self._recent) < 2:
            return None
        (t0, step0), (t1, step1) = self._recent[0], self._recent[-1]
        if step1 <= step0:
            return None
        return max(0.0, epochs * self._steps_per_epoch - self.step) * (t1 - t0) / (step1 - step0)
