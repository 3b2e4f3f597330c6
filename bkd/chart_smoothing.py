"""Smooth a curve by an exponential moving average, in whole-array operations, and go on where it grows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

NEGLIGIBLE = 1e-17
"""A weight below this does not move a float64 mean any more."""


class Ema:
    """Bias-corrected exponential moving average of a curve that comes part by part, sample by sample.

    ``m_t = sum_k b^k y_(t-k) / sum_k b^k`` with b = `smoothing`: the first value is y_0 itself, so the curve does not
    start at zero. Values that are not finite stay as gaps (NaN) and do not enter the mean. The sum over k is a
    geometric series in the delay operator z, ``1 / (1 - b z) = (1 + b z)(1 + b^2 z^2)(1 + b^4 z^4) ...``: each factor
    is one shifted addition of the whole array, so n values cost log2(n) additions, fewer once b^(2^j) is negligible.

    Args:
        smoothing: b in [0, 1); 0 returns the values, 0.9 averages about ten of them.

    Raises:
        ValueError: smoothing is not in [0, 1).
    """

    def __init__(self, smoothing: float) -> None:
        if not 0 <= smoothing < 1:
            raise ValueError(f"smoothing must be in [0, 1), got {smoothing}")
        self._b = smoothing
        self._sum = 0.0
        self._count = 0

    def extend(self, y: Array) -> Array:
        """Return the smoothed values of the next part, (n,), of a curve."""
        finite = np.isfinite(y)
        if finite.all():
            return self._mean(y)
        smoothed = np.full(y.shape, np.nan)
        smoothed[finite] = self._mean(y[finite])
        return smoothed

    def _mean(self, y: Array) -> Array:
        """Average finite values: (1 - b) times the geometric sum, over its total weight 1 - b^(t + 1)."""
        b = self._b
        if b == 0 or y.size == 0:
            return y.copy()
        total = y * (1 - b)
        total[0] += b * self._sum
        scratch = np.empty_like(total)  # a fresh array for each addition would double the time
        shift, weight = 1, b
        while shift < total.size and weight > NEGLIGIBLE:
            total[shift:] += np.multiply(total[:-shift], weight, out=scratch[shift:])
            shift, weight = 2 * shift, weight * weight
        self._sum = float(total[-1])
        unsettled = min(total.size, max(0, int(np.log(NEGLIGIBLE) / np.log(b)) + 1 - self._count))
        total[:unsettled] /= -np.expm1((self._count + np.arange(1, unsettled + 1)) * np.log(b))
        self._count += total.size
        return total


def ema(y: Array, smoothing: float) -> Array:
    """Return the exponential moving average of a whole curve (`Ema`).

    Args:
        y: values, (n,).
        smoothing: weight of the past, in [0, 1).

    Returns:
        The smoothed values, (n,), float64.

    Raises:
        ValueError: smoothing is not in [0, 1).
    """
    return Ema(smoothing).extend(np.asarray(y, dtype=np.float64))
