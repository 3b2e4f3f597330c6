"""A state dict of laplace-torch becomes a posterior of bkd's that predicts the same."""

import io
import warnings

import pytest
import torch
from foreign_tree import NAME, write, wrn_16_1
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from bkd.errors import CheckpointError
from bkd.foreign.laplace import laplace_state
from bkd.foreign.layout import read_folder
from bkd.foreign.runs import make_run
from bkd.foreign.snapshot import read_snapshot, state_of
from bkd.laplace.diag import DiagPosterior
from bkd.laplace.full import FullPosterior
from bkd.laplace.kron import KronPosterior
from bkd.laplace.last_layer import LastLayerPosterior
from bkd.laplace.settings import LinkApproximation, PredictionType, Predictive

torch.set_num_threads(1)
FEATURES, CLASSES = 6, 4
POSTERIORS = {"kron": KronPosterior, "diag": DiagPosterior, "full": FullPosterior}


class Tiny(nn.Module):
    """A network small enough for a whole curvature matrix."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(12, FEATURES), nn.Tanh())
        self.fc = nn.Linear(FEATURES, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.body(x))


def fitted(net: nn.Module, structure: str, images: torch.Tensor, labels: torch.Tensor):
    """Return the library's approximation as the paper's script makes it, and what its file then holds."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the library and of what it imports
        from laplace import Laplace

        la = Laplace(net, "classification", subset_of_weights="last_layer", hessian_structure=structure)
        la.fit(DataLoader(TensorDataset(images, labels), batch_size=20))
        la.optimize_prior_precision(method="marglik", pred_type="glm", link_approx="probit")
    file = io.BytesIO()
    torch.save(la.state_dict(), file)
    return la, read_snapshot(file.getvalue())


