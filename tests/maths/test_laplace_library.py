"""Posteriors through laplace-torch against the library used directly, and their life as plain tensors."""

import copy
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from bkd.data.batches import Batch
from bkd.errors import CheckpointError, SpecError
from bkd.laplace.fit import build_laplace, fit_laplace
from bkd.laplace.library import LibraryPosterior
from bkd.laplace.network import LaplaceNetwork
from bkd.laplace.prior import COARSE_GRID
from bkd.laplace.settings import (
    HessianStructure,
    LaplaceSettings,
    LinkApproximation,
    PredictionType,
    Predictive,
    PriorTuning,
    WeightSubset,
)
from bkd.models.network import Network
from bkd.models.table import load_weights

C, N, SHAPE = 4, 40, (1, 4, 4)
GLM, NN = PredictionType.GLM, PredictionType.NN
CASES = [
    ("all", "kron"), ("all", "diag"), ("all", "full"), ("all", "lowrank"), ("all", "gp"), ("subnetwork", "diag"),
    ("subnetwork", "full"), ("last_layer", "gp"),
]  # fmt: skip
WEIGHTED = [case for case in CASES if case[1] != "gp"]


class Small(Network):
    """A network with batch norm, an in-place ReLU and a convolution without bias."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 3, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(3)
        self.fc = nn.Linear(3 * 16, C)

    def forward_features(self, x: Tensor) -> Tensor:
        return nn.functional.relu(self.bn(self.conv(x)), inplace=True).flatten(1)


def images() -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(N, *SHAPE, generator=draw)
    return x, (x.flatten(1)[:, :C] + 0.3 * torch.randn(N, C, generator=draw)).argmax(1)


def batches() -> Iterator[Batch]:
    x, y = images()
    return (Batch(x[i : i + 16], y[i : i + 16], torch.arange(i, i + len(x[i : i + 16])), None) for i in range(0, N, 16))


@pytest.fixture(scope="module")
def network() -> Small:
    torch.manual_seed(0)
    net = Small()
    net.bn.running_mean.normal_()
    net.bn.running_var.uniform_(0.5, 2)
    x, y = images()
    optimizer = torch.optim.Adam(net.eval().parameters(), lr=0.02)
    for _ in range(40):
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(x), y).backward()
        optimizer.step()
    net.zero_grad()
    return net


def settings(subset: str, structure: str, **others: Any) -> LaplaceSettings:
    sizes = {"subnetwork_size": 20, "gp_images": 8, "lowrank_size": 6}
    return LaplaceSettings(WeightSubset(subset), HessianStructure(structure), **(sizes | others))


@pytest.fixture(scope="module")
def fitted(network: Small) -> dict[tuple[str, str], tuple[LaplaceNetwork, LaplaceSettings, dict[str, float]]]:
    """Each case, fitted at temperature 1.5 with a tuned prior."""
    results = {}
    for case in CASES:
        how = settings(*case, temperature=1.5)
        module = build_laplace(copy.deepcopy(network), how, SHAPE)
        results[case] = module, how, fit_laplace(module, batches, batches, how)
    return results


def oracle(network: Small, subset: str, structure: str, index: Tensor) -> Any:
    """The library's own object, fitted by its own loader."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what it imports
        from laplace import Laplace
        from laplace.curvature import CurvlinopsGGN

        net, more = copy.deepcopy(network), {}
        if structure == "kron":
            net.bn.requires_grad_(False)  # the library has no Kronecker factors of it
        if structure == "gp":
            more = {"n_subset": 8, "backend": CurvlinopsGGN}
        if subset == "subnetwork":
            more = {"subnetwork_indices": index}
        la = Laplace(net, "classification", subset, structure, temperature=1.5, **more)
        la.fit(DataLoader(TensorDataset(*images()), batch_size=16))
    return la


def probs(module: LaplaceNetwork, x: Tensor, pred_type: PredictionType, link: str, chunk: int = 100) -> Tensor:
    return module.predict(x, Predictive(pred_type, LinkApproximation(link), chunk), 3, torch.Generator().manual_seed(1))


