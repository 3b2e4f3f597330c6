"""The curves of one run, grown record by record."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from bkd.chart import Series, Trace
from bkd.chart_time import TIME
from tui.curves import Curves

Record = Mapping[str, Any]
RECENT = 50  # steps over which speed is taken
STEP, EPOCH = "step", "epoch"
KINDS = ("step", "epoch")
MOST = 1e12  # what no step, epoch or time reaches


class History:
    """What the records of a run's event file add up to.

    Attributes:
        step: Steps taken.
        epoch: Epoch of the last record, from 0.
        time_s: When the last record was written, Unix seconds; None before the first.
        images_per_s: As the run said last.
        last: The last step's record.
        is_sampled: Whether the curves are drawn from a part of the records only.
    """

    def __init__(self) -> None:
        self._steps_per_epoch: float | None = None
        self.clear()

    def clear(self) -> None:
        """Forget everything: the file was rewound."""
        self._curves = {kind: Curves(STEP, TIME) for kind in KINDS}
        self.step = self.epoch = 0
        self.time_s: float | None = None
        self.images_per_s: float | None = None
        self.last: Record = {}
        self.is_sampled = False
        self._began: float | None = None
        self._recent: deque[tuple[float, int]] = deque(maxlen=RECENT)

    def become(self, other: History) -> None:
        """Take over everything that another history holds, which is not used afterwards."""
        known = self._steps_per_epoch
        vars(self).update(vars(other))
        if other._steps_per_epoch is None:
            self.know_steps_per_epoch(known)

    @property
    def curves(self) -> dict[tuple[str, str], Trace]:
        """The curves by kind of record, "step" or "epoch", and metric."""
        return {(kind, key): trace for kind, held in self._curves.items() for key, trace in held.traces.items()}

    def add(self, records: Iterable[Record]) -> None:
        """Take in records in the file's order."""
        records = list(records)
        points = [r for r in records if r.get("kind") in KINDS and _is_whole(r.get("step"))]
        if points:
            self.step, self.epoch = points[-1]["step"], _whole(points[-1].get("epoch"))
            self._began = _first_time(points) if self._began is None else self._began
        steps, epochs = ([r for r in points if r["kind"] == kind] for kind in KINDS)
        self._add("step", steps)
        self._add("epoch", epochs)
        if epochs:
            self.know_steps_per_epoch(epochs[-1]["step"] / (_whole(epochs[-1].get("epoch")) + 1))
        if steps:
            self._note_steps(steps)
        self.time_s = next((t for r in reversed(records) if (t := _time(r)) is not None), self.time_s)

    def _add(self, kind: str, records: list[Record]) -> None:
        if not records:
            return
        began = self._began or 0.0
        positions = np.array(
            [[r["step"] for r in records], [(_time(r) or began) - began for r in records]], dtype=np.float64
        )
        for trace in self._curves[kind].extend(records, positions):
            if self._steps_per_epoch:
                trace.scale(EPOCH, STEP, 1 / self._steps_per_epoch)

    def _note_steps(self, records: list[Record]) -> None:
        """Keep what is said of the last steps."""
        self.last = records[-1]
        self._recent.extend((t, r["step"]) for r in records[-RECENT:] if (t := _time(r)) is not None)
        speeds = (_number(record.get("time/images_per_s")) for record in reversed(records))
        self.images_per_s = next((speed for speed in speeds if speed), self.images_per_s)

    def know_steps_per_epoch(self, steps: float | None) -> None:
        """Let curves be looked at by epoch, where it is known how many steps one has."""
        if steps and steps > 0 and steps != self._steps_per_epoch:
            self._steps_per_epoch = steps
            for curve in self.curves.values():
                curve.scale(EPOCH, STEP, 1 / steps)

    def series(self, name: str, key: str) -> Series | None:
        """Return a metric's curve by step: of single steps if there are, else of epochs; None without a point."""
        curve = self._curves["step"].traces.get(key) or self._curves["epoch"].traces.get(key)
        return None if curve is None else Series.of(name, curve)

    def share(self, epochs: int) -> float:
        """Return how much of a run of some epochs is done, 0 to 1; by whole epochs while their steps are unknown."""
        if epochs <= 0:
            return 0.0
        done = self.epoch if self._steps_per_epoch is None else self.step / self._steps_per_epoch
        return min(1.0, done / epochs)

    def eta_s(self, epochs: int) -> float | None:
        """Return the seconds that the rest takes at the speed of the last steps, or None while that is unknown."""
        if self._steps_per_epoch is None or len(self._recent) < 2:
            return None
        (t0, step0), (t1, step1) = self._recent[0], self._recent[-1]
        if step1 <= step0 or t1 < t0:
            return None
        return max(0.0, epochs * self._steps_per_epoch - self.step) * (t1 - t0) / (step1 - step0)


def _number(value: Any) -> float | None:
    """Return a value if it is a number."""
    return float(value) if type(value) in (int, float) else None


def _time(record: Record) -> float | None:
    """Return when a record was written; None where it does not tell."""
    value = _number(record.get("t"))
    return value if value is not None and 0 <= value < MOST else None


def _first_time(records: Iterable[Record]) -> float | None:
    """Return when the first record was written that tells."""
    return next((t for record in records if (t := _time(record)) is not None), None)


def _is_whole(value: Any) -> bool:
    """Whether a value is a step or an epoch."""
    return type(value) is int and 0 <= value < MOST


def _whole(value: Any) -> int:
    """Return an epoch; 0 for what is none."""
    return value if _is_whole(value) else 0
