"""Smooth a curve by an exponential moving average, in whole-array operations."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

NEGLIGIBLE = 1e-17
"""A weight below this does not move a float64 mean any more."""


def ema(y: Array, smoothing: float) -> Array:
    """Return the bias-corrected exponential moving average of a curve, sample by sample.

    ``m_t = sum_k b^k y_(t-k) / sum_k b^k`` with b = `smoothing`: the first value is y_0 itself, so the curve does not
    start at zero. Values that are not finite stay as gaps (NaN) and do not enter the mean. The sum over k is a
    geometric series in the delay operator z, ``1 / (1 - b z) = (1 + b z)(1 + b^2 z^2)(1 + b^4 z^4) ...``: each factor
    is one shifted addition of the whole array, so n values cost log2(n) additions, fewer once b^(2^j) is negligible.

    Args:
        y: values, (n,).
        smoothing: b in [0, 1); 0 returns the values, 0.9 averages about ten of them.

    Returns:
        The smoothed values, (n,), float64.

    Raises:
        ValueError: smoothing is not in [0, 1).
    """
    if not 0 <= smoothing < 1:
        raise ValueError(f"smoothing must be in [0, 1), got {smoothing}")
    y = np.asarray(y, dtype=np.float64)
    finite = np.isfinite(y)
    if finite.all():
        return _mean(y, smoothing) if smoothing > 0 else y.copy()
    smoothed = np.full(y.shape, np.nan)
    smoothed[finite] = _mean(y[finite], smoothing) if smoothing > 0 else y[finite]
    return smoothed


def _mean(y: Array, b: float) -> Array:
    """Average finite values: (1 - b) times the geometric sum, over its total weight 1 - b^(t + 1)."""
    total = y * (1 - b)
    scratch = np.empty_like(total)  # a fresh array for each addition would double the time
    shift, weight = 1, b
    while shift < total.size and weight > NEGLIGIBLE:
        total[shift:] += np.multiply(total[:-shift], weight, out=scratch[shift:])
        shift, weight = 2 * shift, weight * weight
    unsettled = min(total.size, int(np.log(NEGLIGIBLE) / np.log(b)) + 1)
    total[:unsettled] /= -np.expm1(np.arange(1, unsettled + 1) * np.log(b))
    return total
