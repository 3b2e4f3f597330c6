"""Teachers made of others: means of their members' or views' probabilities, with draws that students can share."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torchvision.transforms import functional as vision

from bkd.catalog import DATASETS, DatasetInfo
from bkd.combined import AugmentedTeacher, EnsembleTeacher, MeanPrediction
from bkd.data.augment import Views, apply_views, fixed_views, normalise
from bkd.kinds.table import load_kind
from bkd.losses import soften
from bkd.models.table import build_model
from bkd.rng import generator
from bkd.specs import make_spec
from bkd.teachers import LogitsPrediction, NetworkTeacher, Prediction, ProbsPrediction, Teacher, VariationalTeacher

DIGITS, CIFAR = DATASETS["digits"], DATASETS["cifar100"]
B, C = 6, 10


def images(seed: int = 0, info: DatasetInfo = DIGITS) -> Tensor:
    return torch.randn(B, info.channels, info.side, info.side, generator=generator(seed, "images"))


def network(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return build_model("wrn_16_1", in_channels=1, num_classes=C)


def plain(seed: int) -> NetworkTeacher:
    return NetworkTeacher(network(seed))


def variational(seed: int) -> VariationalTeacher:
    spec = make_spec(load_kind("Bayesian").spec, {"arch": "wrn_16_1", "dataset": "digits", "max_lamda": 1.0})
    from bkd.kinds.kind import NetworkShape

    torch.manual_seed(seed)
    recipe = load_kind("Bayesian").build(spec, NetworkShape(1, C, 100))
    for name, parameter in recipe.network.named_parameters():
        if "lamda" in name or "sd" in name:
            nn.init.constant_(parameter, 0.0)  # wide posteriors, so that draws differ by much
    return VariationalTeacher(recipe.network, recipe.posterior)


class GivenProbs(Teacher):
    """Answers with S draws of probabilities, as a sampled Laplace approximation does."""

    is_stochastic = True

    def _predict(self, x: Tensor, num_samples: int, generator: torch.Generator) -> Prediction:
        return ProbsPrediction(
            torch.stack([torch.randn(len(x), C, generator=generator).softmax(1) for _ in range(num_samples)])
        )


def ask(teacher: Teacher, num_samples: int = 1, *, stream: str = "draws") -> Prediction:
    return teacher.predict(images(), num_samples, generator(1, stream))


# ---- ensemble


@pytest.mark.parametrize("temperature", [1.0, 4.0, 0.5])
def test_an_ensembles_p_is_the_mean_of_its_members_own(temperature: float) -> None:
    members = [plain(seed) for seed in range(3)]
    teacher = EnsembleTeacher(members).freeze()
    assert not teacher.is_stochastic
    own = [ask(member).probs(temperature) for member in members]
    found = ask(teacher).probs(temperature)
    assert torch.allclose(found, sum(own) / 3, atol=1e-7)  # type: ignore[arg-type]
    assert torch.allclose(ask(teacher).draw_probs(temperature), found[None])


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_members_with_draws_keep_their_own_way_to_a_temperature(temperature: float) -> None:
    """Of logits the softened draws are averaged, of probabilities the average is softened."""
    logits, probs = torch.randn(4, B, C), torch.randn(4, B, C).softmax(-1)
    both = MeanPrediction((LogitsPrediction(logits), ProbsPrediction(probs)))
    expected = ((logits / temperature).softmax(-1).mean(0) + soften(probs.mean(0), temperature)) / 2
    assert torch.allclose(both.probs(temperature), expected)


def test_draws_of_a_mixed_ensemble_pair_the_one_answer_of_a_plain_member_with_each_draw() -> None:
    logits, one = torch.randn(4, B, C), torch.randn(1, B, C)
    both = MeanPrediction((LogitsPrediction(logits), LogitsPrediction(one)))
    draws = both.draw_probs()
    assert draws.shape == (4, B, C)
    for s in range(4):
        assert torch.allclose(draws[s], (logits[s].softmax(-1) + one[0].softmax(-1)) / 2)
    assert torch.allclose(draws.mean(0), both.probs(), atol=1e-7)


def test_the_first_draws_alone() -> None:
    logits, one = torch.randn(4, B, C), torch.randn(1, B, C)
    both = MeanPrediction((LogitsPrediction(logits), LogitsPrediction(one)))
    for s in (1, 2, 4, 9):
        alone = MeanPrediction((LogitsPrediction(logits[:s]), LogitsPrediction(one)))
        assert torch.equal(both.first(s).probs(2.0), alone.probs(2.0))
        assert len(both.first(s).draw_probs()) == min(s, 4)


TEACHERS: dict[str, Any] = {
    "plain": lambda: plain(0),
    "variational": lambda: variational(0),
    "probabilities": lambda: GivenProbs(nn.Identity()),
    "ensemble of plain": lambda: EnsembleTeacher([plain(0), plain(1)]),
    "ensemble of variational": lambda: EnsembleTeacher([variational(0), variational(1)]),
    "mixed ensemble": lambda: EnsembleTeacher([GivenProbs(nn.Identity()), plain(0), variational(1)]),
    "ensemble of ensembles": lambda: EnsembleTeacher(
        [EnsembleTeacher([variational(0), GivenProbs(nn.Identity())]), variational(2)]
    ),
}


@pytest.mark.parametrize("name", TEACHERS)
def test_the_first_of_many_draws_are_those_of_a_prediction_that_asked_for_no_more(name: str) -> None:
    """Students of a sweep over S share one prediction; each must see what it would see alone, bit for bit."""
    teacher = TEACHERS[name]().freeze()
    many = ask(teacher, 4)
    for s in (1, 2, 3, 4):
        alone = ask(teacher, s)
        assert torch.equal(many.first(s).probs(2.0), alone.probs(2.0)), s
        assert torch.equal(many.first(s).draw_probs(), alone.draw_probs()), s


@pytest.mark.parametrize("name", [name for name in TEACHERS if name not in ("plain", "ensemble of plain")])
def test_draws_differ_within_a_prediction_between_members_and_between_predictions(name: str) -> None:
    teacher = TEACHERS[name]().freeze()
    assert teacher.is_stochastic
    first, second = ask(teacher, 3).draw_probs()[:2]
    assert not torch.allclose(first, second, atol=1e-4)
    assert not torch.equal(ask(teacher).probs(), ask(teacher, stream="others").probs())
    draws = generator(1, "draws")
    twice = [teacher.predict(images(), 1, draws).probs() for _ in range(2)]
    assert not torch.equal(*twice)
    if isinstance(teacher, EnsembleTeacher):
        twins = EnsembleTeacher([GivenProbs(nn.Identity()), GivenProbs(nn.Identity())]).freeze()
        a, b = ask(twins).members  # type: ignore[attr-defined]
        assert not torch.equal(a.probs(), b.probs())


def test_an_ensemble_is_frozen_with_its_members() -> None:
    members = [plain(0), variational(1)]
    teacher = EnsembleTeacher(members).freeze()
    assert not any(parameter.requires_grad for parameter in teacher.network.parameters())
    assert not any(module.training for member in members for module in member.network.modules())
    members[0].network.train()
    with pytest.raises(AssertionError, match="eval mode"):
        ask(teacher)


# ---- views


@pytest.mark.parametrize("info", [DIGITS, CIFAR], ids=lambda info: info.name)
def test_views_are_the_image_itself_then_different_crops_and_mirror_images(info: DatasetInfo) -> None:
    most = (2 * info.pad + 1) ** 2 * (2 if info.hflip else 1)
    x = images(info=info)
    found = fixed_views(x, info, most, seed=3)
    assert found.shape == (most, *x.shape)
    assert torch.equal(found[0], x)
    expected = [view for flip in ((False, True) if info.hflip else (False,)) for view in crops(x, info, flip)]
    used: set[int] = set()
    for view in found:
        same = [i for i, other in enumerate(expected) if torch.equal(view, other)]
        assert len(same) == 1
        used.add(same[0])
    assert len(used) == most


def crops(x: Tensor, info: DatasetInfo, flip: bool) -> list[Tensor]:
    """Return every crop of the padded images, as torchvision makes them."""
    padded = vision.pad(x, [info.pad] * 4, padding_mode="reflect")
    offsets = range(2 * info.pad + 1)
    views = [vision.crop(padded, top, left, info.side, info.side) for top in offsets for left in offsets]
    return [vision.hflip(view) if flip else view for view in views]


def test_views_are_those_that_training_shows() -> None:
    """Taking a view of normalised pixels is normalising a view."""
    raw = torch.randint(0, 256, (B, 3, 32, 32), dtype=torch.uint8, generator=generator(0, "raw"))
    found = fixed_views(normalise(raw, CIFAR), CIFAR, 4, seed=0)
    trained = {
        (top, left, flip): apply_views(
            raw, Views(torch.full((B,), top), torch.full((B,), left), torch.full((B,), flip)), CIFAR
        )
        for top in range(9) for left in range(9) for flip in (False, True)
    }  # fmt: skip
    for view in found:
        assert sum(torch.equal(view, other) for other in trained.values()) == 1


def test_the_seed_chooses_the_views_and_more_views_keep_the_fewer() -> None:
    x = images(info=CIFAR)
    few, more, other = (fixed_views(x, CIFAR, k, seed) for k, seed in ((3, 1), (8, 1), (8, 2)))
    assert torch.equal(more[:3], few)
    assert not torch.equal(more, other)
    assert torch.equal(more[:, :2], fixed_views(x[:2], CIFAR, 8, 1))  # whatever the other images of the batch are


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_views_are_averaged_as_probabilities_and_are_one_answer(temperature: float) -> None:
    model, info = network(0).eval(), DIGITS
    teacher = AugmentedTeacher(model, lambda x: fixed_views(x, info, 5, 1)).freeze()
    assert not teacher.is_stochastic
    found = ask(teacher, 3)
    with torch.no_grad():
        own = [(model(view) / temperature).softmax(1) for view in fixed_views(images(), info, 5, 1)]
    assert torch.allclose(found.probs(temperature), sum(own) / 5, atol=1e-7)  # type: ignore[arg-type]
    assert torch.equal(found.draw_probs(temperature), found.probs(temperature)[None])
    assert torch.equal(found.first(1).probs(temperature), found.probs(temperature))


def test_augmented_members_of_an_ensemble_count_as_one_answer_each() -> None:
    views = [AugmentedTeacher(network(seed), lambda x: fixed_views(x, DIGITS, 5, 1)) for seed in (0, 1)]
    teacher = EnsembleTeacher([*views, variational(2)]).freeze()
    assert ask(teacher, 3).draw_probs().shape == (3, B, C)
    expected = sum(ask(view).probs() for view in views)
    mixed = ask(teacher, 3)
    assert torch.allclose(3 * mixed.probs() - mixed.members[2].probs(), expected, atol=1e-6)  # type: ignore[attr-defined]


def test_the_kinds_combine_what_they_are_given() -> None:
    members = [plain(0), plain(1)]
    ensemble = load_kind("Ensemble").combine(make_spec(load_kind("Ensemble").spec, {"members": "aa,bb"}), members)
    assert torch.equal(ask(ensemble.freeze()).probs(), ask(EnsembleTeacher(members).freeze()).probs())
    spec = make_spec(load_kind("TTDA").spec, {"teacher": "aa", "dataset": "digits", "views": 4, "trial": 7})
    augmented = load_kind("TTDA").combine(spec, members[:1]).freeze()
    by_hand = AugmentedTeacher(members[0].network, lambda x: fixed_views(x, DIGITS, 4, 7)).freeze()
    assert torch.equal(ask(augmented).probs(2.0), ask(by_hand).probs(2.0))
