"""What a batch's shared teacher draws add to noise and bias, against expectations that are plain sums."""

import math
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from bkd import noise
from bkd.losses import minus_one_hot
from bkd.noise import LastLayer, NoiseMeter

B, C, F = 12, 4, 6


@dataclass
class Population:
    """A world of finitely many examples and teacher draws, so that every expectation is a plain sum.

    Batches, labels and draws are taken with replacement, so all are independent. One draw moves the teacher on every
    example at once, and on each example in a way of its own.
    """

    phi: Tensor  # (N, F)
    student: Tensor  # (N, C)
    truth: Tensor  # (N, C), what labels are drawn from
    teacher: Tensor  # (D, N, C), probabilities of each draw

    @classmethod
    def make(
        cls, offset: float = 0.0, common_sd: float = 0.7, num_examples: int = 60, num_draws: int = 40
    ) -> "Population":
        phi = torch.randn(num_examples, F, dtype=torch.float64)
        logits = torch.randn(num_examples, C, dtype=torch.float64)
        common = common_sd * torch.randn(num_draws, 1, C, dtype=torch.float64)
        own = 2 * torch.randn(num_draws, num_examples, C, dtype=torch.float64)
        teacher = (logits + common + own).softmax(-1)
        truth = (teacher.mean(0).log() + offset * torch.randn(C, dtype=torch.float64) * phi[:, :1]).softmax(1)
        return cls(phi, torch.randn(num_examples, C, dtype=torch.float64).softmax(1), truth, teacher)

    def gradients(self, target: Tensor) -> Tensor:
        """Per-example gradients (..., N, P) against a target (..., N, C)."""
        inputs = nn.functional.pad(self.phi, (0, 1), value=1.0)
        return ((self.student - target)[..., None] * inputs[:, None]).flatten(-2)

    def bias(self) -> float:
        return float((self.gradients(self.truth - self.teacher.mean(0)) - self.gradients(0)).mean(0).square().sum())

    def moments(self, num_samples: int, batch_size: int) -> tuple[float, float]:
        """E Vtt and B Var(E[g | draws]) with S draws a batch, by the law of total variance."""
        g = self.gradients(self.teacher)  # (D, N, P)
        mean = g.mean(0)
        between_examples = (mean - mean.mean(0)).square().sum(1).mean()
        of_a_draw = (g - mean).square().sum(2).mean()
        shared = (g.mean(1) - g.mean((0, 1))).square().sum(1).mean()
        within = between_examples + (of_a_draw - shared) / num_samples
        return float(within), float(shared * batch_size / num_samples)

    def batch(self, size: int, num_samples: int) -> tuple[LastLayer, Tensor]:
        """A batch with labels and the mean of S draws, and residuals (4, B, C) against single draws for a probe."""
        i = torch.randint(len(self.phi), (size,))
        labels = torch.multinomial(self.truth[i], 1)[:, 0]
        draw = torch.randint(len(self.teacher), (num_samples + 4,))
        probs, probe = self.teacher[:, i][draw].split([num_samples, 4])
        student = self.student[i]
        batch = LastLayer(minus_one_hot(student, labels), student.log(), labels, self.phi[i], probs.mean(0))
        return batch, student - probe


def assert_unbiased(values: list[Tensor], true: float, *others: list[Tensor]) -> None:
    """The mean of `values` is `true` within 4 standard errors; that of each of `others` is far from it."""
    found = torch.stack(values).double()
    error = found.std() / math.sqrt(len(found))
    assert abs(found.mean() - true) < 4 * error, (float(found.mean()), true, float(error))
    for other in others:
        assert abs(torch.stack(other).mean() - true) > 8 * error


