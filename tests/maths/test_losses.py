"""Losses against their formulas, and residuals against autograd."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from bkd.losses import CrossEntropy, Distillation, MeanSquaredError, Objective, soften

OBJECTIVES = [
    CrossEntropy(),
    MeanSquaredError("probabilities"),
    MeanSquaredError("logits"),
    Distillation(1.0, 1.0, 1.0),
    Distillation(0.7, 4.0, 1.0),
    Distillation(0.5, 2.0, 3.0),
    Distillation(0.0, 4.0, 2.0),
]


@pytest.fixture
def batch() -> tuple[Tensor, Tensor, Tensor]:
    draw = torch.Generator().manual_seed(3)
    logits = 3 * torch.randn(8, 5, dtype=torch.float64, generator=draw)
    probs = torch.randn(8, 5, dtype=torch.float64, generator=draw).softmax(1)
    return logits, torch.randint(5, (8,), generator=draw), probs


@pytest.mark.parametrize("objective", OBJECTIVES, ids=repr)
def test_residual_is_each_examples_gradient(objective: Objective, batch: tuple[Tensor, Tensor, Tensor]) -> None:
    logits, labels, probs = batch
    rows = []
    for i in range(len(labels)):
        z = logits[i : i + 1].clone().requires_grad_()
        loss = objective.terms(z, labels[i : i + 1], probs[i : i + 1])["loss"]
        rows.append(torch.autograd.grad(loss, z)[0][0])
    torch.testing.assert_close(objective.residual(logits, labels, probs), torch.stack(rows), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("objective", OBJECTIVES, ids=repr)
def test_batch_gradient_is_the_mean_of_residuals(objective: Objective, batch: tuple[Tensor, Tensor, Tensor]) -> None:
    logits, labels, probs = batch
    z = logits.clone().requires_grad_()
    objective.terms(z, labels, probs)["loss"].backward()
    torch.testing.assert_close(objective.residual(logits, labels, probs) / len(labels), z.grad)


@pytest.mark.parametrize("objective", OBJECTIVES, ids=repr)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_short_logits_are_computed_in_float32(
    objective: Objective, dtype: torch.dtype, batch: tuple[Tensor, Tensor, Tensor]
) -> None:
    logits, labels, probs = batch
    short, exact = logits.to(dtype), logits.to(dtype).float()
    for got, expected in [
        (objective.terms(short, labels, probs), objective.terms(exact, labels, probs.float())),
        (objective.residual(short, labels, probs), objective.residual(exact, labels, probs.float())),
    ]:
        torch.testing.assert_close(got, expected, rtol=0, atol=0)
    assert objective.residual(short, labels, probs.to(dtype)).dtype == torch.float32


def test_distillation_is_its_formula(batch: tuple[Tensor, Tensor, Tensor]) -> None:
    logits, labels, probs = batch
    terms = Distillation(alpha=0.3, kd_T=4.0, kd_S=2.0).terms(logits, labels, probs)
    ce = kd = 0.0
    for z, y, p in zip(logits, labels, probs, strict=True):
        ce -= (z.exp() / z.exp().sum())[y].log() / 8
        soft = (z / 2).exp() / (z / 2).exp().sum()
        kd += sum(p[c] * (p[c] / soft[c]).log() for c in range(5)) / 8
    torch.testing.assert_close(terms, {"loss": 0.7 * ce + 0.3 * 4 * 2 * kd, "ce": ce, "kd": kd})


def test_mse_is_a_mean_over_classes_too(batch: tuple[Tensor, Tensor, Tensor]) -> None:
    logits, labels, _ = batch
    target = F.one_hot(labels, 5).double()
    for on, prediction in (("probabilities", logits.softmax(1)), ("logits", logits)):
        expected = F.mse_loss(prediction, target)
        torch.testing.assert_close(MeanSquaredError(on).terms(logits, labels), {"loss": expected, "mse": expected})


def test_teacher_equal_to_student_teaches_nothing(batch: tuple[Tensor, Tensor, Tensor]) -> None:
    logits, labels, _ = batch
    objective, probs = Distillation(1.0, 4.0, 2.0), (logits / 2).softmax(1)
    assert objective.terms(logits, labels, probs)["loss"].abs() < 1e-14
    assert objective.residual(logits, labels, probs).abs().max() < 1e-14


def test_alpha_zero_is_cross_entropy_and_needs_no_teacher(batch: tuple[Tensor, Tensor, Tensor]) -> None:
    logits, labels, _ = batch
    objective, plain = Distillation(0.0, 4.0, 2.0), CrossEntropy()
    broken = torch.full_like(logits, torch.nan)
    for probs in (None, broken):
        z = logits.clone().requires_grad_()
        terms = objective.terms(z, labels, probs)
        assert terms["loss"] == plain.terms(logits, labels)["loss"]
        terms["loss"].backward()
        torch.testing.assert_close(z.grad, plain.residual(logits, labels) / 8)
        torch.testing.assert_close(objective.residual(logits, labels, probs), plain.residual(logits, labels))


def test_alpha_above_zero_asks_for_the_teacher(batch: tuple[Tensor, Tensor, Tensor]) -> None:
    logits, labels, _ = batch
    with pytest.raises(ValueError, match=r"target_probs are needed at alpha = 0\.5"):
        Distillation(0.5).terms(logits, labels, None)
    with pytest.raises(ValueError, match="target_probs are needed"):
        Distillation(0.5).residual(logits, labels, None)


def test_alpha_one_ignores_the_labels(batch: tuple[Tensor, Tensor, Tensor]) -> None:
    logits, labels, probs = batch
    other = (labels + 1) % 5
    objective = Distillation(1.0, 4.0, 1.0)
    assert objective.terms(logits, labels, probs)["loss"] == objective.terms(logits, other, probs)["loss"]
    assert torch.equal(objective.residual(logits, labels, probs), objective.residual(logits, other, probs))


def test_hot_teacher_and_student_match_centred_logits(batch: tuple[Tensor, Tensor, Tensor]) -> None:
    """As T grows, T * (softmax(z / T) - softmax(t / T)) tends to the difference of centred logits over C."""
    logits, labels, _ = batch
    teacher_logits = logits.flip(0)
    T = 1e6
    residual = Distillation(1.0, T, T).residual(logits, labels, (teacher_logits / T).softmax(1))
    difference = logits - teacher_logits
    expected = (difference - difference.mean(1, keepdim=True)) / 5
    torch.testing.assert_close(residual, expected, rtol=1e-4, atol=1e-4)


def test_extreme_logits_and_certain_teachers_stay_finite() -> None:
    logits = torch.tensor([[300.0, -300.0, 0.0], [1e4, 0.0, -1e4]])
    labels = torch.tensor([1, 2])
    probs = torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    terms = Distillation(0.5).terms(logits, labels, probs)
    torch.testing.assert_close(terms["kd"], torch.tensor((600.0 + 2e4) / 2))
    torch.testing.assert_close(terms["loss"], torch.tensor((600.0 + 2e4) / 2))
    assert Distillation(0.5).residual(logits, labels, probs).isfinite().all()


def test_parts_carry_no_graph(batch: tuple[Tensor, Tensor, Tensor]) -> None:
    logits, labels, probs = batch
    for objective in OBJECTIVES:
        terms = objective.terms(logits.clone().requires_grad_(), labels, probs)
        assert [name for name, part in terms.items() if part.requires_grad] == ["loss"]


def test_soften_is_softmax_at_a_temperature(batch: tuple[Tensor, Tensor, Tensor]) -> None:
    logits, _, _ = batch
    torch.testing.assert_close(soften(logits.softmax(1), 4.0), (logits / 4).softmax(1))
    torch.testing.assert_close(soften(logits.softmax(1), 1.0), logits.softmax(1))
    torch.testing.assert_close(soften(logits.softmax(1), 1e9), torch.full_like(logits, 0.2))


def test_soften_raises_zeros() -> None:
    softened = soften(torch.tensor([[1.0, 0.0]]), 4.0)
    torch.testing.assert_close(softened, torch.tensor([[1.0, 1e-3]]) / 1.001)
    assert soften(torch.zeros(2, 4), 2.0).isfinite().all()


@pytest.mark.parametrize("values", [{"alpha": -0.1}, {"alpha": 1.5}, {"kd_T": 0.0}, {"kd_S": -1.0}])
def test_settings_out_of_range_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be"):
        Distillation(**values)


def test_other_refusals() -> None:
    with pytest.raises(ValueError, match="on must be"):
        MeanSquaredError("probs")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="temperature must be > 0"):
        soften(torch.ones(1, 2), 0.0)