@pytest.fixture(scope="module")
def tiny() -> tuple[Tiny, torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    net = Tiny().eval()
    images = torch.randn(60, 3, 2, 2)
    return net, images, (net(images) + torch.randn(60, CLASSES)).argmax(1)


@pytest.mark.parametrize("structure", list(POSTERIORS))
def test_probabilities_are_the_librarys(tiny, structure):
    net, images, labels = tiny
    la, value = fitted(net, structure, images, labels)
    state = laplace_state(value, dict(net.state_dict()), "last_layer", structure)
    posterior: LastLayerPosterior = POSTERIORS[structure](FEATURES, CLASSES, True)
    own = {name.removeprefix("posterior."): t for name, t in state.items() if name.startswith("posterior.")}
    posterior.load_state_dict(own, strict=True)
    x = torch.randn(10, 3, 2, 2, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        phi = net.body(x)
        plain = net(x).softmax(-1)
        for link in ("probit", "bridge"):
            expected = la(x, pred_type="glm", link_approx=link)
            got = posterior.probs(phi, Predictive(PredictionType.GLM, LinkApproximation(link), 100), 1, None)[0]
            assert (got - expected).abs().max() < 1e-5, link
            assert (got - plain).abs().max() > 1e-3
    assert posterior.log_marglik() == pytest.approx(float(la.log_marginal_likelihood()), rel=1e-4)
    assert int(posterior.num_images) == 60


def test_a_precision_each_for_weight_and_bias_is_kept(tiny):
    net, images, labels = tiny
    la, value = fitted(net, "kron", images, labels)
    la.prior_precision = torch.tensor([0.3, 4.0])
    value = dict(value) | {"prior_precision": la.prior_precision}
    state = laplace_state(value, dict(net.state_dict()), "last_layer", "kron")
    assert state["posterior.prior_precision"].tolist() == pytest.approx([0.3, 4.0])
    posterior = KronPosterior(FEATURES, CLASSES, True)
    posterior.load_state_dict({n.removeprefix("posterior."): t for n, t in state.items() if n.startswith("posterior.")})
    with torch.no_grad():
        got = posterior.probs(net.body(images), Predictive(PredictionType.GLM, LinkApproximation.PROBIT, 100), 1, None)[
            0
        ]
        assert (got - la(images, pred_type="glm", link_approx="probit")).abs().max() < 1e-5


def test_a_scale_that_is_shared_out_differently_changes_nothing(tiny):
    net, images, labels = tiny
    _, value = fitted(net, "kron", images, labels)
    (classes, features), (bias,) = value["H"]
    moved = dict(value) | {"H": [[classes * 5, features / 5], [bias]]}
    one = laplace_state(value, dict(net.state_dict()), "last_layer", "kron")
    other = laplace_state(moved, dict(net.state_dict()), "last_layer", "kron")
    for name in ("class_values", "feature_values"):
        assert torch.allclose(one[f"posterior.{name}"], other[f"posterior.{name}"], rtol=1e-4, atol=1e-6)


def refusals():
    def change(**values):
        return lambda value: dict(value) | values

    return {
        "another network": (change(mean=torch.zeros(28)), "mean is not the last layer"),
        "no mean": (lambda value: {k: v for k, v in value.items() if k != "mean"}, "no state dict of laplace-torch"),
        "structure": (change(cls_name="DiagLLLaplace"), "cls_name is DiagLLLaplace"),
        "likelihood": (change(likelihood="regression"), "likelihood is regression"),
        "factors": (change(H=torch.zeros(28)), "factors of a weight and a bias"),
        "factor's shape": (change(H=[[torch.eye(4), torch.eye(5)], [torch.eye(4)]]), "H of the features"),
        "other class factors": (change(H=[[torch.eye(4), torch.eye(6)], [torch.ones(4, 4)]]), "other class factors"),
        "not finite": (change(H=[[torch.eye(4), torch.eye(6) * torch.nan], [torch.eye(4)]]), "not finite"),
        "precision": (change(prior_precision=torch.tensor([-1.0])), "prior_precision"),
        "precisions": (change(prior_precision=torch.ones(28)), "prior_precision"),
        "loss": (change(loss="much"), "loss must be one finite number"),
        "temperature": (change(temperature=0.5), "temperature is 0.5"),
        "tensors": (lambda value: torch.zeros(3), "no state dict of laplace-torch"),
    }


@pytest.mark.parametrize("which", list(refusals()))
def test_other_state_dicts_are_refused(tiny, which):
    net, images, labels = tiny
    _, value = fitted(net, "kron", images, labels)
    change, named = refusals()[which]
    with pytest.raises(CheckpointError, match=named):
        laplace_state(change(value), dict(net.state_dict()), "last_layer", "kron")


@pytest.mark.parametrize(("subset", "structure"), [("all", "kron"), ("last_layer", "lowrank")])
def test_posteriors_that_bkd_does_not_read_are_named(tiny, subset, structure):
    with pytest.raises(CheckpointError, match=f"{structure} of {subset}"):
        laplace_state({}, dict(tiny[0].state_dict()), subset, structure)


def test_a_whole_teacher_predicts_as_the_library(tmp_path):
    """The scripts' network with 100 classes, its folder's name, its file: all the way to a teacher's probabilities."""
    from bkd.laplace.teacher import LaplaceTeacher

    net = wrn_16_1()
    draws = torch.Generator().manual_seed(4)
    images, labels = torch.randn(20, 3, 16, 16, generator=draws), torch.randint(0, 100, (20,), generator=draws)
    la, value = fitted(net, "kron", images, labels)
    name = f"{NAME}_last_layer_kron_marglik_glm_probit"
    folder = write(tmp_path / "teachers" / "Laplace" / "wrn_16_1" / name, la.state_dict())
    parent = {"id": "aaaa1111", "name": NAME, "path": "", "kind": "Deterministic", "arch": "wrn_16_1", "trial": 1}
    parent["spec"] = {
        "dataset": "cifar100", "val_fraction": 0.1, "split_seed": 0, "protocol": "paper", "arch": "wrn_16_1",
        "preact_shortcut": False,
    }  # fmt: skip
    result = make_run(read_folder(folder), state_of(net.state_dict()), "0" * 32, parent, posterior=value)
    assert result.run["teacher"] == result.run["spec"]["teacher"] == "aaaa1111"
    teacher = LaplaceTeacher(result.network).freeze()
    with torch.no_grad():
        expected = la(images, pred_type="glm", link_approx="probit")
        got = teacher.predict(images, 1, torch.Generator()).probs(1.0)
        plain = net(images).softmax(-1)
    assert (got - expected).abs().max() < 1e-5
    assert (got - plain).abs().max() > 1e-3
