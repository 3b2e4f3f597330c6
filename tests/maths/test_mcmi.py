"""MCMI: centroids and conditional mutual information against loops, the loss's gradient against autograd, its sign."""

from collections.abc import Iterable, Sequence
from math import log
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from bkd.data.batches import Batch
from bkd.kinds.kind import Material, NetworkShape
from bkd.kinds.table import load_kind
from bkd.learner import Learner, Recipe, Settings
from bkd.mcmi import CrossEntropyWithCMI, centroids, conditional_mutual_information, outputs
from bkd.rng import generator
from bkd.specs import make_spec
from bkd.teachers import NetworkTeacher, Teacher

C = 5


def draw(n: int = 40, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Return logits (n, C), labels (n,) and centroids (C, C), float64."""
    draws = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(n, C, generator=draws, dtype=torch.float64)
    labels = torch.randint(0, C, (n,), generator=draws)
    return logits, labels, torch.randn(C, C, generator=draws, dtype=torch.float64).softmax(1)


def naive_kl(p: list[float], q: list[float]) -> float:
    return sum(a * log(a / b) for a, b in zip(p, q, strict=True) if a > 0)


# ---- centroids and CMI


def test_centroids_are_the_mean_outputs_of_each_class() -> None:
    logits, labels, _ = draw()
    probs = logits.softmax(1)
    found = centroids(probs, labels)
    for label in range(C):
        rows = [probs[i] for i in range(len(labels)) if labels[i] == label]
        assert torch.allclose(found[label], sum(rows) / len(rows), rtol=1e-12)  # type: ignore[arg-type]
    assert torch.allclose(found.sum(1), torch.ones(C, dtype=torch.float64))


def test_the_centroid_of_a_class_without_images_is_uniform() -> None:
    probs = draw()[0].softmax(1)
    found = centroids(probs, torch.zeros(len(probs), dtype=torch.int64))
    assert torch.allclose(found[0], probs.mean(0))
    assert torch.equal(found[1:], torch.full((C - 1, C), 1 / C, dtype=torch.float64))


def test_cmi_is_the_mean_divergence_from_the_own_class() -> None:
    logits, labels, q = draw()
    probs = logits.softmax(1)
    expected = sum(naive_kl(p.tolist(), q[y].tolist()) for p, y in zip(probs, labels, strict=True)) / len(labels)
    assert conditional_mutual_information(probs, labels, q) == pytest.approx(expected, rel=1e-12)


def test_cmi_of_outputs_that_are_their_centroids_is_zero_and_of_others_positive() -> None:
    logits, labels, _ = draw()
    probs = logits.softmax(1)
    q = centroids(probs, labels)
    assert conditional_mutual_information(q[labels], labels, q) == pytest.approx(0, abs=1e-14)
    assert conditional_mutual_information(probs, labels, q) > 0.1


def test_cmi_is_least_at_the_classes_own_means() -> None:
    """The centroids minimise the mean divergence, so that any others give an estimate that is too high."""
    logits, labels, other = draw()
    probs = logits.softmax(1)
    least = conditional_mutual_information(probs, labels, centroids(probs, labels))
    assert least < conditional_mutual_information(probs, labels, other)


def test_outputs_without_doubt_have_a_finite_cmi() -> None:
    probs = torch.eye(C, dtype=torch.float64)[torch.tensor([0, 1, 0, 2])]
    labels = torch.tensor([0, 0, 1, 2])
    expected = (2 * log(2)) / 4  # class 0 is half in one corner, half in another; the others are their centroids
    assert conditional_mutual_information(probs, labels, centroids(probs, labels)) == pytest.approx(expected)


class Counting(nn.Module):
    """A network that behaves differently in training."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(3)
        self.linear = nn.Linear(3, C)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.linear(self.norm(x))
        return out


@pytest.mark.parametrize("is_training", [True, False])
def test_outputs_are_those_of_evaluation_and_leave_the_network_alone(is_training: bool) -> None:
    network = Counting().train(is_training)
    x, y = torch.randn(10, 3), torch.arange(10) % C
    before = {name: value.clone() for name, value in network.state_dict().items()}

    def batches() -> Iterable[Batch]:
        for index in torch.arange(10).split(4):
            yield Batch(x[index], y[index], index, None)

    probs, labels = outputs(network, batches())
    assert network.training is is_training
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert torch.equal(labels, y)
    assert probs.dtype is torch.float64
    assert not probs.requires_grad
    with torch.no_grad():
        assert torch.allclose(probs, network.eval()(x).double().softmax(1), atol=1e-6)


# ---- the loss


@pytest.mark.parametrize("lam", [0.0, 0.15, 2.0, -0.2])
def test_the_loss_is_cross_entropy_less_lam_times_cmi(lam: float) -> None:
    logits, labels, q = draw()
    terms = CrossEntropyWithCMI(lam, q).terms(logits, labels)
    log_probs = logits.log_softmax(1)
    ce = sum(-float(row[y]) for row, y in zip(log_probs, labels, strict=True)) / len(labels)
    cmi = conditional_mutual_information(logits.softmax(1), labels, q)
    assert float(terms["ce"]) == pytest.approx(ce, rel=1e-12)
    assert float(terms["cmi"]) == pytest.approx(cmi, rel=1e-10)
    assert float(terms["loss"]) == pytest.approx(ce - lam * cmi, rel=1e-10)


@pytest.mark.parametrize("lam", [0.0, 0.15, 2.0, -0.2])
def test_the_residual_is_the_gradient_of_each_examples_loss(lam: float) -> None:
    logits, labels, q = draw()
    objective = CrossEntropyWithCMI(lam, q)
    tracked = logits.clone().requires_grad_()
    objective.terms(tracked, labels)["loss"].backward()  # type: ignore[no-untyped-call]
    assert tracked.grad is not None
    found = objective.residual(logits, labels)
    assert torch.allclose(found, tracked.grad * len(labels), rtol=0, atol=1e-12)
    assert torch.allclose(found.sum(1), torch.zeros(len(labels), dtype=torch.float64), atol=1e-12)


def test_the_gradient_is_right() -> None:
    logits, labels, q = draw(6)
    objective = CrossEntropyWithCMI(0.7, q)
    assert torch.autograd.gradcheck(lambda z: objective.terms(z, labels)["loss"], logits.clone().requires_grad_())


@pytest.mark.parametrize(("lam", "grows"), [(0.5, True), (-0.5, False)])
def test_a_step_against_the_cmis_part_raises_it_for_positive_lam_and_lowers_it_for_negative(
    lam: float, grows: bool
) -> None:
    logits, labels, _ = draw()
    q = centroids(logits.softmax(1), labels)
    with_cmi, without = CrossEntropyWithCMI(lam, q), CrossEntropyWithCMI(0.0, q)
    part = with_cmi.residual(logits, labels) - without.residual(logits, labels)
    before, after = (conditional_mutual_information(z.softmax(1), labels, q) for z in (logits, logits - 0.01 * part))
    assert (after > before) is grows
    assert after != before


def test_half_precision_is_computed_in_single() -> None:
    logits, labels, q = draw()
    objective, half = CrossEntropyWithCMI(0.3, q.float()), logits.bfloat16()
    terms = objective.terms(half, labels)
    assert terms["loss"].dtype is torch.float32
    assert torch.equal(terms["loss"], objective.terms(half.float(), labels)["loss"])
    assert torch.equal(objective.residual(half, labels), objective.residual(half.float(), labels))


def test_a_centroid_of_zero_keeps_loss_and_gradient_finite() -> None:
    logits, labels, _ = draw()
    objective = CrossEntropyWithCMI(0.3, torch.eye(C))
    assert torch.isfinite(objective.terms(logits.float(), labels)["loss"])
    assert torch.isfinite(objective.residual(logits.float(), labels)).all()


# ---- the kind


KIND, SHAPE = load_kind("MCMI"), NetworkShape(1, 10, 60)
IMAGES = torch.randn(60, 1, 8, 8, generator=generator(0, "images"))
CLASSES = torch.randint(0, 10, (60,), generator=generator(0, "classes"))


def recipe_of(seed: int = 0, **values: Any) -> tuple[Recipe, Any]:
    spec = make_spec(KIND.spec, {"teacher": "aa", "arch": "wrn_16_1", "dataset": "digits"} | values)
    torch.manual_seed(seed)
    assert KIND.build is not None
    return KIND.build(spec, SHAPE), spec


def batches() -> Iterable[Batch]:
    for index in torch.arange(60).split(25):
        yield Batch(IMAGES[index], CLASSES[index], index, None)


class Sources:
    """The teacher that an MCMI teacher starts from, and how often it was loaded."""

    def __init__(self) -> None:
        self.network = recipe_of(seed=9)[0].network.eval()
        self.times = 0

    def __call__(self) -> Sequence[Teacher]:
        self.times += 1
        return [NetworkTeacher(self.network)]


def begin(recipe: Recipe, spec: Any, sources: Sources, *, is_resumed: bool) -> None:
    assert KIND.begin is not None
    KIND.begin(recipe, spec, Material(sources, batches, batches, torch.device("cpu")), is_resumed)


def learner_of(recipe: Recipe) -> Learner:
    return Learner(
        "a", recipe,
        Settings(1, torch.device("cpu"), lambda epoch: 0.1, lambda parameters: torch.optim.SGD(parameters, lr=0.1)),
    )  # fmt: skip


def own_cmi(network: nn.Module) -> float:
    probs, labels = outputs(network, batches())
    return conditional_mutual_information(probs, labels, centroids(probs, labels))


@pytest.mark.parametrize(("sign", "lam"), [("authors", 0.2), ("reference", -0.2)])
def test_the_sign_is_the_authors_unless_asked_for(sign: str, lam: float) -> None:
    assert recipe_of(mcmi_param=0.2)[0].objective.lam == 0.2  # type: ignore[attr-defined]
    recipe, _ = recipe_of(mcmi_param=0.2, mcmi_sign=sign)
    assert recipe.objective.lam == lam  # type: ignore[attr-defined]
    other = {"authors": "reference", "reference": "authors"}[sign]
    assert f"CE {'-' if lam > 0 else '+'} 0.2 CMI" in recipe.notes[0]
    assert f"--mcmi-sign {other}" in recipe.notes[0]


def test_it_starts_from_the_teachers_weights_with_the_centroids_of_its_outputs() -> None:
    recipe, spec = recipe_of()
    sources, q = Sources(), recipe.extra["centroids"]
    begin(recipe, spec, sources, is_resumed=False)
    for name, value in sources.network.state_dict().items():
        assert torch.equal(recipe.network.state_dict()[name], value), name
    expected = centroids(*outputs(sources.network, batches()))
    assert torch.equal(recipe.extra["centroids"], expected.float())
    assert recipe.objective.q is recipe.extra["centroids"] is q  # type: ignore[attr-defined]
    assert recipe.figures == {"mcmi/cmi_before": pytest.approx(own_cmi(sources.network), rel=1e-12)}
    recipe.before_epoch(3)
    assert torch.equal(q, expected.float())  # fixed unless they are to be refreshed
    nn.init.constant_(recipe.network.head.weight, 0.0)
    assert recipe.closing() == {"mcmi/cmi_after": pytest.approx(own_cmi(recipe.network), abs=1e-12)}


def test_refreshed_centroids_are_those_of_the_network_as_it_is_before_the_epoch() -> None:
    recipe, spec = recipe_of(refresh_centroids=True)
    begin(recipe, spec, Sources(), is_resumed=False)
    before = recipe.extra["centroids"].clone()
    with torch.no_grad():
        recipe.network.head.weight.mul_(-1)
    recipe.before_epoch(1)
    assert not torch.allclose(recipe.extra["centroids"], before)
    assert torch.equal(recipe.objective.q, centroids(*outputs(recipe.network, batches())).float())  # type: ignore[attr-defined]


@pytest.mark.parametrize("refresh", [False, True])
def test_a_resumed_run_goes_on_with_the_weights_and_centroids_of_its_checkpoint(refresh: bool) -> None:
    first, spec = recipe_of(refresh_centroids=refresh)
    begin(first, spec, Sources(), is_resumed=False)
    with torch.no_grad():
        first.network.head.weight.mul_(-1)  # it has been trained for a while
    groups = {
        name: {key: value.clone() for key, value in group.items()}
        for name, group in learner_of(first).tensors().items()
    }

    resumed, spec = recipe_of(seed=5, refresh_centroids=refresh)
    sources = Sources()
    learner_of(resumed).load_tensors(groups)
    begin(resumed, spec, sources, is_resumed=True)

    assert sources.times == 0
    for name, value in first.network.state_dict().items():
        assert torch.equal(resumed.network.state_dict()[name], value), name
    assert torch.equal(resumed.objective.q, first.extra["centroids"])  # type: ignore[attr-defined]
    assert resumed.objective.q is resumed.extra["centroids"]  # type: ignore[attr-defined]
    assert resumed.closing() == {"mcmi/cmi_after": pytest.approx(own_cmi(first.network), rel=1e-12)}
    resumed.before_epoch(2)
    expected = centroids(*outputs(first.network, batches())).float() if refresh else first.extra["centroids"]
    assert torch.equal(resumed.extra["centroids"], expected)