@pytest.mark.parametrize(("num_samples", "batch_size"), [(1, 8), (3, 20)])
def test_noise_of_shared_draws_is_unbiased(num_samples: int, batch_size: int) -> None:
    """Over fresh batches and draws; without its subtraction it would hold the examples' own part a second time."""
    torch.manual_seed(7)
    world = Population.make()
    within, shared, doubled, gradients = [], [], [], []
    for _ in range(3000):
        batch, probe = world.batch(batch_size, num_samples)
        residual = batch.residuals()[2]
        within.append(noise.variance(residual, batch.phi, True))
        shared.append(noise.shared_draw_variance(probe, batch.phi, True, num_samples))
        means = torch.stack([noise.batch_gradient(r, batch.phi, True) for r in probe])
        doubled.append((means - means.mean(0)).square().sum() / 3 * batch_size / num_samples)
        gradients.append(noise.batch_gradient(residual, batch.phi, True).flatten())
    true_within, true_shared = world.moments(num_samples, batch_size)
    assert_unbiased(within, true_within)
    assert_unbiased(shared, true_shared, doubled)
    total = float(batch_size * torch.stack(gradients).var(0).sum())
    assert true_within + true_shared == pytest.approx(total, rel=0.05)
    assert true_within < 0.9 * total


@pytest.mark.parametrize("offset", [0.0, 1.5])
def test_bias_of_a_teacher_with_shared_draws_is_unbiased(offset: float) -> None:
    """Over fresh batches, labels and draws; without its last term it would hold the draws' own variance."""
    torch.manual_seed(8)
    world, batch_size, num_samples = Population.make(offset, common_sd=2.0), 12, 1
    found, with_draws, metered = [], [], []
    for _ in range(4000):
        batch, probe = world.batch(batch_size, num_samples)
        shared = noise.shared_draw_variance(probe, batch.phi, True, num_samples)
        _, onehot, teacher = batch.residuals()
        found.append(noise.bias_numerator(onehot, teacher, batch.phi, True, shared))
        with_draws.append(noise.bias_numerator(onehot, teacher, batch.phi, True))
        figures = NoiseMeter(True, is_stochastic=True).update(0, batch, shared).double()
        metered.append(figures[5] * figures[1])
    assert (world.bias() > 0.05) == (offset > 0)
    assert_unbiased(found, world.bias(), with_draws)
    torch.testing.assert_close(torch.stack(metered), torch.stack(found), rtol=1e-5, atol=1e-6)


def test_a_pass_in_chunks_with_draws_of_their_own_is_unbiased() -> None:
    """Chunks differ by their draws: between them that is noise of single examples, within one it is none."""
    torch.manual_seed(9)
    world, batch_size, num_samples, sizes = Population.make(common_sd=2.0), 20, 1, (12, 5, 7)
    v_teacher, shared, bias, plain_v, plain_bias = [], [], [], [], []
    for _ in range(3000):
        chunks = [world.batch(size, num_samples) for size in sizes]
        first, probe = chunks[0]
        probed = noise.shared_draw_variance(probe, first.phi, True, num_samples, batch_size)
        figures = noise.offline([chunk for chunk, _ in chunks], True, probed, batch_size).double()
        plain = noise.offline([chunk for chunk, _ in chunks], True).double()
        v_teacher.append(figures[2])
        shared.append(figures[3])
        bias.append(figures[5] * figures[1])
        plain_v.append(plain[2])
        plain_bias.append(plain[5] * plain[1])
    true_within, true_shared = world.moments(num_samples, batch_size)
    assert_unbiased(v_teacher, true_within, plain_v)
    assert_unbiased(shared, true_shared)
    assert_unbiased(bias, world.bias(), plain_bias)


def test_shared_draws_by_their_definition() -> None:
    draw = torch.Generator().manual_seed(8)
    residuals = torch.randn(5, B, C, generator=draw, dtype=torch.float64)
    phi = torch.randn(B, F, generator=draw, dtype=torch.float64)
    gradients = torch.stack([noise.batch_gradient(r, phi, True) for r in residuals])
    own = sum(noise.variance(r - residuals.mean(0), phi, True) for r in residuals)
    expected = B / 3 * ((gradients - gradients.mean(0)).square().sum() - own / B) / 4
    torch.testing.assert_close(noise.shared_draw_variance(residuals, phi, True, num_samples=3), expected)
    other = noise.shared_draw_variance(residuals, phi, True, num_samples=3, batch_size=4 * B)
    torch.testing.assert_close(other, 4 * expected)
    same = residuals[:1].expand(4, -1, -1)
    assert noise.shared_draw_variance(same, phi, True, num_samples=1).abs() < 1e-25
    with pytest.raises(ValueError, match="at least 2 draws, got 1"):
        noise.shared_draw_variance(residuals[:1], phi, True, num_samples=1)