@pytest.mark.parametrize("case", [c for c in CASES if c not in (("all", "lowrank"), ("all", "gp"))], ids="-".join)
def test_predictions_equal_the_librarys(network: Small, fitted: Any, case: tuple[str, str]) -> None:
    module, _, figures = fitted[case]
    la = oracle(network, *case, module.posterior.index if case[0] == "subnetwork" else torch.empty(0))
    la.prior_precision = figures["laplace/prior_precision"]
    assert figures["laplace/log_marglik"] == pytest.approx(float(la.log_marginal_likelihood()), rel=1e-4)
    x = torch.randn(9, *SHAPE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says that it recomputes the GP for the new prior
        for link in ("probit", "bridge", "bridge_norm"):
            expected = la(x, pred_type="gp" if case[1] == "gp" else "glm", link_approx=link)
            assert (probs(module, x, GLM, link)[0] - expected).abs().max() < 1e-5, link


def test_lowrank_has_the_leading_eigenpairs(fitted: Any) -> None:
    low, full = (fitted["all", name][0].posterior for name in ("lowrank", "full"))
    values, vectors = torch.linalg.eigh(full.curvature.double())
    torch.testing.assert_close(low.eigenvalues.double().sort().values, values[-6:], rtol=1e-4, atol=1e-5)
    overlap = low.eigenvectors.double().T @ vectors[:, -6:]
    torch.testing.assert_close(overlap.square().sum(0), torch.ones(6, dtype=torch.float64), rtol=0, atol=1e-3)


def test_lowrank_predicts_from_its_explicit_covariance(fitted: Any) -> None:
    module, x = fitted["all", "lowrank"][0], torch.randn(3, *SHAPE)
    posterior = module.posterior
    la = posterior._engine(module.network)
    vectors, values = posterior.eigenvectors.double(), posterior.eigenvalues.double() / 1.5
    precision = posterior.prior_precision.double() * torch.eye(len(vectors)) + vectors * values @ vectors.T
    rows, mean = la.backend.jacobians(x)
    covariance = rows.double() @ torch.linalg.inv(precision) @ rows.double().mT
    scale = (1 + torch.pi / 8 * covariance.diagonal(dim1=1, dim2=2)).rsqrt()
    expected = (mean * scale).softmax(1).float()
    assert (probs(module, x, GLM, "probit")[0] - expected).abs().max() < 1e-5
    weights = torch.cat([p.detach().flatten() for p in module.network.parameters()]).double()
    fixed = -posterior.sum_ce / 1.5 - 0.5 * posterior.prior_precision * weights.square().sum()
    determinants = len(vectors) * posterior.prior_precision.double().log() - torch.logdet(precision)
    assert posterior.log_marglik() == pytest.approx(float(fixed + 0.5 * determinants), rel=1e-4)


def test_subnetwork_is_of_largest_magnitude(network: Small, fitted: Any) -> None:
    flat = torch.cat([p.detach().flatten() for p in network.parameters()]).abs()
    index = fitted["subnetwork", "full"][0].posterior.index
    assert flat[index].min() >= flat[~torch.isin(torch.arange(len(flat)), index)].max()


@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_state_is_plain_tensors_and_comes_back(
    network: Small, fitted: Any, case: tuple[str, str], tmp_path: Path
) -> None:
    module, how, figures = fitted[case]
    assert not list(module.posterior.parameters())
    save_file(module.state_dict(), tmp_path / "model.safetensors")
    other = build_laplace(Small(), how, SHAPE).eval()
    state = load_file(tmp_path / "model.safetensors")
    load_weights(other, state)
    x = torch.randn(9, *SHAPE)
    for pred_type, link in ((GLM, "probit"), (GLM, "bridge"), (GLM, "mc"), (NN, "mc")):
        if not (case[1] == "gp" and pred_type is NN):
            torch.testing.assert_close(probs(other, x, pred_type, link), probs(module, x, pred_type, link))
    assert other.posterior.log_marglik() == pytest.approx(figures["laplace/log_marglik"], rel=1e-5)
    state["posterior.prior_precision"] = state["posterior.prior_precision"] * 100
    load_weights(other, state)  # a second load replaces what the first one made
    assert (probs(other, x, GLM, "probit") - probs(module, x, GLM, "probit")).abs().max() > 1e-4
    with pytest.raises(CheckpointError):
        load_weights(build_laplace(Small(), settings("all", "diag" if case != ("all", "diag") else "full")), state)


@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_chunks_change_no_result(fitted: Any, case: tuple[str, str]) -> None:
    module, x = fitted[case][0], torch.randn(9, *SHAPE)
    for pred_type, link in ((GLM, "probit"), (GLM, "bridge_norm"), (GLM, "mc"), (NN, "mc")):
        if not (case[1] == "gp" and pred_type is NN):
            one, other = (probs(module, x, pred_type, link, chunk) for chunk in (2, 100))
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("case", WEIGHTED, ids="-".join)
def test_linearised_draws_are_the_linearised_network_at_drawn_weights(fitted: Any, case: tuple[str, str]) -> None:
    module, x = fitted[case][0], images()[0][:5]
    la = module.posterior._engine(module.network)
    backend = copy.copy(la.backend)
    backend.subnetwork_indices = None
    rows, mean = backend.jacobians(x)  # (B, C, P), (B, C)
    got, draw = probs(module, x, GLM, "mc"), torch.Generator().manual_seed(1)
    for s in range(3):
        logits = mean + rows @ (la.sample(1, draw)[0] - la.mean)
        torch.testing.assert_close(got[s], logits.softmax(1), rtol=1e-4, atol=1e-5)
    assert (got[0] - got[1]).abs().max() > 1e-3


def test_gp_draws_have_each_images_moments(fitted: Any) -> None:
    module, x, draws = fitted["all", "gp"][0], images()[0][:4], 4000
    how = Predictive(GLM, LinkApproximation.MC)
    logits = module.predict(x, how, draws, torch.Generator().manual_seed(0)).log()
    contrasts = logits - logits.mean(2, keepdim=True)
    mean, covariance = module.posterior._engine(module.network)._glm_predictive_distribution(x)
    centre = torch.eye(C) - 1 / C
    variance = (centre @ covariance @ centre).diagonal(dim1=1, dim2=2)
    assert ((contrasts.mean(0) - mean @ centre).abs() / (variance / draws).sqrt()).max() < 5
    assert (contrasts.var(0) / variance - 1).abs().max() < 5 * (2 / draws) ** 0.5


def test_gp_variance_is_the_posterior_kernel(fitted: Any) -> None:
    # The library used directly gives negative variances here: it swaps the classes of the two images of a kernel.
    module = fitted["all", "gp"][0]
    la, x = module.posterior._engine(module.network), torch.randn(3, *SHAPE)
    train, test = (la.backend.jacobians(images)[0].double() for images in (module.posterior.images, x))
    prior = 8 / N / module.posterior.prior_precision.double()
    likelihood = (module.posterior.likelihood_curvature.double() / 1.5).reciprocal()
    inverse = torch.linalg.inv(prior * torch.einsum("mcp,nep->mcne", train, train).reshape(32, 32) + likelihood.diag())
    for i in range(3):
        cross = prior * torch.einsum("cp,mep->cme", test[i], train).reshape(C, 32)
        expected = prior * test[i] @ test[i].T - cross @ inverse @ cross.T
        got = la._glm_predictive_distribution(x)[1][i].double()
        torch.testing.assert_close(got, expected, rtol=1e-3, atol=1e-3 * float(expected.diagonal().max()))


def test_sampled_predictions_are_the_networks_at_drawn_weights(fitted: Any) -> None:
    module, x = fitted["all", "diag"][0], images()[0][:5]
    la = module.posterior._engine(module.network)
    got = probs(module, x, NN, "probit")
    network, draw = copy.deepcopy(module.network), torch.Generator().manual_seed(1)
    for s in range(3):
        nn.utils.vector_to_parameters(la.sample(1, draw)[0], network.parameters())
        torch.testing.assert_close(got[s], network(x).softmax(1))


def test_a_fit_leaves_the_network_as_it_was(network: Small) -> None:
    net = copy.deepcopy(network)
    net.conv.requires_grad_(False)
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    flags = [p.requires_grad for p in net.parameters()]
    how = settings("all", "kron")
    module = build_laplace(net, how)
    fit_laplace(module, batches, batches, how)
    probs(module, images()[0], GLM, "mc")
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())
    assert [p.requires_grad for p in net.parameters()] == flags
    assert all(p.grad is None for p in net.parameters())
    assert not net.training


