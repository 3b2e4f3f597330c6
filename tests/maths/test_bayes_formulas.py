"""The formulas of inducing weights: golden cases, naive loops, moments and gradients."""

import json
import math
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from bkd.bayes.matheron import (
    JITTER,
    Gram,
    InducingNoise,
    Limits,
    RawInducing,
    chain,
    inverse_softplus,
    positive,
    standard_normal_kl,
    triangular_factors,
    weight_and_kl,
)

CASES = json.loads((Path(__file__).parent / "golden" / "inducing_layers.json").read_text())
LIMITS = Limits(prior_sd=0.4, max_sd_u=0.1, max_lamda=0.03)


def doubles(values: dict) -> dict[str, Tensor]:
    return {name.lstrip("_").lower(): torch.tensor(value, dtype=torch.float64) for name, value in values.items()}


def random_raw(rows: int, cols: int, d_out: int, d_in: int, seed: int = 0) -> RawInducing:
    g = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=g, dtype=torch.float64)

    return RawInducing(
        z_row=normal(rows, d_out),
        z_col=normal(cols, d_in),
        inducing_mean=normal(rows, cols),
        inducing_sd=normal(rows, cols) - 4,
        lamda=torch.tensor(-5.0, dtype=torch.float64),
        d_row=normal(rows) - 1,
        d_col=normal(cols) - 1,
    )


def random_noise(raw: RawInducing, seed: int = 1) -> tuple[InducingNoise, Tensor]:
    g = torch.Generator().manual_seed(seed)
    small = [torch.randn(raw.inducing_mean.shape, generator=g, dtype=torch.float64) for _ in range(4)]
    e1 = torch.randn(raw.z_row.shape[1], raw.z_col.shape[1], generator=g, dtype=torch.float64)
    return InducingNoise(*small), e1


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_agrees_with_the_golden_file(case: dict) -> None:
    config, noise = case["config"], doubles(case["noise"])
    limits = Limits(
        config["prior_sd_before_scaling"] / math.sqrt(config["d_in"]), config["max_sd_u"], config["max_lamda"]
    )
    e1 = noise.pop("e1")
    weight, kl = weight_and_kl(RawInducing(**doubles(case["raw_parameters"])), InducingNoise(**noise), e1, limits)
    expected = torch.tensor(case["expected"]["W"], dtype=torch.float64)
    assert (weight - expected).abs().max() < 1e-8
    assert abs(kl.item() - case["expected"]["kl_nats"]) < 1e-8


def test_weight_is_the_textbook_form() -> None:
    raw = random_raw(3, 4, 5, 7)
    noise, e1 = random_noise(raw)
    d_row, d_col = F.softplus(raw.d_row), F.softplus(raw.d_col)

    def jittered(matrix: Tensor) -> Tensor:
        return matrix + JITTER * matrix.diagonal().mean() * torch.eye(len(matrix), dtype=matrix.dtype)

    gram_row, gram_col = raw.z_row @ raw.z_row.T, raw.z_col @ raw.z_col.T
    l_row = torch.linalg.cholesky(jittered(gram_row + d_row.square().diag()))
    l_col = torch.linalg.cholesky(jittered(gram_col + d_col.square().diag()))
    a_row, a_col = torch.linalg.cholesky(jittered(gram_row)), torch.linalg.cholesky(jittered(gram_col))
    t_row = torch.cholesky_solve(raw.z_row, l_row).T
    t_col = torch.cholesky_solve(raw.z_col, l_col)
    u = raw.inducing_mean + F.softplus(raw.inducing_sd).clamp(max=0.1) * noise.eps_u
    lamda = F.softplus(raw.lamda).clamp(max=0.03)
    u_bar = (
        raw.z_row @ e1 @ raw.z_col.T
        + a_row @ noise.e2 @ d_col.diag()
        + d_row.diag() @ noise.e3 @ a_col.T
        + d_row.diag() @ noise.e4 @ d_col.diag()
    )
    expected = 0.4 * (t_row @ (l_row @ u @ l_col.T) @ t_col + lamda * (e1 - t_row @ u_bar @ t_col))
    assert torch.allclose(weight_and_kl(raw, noise, e1, LIMITS)[0], expected, rtol=0, atol=1e-11)


