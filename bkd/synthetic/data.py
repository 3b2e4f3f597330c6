"""A mixture of Gaussians whose class probabilities are known, and targets of every degree of noise around them."""

from dataclasses import dataclass

import torch
from torch import Tensor

from bkd.losses import minus_one_hot
from bkd.rng import generator
from bkd.synthetic.settings import Arm, SyntheticSettings


@dataclass(frozen=True)
class Mixture:
    """Equally likely classes y with x | y ~ N(means[y], noise_variance I).

    Attributes:
        means: (C, D) float64.
        noise_variance: Of each coordinate.
    """

    means: Tensor
    noise_variance: float

    @classmethod
    def draw(cls, settings: SyntheticSettings) -> "Mixture":
        """Draw every coordinate of every mean from the values that the settings allow, each as likely."""
        values = torch.tensor(settings.mean_values, dtype=torch.float64)
        shape = (settings.classes, settings.dimensions)
        picks = torch.randint(len(values), shape, generator=generator(settings.seed, "means"))
        return cls(values[picks], settings.noise_variance)

    def sample(self, count: int, draws: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw `count` examples: x (N, D) float64, y (N,) int64."""
        y = torch.randint(len(self.means), (count,), generator=draws)
        noise = torch.randn(count, self.means.shape[1], generator=draws, dtype=torch.float64)
        return self.means[y] + self.noise_variance**0.5 * noise, y

    def class_probs(self, x: Tensor) -> Tensor:
        """Compute P(y | x) by Bayes' rule, (N, C) float64, for x (N, D).

        |x|^2 and the normalising constant are the same for all classes and left out, so the softmax is of x . m / v -
        |m|^2 / 2v.
        """
        x = x.to(self.means.dtype)
        return ((x @ self.means.mT - self.means.square().sum(1) / 2) / self.noise_variance).softmax(1)


@dataclass(frozen=True)
class Examples:
    """Part of the data.

    Attributes:
        x: (N, D) float32, z-scored.
        labels: (N,) int64.
        probs: (N, C) float64, P(y | x).
    """

    x: Tensor
    labels: Tensor
    probs: Tensor

    def __len__(self) -> int:
        return len(self.x)

    @property
    def bayes_loss(self) -> float:
        """Mean entropy of P(. | x), an estimate of E[-log P(y | x)] without the noise of the labels, in nats."""
        return -torch.xlogy(self.probs, self.probs).sum(1).mean().item()

    @property
    def bayes_accuracy(self) -> float:
        """Mean of max P(y | x): the accuracy of whoever knows P, without the noise of the labels."""
        return self.probs.amax(1).mean().item()


def make_data(settings: SyntheticSettings) -> tuple[Examples, Examples, Examples]:
    """Draw the examples and split them into those to train, test and validate on.

    The z-score is that of the training part. P(y | x) is computed before it, on x as drawn.
    """
    mixture = Mixture.draw(settings)
    x, labels = mixture.sample(settings.examples, generator(settings.seed, "examples"))
    probs = mixture.class_probs(x)
    sd, mean = torch.std_mean(x[: settings.split[0]], dim=0)
    z = ((x - mean) / sd).float()
    columns = (torch.split(column, list(settings.split)) for column in (z, labels, probs))
    train, test, val = (Examples(*part) for part in zip(*columns, strict=True))
    return train, test, val


def draw_targets(arm: Arm, probs: Tensor, labels: Tensor, draws: torch.Generator) -> Tensor:
    """Draw an arm's target for each example once: one-hot label, Dirichlet(c P), or P.

    Args:
        arm: Its concentration c says which.
        probs: P, (N, C) float64; a class of probability 0 stays at 0.
        labels: (N,) int64, drawn from P.
        draws: Used by the Dirichlet arms only.

    Returns:
        (N, C) float64, rows sum to 1, with mean P given x.
    """
    if arm.concentration == 0:
        return -minus_one_hot(torch.zeros_like(probs), labels)
    if arm.concentration == torch.inf:
        return probs
    return _dirichlet(arm.concentration * probs, draws)


def _dirichlet(alpha: Tensor, draws: torch.Generator) -> Tensor:
    """Draw from Dirichlet(alpha) for each row of alpha (N, C), which may hold zeros; float64.

    G(a) = G(a + 1) U^(1 / a) in logarithms: at a small a all gammas of a row may be too small for a float.
    """
    # Gamma of torch.distributions takes no generator; this is what it calls.
    gammas = torch._standard_gamma(alpha + 1, generator=draws)
    uniform = torch.rand(alpha.shape, generator=draws, dtype=alpha.dtype)
    return (gammas.log() + uniform.log() / alpha).softmax(1)
