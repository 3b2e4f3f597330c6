"""Ticks and labels of an axis that counts seconds."""

from __future__ import annotations

import math

from bkd.chart_axis import Tick, label, nice_step

TIME = "time"
"""Name of the x axis that counts seconds from a run's start."""

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
STEPS = (
    1, 2, 5, 10, 15, 30,
    *(n * MINUTE for n in (1, 2, 5, 10, 15, 30)),
    *(n * HOUR for n in (1, 2, 3, 6, 12)),
    DAY,
)  # fmt: skip
"""Distances of ticks between a second and a day; outside they are decimal."""

MOST_DAYS = 1e4
"""A longer time is written in days alone."""


def time_ticks(low: float, high: float, most: int) -> list[Tick]:
    """Return at most about `most` round times (seconds) inside a range with their labels, lowest first."""
    span, most = high - low, max(most, 1)
    step = next((float(step) for step in STEPS if step * most >= span), nice_step(span / DAY, most) * DAY)
    if span / most <= STEPS[0] / 2:
        step = nice_step(span, most)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [(i * step, time_label(i * step, step)) for i in range(first, min(last, first + 2 * most + 2) + 1)]


def time_label(seconds: float, step: float) -> str:
    """Write a time with the parts that tell it from its neighbours `step` away: "0", "2.5s", "1m30s", "2h", "1d6h"."""
    size = abs(seconds)
    if size < step * 1e-6:
        return "0"
    if size >= MOST_DAYS * DAY:
        return f"{label(seconds / DAY, step / DAY)}d"
    if step < 1:
        return f"{label(seconds, step)}s"
    rest, parts = round(size), []
    for unit, letter in ((DAY, "d"), (HOUR, "h"), (MINUTE, "m"), (1.0, "s")):
        if rest >= unit:
            parts.append(f"{rest // unit:.0f}{letter}")
            rest = round(rest % unit)
    return ("-" if seconds < 0 else "") + "".join(parts)
