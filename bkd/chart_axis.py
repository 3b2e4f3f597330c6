"""Choose the ranges, ticks and labels of a chart's axes, so that they change in jumps while a run grows."""

from __future__ import annotations

import math

Range = tuple[float, float]
Tick = tuple[float, str]

STEPS = (1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)
"""Lengths (times a power of ten) of a growing x axis: at least three quarters of it are always in use."""

NEAR_ZERO = 0.3
"""An axis starts at zero when its lowest value is below this share of its highest."""

UNITS = ((1e9, 1e9, "G"), (1e6, 1e6, "M"), (1e4, 1e3, "k"), (0.0, 1.0, ""))
"""(least value, divisor, suffix) of the ways to write a tick's value."""

LARGEST = 1e300
"""Values are drawn as if they ended here, so that a difference of two of them stays finite."""


def growing_range(lowest: float, highest: float) -> Range:
    """Return an x range around the data whose ends move in jumps, so that old columns stay where they are.

    Args:
        lowest: smallest x, finite.
        highest: largest x, finite, at least `lowest`.
    """
    lowest, highest = (min(max(value, -LARGEST), LARGEST) for value in (lowest, highest))
    if not _spread(lowest, highest):
        return (lowest, lowest + 1.0) if lowest == 0 or abs(lowest) < 1e15 else _around(lowest)
    if 0 <= lowest <= NEAR_ZERO * highest:
        start = 0.0
    else:
        unit = _power_of_ten(highest - lowest)
        start = math.floor(lowest / unit) * unit
    length = highest - start
    unit = _power_of_ten(length)
    steps = next(step for step in (*STEPS, 12.0) if step * unit >= length * (1 - 1e-12))
    return start, start + steps * unit


def value_range(lowest: float, highest: float, log: bool = False) -> Range:
    """Return a y range around the data that ends on round values.

    Args:
        lowest: smallest y, finite, above 0 when `log`.
        highest: largest y, finite, at least `lowest`.
        log: round to 1, 2, 5 times a power of ten.
    """
    if log:
        lowest, highest = (min(max(value, 1 / LARGEST), LARGEST) for value in (lowest, highest))
        low, high = _round_log(lowest, down=True), _round_log(highest, down=False)
        return (low, high) if low < high else (low / 2, high * 2)
    lowest, highest = (min(max(value, -LARGEST), LARGEST) for value in (lowest, highest))
    if not _spread(lowest, highest):
        lowest, highest = _around(lowest)
    elif 0 < lowest < NEAR_ZERO * highest:
        lowest = 0.0
    elif 0 > highest > NEAR_ZERO * lowest:
        highest = 0.0
    step = nice_step(highest - lowest, 10)
    low, high = math.floor(lowest / step + 1e-9) * step, math.ceil(highest / step - 1e-9) * step
    return min(low, lowest), max(high, highest)


def ticks(low: float, high: float, most: int, log: bool = False) -> list[Tick]:
    """Return at most about `most` round values inside a range with their labels, lowest first."""
    if log and high / low >= 8:
        return _decades(low, high, most)
    step = nice_step(high - low, max(most, 1))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [(i * step, label(i * step, step)) for i in range(first, min(last, first + 2 * most + 2) + 1)]


def nice_step(span: float, parts: int) -> float:
    """Return the smallest of 1, 2, 2.5, 5 times a power of ten that divides a span into at most `parts` parts."""
    least = span / parts
    unit = _power_of_ten(least)
    return next(step for step in (1.0, 2.0, 2.5, 5.0, 10.0, 20.0) if step * unit >= least * (1 - 1e-9)) * unit


def label(value: float, step: float) -> str:
    """Write a tick's value with the digits that tell it from its neighbours `step` away."""
    size = abs(value)
    if size < step * 1e-6:
        return "0"
    if size >= 1e12 or size < 1e-3:
        digits = max(0, math.floor(math.log10(size) + 1e-9) - math.floor(math.log10(step) + 1e-9))
        mantissa, exponent = f"{value:.{min(digits, 4)}e}".split("e")
        return f"{mantissa}e{int(exponent)}"
    _, scale, suffix = next(unit for unit in UNITS if size >= unit[0])
    return f"{value / scale:.{_decimals(step / scale)}f}{suffix}"


def _decimals(step: float) -> int:
    """Count the decimals that a multiple of a step needs, at most nine."""
    places = max(0, -math.floor(math.log10(step) + 1e-9))
    return min(9, places if abs(round(step * 10**places) - step * 10**places) < 1e-6 else places + 1)


def _decades(low: float, high: float, most: int) -> list[Tick]:
    """Return powers of ten inside a range, thinned to at most `most`; 1, 2, 5 times them where there is room."""
    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    stride = max(1, math.ceil((last - first + 1) / max(most, 1)))
    factors = (1, 2, 5) if (last - first + 2) * 3 <= most else (1,)
    values = [f * 10.0**e for e in range(first - 1, last + 1) for f in factors if e % stride == 0]
    return [(value, label(value, value)) for value in values if low * (1 - 1e-9) <= value <= high * (1 + 1e-9)]


def _round_log(value: float, down: bool) -> float:
    """Round a positive value to the next of 1, 2, 5 times a power of ten."""
    unit = _power_of_ten(value)
    if down:
        return max(f for f in (1.0, 2.0, 5.0, 10.0) if f * unit <= value * (1 + 1e-9)) * unit
    return min(f for f in (1.0, 2.0, 5.0, 10.0, 20.0) if f * unit >= value * (1 - 1e-9)) * unit


def _power_of_ten(value: float) -> float:
    """Return the largest power of ten that is not above a positive value."""
    return 10.0 ** max(-305, math.floor(math.log10(value) + 1e-12))


def _spread(lowest: float, highest: float) -> bool:
    """Tell whether two values differ by more than float64 can resolve on an axis."""
    return highest - lowest > max(abs(lowest), abs(highest)) * 1e-12 and highest - lowest > 1e-290


def _around(value: float) -> Range:
    """Return a range around one value."""
    half = abs(value) / 2 if abs(value) > 1e-280 else 1.0
    return (0.0, 1.0) if value == 0 else (value - half, value + half)