def test_kl_is_the_sum_over_entries() -> None:
    raw = random_raw(3, 4, 5, 7)
    total = 0.0
    for mean, raw_sd in zip(raw.inducing_mean.flatten().tolist(), raw.inducing_sd.flatten().tolist(), strict=True):
        sd = min(math.log1p(math.exp(raw_sd)), 0.1)
        total += -math.log(sd) + (sd**2 + mean**2) / 2 - 0.5
    lamda = min(math.log1p(math.exp(raw.lamda.item())), 0.03)
    total += 5 * 7 * (lamda**2 / 2 - math.log(lamda) - 0.5)
    assert weight_and_kl(raw, *random_noise(raw), LIMITS)[1].item() == pytest.approx(total, rel=1e-12)


def test_kl_of_an_entry_is_torch_distributions() -> None:
    mean, sd = torch.tensor([0.3, -2.0, 0.0]), torch.tensor([0.1, 3.0, 1.0])
    expected = torch.distributions.kl_divergence(
        torch.distributions.Normal(mean, sd), torch.distributions.Normal(0.0, 1.0)
    )
    assert torch.allclose(standard_normal_kl(mean, sd), expected)
    assert standard_normal_kl(mean, sd)[2] == 0


def test_noise_has_the_conditional_covariance() -> None:
    """Cov(E1 - T_r u_bar T_c) of vec(W) given U is I - (Z_r^T K_r^-1 Z_r) x (Z_c^T K_c^-1 Z_c).

    Both products of the exact prior meet in K_r x K_c, so the jitter (1e-4) is far below the sampling error.
    """
    raw = random_raw(2, 2, 2, 3, seed=4)
    draws = 200_000
    g = torch.Generator().manual_seed(7)
    small = [torch.randn(draws, 2, 2, generator=g, dtype=torch.float64) for _ in range(4)]
    e1 = torch.randn(draws, 2, 3, generator=g, dtype=torch.float64)
    still = RawInducing(
        z_row=raw.z_row,
        z_col=raw.z_col,
        inducing_mean=torch.zeros(2, 2, dtype=torch.float64),
        inducing_sd=torch.full((2, 2), -40.0, dtype=torch.float64),
        lamda=torch.tensor(inverse_softplus(0.5), dtype=torch.float64),
        d_row=raw.d_row,
        d_col=raw.d_col,
    )
    weight, _ = weight_and_kl(still, InducingNoise(*small), e1, Limits(1.0, 1.0, 1.0))
    noise = (weight / 0.5).flatten(1)  # (draws, 6)
    d_row, d_col = F.softplus(raw.d_row), F.softplus(raw.d_col)
    k_row, k_col = raw.z_row @ raw.z_row.T + d_row.square().diag(), raw.z_col @ raw.z_col.T + d_col.square().diag()
    explained = torch.kron(
        raw.z_row.T @ torch.linalg.solve(k_row, raw.z_row), raw.z_col.T @ torch.linalg.solve(k_col, raw.z_col)
    )
    expected = torch.eye(6, dtype=torch.float64) - explained
    assert explained.diagonal().max() > 0.3  # else plain E1 would pass as well
    assert noise.mean(0).abs().max() < 0.012
    assert (noise.T @ noise / draws - expected).abs().max() < 0.015


def test_u_has_the_stated_moments() -> None:
    raw = random_raw(2, 2, 3, 3, seed=5)
    draws = 100_000
    g = torch.Generator().manual_seed(3)
    eps = torch.randn(draws, 2, 2, generator=g, dtype=torch.float64)
    zero, e1 = torch.zeros(draws, 2, 2, dtype=torch.float64), torch.zeros(draws, 3, 3, dtype=torch.float64)
    weight, _ = weight_and_kl(raw, InducingNoise(eps, zero, zero, zero), e1, LIMITS)
    still = InducingNoise(*torch.zeros(4, 2, 2, dtype=torch.float64))
    mean, _ = weight_and_kl(raw, still, e1[0], LIMITS)
    basis = torch.eye(4, dtype=torch.float64).view(4, 2, 2)
    columns = torch.stack(
        [weight_and_kl(raw, InducingNoise(b, zero[0], zero[0], zero[0]), e1[0], LIMITS)[0] - mean for b in basis]
    ).flatten(1)  # W is linear in eps: its covariance is the sum of outer products
    spread = (weight - mean).flatten(1)
    expected = columns.T @ columns
    assert (spread.T @ spread / draws - expected).abs().max() < 0.03 * expected.abs().max()


