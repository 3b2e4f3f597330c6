"""Last-layer posterior with the whole curvature matrix."""

from typing import Any

import torch
from torch import Tensor

from bkd.laplace.last_layer import LastLayerPosterior, precise, square_norm
from bkd.laplace.prior import Block
from bkd.laplace.settings import DEFAULT_FULL_MAX_GIB, GIB, refuse_dense


class FullPosterior(LastLayerPosterior):
    """Curvature sum_n G_n (x) phi~_n phi~_n^T of all weights, phi~ = (phi, 1) of F~ = F + 1 entries, F without a bias.

    It is kept as eigenpairs H = Q diag(l) Q^T, rows of Q by class, then feature: the covariance at prior precision d is
    Q diag(1 / (h l + d)) Q^T. A prediction needs only the C blocks (F~, F~) of each class with itself, or with the sum
    over classes, never the whole of it.

    Attributes:
        values: l (P,), P = C F~.
        vectors: Q (P, P).

    Raises:
        SpecError: P^2 float32 numbers exceed `full_max_gib` GiB.
    """

    values: Tensor
    vectors: Tensor

    def __init__(
        self, in_features: int, num_classes: int, has_bias: bool, full_max_gib: float = DEFAULT_FULL_MAX_GIB
    ) -> None:
        self.rows = in_features + int(has_bias)  # F~
        size = num_classes * self.rows
        refuse_dense(size, f"{num_classes} classes x {self.rows} inputs", full_max_gib)
        super().__init__(in_features, num_classes, has_bias)
        self.register_buffer("values", torch.zeros(size))
        self.register_buffer("vectors", torch.zeros(size, size))
        # An eigendecomposition in float64 holds about ten times the matrix in float32.
        self._fit_dtype = torch.float64 if 40 * size**2 <= full_max_gib * GIB else torch.float32

    @property
    def _num_blocks(self) -> int:
        return 1

    def blocks(self) -> list[Block]:
        """See `LastLayerPosterior.blocks`; one block, since weights and bias do not separate."""
        values = self.likelihood_factor * self.values.cpu().double()
        return [Block(values, square_norm(self.weight) + square_norm(self.bias))]

    def logit_variance(self, phi: Tensor) -> Tensor:
        """See `LastLayerPosterior.logit_variance`."""
        blocks = self._once("variance", lambda: self._covariance_blocks()[0].to(self.weight))
        return _quadratic(self._with_one(phi), blocks)

    def logit_moments(self, phi: Tensor) -> tuple[Tensor, Tensor]:
        """See `LastLayerPosterior.logit_moments`."""
        own, with_all = self._once("blocks", self._covariance_blocks)
        phi = self._with_one(phi)
        return _quadratic(phi, own), _quadratic(phi, with_all)

    def _draw(self, generator: torch.Generator | None) -> tuple[Tensor, Tensor | None]:
        sd = self._once("sd", lambda: self._eigen_variances().sqrt().to(self.weight))
        noise = self._normal(len(sd), generator=generator)
        offset = (self.vectors @ (sd * noise)).view(self.num_classes, self.rows)
        weight = self.weight + offset[:, : self.in_features]
        return weight, None if self.bias is None else self.bias + offset[:, self.in_features]

    def _eigen_variances(self) -> Tensor:
        """Return 1 / (h l + d) (P,), float64."""
        return 1 / (self.likelihood_factor * precise(self.values) + float(self.prior_precision))

    def _covariance_blocks(self) -> tuple[Tensor, Tensor]:
        """Return the covariance's blocks of a class with itself and with all classes summed, (C, F~, F~) float64."""
        variances = self._eigen_variances()
        by_class = self.vectors.view(self.num_classes, self.rows, -1)  # (C, F~, P)
        summed = precise(by_class.sum(0)) * variances
        own, with_all = [], []
        for rows in by_class:
            wide = precise(rows)
            own.append(wide * variances @ wide.T)
            with_all.append(summed @ wide.T)
        return torch.stack(own), torch.stack(with_all)

    def _with_one(self, phi: Tensor) -> Tensor:
        """Return phi~ (B, F~)."""
        return torch.cat([phi, torch.ones_like(phi[:, :1])], 1) if self.has_bias else phi

    def _start(self) -> None:
        device, size = precise(self.weight).device, len(self.values)
        self._sums: dict[str, Any] = {
            "between": torch.zeros(size, size, dtype=self._fit_dtype, device=device),
            "own": torch.zeros(self.num_classes, self.rows, self.rows, dtype=self._fit_dtype, device=device),
        }

    def _add(self, phi: Tensor, probs: Tensor) -> None:
        # G = diag(p) - p p^T: p (1 - p) within a class, which does not cancel, and -p p^T between classes.
        phi = self._with_one(phi).to(self._fit_dtype)
        within = (probs * (1 - probs)).to(self._fit_dtype)  # (B, C)
        weighted = (probs.to(self._fit_dtype)[:, :, None] * phi[:, None]).flatten(1)  # (B, P)
        self._sums["between"].addmm_(weighted.T, weighted, alpha=-1)
        self._sums["own"] += (within.T[:, :, None] * phi).mT @ phi

    def _finish(self, count: int) -> None:
        curvature = self._sums["between"]
        by_class = curvature.view(self.num_classes, self.rows, self.num_classes, self.rows)
        by_class.diagonal(dim1=0, dim2=2).copy_(self._sums["own"].permute(1, 2, 0))
        values, vectors = torch.linalg.eigh(curvature)
        self.values.copy_(values.clamp_min(0))  # rounding makes a zero negative
        self.vectors.copy_(vectors)
        del self._sums


def _quadratic(phi: Tensor, blocks: Tensor) -> Tensor:
    """Return phi_b^T blocks_c phi_b, (B, C)."""
    return torch.einsum("cbf,bf->bc", phi @ blocks, phi)
