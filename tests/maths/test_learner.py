"""A step of a learner: what it tells, what it leaves alone, and that it never waits for the device."""

from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from bkd.catalog import DATASETS
from bkd.data.batches import Batches, eval_batches
from bkd.devices import make_optimizer
from bkd.kinds.kind import NetworkShape
from bkd.kinds.table import load_kind
from bkd.learner import Learner, Position, Recipe, Settings, Targets
from bkd.losses import CrossEntropy, Distillation
from bkd.models.table import build_model
from bkd.noise import variance
from bkd.rng import generator
from bkd.specs import make_spec
from bkd.teachers import LogitsPrediction, NetworkTeacher

INFO = DATASETS["digits"]
SPEC = make_spec(load_kind("Deterministic").spec, {"arch": "wrn_16_1"})
SYNCING = {"aten._local_scalar_dense", "aten.nonzero", "aten.is_nonzero", "aten.equal", "aten.item"}


class Syncs(TorchDispatchMode):
    """Counts operations that read a value on the host."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = str(func).rsplit(".", 1)[0]
        if name in SYNCING:
            self.found.append(name)
        return func(*args, **(kwargs or {}))


def batches(count: int = 300) -> Batches:
    draws = generator(5, "images")
    images = torch.randint(0, 256, (count, 1, 8, 8), generator=draws, dtype=torch.uint8)
    labels = torch.randint(0, 10, (count,), generator=draws)
    return Batches(images, labels, torch.arange(count), INFO, 50, seed=1)


def settings(**values: Any) -> Settings:
    return Settings(
        seed=1, device=torch.device("cpu"), learning_rate_at=lambda epoch: 1e-3,
        make_optimizer=lambda parameters: make_optimizer(SPEC, parameters, torch.device("cpu")), **values,
    )  # fmt: skip


def recipe(kind: str) -> Recipe:
    torch.manual_seed(0)
    spec = make_spec(load_kind(kind).spec, {"arch": "wrn_16_1", "dataset": "digits", "epochs": 4})
    return load_kind(kind).build(spec, NetworkShape(1, 10, 300))


def student_and_teacher(alpha: float = 0.5) -> tuple[Learner, NetworkTeacher]:
    torch.manual_seed(0)
    teacher = NetworkTeacher(build_model("wrn_16_1", in_channels=1, num_classes=10))
    teacher.freeze()
    network = build_model("wrn_16_1", in_channels=1, num_classes=10)
    return Learner("a", Recipe(network, Distillation(alpha, 4.0, 1.0)), settings(kd_T=4.0), teacher), teacher


@pytest.mark.parametrize("kind", ["Deterministic", "MSE", "Bayesian"])
def test_steps_never_read_the_device(kind: str) -> None:
    learner, source = Learner("a", recipe(kind), settings()), batches()
    learner.begin_epoch(3)
    with Syncs() as syncs:
        for step in range(3):
            targets = Targets(source.peek(3, step))
            learner.step(targets, Position(3, step, 64 * step), lambda step=step: Targets(source.peek(3, step + 1)))
    assert syncs.found == []


def test_student_steps_tell_the_teachers_noise() -> None:
    learner, teacher = student_and_teacher()
    source = batches()

    def targets(step: int) -> Targets:
        batch = source.peek(0, step)
        prediction = teacher.predict(batch.x, 1, generator(1, "teacher"))
        return Targets(batch, prediction)

    figures = learner.step(targets(0), Position(0, 0, 0), lambda: targets(1))
    told = dict(zip(learner.keys, figures.tolist(), strict=True))
    assert {"train/loss", "train/ce", "train/kd", "train/acc", "grad/norm"} <= told.keys()
    assert all(told[key] > 0 for key in ("grad/noise", "grad/noise_onehot", "grad/noise_teacher", "grad/noise_full"))
    assert told["grad/noise_ratio"] == pytest.approx(told["grad/noise_teacher"] / told["grad/noise_onehot"], rel=1e-5)
    expected = 0.5 * told["train/ce"] + 0.5 * 4 * told["train/kd"]
    assert told["train/loss"] == pytest.approx(expected, rel=1e-5)


def test_the_probe_leaves_gradients_and_statistics_alone() -> None:
    plain, probed = Learner("a", recipe("Deterministic"), settings()), Learner("b", recipe("Deterministic"), settings())
    source = batches()
    for learner, total in ((plain, 1), (probed, 64)):  # a probe is due at 64, not at 1
        learner.step(Targets(source.peek(0, 0)), Position(0, 0, total), lambda: Targets(source.peek(0, 1)))
    for a, b in zip(plain.network.state_dict().values(), probed.network.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_validation_figures_are_those_of_the_whole_split() -> None:
    learner = Learner("a", recipe("Deterministic"), settings(is_noise_exact=True))
    source = batches()
    held_out = [Targets(b) for b in eval_batches(source.images, source.labels, torch.arange(60), INFO, 25)]
    found = learner.validate(held_out, 0)
    with torch.no_grad():
        learner.network.eval()
        x = torch.cat([item.batch.x for item in held_out])
        y = torch.cat([item.batch.y for item in held_out])
        phi = learner.network.forward_features(x)
        logits = learner.network.head(phi)
    assert found["val/loss"] == pytest.approx(float(torch.nn.functional.cross_entropy(logits, y)), rel=1e-5)
    assert found["val/acc"] == pytest.approx(float((logits.argmax(1) == y).float().mean()))
    residual = CrossEntropy().residual(logits, y)
    assert found["val/grad/noise"] == pytest.approx(float(variance(residual, phi, True)), rel=1e-4)
    exact = found["val/grad/noise_exact"]
    assert exact is not None
    assert exact > float(variance(residual, phi, True))  # all parameters hold more noise than the last layer


def test_shared_draws_count_by_the_batch_of_training_and_leave_the_bias_alone() -> None:
    """On validation images the draws' part is told for the batch of training, whatever the images come in."""
    spec = make_spec(load_kind("Bayesian").spec, {"arch": "wrn_16_1", "dataset": "digits", "epochs": 4})
    teacher = load_kind("Bayesian").teacher(recipe("Bayesian").network, spec).freeze()
    network = build_model("wrn_16_1", in_channels=1, num_classes=10)
    learner = Learner("a", Recipe(network, Distillation(1.0)), settings(teacher_samples=2), teacher)
    source = batches()
    held_out = [
        Targets(batch, teacher.predict(batch.x, 2, generator(1, "teacher", 0, index)))
        for index, batch in enumerate(eval_batches(source.images, source.labels, torch.arange(60), INFO, 40))
    ]
    small, large = (learner.validate(held_out, 0, num_train_batch=size) for size in (10, 50))
    assert small["val/grad/noise_shared"] != 0
    assert large["val/grad/noise_shared"] == pytest.approx(5 * small["val/grad/noise_shared"], rel=1e-5)
    for key in ("noise", "noise_onehot", "noise_teacher", "bias"):
        assert small[f"val/grad/{key}"] == pytest.approx(large[f"val/grad/{key}"], rel=1e-5), key
    for found in (small, large):
        told = {key: found[f"val/grad/noise_{key}"] for key in ("onehot", "teacher", "shared", "ratio")}
        assert told["ratio"] == pytest.approx((told["teacher"] + told["shared"]) / told["onehot"], rel=1e-4)


def test_a_kind_with_draws_averages_probabilities() -> None:
    logits = torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(0))
    expected = (logits / 2).softmax(-1).mean(0)
    assert torch.allclose(LogitsPrediction(logits).probs(2.0), expected)
