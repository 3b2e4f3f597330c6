"""The closed forms against laplace-torch: same probabilities, same marginal likelihood, a prior at least as good."""

import copy
import warnings
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from bkd.laplace.diag import DiagPosterior
from bkd.laplace.full import FullPosterior
from bkd.laplace.kron import KronPosterior
from bkd.laplace.last_layer import LastLayerPosterior
from bkd.laplace.settings import LinkApproximation, PredictionType, Predictive

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of what it imports
    from laplace import Laplace

INPUTS, F, C, N, B = 6, 12, 6, 120, 25
KINDS = {"kron": KronPosterior, "diag": DiagPosterior, "full": FullPosterior}
GLM, NN = PredictionType.GLM, PredictionType.NN
TOLERANCE = 1e-5


def trained(has_bias: bool) -> tuple[nn.Sequential, Tensor, Tensor]:
    """A float32 network that fits its N images a little, and the images."""
    torch.manual_seed(1)
    net = nn.Sequential(nn.Linear(INPUTS, F), nn.ReLU(), nn.Linear(F, C, bias=has_bias))
    x = torch.randn(N, INPUTS)
    y = (x[:, :C] + 0.5 * torch.randn(N, C)).argmax(1)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.05)
    for _ in range(60):
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(x), y).backward()
        optimizer.step()
    return net.eval(), x, y


def deviation(one: Tensor, other: Tensor) -> float:
    """The largest difference of two means over draws, in standard errors."""
    error = ((one.var(0) + other.var(0)) / len(one)).sqrt().clamp_min(1e-6)
    return float(((one.mean(0) - other.mean(0)).abs() / error).max())


@pytest.fixture(scope="module")
def networks() -> dict[bool, tuple[nn.Sequential, Tensor, Tensor]]:
    return {has_bias: trained(has_bias) for has_bias in (True, False)}


def oracle(net: nn.Module, structure: str, x: Tensor, y: Tensor, temperature: float, subset: str = "last_layer") -> Any:
    la = Laplace(net, "classification", subset, structure, temperature=temperature)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # torch.func.jvp loads scripts that torch deprecates
        la.fit(DataLoader(TensorDataset(x, y), batch_size=32))
    return la


def ours(net: nn.Sequential, structure: str, x: Tensor, y: Tensor, temperature: float) -> LastLayerPosterior:
    head = net[2]
    posterior = KINDS[structure](F, C, head.bias is not None)
    posterior.temperature.fill_(temperature)
    with torch.no_grad():
        phi = net[:2](x)
    posterior.fit(head, zip(phi.split(50), y.split(50), strict=True))
    return posterior


def tuned(la: Any, prior_structure: str) -> float:
    """The library's marginal likelihood after its own tuning."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it reminds everyone of link_approx
        la.optimize_prior_precision(method="marglik", prior_structure=prior_structure)
    return float(la.log_marginal_likelihood())


@pytest.mark.parametrize("has_bias", [True, False])
@pytest.mark.parametrize("temperature", [1.0, 3.0])
@pytest.mark.parametrize("structure", KINDS)
def test_probabilities_equal_the_librarys(networks: Any, structure: str, temperature: float, has_bias: bool) -> None:
    net, x, y = networks[has_bias]
    posterior = ours(net, structure, x, y, temperature)
    images = 2 * torch.randn(B, INPUTS, generator=torch.Generator().manual_seed(2))
    phi, plain = net[:2](images).detach(), net(images).softmax(1)
    wide = copy.deepcopy(net).double()
    # In float32 the library's own rounding exceeds 1e-5 under a weak prior; its answer in float64 shows whose it is.
    for dtype, la, precisions in (
        (torch.float32, oracle(net, structure, x, y, temperature), (1.0, 20.0)),
        (torch.float64, oracle(wide, structure, x.double(), y, temperature), (0.01, 1.0, 20.0)),
    ):
        for precision in precisions:
            la.prior_precision = precision
            posterior.set_prior_precision(precision)
            assert posterior.log_marglik() == pytest.approx(float(la.log_marginal_likelihood()), rel=1e-5)
            for link in ("probit", "bridge", "bridge_norm"):
                expected = la(images.to(dtype), pred_type="glm", link_approx=link).float()
                # Without an active feature and a bias there is no variance, and the library's bridge answers 1 for
                # every class.
                expected = expected / expected.sum(1, keepdim=True)
                got = posterior.probs(phi, Predictive(GLM, LinkApproximation(link)), 1, None)[0]
                assert (got - expected).abs().max() < TOLERANCE, (link, precision, dtype)
                assert (got - plain).abs().max() > 1e-3, (link, precision)


@pytest.mark.parametrize("has_bias", [True, False])
@pytest.mark.parametrize("structure", KINDS)
def test_draws_equal_the_librarys_in_distribution(networks: Any, structure: str, has_bias: bool) -> None:
    net, x, y = networks[has_bias]
    la, posterior = oracle(net, structure, x, y, 1.0), ours(net, structure, x, y, 1.0)
    la.prior_precision = 2.0
    posterior.set_prior_precision(2.0)
    images, draws = x[:B], 8_000
    phi = net[:2](images).detach()
    torch.manual_seed(0)  # the library ignores a generator given for its Monte-Carlo predictions
    expected = la.predictive_samples(images, pred_type="glm", n_samples=draws)
    sampled = la(images, pred_type="nn", link_approx="mc", n_samples=4000)
    for pred_type in (GLM, NN):
        probs = posterior.probs(
            phi, Predictive(pred_type, LinkApproximation.MC), draws, torch.Generator().manual_seed(3)
        )
        assert probs.shape == (draws, B, C)
        for power in (1, 2):
            assert deviation(probs**power, expected**power) < 5.5
        error = (probs.std(0) / 4000**0.5).clamp_min(1e-4)  # the library's running float32 sum rounds that much
        assert ((probs.mean(0) - sampled).abs() / error).max() < 5.5


@pytest.mark.parametrize("has_bias", [True, False])
@pytest.mark.parametrize("temperature", [1.0, 3.0])
@pytest.mark.parametrize("structure", KINDS)
def test_tuned_prior_is_at_least_the_librarys(
    networks: Any, structure: str, temperature: float, has_bias: bool
) -> None:
    net, x, y = networks[has_bias]
    posterior = ours(net, structure, x, y, temperature)
    posterior.maximise_marglik()
    rounding = 1e-5 * abs(posterior.log_marglik())
    assert posterior.log_marglik() >= tuned(oracle(net, structure, x, y, temperature), "scalar") - rounding
    if structure != "full":  # a layer's own precision does not separate there
        # The library refuses a layer-wise prior for a last layer. The same posterior is that of a network that is
        # nothing but this layer, with features for images.
        features, alone = net[:2](x).detach(), nn.Sequential(net[2])
        la = oracle(alone, structure, features, y, temperature, subset="all")
        assert posterior.log_marglik() >= tuned(la, "layerwise") - rounding
        if has_bias:
            la.prior_precision = posterior.prior_precision
            assert posterior.log_marglik() == pytest.approx(float(la.log_marginal_likelihood()), rel=1e-5)