def test_search_takes_the_precision_of_least_held_out_nll(network: Small) -> None:
    how = settings("all", "diag", la_method=PriorTuning.GRIDSEARCH, link_approx=LinkApproximation.PROBIT)
    module = build_laplace(copy.deepcopy(network), how)
    figures = fit_laplace(module, batches, batches, how)
    x, y = images()
    nlls = []
    for precision in COARSE_GRID:
        module.posterior.set_prior_precision(precision)
        nlls.append(float(nn.functional.nll_loss(probs(module, x, GLM, "probit")[0].log(), y)))
    assert figures["laplace/val_nll"] == pytest.approx(min(nlls), rel=1e-5)
    assert figures["laplace/prior_precision"] == pytest.approx(COARSE_GRID[nlls.index(min(nlls))])


@pytest.mark.parametrize(
    ("subset", "structure", "others", "message"),
    [
        ("last_layer", "lowrank", {}, "one of kron, diag, full, gp, got lowrank"),
        ("subnetwork", "kron", {}, "one of diag, full, got kron"),
        ("all", "gp", {"pred_type": NN}, "must be glm for hess_struct gp"),
        ("all", "diag", {"temperature": 0.0}, "temperature must be > 0, got 0.0"),
    ],
)
def test_settings_refuse_what_does_not_exist(subset: str, structure: str, others: Any, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        settings(subset, structure, **others)


@pytest.mark.parametrize(
    ("subset", "structure", "others", "message"),
    [
        ("all", "full", {"full_max_gib": 1e-6}, "229\\^2 x 4 = 209,764 bytes"),
        ("subnetwork", "diag", {"subnetwork_size": 230}, "at most the network's 229 weights, got 230"),
        ("all", "lowrank", {"lowrank_size": 229}, "below the network's 229 weights"),
        ("all", "gp", {"full_max_gib": 1e-6}, "8 images x 4 classes"),
    ],
)
def test_sizes_are_refused_before_anything_is_computed(subset: str, structure: str, others: Any, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        LibraryPosterior(Small(), settings(subset, structure, **others), SHAPE)


def test_gp_refuses_more_images_than_there_are(network: Small) -> None:
    how = settings("all", "gp", gp_images=41)
    with pytest.raises(SpecError, match="at most the 40 training images, got 41"):
        fit_laplace(build_laplace(copy.deepcopy(network), how, SHAPE), batches, batches, how)
