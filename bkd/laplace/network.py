"""A trained network together with the posterior over its weights."""

from typing import Protocol

import torch
from torch import Tensor, nn

from bkd.laplace.settings import Predictive
from bkd.models.network import Network


class Posterior(Protocol):
    """What a `LaplaceNetwork` needs of its posterior, an `nn.Module` whose whole state is buffers."""

    def predict(
        self, network: Network, x: Tensor, predictive: Predictive, num_samples: int, generator: torch.Generator | None
    ) -> Tensor:
        """Return the probabilities (S, B, C) of each draw; S = 1 without draws."""
        ...

    def set_prior_precision(self, *precisions: float) -> None:
        """Set the prior precision of each block of weights, or one for all."""
        ...

    def maximise_marglik(self) -> None:
        """Set the prior precision to the one of largest marginal likelihood."""
        ...

    def log_marglik(self) -> float:
        """Return the log marginal likelihood of the training images in nats."""
        ...


class LaplaceNetwork(nn.Module):
    """A trained network and the posterior over its weights; the posterior's mean is the network's weights.

    Attributes:
        network: Trained, in eval mode when it predicts.
        posterior: Over its last layer, or over more through the library.
    """

    posterior: Posterior

    def __init__(self, network: Network, posterior: Posterior) -> None:
        super().__init__()
        self.network = network
        self.posterior = posterior

    @property
    def head(self) -> nn.Module:
        """Return the network's last layer, (B, F) -> (B, C)."""
        return self.network.head

    def forward_features(self, x: Tensor) -> Tensor:
        """Map images (B, channels, H, W) to the head's inputs (B, F)."""
        return self.network.forward_features(x)

    def forward(self, x: Tensor) -> Tensor:
        """Map images (B, channels, H, W) to the logits (B, C) of the trained weights."""
        logits: Tensor = self.network(x)
        return logits

    def predict(
        self, x: Tensor, predictive: Predictive, num_samples: int = 1, generator: torch.Generator | None = None
    ) -> Tensor:
        """Return the posterior predictive's probabilities (S, B, C) of each draw; S = 1 without draws."""
        return self.posterior.predict(self.network, x, predictive, num_samples, generator)
