"""Teachers that combine predictions of others at prediction time and have no weights of their own."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from bkd import rng
from bkd.teachers import LogitsPrediction, Prediction, Teacher


@dataclass(frozen=True)
class MeanPrediction:
    """The mean over members of each member's own probabilities at a temperature.

    Attributes:
        members: Predictions of one batch, each with one draw or with S.
    """

    members: tuple[Prediction, ...]

    def probs(self, temperature: float = 1.0) -> Tensor:
        """See `Prediction.probs`."""
        return torch.stack([member.probs(temperature) for member in self.members]).mean(0)

    def draw_probs(self, temperature: float = 1.0) -> Tensor:
        """See `Prediction.draw_probs`; draw s is the mean of the members' draws s."""
        draws = [member.draw_probs(temperature) for member in self.members]
        most = max(map(len, draws))
        return torch.stack([probs.expand(most, -1, -1) for probs in draws]).mean(0)

    def first(self, num_samples: int) -> "MeanPrediction":
        """See `Prediction.first`."""
        return MeanPrediction(tuple(member.first(num_samples) for member in self.members))


class EnsembleTeacher(Teacher):
    """Several teachers of one data set, each with the same say.

    Source: Lakshminarayanan et al., "Simple and Scalable Predictive Uncertainty Estimation using Deep Ensembles".
    """

    def __init__(self, members: Sequence[Teacher]) -> None:
        super().__init__(nn.ModuleList([member.network for member in members]))
        self.members = tuple(members)
        self.is_stochastic = any(member.is_stochastic for member in members)

    def freeze(self) -> "EnsembleTeacher":
        """See `Teacher.freeze`."""
        super().freeze()
        for member in self.members:
            member.freeze()
        return self

    def _predict(self, x: Tensor, num_samples: int, generator: torch.Generator) -> Prediction:
        own = _one_each(generator, len(self.members)) if self.is_stochastic else [generator] * len(self.members)
        return MeanPrediction(
            tuple(member.predict(x, num_samples, draws) for member, draws in zip(self.members, own, strict=True))
        )


class AugmentedTeacher(Teacher):
    """A network averaged over views of each image: p = mean over views of softmax(z_view / T).

    The views are the same for all images and batches, so that the teacher is deterministic.

    Args:
        network: With one set of weights.
        make_views: x (B, channels, side, side) -> (K, B, channels, side, side).
    """

    def __init__(self, network: nn.Module, make_views: Callable[[Tensor], Tensor]) -> None:
        super().__init__(network)
        self.make_views = make_views

    def _predict(self, x: Tensor, num_samples: int, generator: torch.Generator) -> Prediction:
        logits = torch.stack([self.network(view) for view in self.make_views(x)])
        return _OneAnswer(logits)


class _OneAnswer(LogitsPrediction):
    """A mean over views, which belong together: one draw, not K."""

    def draw_probs(self, temperature: float = 1.0) -> Tensor:
        """See `Prediction.draw_probs`: (1, B, C)."""
        return super().draw_probs(temperature).mean(0, keepdim=True)

    def first(self, num_samples: int) -> "_OneAnswer":
        """See `Prediction.first`."""
        return self


def _one_each(draws: torch.Generator, count: int) -> list[torch.Generator]:
    """Return a generator for each of `count` members, so that how many draws one makes moves no other's.

    They come from the state of `draws`, which lies on the host, and move it on.
    """
    seed = int.from_bytes(hashlib.blake2b(draws.get_state().numpy().tobytes(), digest_size=7).digest(), "little")
    torch.empty(1, device=draws.device).normal_(generator=draws)
    return [rng.generator(seed, "member", 0, index, draws.device) for index in range(count)]
