"""Last-layer posterior with diagonal curvature."""

import torch
from torch import Tensor

from bkd.laplace.last_layer import LastLayerPosterior, precise, square_norm
from bkd.laplace.prior import Block


class DiagPosterior(LastLayerPosterior):
    """Curvature sum_n p_nc (1 - p_nc) phi_nf^2 of a weight, sum_n p_nc (1 - p_nc) of a bias, nothing between weights.

    Attributes:
        weight_curvature: (C, F).
        bias_curvature: (C,), or None without a bias.
    """

    weight_curvature: Tensor
    bias_curvature: Tensor | None

    def __init__(self, in_features: int, num_classes: int, has_bias: bool) -> None:
        super().__init__(in_features, num_classes, has_bias)
        self.register_buffer("weight_curvature", torch.zeros(num_classes, in_features))
        self.register_buffer("bias_curvature", torch.zeros(num_classes) if has_bias else None)

    def blocks(self) -> list[Block]:
        """See `LastLayerPosterior.blocks`."""
        factor = self.likelihood_factor
        blocks = [Block(factor * self.weight_curvature.cpu().double().flatten(), square_norm(self.weight))]
        if self.bias_curvature is not None:
            blocks.append(Block(factor * self.bias_curvature.cpu().double(), square_norm(self.bias)))
        return blocks

    def logit_variance(self, phi: Tensor) -> Tensor:
        """See `LastLayerPosterior.logit_variance`."""
        weight_variance, bias_variance = self._once("variances", self._variances)
        variance: Tensor = phi.square() @ weight_variance.T
        return variance if bias_variance is None else variance.add_(bias_variance)

    def logit_moments(self, phi: Tensor) -> tuple[Tensor, Tensor]:
        """See `LastLayerPosterior.logit_moments`; the covariance is diagonal, so its row sums are the variances."""
        weight_variance, bias_variance = self._once("variances", self._variances)
        variance = phi.square() @ weight_variance.to(phi).T
        if bias_variance is not None:
            variance = variance + bias_variance.to(phi)
        return variance, variance

    def _draw(self, generator: torch.Generator | None) -> tuple[Tensor, Tensor | None]:
        weight_variance, bias_variance = self._once("variances", self._variances)
        weight_noise = self._normal(*self.weight.shape, generator=generator)
        weight = self.weight + weight_variance.sqrt() * weight_noise
        if self.bias is None:
            return weight, None
        return weight, self.bias + bias_variance.sqrt() * self._normal(self.num_classes, generator=generator)

    def _variances(self) -> tuple[Tensor, Tensor | None]:
        """Return the posterior variances of the weight (C, F) and of the bias (C,)."""
        precisions = self.prior_precision.tolist()
        weight = 1 / (self.likelihood_factor * self.weight_curvature + precisions[0])
        if self.bias_curvature is None:
            return weight, None
        return weight, 1 / (self.likelihood_factor * self.bias_curvature + precisions[1])

    def _start(self) -> None:
        self._sums = torch.zeros_like(precise(self.weight)), torch.zeros_like(precise(self.weight[:, 0]))

    def _add(self, phi: Tensor, probs: Tensor) -> None:
        variance = probs * (1 - probs)  # (B, C)
        self._sums[0].addmm_(variance.T, phi.square())
        self._sums[1].add_(variance.sum(0))

    def _finish(self, count: int) -> None:
        self.weight_curvature.copy_(self._sums[0])
        if self.bias_curvature is not None:
            self.bias_curvature.copy_(self._sums[1])
        del self._sums