def test_gradients() -> None:
    raw = random_raw(3, 4, 5, 6)
    noise, e1 = random_noise(raw)
    inputs = [value.clone().requires_grad_() for value in vars(raw).values()]
    assert torch.autograd.gradcheck(lambda *p: weight_and_kl(RawInducing(*p), noise, e1, LIMITS), inputs)


def test_gradients_of_factors_in_a_batch() -> None:
    g = torch.Generator().manual_seed(0)
    z = torch.randn(2, 3, 5, generator=g, dtype=torch.float64, requires_grad=True)
    d = torch.rand(2, 3, generator=g, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda z, d: triangular_factors(Gram.apply(z), d), (z, d))


def test_factors_are_what_they_say() -> None:
    z, d = torch.randn(2, 3, 5, dtype=torch.float64), torch.rand(2, 3, dtype=torch.float64)
    r_factor, a_factor = triangular_factors(z @ z.mT, d)
    k = z @ z.mT + torch.diag_embed(d * d)
    k = k + JITTER * torch.diag_embed(k.diagonal(dim1=1, dim2=2).mean(1, keepdim=True).expand(2, 3))
    assert torch.allclose(r_factor @ k @ r_factor.mT, torch.eye(3, dtype=torch.float64).expand(2, 3, 3), atol=1e-9)
    assert torch.allclose(a_factor @ a_factor.mT, z @ z.mT, rtol=1e-3, atol=1e-3)
    assert torch.equal(r_factor, r_factor.tril())


@pytest.mark.parametrize("shape", [(2, 30, 3, 4), (30, 2, 30, 2), (5, 5, 5, 5)])
def test_chain_is_the_product(shape: tuple[int, int, int, int]) -> None:
    p, q, r, s = shape
    a, x, b = (torch.randn(2, *size, dtype=torch.float64) for size in ((p, q), (q, r), (r, s)))
    assert torch.allclose(chain(a, x, b), a @ x @ b)


def test_positive_is_bounded_and_has_a_finite_logarithm() -> None:
    raw = torch.tensor([-1000.0, -120.0, 0.0, 50.0], requires_grad=True)
    values = positive(raw, 0.1)
    assert values.max() <= 0.1
    values.log().sum().backward()
    assert torch.isfinite(values.log()).all()
    assert torch.isfinite(raw.grad).all()
    for value in (1e-4, 1e-3, 1.0):
        assert F.softplus(torch.tensor(inverse_softplus(value), dtype=torch.float64)).item() == pytest.approx(value)


@pytest.mark.parametrize("name", ["rank one", "tiny", "huge", "one row huge", "rank one, many columns"])
def test_float32_stays_finite(name: str) -> None:
    g = torch.Generator().manual_seed(0)
    z = {
        "rank one": torch.randn(1, 1, generator=g).expand(128, 128).clone(),
        "tiny": 1e-6 * torch.randn(128, 16, generator=g),
        "huge": 1e4 * torch.randn(128, 16, generator=g),
        "one row huge": torch.cat([1e3 * torch.randn(1, 64, generator=g), torch.randn(127, 64, generator=g)]),
        "rank one, many columns": torch.randn(1, 2304, generator=g).expand(128, 2304).clone(),
    }[name].requires_grad_()
    r_factor, a_factor = triangular_factors(Gram.apply(z), torch.full((128,), 1e-3))
    assert torch.isfinite(r_factor).all()
    assert torch.isfinite(a_factor).all()
    (torch.linalg.vector_norm(r_factor @ z) + torch.linalg.vector_norm(a_factor)).backward()
    assert torch.isfinite(z.grad).all()
    # V = R Z has singular values of at most 1 in exact arithmetic
    assert torch.linalg.matrix_norm((r_factor @ z).detach(), 2) < 1.01
