"""A cached teacher: students that cannot tell it from the live one, and what it says where it cannot be used."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from bkd import teacher_cache_file
from bkd.catalog import DATASETS
from bkd.combined import AugmentedTeacher, EnsembleTeacher
from bkd.data.augment import Views, apply_views, fixed_views
from bkd.data.batches import Batch, Batches, eval_batches
from bkd.devices import make_optimizer
from bkd.kinds.table import load_kind
from bkd.learner import Learner, Position, Recipe, Settings
from bkd.losses import Distillation
from bkd.models.table import build_model
from bkd.rng import generator
from bkd.specs import make_spec
from bkd.teacher_cache import CachedTeacher, open_cache
from bkd.teacher_cache_folder import list_caches
from bkd.teacher_cache_key import images_fingerprint
from bkd.teachers import LogitsPrediction, NetworkTeacher, Prediction, ProbsPrediction, Teacher
from bkd.train import Loop, train

INFO = replace(DATASETS["digits"], hflip=True)  # 18 views an image
SPEC = make_spec(load_kind("Deterministic").spec, {"arch": "wrn_16_1"})
N, B, HELD_OUT, EPOCHS = 120, 40, 30, 2
DRAWS = generator(2, "images")
IMAGES = torch.randint(0, 256, (N + HELD_OUT, 1, 8, 8), generator=DRAWS, dtype=torch.uint8)
LABELS = torch.randint(0, 10, (N + HELD_OUT,), generator=DRAWS)


@pytest.fixture(autouse=True)
def _roomy_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(teacher_cache_file, "free_bytes", lambda folder: 2**40)


@pytest.fixture(params=[1, 2])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


class Counted(Teacher):
    """Passes questions on and counts them."""

    def __init__(self, teacher: Teacher) -> None:
        super().__init__(teacher.network)
        self.teacher, self.calls = teacher, 0

    def _predict(self, x: Tensor, num_samples: int, generator: torch.Generator) -> Prediction:
        self.calls += 1
        return self.teacher.predict(x, num_samples, generator)


class Softmaxed(Teacher):
    """Answers with probabilities, as a closed-form Laplace teacher does."""

    def _predict(self, x: Tensor, num_samples: int, generator: torch.Generator) -> Prediction:
        return ProbsPrediction(self.network(x).softmax(1)[None])


class Placed(nn.Module):
    """A network whose answers depend on the place in the batch, or on the company there."""

    def __init__(self, network: nn.Module, company: bool) -> None:
        super().__init__()
        self.network, self.company = network, company

    def forward(self, x: Tensor) -> Tensor:
        other = x.mean() if self.company else torch.arange(len(x))[:, None] * 1e-3
        return self.network(x) + other


def network(seed: int = 0, classes: int = 10, arch: str = "wrn_16_1") -> Any:
    torch.manual_seed(seed)
    made = build_model(arch, in_channels=1, num_classes=classes)
    with torch.no_grad():
        made(torch.randn(64, 1, 8, 8))  # statistics that are not all 0 and 1
    return made.eval().requires_grad_(False)


def cached(teacher: Teacher, folder: Path, said: list[str], limit: float = 1.0, **parts: str | int | float) -> Teacher:
    teacher.freeze()
    key = {"kind": "Deterministic", "images": images_fingerprint(IMAGES), **parts}
    return open_cache(teacher, key, folder, num_images=N, info=INFO, limit_gib=limit, say=said.append)


def batches(seed: int, size: int = B) -> Batches:
    return Batches(IMAGES, LABELS, torch.arange(N), INFO, size, seed)


def shuffled(seed: int, epochs: int) -> Iterator[Batch]:
    """All that a student of a trial asks while training, in other batches."""
    asked = [batch for epoch in range(epochs) for batch in batches(seed).epoch(epoch)]
    index = torch.cat([batch.index for batch in asked])
    views = [torch.cat([getattr(batch.views, name) for batch in asked]) for name in ("top", "left", "flip")]
    for some in torch.randperm(len(index), generator=generator(9, "order")).split(B):
        chosen = Views(*(part[some] for part in views))
        rows = index[some]
        yield Batch(apply_views(IMAGES[rows], chosen, INFO), LABELS[rows], rows, chosen)


def half_of_each(one: Batch, two: Batch) -> Batch:
    """The first half of one batch and the second half of another."""

    def join(a: Tensor, b: Tensor) -> Tensor:
        return torch.cat([a[: B // 2], b[B // 2 :]])

    assert one.views
    assert two.views
    a, b = one.views, two.views
    views = Views(join(a.top, b.top), join(a.left, b.left), join(a.flip, b.flip))
    return Batch(join(one.x, two.x), join(one.y, two.y), join(one.index, two.index), views)


def ask(teacher: Teacher, batch: Batch) -> Prediction:
    return teacher.predict_batch(batch, 1, generator(0, "teacher"))


def same_bits(a: Prediction, b: Prediction) -> bool:
    return type(a) is type(b) and all(
        torch.equal(x, y) for t in (1.0, 2.5) for x, y in ((a.probs(t), b.probs(t)), (a.draw_probs(t), b.draw_probs(t)))
    )


class Diary:
    """Remembers all that a student tells."""

    def __init__(self) -> None:
        self.steps: list[bytes] = []
        self.epochs: list[Any] = []

    def stepped(self, learner: Learner, position: Position, figures: Tensor) -> None:
        self.steps.append(figures.numpy().tobytes())

    def epoch_ended(self, learner: Learner, position: Position, figures: Any, *, is_best: bool) -> None:
        self.epochs.append((figures, is_best))

    def failed(self, learner: Learner, error: Exception) -> None:
        raise error

    def after_step(self, active: Sequence[Learner], position: Position) -> Sequence[Learner]:
        return active


def student(teacher: Teacher, seed: int, temperature: float) -> tuple[Diary, dict[str, Tensor]]:
    """Train a student for two epochs; return its diary and its weights."""
    settings = Settings(
        seed=seed, device=torch.device("cpu"), learning_rate_at=lambda epoch: 1e-3, kd_T=temperature,
        make_optimizer=lambda parameters: make_optimizer(SPEC, parameters, torch.device("cpu")),
    )  # fmt: skip
    made = network(seed, classes=teacher.network.head.out_features).requires_grad_(True).train()  # type: ignore
    learner = Learner("a", Recipe(made, Distillation(0.7, temperature, 1.0)), settings, teacher)
    index = torch.arange(N, N + HELD_OUT)
    loop = Loop(
        batches(seed), EPOCHS, seed, lambda: eval_batches(IMAGES, LABELS, index, INFO, 20), teacher=teacher
    )  # fmt: skip
    diary = Diary()
    train([learner], loop, diary, Position(0, 0, 0))
    return diary, made.state_dict()


def assert_same(one: tuple[Diary, dict[str, Tensor]], two: tuple[Diary, dict[str, Tensor]]) -> None:
    assert one[0].steps == two[0].steps
    assert len(one[0].steps) == EPOCHS * (N // B)
    assert one[0].epochs == two[0].epochs
    assert all(torch.equal(a, b) for a, b in zip(one[1].values(), two[1].values(), strict=True))


@pytest.mark.parametrize("classes", [10, 100])
def test_students_cannot_tell_the_cache(tmp_path: Path, classes: int) -> None:
    live, said = Counted(NetworkTeacher(network(1, classes)).freeze()), list[str]()
    steps, held_out = EPOCHS * N // B, 2  # held-out batches are asked once in a run

    def run(seed: int, temperature: float, folder: Path | None = tmp_path) -> tuple[Any, int]:
        before = live.calls
        teacher = cached(live, folder, said) if folder else live
        return student(teacher, seed, temperature), live.calls - before

    off, calls = run(1, 4.0, None)
    assert calls == steps + EPOCHS * held_out + 1  # one batch is asked ahead, for the probe of all parameters
    cold, calls = run(1, 4.0)
    assert_same(cold, off)
    assert calls == 3 + steps + held_out  # three for the key; what was asked ahead is kept
    warm, calls = run(1, 4.0)
    assert_same(warm, off)
    assert calls == 1 + held_out
    other, calls = run(2, 1.5)  # another order, other views, another temperature: batches that are kept in part
    assert_same(other, run(2, 1.5, None)[0])
    assert 1 + held_out < calls <= 1 + steps + held_out
    company = cached(live, tmp_path, said)
    for batch in shuffled(3, EPOCHS):
        ask(company, batch)
    third, calls = run(3, 2.0)  # all from the cache, image by image, asked in batches of another company
    assert_same(third, run(3, 2.0, None)[0])
    assert calls == 1 + held_out
    assert len(list_caches(tmp_path)) == 1
    assert all("answers, " in text for text in said)  # nothing else was to be told


@pytest.mark.parametrize("classes", [10, 100])
def test_answers_from_other_company_are_the_same(tmp_path: Path, threads: int, classes: int) -> None:
    live = Counted(NetworkTeacher(network(1, classes)))
    teacher = cached(live, tmp_path, [])
    for batch in shuffled(3, 1):
        ask(teacher, batch)
    before = live.calls
    found = [ask(teacher, batch) for batch in batches(3).epoch(0)]
    assert live.calls == before
    assert all(same_bits(a, ask(live, batch)) for a, batch in zip(found, batches(3).epoch(0), strict=True))
    assert [info.key["threads"] for info in list_caches(tmp_path)] == [threads]


def teachers() -> dict[str, Callable[[], Teacher]]:
    return {
        "logits": lambda: NetworkTeacher(network()),
        "probs": lambda: Softmaxed(network()),
        "ensemble": lambda: EnsembleTeacher([NetworkTeacher(network(0)), Softmaxed(network(1))]),
        "views": lambda: AugmentedTeacher(network(), lambda x: fixed_views(x, INFO, 3, 5)),
    }  # fmt: skip


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("name", list(teachers()))
def test_answers_come_back_bit_for_bit(tmp_path: Path, name: str, precision: str) -> None:
    def autocast() -> AbstractContextManager[Any]:
        return torch.autocast("cpu", dtype=torch.bfloat16) if precision == "bf16" else nullcontext()

    live, said = Counted(teachers()[name]()), list[str]()
    teacher = cached(live, tmp_path, said)
    assert isinstance(teacher, CachedTeacher)
    with autocast():
        wanted = [ask(live, batch) for batch in batches(0).epoch(0)]
        cold = [ask(teacher, batch) for batch in batches(0).epoch(0)]
        before = live.calls
        warm = [ask(teacher, batch) for batch in batches(0).epoch(0)]
    assert live.calls == before
    assert all(same_bits(a, b) for a, b in zip(wanted, cold, strict=True))
    assert all(same_bits(a, b) for a, b in zip(wanted, warm, strict=True))


def test_each_batch_size_and_precision_has_answers_of_its_own(tmp_path: Path) -> None:
    live, said = Counted(NetworkTeacher(network())), list[str]()
    teacher = cached(live, tmp_path, said)
    for size in (B, 20):
        for batch in batches(0, size).epoch(0):
            assert same_bits(ask(teacher, batch), ask(live, batch))
    again = cached(live, tmp_path, said)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        for batch in batches(0).epoch(0):
            assert same_bits(ask(again, batch), ask(live, batch))
    assert sorted((info.key["batch_size"], info.key["autocast"]) for info in list_caches(tmp_path)) == [
        (20, "off"), (B, "off"), (B, "torch.bfloat16"),
    ]  # fmt: skip


@pytest.mark.parametrize("change", ["weights", "views", "images", "kind"])
def test_another_teacher_has_another_cache(tmp_path: Path, change: str) -> None:
    def make(seed: int) -> Teacher:
        return AugmentedTeacher(network(), lambda x: fixed_views(x, INFO, 3, seed))

    one, other, parts = make(5), make(5), {}
    if change == "weights":
        other.network.fc.bias += 1e-6  # type: ignore[operator, union-attr]
    elif change == "views":
        other = make(6)  # the same weights and nothing in the key that names the views
    else:
        parts = {change: "another"}
    batch = batches(0).peek(0, 0)
    for teacher, key in ((one, {}), (other, parts)):
        assert same_bits(ask(cached(teacher, tmp_path, [], **key), batch), ask(teacher, batch))
    assert [info.entries for info in list_caches(tmp_path)] == [B, B]


@pytest.mark.parametrize("company", [False, True])
def test_answers_that_depend_on_the_batch_are_not_kept(tmp_path: Path, company: bool) -> None:
    live, said = NetworkTeacher(Placed(network(), company).eval()), list[str]()
    teacher = cached(live, tmp_path, said)
    for batch in [*batches(0).epoch(0), *batches(0).epoch(0)]:
        assert same_bits(ask(teacher, batch), ask(live, batch))
    assert len(said) == 1
    assert f"depends on its place in a batch of {B}" in said[0]
    assert list_caches(tmp_path) == []


def test_a_teacher_that_draws_is_never_cached(tmp_path: Path) -> None:
    live, said = NetworkTeacher(network()), list[str]()
    live.is_stochastic = True
    assert cached(live, tmp_path, said) is live
    assert len(said) == 1
    assert "draws anew" in said[0]


def test_a_folder_that_cannot_be_one_leaves_the_teacher(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    live, said = NetworkTeacher(network()), list[str]()
    assert cached(live, tmp_path / "file", said) is live
    assert str(tmp_path / "file") in said[0]


def test_a_full_cache_is_still_read(tmp_path: Path) -> None:
    live, said = Counted(NetworkTeacher(network())), list[str]()
    entry = 8 + 8 + 4 * 10
    teacher = cached(live, tmp_path, said, limit=2 * B * entry / 2**30)
    for epoch in (0, 0):
        before = live.calls
        for batch in batches(0).epoch(epoch):
            assert same_bits(ask(teacher, batch), live.teacher.predict(batch.x, 1, generator(0, "teacher")))
    assert live.calls - before == N // B - 2
    assert list_caches(tmp_path)[0].entries == 2 * B
    told = [text for text in said if "no more answers" in text]
    assert len(told) == 1
    assert "--teacher-cache-gib" in told[0]


def test_damage_is_mended_and_told_once(tmp_path: Path) -> None:
    live, said = Counted(NetworkTeacher(network())), list[str]()
    first = cached(live, tmp_path, said)
    wanted = [ask(first, batch) for batch in batches(0).epoch(0)]
    rows = list_caches(tmp_path)[0].path / "rows.bin"
    content = bytearray(rows.read_bytes())
    for position in (100, len(content) // 2, len(content) - 1):
        content[position] ^= 64
    rows.write_bytes(content)
    for expected_calls in (1 + 3, 1):  # the key, and three batches with a damaged answer each
        before, teacher = live.calls, cached(live, tmp_path, said)
        assert all(same_bits(ask(teacher, b), w) for b, w in zip(batches(0).epoch(0), wanted, strict=True))
        assert live.calls - before == expected_calls
    assert sum("damaged" in text for text in said) == 1


def test_stale_answers_are_found_out(tmp_path: Path) -> None:
    live, said = NetworkTeacher(network()), list[str]()
    teacher = cached(live, tmp_path, said)
    assert isinstance(teacher, CachedTeacher)
    batch = batches(0).peek(0, 0)
    ask(teacher, batch)
    live.network.fc.bias += 1e-3  # type: ignore[operator, union-attr] # what no key can know
    mixed = half_of_each(batch, batches(0).peek(0, 1))
    assert same_bits(ask(teacher, mixed), ask(live, mixed))
    assert same_bits(ask(teacher, batch), ask(live, batch))
    assert sum("not this teacher's" in text for text in said) == 1
    assert [info.entries for info in list_caches(tmp_path)] == [0]


def test_held_out_images_are_never_taken_for_others(tmp_path: Path) -> None:
    live, said = Counted(NetworkTeacher(network())), list[str]()
    teacher = cached(live, tmp_path, said)
    train_like = list(eval_batches(IMAGES[:N], LABELS, torch.arange(20), INFO, 20))
    test_like = list(eval_batches(IMAGES[N:], LABELS, torch.arange(20), INFO, 20))  # the same positions elsewhere
    for batch in (train_like + test_like) * 2:
        assert same_bits(ask(teacher, batch), live.teacher.predict(batch.x, 1, generator(0, "teacher")))
    assert live.calls == 2
    assert list_caches(tmp_path) == []


def test_a_prediction_alone_is_the_live_one(tmp_path: Path) -> None:
    live = Counted(NetworkTeacher(network()))
    teacher = cached(live, tmp_path, []).freeze()
    x = batches(0).peek(0, 0).x
    found = teacher.predict(x, 1, generator(0, "teacher"))
    assert isinstance(found, LogitsPrediction)
    assert same_bits(found, live.teacher.predict(x, 1, generator(0, "teacher")))
    assert teacher.network is live.network
