"""What the three posteriors of the last layer share: trained weights, statistics, prior, draws.

Logits are f = W phi + b with features phi (B, F), W (C, F), b (C,). The curvature of the likelihood is the generalised
Gauss-Newton matrix sum_n J_n^T G_n J_n with G_n = diag(p_n) - p_n p_n^T, J_n the Jacobian of image n's logits in the
weights. It is linear in known features, so a fit needs one forward pass and no backward pass; a prediction never
holds a Jacobian.

Source: Daxberger et al., "Laplace Redux" (arXiv 2106.14806); Kronecker factors: Ritter et al. (ICLR 2018).
"""

from abc import abstractmethod
from collections.abc import Callable, Iterable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bkd.errors import SpecError, TrainingFailed
from bkd.laplace import links
from bkd.laplace.prior import Block
from bkd.laplace.settings import LinkApproximation, Predictive
from bkd.models.network import Network


class LastLayerPosterior(nn.Module):
    """A Gaussian over the weights of one linear layer; all of its state is buffers.

    Subclasses hold the curvature, and what predictions need of it is computed once per prior precision.

    Attributes:
        weight: (C, F), trained.
        bias: (C,), trained, or None.
        prior_precision: One value per block of weights, see `blocks`.
        temperature: Scalar; divides the likelihood term.
        sum_ce: Scalar, cross-entropy summed over the training images, in nats.
        num_images: Scalar, N.
    """

    weight: Tensor
    bias: Tensor | None
    prior_precision: Tensor
    temperature: Tensor
    sum_ce: Tensor
    num_images: Tensor

    def __init__(self, in_features: int, num_classes: int, has_bias: bool) -> None:
        super().__init__()
        self.in_features, self.num_classes, self.has_bias = in_features, num_classes, has_bias
        self.register_buffer("weight", torch.zeros(num_classes, in_features))
        self.register_buffer("bias", torch.zeros(num_classes) if has_bias else None)
        self.register_buffer("prior_precision", torch.ones(self._num_blocks))
        self.register_buffer("temperature", torch.tensor(1.0))
        self.register_buffer("sum_ce", torch.tensor(0.0))
        self.register_buffer("num_images", torch.tensor(0))
        self._prepared: dict[str, Any] = {}

    @property
    def _num_blocks(self) -> int:
        return 1 + int(self.has_bias)

    @torch.no_grad()
    def fit(self, head: nn.Linear, batches: Iterable[tuple[Tensor, Tensor]]) -> None:
        """Take the trained weights and gather the curvature at them.

        Args:
            head: The trained layer.
            batches: Features (B, F) and labels (B,) of each batch of training images, without augmentation.

        Raises:
            SpecError: There are no images.
            TrainingFailed: The cross-entropy is not finite.
        """
        self.weight.copy_(head.weight)
        if self.bias is not None:
            self.bias.copy_(head.bias)
        self._start()
        sum_ce, count = torch.zeros((), dtype=torch.float64), 0
        for phi, y in batches:
            wide = precise(phi)
            logits = self._precise_logits(wide)
            sum_ce += F.cross_entropy(logits, y.to(logits.device), reduction="sum").cpu()
            self._add(wide, logits.softmax(1))
            count += len(y)
        if not count:
            raise SpecError("The training part must have at least 1 image to fit a Laplace approximation, got 0.")
        if not sum_ce.isfinite():
            raise TrainingFailed("The network's cross-entropy is not finite. Fit another checkpoint of the teacher.")
        self.sum_ce.copy_(sum_ce)
        self.num_images.fill_(count)
        self._finish(count)
        self._prepared.clear()

    def set_prior_precision(self, *precisions: float) -> None:
        """Set the prior precision of each block, or one for all."""
        assert len(precisions) in (1, len(self.prior_precision)), precisions
        self.prior_precision.copy_(torch.tensor(precisions, dtype=torch.float64))
        self._prepared.clear()

    @torch.no_grad()
    def maximise_marglik(self) -> None:
        """Set the prior precision of each block to the one of largest marginal likelihood."""
        self.set_prior_precision(*(block.best_precision() for block in self.blocks()))

    @property
    def train_nll(self) -> float:
        """Mean cross-entropy of the trained weights on the training images, in nats."""
        return float(self.sum_ce) / int(self.num_images)

    @torch.no_grad()
    def log_marglik(self) -> float:
        """Return the log marginal likelihood of the training images in nats, at the prior precision in force."""
        precisions = zip(self.blocks(), self.prior_precision.tolist(), strict=True)
        return -self.likelihood_factor * float(self.sum_ce) + sum(block.log_evidence(d) for block, d in precisions)

    @torch.no_grad()
    def effective_parameters(self) -> float:
        """Return how many weights the training images determine, from 0 to C (F + 1)."""
        precisions = zip(self.blocks(), self.prior_precision.tolist(), strict=True)
        return sum(block.effective_parameters(d) for block, d in precisions)

    @property
    def likelihood_factor(self) -> float:
        """1 / temperature."""
        return 1 / float(self.temperature)

    def logits(self, phi: Tensor) -> Tensor:
        """Return the mean logits (B, C) of features (B, F)."""
        return F.linear(phi, self.weight, self.bias)

    def predict(
        self, network: Network, x: Tensor, predictive: Predictive, num_samples: int, generator: torch.Generator | None
    ) -> Tensor:
        """Return the probabilities (S, B, C) of images, see `probs`."""
        phi = network.forward_features(x)
        with torch.autocast(phi.device.type, enabled=False):
            return self.probs(phi, predictive, num_samples, generator)

    def probs(self, phi: Tensor, predictive: Predictive, num_samples: int, generator: torch.Generator | None) -> Tensor:
        """Predict from features.

        Sampled predictions and the Monte-Carlo link both draw weights that the batch shares: the network is linear in
        its last layer, so each image's logits have exactly the linearised predictive's distribution.

        Args:
            phi: (B, F).
            predictive: How; its chunk is not needed, since no Jacobian is held.
            num_samples: S, for predictions that draw.
            generator: On phi's device, for predictions that draw.

        Returns:
            (S, B, C) probabilities of each draw, S = 1 for those that do not draw.
        """
        phi = phi.float()
        if predictive.is_stochastic:
            return self.draw_logits(phi, num_samples, generator).softmax(-1)
        if predictive.link is LinkApproximation.PROBIT:
            return links.probit(self.logits(phi), self.logit_variance(phi))[None]
        wide = precise(phi)
        bridge = links.bridge if predictive.link is LinkApproximation.BRIDGE else links.bridge_norm
        return bridge(self._precise_logits(wide), *self.logit_moments(wide)).to(phi.device, torch.float32)[None]

    def _precise_logits(self, phi: Tensor) -> Tensor:
        """Return the mean logits in the precision and on the device of phi."""
        return F.linear(phi, self.weight.to(phi), None if self.bias is None else self.bias.to(phi))

    @abstractmethod
    def blocks(self) -> list[Block]:
        """Return the blocks of weights that have a prior precision each: weights, then the bias if there is one."""

    @abstractmethod
    def logit_variance(self, phi: Tensor) -> Tensor:
        """Return the variance (B, C) of the logits of features (B, F), float32."""

    @abstractmethod
    def logit_moments(self, phi: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits' variance and their covariance's row sums, both (B, C), of features made by `precise`."""

    def draw_weights(self, num_samples: int, generator: torch.Generator | None) -> tuple[Tensor, Tensor | None]:
        """Return S draws of the weight (S, C, F) and of the bias (S, C), or None without one."""
        weights, biases = zip(*(self._draw(generator) for _ in range(num_samples)), strict=True)
        return torch.stack(weights), None if self.bias is None else torch.stack(biases)

    def draw_logits(self, phi: Tensor, num_samples: int, generator: torch.Generator | None) -> Tensor:
        """Return the logits (S, B, C) of the draws that `draw_weights` makes with an equal generator."""
        return torch.stack([F.linear(phi, *self._draw(generator)) for _ in range(num_samples)])

    @abstractmethod
    def _draw(self, generator: torch.Generator | None) -> tuple[Tensor, Tensor | None]:
        """Return one draw of the weight (C, F) and of the bias (C,)."""

    def _normal(self, *shape: int, generator: torch.Generator | None) -> Tensor:
        return torch.randn(shape, generator=generator, device=self.weight.device)

    def _once(self, name: str, compute: Callable[[], Any]) -> Any:
        """Return what `compute` returned when it was first asked for at this prior precision."""
        if name not in self._prepared:
            self._prepared[name] = compute()
        return self._prepared[name]

    @abstractmethod
    def _start(self) -> None:
        """Set up the sums of a fit."""

    @abstractmethod
    def _add(self, phi: Tensor, probs: Tensor) -> None:
        """Add a batch of features (B, F) and probabilities (B, C), both made by `precise`."""

    @abstractmethod
    def _finish(self, count: int) -> None:
        """Turn the sums over `count` images into buffers, and let the sums go."""

    def _apply(self, *args: Any, **kwargs: Any) -> Any:
        self._prepared.clear()
        return super()._apply(*args, **kwargs)  # type: ignore[no-untyped-call]

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        self._prepared.clear()
        super()._load_from_state_dict(*args, **kwargs)


def precise(values: Tensor) -> Tensor:
    """Return `values` in float64, on the CPU where the device has no such type."""
    return values.to("cpu" if values.device.type == "mps" else values.device).double()


def square_norm(values: Tensor | None) -> float:
    """Return the sum of squares; 0 for None."""
    return 0.0 if values is None else float(precise(values).square().sum())
