"""Teachers: trained networks that answer with probabilities, always in eval mode and without gradients."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from bkd.bayes.posterior import WeightPosterior
from bkd.data.batches import Batch
from bkd.losses import soften


class Prediction(Protocol):
    """What a teacher says of one batch: S draws that every image of the batch shares."""

    def probs(self, temperature: float = 1.0) -> Tensor:
        """Return the probabilities (B, C) at a temperature, averaged over the draws."""
        ...

    def draw_probs(self, temperature: float = 1.0) -> Tensor:
        """Return the probabilities (S, B, C) of each draw at a temperature."""
        ...

    def first(self, num_samples: int) -> "Prediction":
        """Return the prediction of the first draws alone; of a deterministic teacher all of it."""
        ...


@dataclass(frozen=True)
class LogitsPrediction:
    """Draws given by logits: p = mean over s of softmax(z_s / T).

    Source: Morad et al. (arXiv 2601.01484), the Bayesian teacher's Monte-Carlo average; S = 1 is any plain network.

    Attributes:
        logits: (S, B, C).
    """

    logits: Tensor

    def probs(self, temperature: float = 1.0) -> Tensor:
        """See `Prediction.probs`."""
        return self.draw_probs(temperature).mean(0)

    def draw_probs(self, temperature: float = 1.0) -> Tensor:
        """See `Prediction.draw_probs`."""
        return (self.logits.float() / temperature).softmax(-1)

    def first(self, num_samples: int) -> "LogitsPrediction":
        """See `Prediction.first`."""
        return self if num_samples >= len(self.logits) else LogitsPrediction(self.logits[:num_samples])


@dataclass(frozen=True)
class ProbsPrediction:
    """Draws given by probabilities at temperature 1, without logits: p = p1^(1/T), normalised.

    Attributes:
        probs1: (S, B, C).
    """

    probs1: Tensor

    def probs(self, temperature: float = 1.0) -> Tensor:
        """See `Prediction.probs`; the average is taken before the temperature."""
        mean = self.probs1.mean(0)
        return mean if temperature == 1.0 else soften(mean, temperature)

    def draw_probs(self, temperature: float = 1.0) -> Tensor:
        """See `Prediction.draw_probs`."""
        return self.probs1 if temperature == 1.0 else soften(self.probs1, temperature)

    def first(self, num_samples: int) -> "ProbsPrediction":
        """See `Prediction.first`."""
        return self if num_samples >= len(self.probs1) else ProbsPrediction(self.probs1[:num_samples])


class Teacher(ABC):
    """A trained network that predicts.

    Attributes:
        network: In eval mode; nothing here puts it back into training.
        is_stochastic: Whether draws differ; if not, `num_samples` and `generator` change nothing.
    """

    is_stochastic: bool = False

    def __init__(self, network: nn.Module) -> None:
        self.network = network

    def predict(self, x: Tensor, num_samples: int, generator: torch.Generator) -> Prediction:
        """Predict a batch.

        Args:
            x: Normalised images (B, channels, side, side).
            num_samples: S, draws shared by the batch.
            generator: On the network's device; makes the draws.
        """
        assert not self.network.training, "a teacher predicts in eval mode"
        with torch.no_grad():
            return self._predict(x, num_samples, generator)

    def predict_batch(self, batch: Batch, num_samples: int, generator: torch.Generator) -> Prediction:
        """Predict a batch of which it is known where its images come from; see `predict`."""
        return self.predict(batch.x, num_samples, generator)

    def freeze(self) -> "Teacher":
        """Make the network a constant for good: eval mode, no gradients, what draws share computed once."""
        self.network.eval().requires_grad_(False)
        return self

    def kl_nats(self) -> float | None:
        """Return KL(posterior || prior) of a variational network's weights in nats; None for other teachers."""
        return None

    @abstractmethod
    def _predict(self, x: Tensor, num_samples: int, generator: torch.Generator) -> Prediction: ...


class NetworkTeacher(Teacher):
    """A network with one set of weights."""

    def _predict(self, x: Tensor, num_samples: int, generator: torch.Generator) -> Prediction:
        return LogitsPrediction(self.network(x)[None])


class VariationalTeacher(Teacher):
    """A network whose weights are drawn from their posterior, one draw per forward pass."""

    is_stochastic = True

    def __init__(self, network: nn.Module, posterior: WeightPosterior) -> None:
        super().__init__(network)
        self.posterior = posterior

    def kl_nats(self) -> float:
        """See `Teacher.kl_nats`."""
        with torch.no_grad():
            return float(self.posterior.kl())

    def freeze(self) -> "Teacher":
        """See `Teacher.freeze`; also keeps the Cholesky factors that draws share."""
        super().freeze()
        self.posterior.freeze()
        return self

    def _predict(self, x: Tensor, num_samples: int, generator: torch.Generator) -> Prediction:
        logits = []
        for _ in range(num_samples):
            self.posterior.draw(generator)
            logits.append(self.network(x))
        self.posterior.clear()
        return LogitsPrediction(torch.stack(logits))
