"""The precision of the Gaussian prior: by the marginal likelihood, or by held-out images."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor

SMALLEST_PRECISION, LARGEST_PRECISION = 1e-12, 1e12
"""Bounds of a tuned precision, met only where the evidence has no maximum: no curvature, or weights of 0."""

GRID = tuple(10 ** (step / 5) for step in range(-20, 21))
"""Precisions that a search tries: five a decade from 1e-4 to 1e4."""

COARSE_GRID = GRID[::2]
"""The same where each costs a pass over the held-out images with Jacobians."""

_BISECTIONS = 60  # halve an interval of 55 nats to the last bit of a float64


@dataclass(frozen=True)
class Block:
    """Weights that share one prior precision.

    Attributes:
        eigenvalues: (n,) float64, of the likelihood's curvature at the trained weights, divided by the temperature.
        square_norm: |w|^2 of the n trained weights.
    """

    eigenvalues: Tensor
    square_norm: float

    def log_evidence(self, precision: float) -> float:
        """Return the block's part of the log marginal likelihood in nats.

        It is 1/2 (n ln d - sum ln(l + d) - d |w|^2) with eigenvalues l and precision d.

        Source: Daxberger et al. (arXiv 2106.14806), equation 10.
        """
        log_det_ratio = float((self.eigenvalues / precision).log1p().sum())
        return -0.5 * (log_det_ratio + precision * self.square_norm)

    def effective_parameters(self, precision: float) -> float:
        """Return sum l / (l + d): how many weights the data determines."""
        return float((self.eigenvalues / (self.eigenvalues + precision)).sum())

    def best_precision(self) -> float:
        """Return the precision of largest evidence.

        In x = ln d the evidence has the slope (effective_parameters(d) - d |w|^2) / 2, which only falls as x rises: its
        one root is the global maximum, and bisection cannot miss it.

        Source: MacKay, "Bayesian interpolation" (Neural Computation 4, 1992), for d = parameters / |w|^2.
        """
        low, high = math.log(SMALLEST_PRECISION), math.log(LARGEST_PRECISION)
        for _ in range(_BISECTIONS):
            middle = math.exp((low + high) / 2)
            if self.effective_parameters(middle) > middle * self.square_norm:
                low = math.log(middle)
            else:
                high = math.log(middle)
        return math.exp((low + high) / 2)


def grid_search(nll_at: Callable[[float], float], grid: Sequence[float]) -> tuple[float, float]:
    """Return the precision of `grid` with the least NLL and that NLL; each is measured on its own.

    Args:
        nll_at: Precision -> mean NLL on held-out images. NaN counts as infinite.
        grid: Precisions to try.
    """
    nlls = [nll_at(precision) for precision in grid]
    best = min(range(len(grid)), key=lambda i: math.inf if math.isnan(nlls[i]) else nlls[i])
    return grid[best], nlls[best]
