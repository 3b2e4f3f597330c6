"""Last-layer posterior with Kronecker-factored curvature."""

from typing import Any

import torch
from torch import Tensor

from bkd.laplace.last_layer import LastLayerPosterior, precise, square_norm
from bkd.laplace.prior import Block


class KronPosterior(LastLayerPosterior):
    """Curvature B (x) A of the weight and B of the bias, with B = sum_n G_n and A = mean_n phi_n phi_n^T.

    Both factors are kept as eigenpairs, B = U diag(l1) U^T and A = V diag(l2) V^T: any prior precision d then has the
    inverse U diag(.) V^T with entries R_ij = 1 / (h l1_i l2_j + d), h = 1 / temperature.

    Attributes:
        class_values: l1 (C,).
        class_vectors: U (C, C).
        feature_values: l2 (F,).
        feature_vectors: V (F, F).
    """

    class_values: Tensor
    class_vectors: Tensor
    feature_values: Tensor
    feature_vectors: Tensor

    def __init__(self, in_features: int, num_classes: int, has_bias: bool) -> None:
        super().__init__(in_features, num_classes, has_bias)
        self.register_buffer("class_values", torch.zeros(num_classes))
        self.register_buffer("class_vectors", torch.eye(num_classes))
        self.register_buffer("feature_values", torch.zeros(in_features))
        self.register_buffer("feature_vectors", torch.eye(in_features))

    def blocks(self) -> list[Block]:
        """See `LastLayerPosterior.blocks`."""
        classes = self.likelihood_factor * self.class_values.cpu().double()
        weights = torch.outer(classes, self.feature_values.cpu().double()).flatten()
        blocks = [Block(weights, square_norm(self.weight))]
        return [*blocks, Block(classes, square_norm(self.bias))] if self.has_bias else blocks

    def logit_variance(self, phi: Tensor) -> Tensor:
        """See `LastLayerPosterior.logit_variance`."""
        variance: Tensor = (phi @ self.feature_vectors).square() @ self._once("by_square", self._variance_matrix)
        return variance.add_(self._once("bias_variance", self._bias_variance)) if self.has_bias else variance

    def logit_moments(self, phi: Tensor) -> tuple[Tensor, Tensor]:
        """See `LastLayerPosterior.logit_moments`."""
        vectors = self.class_vectors.to(phi)
        # In the class basis an image's covariance is diagonal; (B, C)
        spread = (phi @ self.feature_vectors.to(phi)).square() @ self._weight_variances().to(phi).T
        if self.has_bias:
            spread = spread + self._bias_variances().to(phi)
        return spread @ vectors.square().T, (spread * vectors.sum(0)) @ vectors.T

    def draw_logits(self, phi: Tensor, num_samples: int, generator: torch.Generator | None) -> Tensor:
        """See `LastLayerPosterior.draw_logits`; the features are rotated once, not every draw's weights."""
        rotated, mean = phi @ self.feature_vectors, self.logits(phi)  # (B, F), (B, C)
        logits = []
        for _ in range(num_samples):
            offset, bias_offset = self._draw_rotated(generator)
            in_class_basis = rotated @ offset.T  # (B, C)
            if bias_offset is not None:
                in_class_basis = in_class_basis + bias_offset
            logits.append(mean + in_class_basis @ self.class_vectors.T)
        return torch.stack(logits)

    def _draw(self, generator: torch.Generator | None) -> tuple[Tensor, Tensor | None]:
        offset, bias_offset = self._draw_rotated(generator)
        weight = self.weight + self.class_vectors @ offset @ self.feature_vectors.T
        if self.bias is None or bias_offset is None:
            return weight, None
        return weight, self.bias + self.class_vectors @ bias_offset

    def _draw_rotated(self, generator: torch.Generator | None) -> tuple[Tensor, Tensor | None]:
        """Return a draw's offsets from the mean in the eigenbases, (C, F) and (C,)."""
        weight_sd, bias_sd = self._once("sds", self._standard_deviations)
        offset = weight_sd * self._normal(*weight_sd.shape, generator=generator)
        if not self.has_bias:
            return offset, None
        return offset, bias_sd * self._normal(self.num_classes, generator=generator)

    def _weight_variances(self) -> Tensor:
        """Return R (C, F), float64."""
        curvature = torch.outer(self.likelihood_factor * precise(self.class_values), precise(self.feature_values))
        return 1 / (curvature + float(self.prior_precision[0]))

    def _bias_variances(self) -> Tensor:
        """Return 1 / (h l1 + d_b) (C,), float64."""
        return 1 / (self.likelihood_factor * precise(self.class_values) + float(self.prior_precision[1]))

    def _variance_matrix(self) -> Tensor:
        """Return R^T (U * U)^T (F, C): squared rotated features times it are the variances of the logits."""
        return (precise(self.class_vectors).square() @ self._weight_variances()).T.to(self.weight)

    def _bias_variance(self) -> Tensor:
        """Return the variances (C,) that the bias adds to the logits."""
        return (precise(self.class_vectors).square() @ self._bias_variances()).to(self.weight)

    def _standard_deviations(self) -> tuple[Tensor, Tensor | None]:
        """Return the square roots of R (C, F) and of the bias's variances (C,)."""
        bias_sd = self._bias_variances().sqrt().to(self.weight) if self.has_bias else None
        return self._weight_variances().sqrt().to(self.weight), bias_sd

    def _start(self) -> None:
        device = precise(self.weight).device
        self._sums: dict[str, Any] = {
            "probs": torch.zeros(self.num_classes, dtype=torch.float64, device=device),
            "outer": torch.zeros(self.num_classes, self.num_classes, dtype=torch.float64, device=device),
            "features": torch.zeros(self.in_features, self.in_features, dtype=torch.float64, device=device),
        }

    def _add(self, phi: Tensor, probs: Tensor) -> None:
        self._sums["probs"] += probs.sum(0)
        self._sums["outer"].addmm_(probs.T, probs)
        self._sums["features"].addmm_(phi.T, phi)

    def _finish(self, count: int) -> None:
        for name, factor in (
            ("class", self._sums["probs"].diag() - self._sums["outer"]), ("feature", self._sums["features"] / count),
        ):  # fmt: skip
            values, vectors = torch.linalg.eigh(factor)
            getattr(self, f"{name}_values").copy_(values.clamp_min(0))  # rounding makes a zero negative
            getattr(self, f"{name}_vectors").copy_(vectors)
        del self._sums
