"""Links against plain loops, simulation and their limits."""

import math

import pytest
import torch
from torch import Tensor

from bkd.laplace import links

B = 6


def gaussian(classes: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Mean (B, C) and covariance (B, C, C) in float64."""
    draw = torch.Generator().manual_seed(seed)
    mean = 2 * torch.randn(B, classes, generator=draw, dtype=torch.float64)
    root = torch.randn(B, classes, classes + 1, generator=draw, dtype=torch.float64)
    return mean, root @ root.mT / 3


def bridge_by_loop(mean: Tensor, covariance: Tensor, is_normalised: bool) -> Tensor:
    """The formulas of the bridge for one image, entry by entry."""
    classes = len(mean)
    total = covariance.sum()
    m, v = mean.clone(), torch.zeros_like(mean)
    for c in range(classes):
        m[c] = mean[c] - covariance[c].sum() * mean.sum() / total
        v[c] = covariance[c, c] - covariance[c].sum() * covariance[:, c].sum() / total
    if is_normalised:
        scale = v.mean() / math.sqrt(classes / 2)
        m, v = m / scale.sqrt(), v / scale
    alpha = [(1 - 2 / classes + m[c].exp() * sum((-m[k]).exp() for k in range(classes)) / classes**2) / v[c]
             for c in range(classes)]  # fmt: skip
    return torch.stack(alpha) / sum(alpha)


@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("name", ["bridge", "bridge_norm"])
def test_bridge_equals_its_formula(name: str, classes: int) -> None:
    mean, covariance = gaussian(classes)
    got = getattr(links, name)(mean, covariance.diagonal(dim1=1, dim2=2), covariance.sum(2))
    expected = [bridge_by_loop(m, s, name == "bridge_norm") for m, s in zip(mean, covariance, strict=True)]
    torch.testing.assert_close(got, torch.stack(expected), rtol=1e-10, atol=1e-12)


def test_probit_equals_its_formula_and_becomes_softmax_without_variance() -> None:
    mean, covariance = gaussian(4)
    variance = covariance.diagonal(dim1=1, dim2=2)
    for i in range(B):
        scaled = [mean[i, c] / math.sqrt(1 + math.pi / 8 * variance[i, c]) for c in range(4)]
        expected = torch.stack(scaled).softmax(0)
        torch.testing.assert_close(links.probit(mean, variance)[i], expected, rtol=1e-12, atol=1e-14)
    assert torch.equal(links.probit(mean, torch.zeros_like(mean)), mean.softmax(1))


def test_mc_draws_have_the_gaussians_moments() -> None:
    mean, covariance = gaussian(3)
    draws = 200_000
    noise = torch.randn(draws, B, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    logits = links.mc(mean, covariance, noise).log()  # known up to a constant each
    logits = logits - logits.mean(2, keepdim=True)
    centre = torch.eye(3, dtype=torch.float64) - 1 / 3
    torch.testing.assert_close(logits.mean(0), mean @ centre, rtol=0, atol=0.02)
    centred = logits - logits.mean(0)
    sample = torch.einsum("sbc,sbk->bck", centred, centred) / draws
    torch.testing.assert_close(sample, centre @ covariance @ centre, rtol=0, atol=0.03)


def test_mc_takes_a_singular_covariance() -> None:
    mean, _ = gaussian(3)
    probs = links.mc(mean, torch.ones(B, 3, 3, dtype=torch.float64), torch.randn(4, B, 3, dtype=torch.float64))
    torch.testing.assert_close(probs, mean.softmax(1).expand(4, B, 3))  # a common shift changes nothing


@pytest.mark.parametrize("name", ["bridge", "bridge_norm"])
def test_bridge_of_large_logits_is_finite(name: str) -> None:
    mean = torch.tensor([[900.0, -900.0, 0.0], [1000.0, 990.0, 0.0]], dtype=torch.float64)
    probs = getattr(links, name)(mean, torch.ones_like(mean), torch.ones_like(mean))
    torch.testing.assert_close(probs.sum(1), torch.ones(2, dtype=torch.float64))
    assert probs[0, 0] == pytest.approx(1)
    scale = 1.0 if name == "bridge" else (2 / 3) / math.sqrt(3 / 2)  # 2/3 is left of each variance
    assert probs[1, 0] / probs[1, 1] == pytest.approx(math.exp(10 / math.sqrt(scale)), rel=1e-3)


def test_bridge_without_any_variance_is_uniform() -> None:
    zero = torch.zeros(2, 4, dtype=torch.float64)
    assert torch.equal(links.bridge(zero, zero, zero), torch.full_like(zero, 0.25))
