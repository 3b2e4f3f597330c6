"""Posteriors of the last layer against per-example Jacobians and explicit covariance matrices."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.autograd.functional import jacobian

from bkd.errors import SpecError, TrainingFailed
from bkd.laplace.diag import DiagPosterior
from bkd.laplace.full import FullPosterior
from bkd.laplace.kron import KronPosterior
from bkd.laplace.last_layer import LastLayerPosterior
from bkd.laplace.settings import LinkApproximation, PredictionType, Predictive

F, C, N, B = 5, 4, 30, 7
KINDS: dict[str, Callable[..., LastLayerPosterior]] = {
    "kron": KronPosterior, "diag": DiagPosterior, "full": FullPosterior,
}  # fmt: skip
CASES = [(name, has_bias) for name in KINDS for has_bias in (True, False)]


def problem(has_bias: bool) -> tuple[nn.Linear, Tensor, Tensor]:
    """A head with features (N, F) and labels of its training images."""
    torch.manual_seed(3)
    return nn.Linear(F, C, bias=has_bias), torch.randn(N, F).relu(), torch.randint(C, (N,))


def fitted(name: str, has_bias: bool, temperature: float = 1.0) -> tuple[LastLayerPosterior, nn.Linear, Tensor, Tensor]:
    head, phi, y = problem(has_bias)
    posterior = KINDS[name](F, C, has_bias)
    posterior.temperature.fill_(temperature)
    posterior.fit(head, ((phi[i : i + 8], y[i : i + 8]) for i in range(0, N, 8)))
    if name == "full":
        posterior.set_prior_precision(0.8)
    else:
        posterior.set_prior_precision(*(0.8, 2.5)[: 1 + has_bias])
    return posterior, head, phi, y


def jacobians(head: nn.Linear, phi: Tensor) -> tuple[Tensor, Tensor]:
    """Logits (B, C) and their Jacobians (B, C, P) in (weight, bias) flattened, by autograd, in float64."""
    parameters = [p.detach().double() for p in head.parameters()]
    logits, rows = [], []
    for one in phi.double():
        parts = jacobian(lambda *p, one=one: nn.functional.linear(one, *p), tuple(parameters))
        rows.append(torch.cat([part.reshape(C, -1) for part in parts], 1))
        logits.append(nn.functional.linear(one, *parameters))
    return torch.stack(logits), torch.stack(rows)


def likelihood_hessian(probs: Tensor) -> Tensor:
    return torch.diag(probs) - torch.outer(probs, probs)


def curvature(name: str, head: nn.Linear, phi: Tensor) -> Tensor:
    """The (P, P) curvature of each structure from a loop over examples, weights before bias."""
    logits, rows = jacobians(head, phi)
    exact = sum(j.T @ likelihood_hessian(f.softmax(0)) @ j for f, j in zip(logits, rows, strict=True))
    if name == "full":
        return exact
    if name == "diag":
        return exact.diagonal().diag()
    classes = sum(likelihood_hessian(f.softmax(0)) for f in logits)
    features = sum(torch.outer(one, one) for one in phi.double()) / N
    return torch.block_diag(*[torch.kron(classes, features), classes][: 1 + (head.bias is not None)])


def precision_matrix(posterior: LastLayerPosterior, name: str, head: nn.Linear, phi: Tensor) -> Tensor:
    """The posterior precision (P, P)."""
    prior = posterior.prior_precision.double()
    sizes = [C * F, C][: 1 + posterior.has_bias]
    diagonal = torch.cat([prior[min(i, len(prior) - 1)].expand(size) for i, size in enumerate(sizes)])
    return curvature(name, head, phi) / float(posterior.temperature) + diagonal.diag()


@pytest.mark.parametrize(("name", "has_bias"), CASES)
@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_predictive_moments_equal_the_explicit_covariance(name: str, has_bias: bool, temperature: float) -> None:
    posterior, head, phi, _ = fitted(name, has_bias, temperature)
    covariance = torch.linalg.inv(precision_matrix(posterior, name, head, phi))
    x = 3 * torch.randn(B, F)
    logits, rows = jacobians(head, x)
    expected = rows @ covariance @ rows.mT  # (B, C, C)
    torch.testing.assert_close(posterior.logits(x), logits.float(), rtol=1e-5, atol=1e-6)
    variance = posterior.logit_variance(x).double()
    torch.testing.assert_close(variance, expected.diagonal(dim1=1, dim2=2), rtol=1e-5, atol=1e-6)
    wide_variance, row_sums = posterior.logit_moments(x.double())
    torch.testing.assert_close(wide_variance, expected.diagonal(dim1=1, dim2=2), rtol=1e-6, atol=1e-7)
    torch.testing.assert_close(row_sums, expected.sum(2), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("name", "has_bias"), CASES)
def test_marginal_likelihood_equals_its_definition(name: str, has_bias: bool) -> None:
    posterior, head, phi, y = fitted(name, has_bias, temperature=1.7)
    precision = precision_matrix(posterior, name, head, phi)
    prior = (precision - curvature(name, head, phi) / 1.7).diagonal()
    weights = torch.cat([p.detach().double().flatten() for p in head.parameters()])
    sum_ce = nn.functional.cross_entropy(head(phi).detach().double(), y, reduction="sum")
    expected = -sum_ce / 1.7 - 0.5 * (torch.logdet(precision) - prior.log().sum() + prior @ weights.square())
    assert posterior.log_marglik() == pytest.approx(float(expected), rel=1e-6)
    assert posterior.train_nll == pytest.approx(float(sum_ce) / N, rel=1e-6)
    assert int(posterior.num_images) == N
    determined = precision.shape[0] - torch.linalg.inv(precision).diagonal() @ prior
    assert posterior.effective_parameters() == pytest.approx(float(determined), rel=1e-5)


@pytest.mark.parametrize(("name", "has_bias"), CASES)
def test_tuned_prior_is_a_maximum(name: str, has_bias: bool) -> None:
    posterior, *_ = fitted(name, has_bias)
    posterior.maximise_marglik()
    best, values = posterior.log_marglik(), posterior.prior_precision.tolist()
    for i in range(len(values)):
        for factor in (0.9, 1.1):
            posterior.set_prior_precision(*(v * factor if j == i else v for j, v in enumerate(values)))
            assert posterior.log_marglik() < best


@pytest.mark.parametrize(("name", "has_bias"), CASES)
def test_draws_have_the_posteriors_moments(name: str, has_bias: bool) -> None:
    posterior, head, phi, _ = fitted(name, has_bias)
    draws = 20_000
    weight, bias = posterior.draw_weights(draws, torch.Generator().manual_seed(0))
    assert (bias is None) != has_bias
    flat = torch.cat([weight.flatten(1)] + ([bias] if bias is not None else []), 1).double()
    covariance = torch.linalg.inv(precision_matrix(posterior, name, head, phi))
    means = torch.cat([p.detach().double().flatten() for p in head.parameters()])
    sd = covariance.diagonal().sqrt()
    assert ((flat.mean(0) - means).abs() < 5 * sd / draws**0.5).all()
    errors = (flat.T.cov() - covariance).abs() / torch.outer(sd, sd)
    assert errors.max() < 5 * (2 / draws) ** 0.5


@pytest.mark.parametrize(("name", "has_bias"), CASES)
def test_logits_of_draws_are_those_of_the_drawn_weights(name: str, has_bias: bool) -> None:
    posterior, *_ = fitted(name, has_bias)
    x = torch.randn(B, F)
    logits = posterior.draw_logits(x, 3, torch.Generator().manual_seed(5))
    weight, bias = posterior.draw_weights(3, torch.Generator().manual_seed(5))
    for s in range(3):
        expected = nn.functional.linear(x, weight[s], None if bias is None else bias[s])
        torch.testing.assert_close(logits[s], expected, rtol=1e-5, atol=1e-5)
    assert not torch.equal(weight[0], weight[1])


def test_kron_of_one_image_is_the_whole_curvature() -> None:
    head, phi, y = problem(has_bias=False)
    both = KronPosterior(F, C, False), FullPosterior(F, C, False)
    for posterior in both:
        posterior.fit(head, [(phi[:1], y[:1])])
    x = torch.randn(B, F)
    torch.testing.assert_close(both[0].logit_variance(x), both[1].logit_variance(x), rtol=1e-5, atol=1e-6)


def test_certain_predictions_keep_their_curvature() -> None:
    # 1 - p is 1e-9 here: float32 probabilities would sum to a curvature of 0 or below.
    head, phi, y = problem(has_bias=True)
    with torch.no_grad():
        head.weight.zero_()
        head.bias.copy_(torch.tensor([20.7, 0.0, 0.0, 0.0]))
    for name in KINDS:
        posterior = KINDS[name](F, C, True)
        posterior.fit(head, [(phi, y)])
        trace = torch.cat([block.eigenvalues for block in posterior.blocks()][-1:]).sum()
        share = trace if name != "full" else trace / (1 + phi.square().sum(1).mean())
        assert float(share) == pytest.approx(N * 6 * 1.02e-9, rel=0.02)


@pytest.mark.parametrize(("name", "has_bias"), CASES)
def test_state_comes_back_from_safetensors(name: str, has_bias: bool, tmp_path: Path) -> None:
    posterior, *_ = fitted(name, has_bias, temperature=2.0)
    assert not list(posterior.parameters())
    x = torch.randn(B, F)
    empty = KINDS[name](F, C, has_bias)
    empty.logit_variance(x)  # what it has prepared by now must not outlive the load
    save_file(posterior.state_dict(), tmp_path / "posterior.safetensors")
    empty.load_state_dict(load_file(tmp_path / "posterior.safetensors"), strict=True)
    for link in LinkApproximation:
        how = Predictive(PredictionType.GLM, link)
        one, other = (p.probs(x, how, 2, torch.Generator().manual_seed(1)) for p in (posterior, empty))
        assert torch.equal(one, other)
    assert empty.log_marglik() == posterior.log_marglik()
    empty.maximise_marglik()
    posterior.maximise_marglik()
    assert torch.equal(empty.prior_precision, posterior.prior_precision)


def test_full_refuses_what_is_too_large() -> None:
    with pytest.raises(SpecError, match=r"51,300\^2 x 4 = 10,526,760,000 bytes .*kron or diag"):
        FullPosterior(512, 100, True)
    with pytest.raises(SpecError, match="2,304 bytes"):
        FullPosterior(F, C, True, full_max_gib=2303 / 2**30)
    FullPosterior(F, C, True, full_max_gib=2304 / 2**30)


def test_full_keeps_its_accuracy_in_single_precision() -> None:
    head, phi, y = problem(has_bias=True)
    wide, narrow = FullPosterior(F, C, True), FullPosterior(F, C, True, full_max_gib=2304 / 2**30)
    for posterior in (wide, narrow):
        posterior.fit(head, [(phi, y)])
    x = torch.randn(B, F)
    torch.testing.assert_close(narrow.logit_variance(x), wide.logit_variance(x), rtol=1e-4, atol=1e-5)


def test_fit_refuses_no_images_and_broken_weights() -> None:
    head, phi, y = problem(has_bias=True)
    with pytest.raises(SpecError, match="at least 1 image"):
        KronPosterior(F, C, True).fit(head, [])
    with torch.no_grad():
        head.weight[0, 0] = torch.nan
    with pytest.raises(TrainingFailed, match="not finite"):
        KronPosterior(F, C, True).fit(head, [(phi, y)])
