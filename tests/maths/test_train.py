"""The loop with several learners: common batches and draws, and one learner's end that is not the others'."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from bkd import checkpoint
from bkd.catalog import DATASETS
from bkd.data.batches import Batches, eval_batches
from bkd.errors import BkdError, StorageError
from bkd.events import EventWriter, read_events
from bkd.learner import Learner, Position, Recipe, Settings
from bkd.losses import Distillation
from bkd.models.table import build_model
from bkd.paths import RunFolder
from bkd.recorder import Record, Recorder
from bkd.rng import generator
from bkd.runfile import read_run, write_run
from bkd.teachers import LogitsPrediction, Prediction, Teacher
from bkd.train import Loop, train

INFO = DATASETS["digits"]
EPOCHS, STEPS = 3, 4  # of 30 images


class DrawingTeacher(Teacher):
    """Answers with random logits and remembers how many draws it was asked for."""

    is_stochastic = True

    def __init__(self) -> None:
        super().__init__(torch.nn.Identity())
        self.asked: list[int] = []
        self.freeze()

    def _predict(self, x: Tensor, num_samples: int, generator: torch.Generator) -> Prediction:
        self.asked.append(num_samples)
        return LogitsPrediction(
            torch.stack([2 * torch.randn(len(x), 10, generator=generator) for _ in range(num_samples)])
        )


class Noting:
    """An observer that only remembers, and can be told to fail."""

    def __init__(self, fails_at: Callable[[str, int], bool] = lambda name, total: False) -> None:
        self.fails_at = fails_at
        self.figures: dict[str, list[dict[str, float]]] = {}
        self.epochs: dict[str, list[dict[str, float | None]]] = {}
        self.errors: dict[str, str] = {}

    def stepped(self, learner: Learner, position: Position, figures: Tensor) -> None:
        if self.fails_at(learner.name, position.total):
            raise StorageError("its disk is full. Free some space.")
        told = dict(zip(learner.keys, figures.tolist(), strict=True))
        self.figures.setdefault(learner.name, []).append(told)

    def epoch_ended(
        self, learner: Learner, position: Position, figures: dict[str, float | None], *, is_best: bool
    ) -> None:
        if self.fails_at(learner.name, -1 - position.epoch):
            raise StorageError("its disk is full. Free some space.")
        self.epochs.setdefault(learner.name, []).append(figures)

    def failed(self, learner: Learner, error: Exception) -> None:
        self.errors[learner.name] = str(error)

    def after_step(self, active: Sequence[Learner], position: Position) -> Sequence[Learner]:
        return active


def batches() -> Batches:
    draws = generator(5, "images")
    images = torch.randint(0, 256, (STEPS * 30, 1, 8, 8), generator=draws, dtype=torch.uint8)
    labels = torch.randint(0, 10, (STEPS * 30,), generator=draws)
    return Batches(images, labels, torch.arange(STEPS * 30), INFO, 30, seed=1)


def loop_of(teacher: Teacher, num_samples: int) -> Loop:
    source = batches()
    held_out = torch.arange(40)
    return Loop(
        source, EPOCHS, 1, lambda: eval_batches(source.images, source.labels, held_out, INFO, 25), teacher=teacher,
        num_samples=num_samples,
    )  # fmt: skip


def student(name: str, teacher: Teacher, *, samples: int = 1, alpha: float = 0.5, kd_T: float = 2.0) -> Learner:
    torch.manual_seed(0)
    recipe = Recipe(build_model("wrn_16_1", in_channels=1, num_classes=10), Distillation(alpha, kd_T, 1.0))
    settings = Settings(
        seed=1, device=torch.device("cpu"), learning_rate_at=lambda epoch: 1e-2,
        make_optimizer=lambda parameters: torch.optim.Adam(parameters, lr=1e-2), kd_T=kd_T, teacher_samples=samples,
    )  # fmt: skip
    return Learner(name, recipe, settings, teacher)


def trained(
    *make: Callable[[Teacher], Learner], observer: Any = None, num_samples: int = 3
) -> tuple[Any, list[Learner]]:
    teacher, noting = DrawingTeacher(), observer or Noting()
    learners = [one(teacher) for one in make]
    train(learners, loop_of(teacher, num_samples), noting, Position(0, 0, 0))
    return noting, learners


def same_weights(a: Learner, b: Learner) -> bool:
    return all(
        torch.equal(x, y) for x, y in zip(a.network.state_dict().values(), b.network.state_dict().values(), strict=True)
    )


# ---- together as alone


def test_learners_see_what_they_would_see_alone_each_by_its_own_number_of_draws() -> None:
    def make(samples: int) -> Callable[[Teacher], Learner]:
        return lambda teacher: student(f"S{samples}", teacher, samples=samples, kd_T=1.0 + samples)

    together, learners = trained(make(1), make(2), make(3))
    for samples, learner in enumerate(learners, 1):
        alone, [only] = trained(make(samples), num_samples=samples)
        assert same_weights(learner, only), samples
        name = f"S{samples}"
        assert repr(together.figures[name]) == repr(alone.figures[name])  # to the last bit; a NaN is like itself
        assert repr(together.epochs[name]) == repr(alone.epochs[name])
    assert not same_weights(learners[0], learners[1])


def test_the_teacher_is_asked_once_a_batch_for_all_learners() -> None:
    passes = {}
    for count in (1, 3):
        teacher = DrawingTeacher()
        learners = [student(str(i), teacher, samples=3) for i in range(count)]
        train(learners, loop_of(teacher, 3), Noting(), Position(0, 0, 0))
        passes[count] = [asked for asked in teacher.asked if asked == 3]
    # a pass a step, one for the probe's next batch, and two validation batches an epoch
    assert len(passes[1]) == len(passes[3]) == EPOCHS * STEPS + 1 + EPOCHS * 2


# ---- one learner's end


@pytest.mark.parametrize("when", [0, 5, -1, -3], ids=["first step", "a step", "first epoch's end", "last epoch's end"])
def test_a_learner_of_whom_no_note_can_be_taken_ends_and_the_others_go_on(when: int) -> None:
    def two(teacher: Teacher) -> Learner:
        return student("b", teacher, samples=2)

    noting, [_, other] = trained(
        lambda teacher: student("a", teacher), two, observer=Noting(lambda name, total: name == "a" and total == when)
    )
    alone, [only] = trained(two)
    assert noting.errors == {"a": "its disk is full. Free some space."}
    assert same_weights(other, only)
    assert noting.epochs["b"] == alone.epochs["b"]


def test_when_all_have_failed_the_loop_ends() -> None:
    noting, _ = trained(
        lambda teacher: student("a", teacher), lambda teacher: student("b", teacher),
        observer=Noting(lambda name, total: total == (1 if name == "a" else -1)),
    )  # fmt: skip
    assert sorted(noting.errors) == ["a", "b"]
    assert len(noting.figures["b"]) == STEPS


def test_a_fault_of_ours_is_not_taken_for_a_learners_own() -> None:
    class Broken(Noting):
        def stepped(self, learner: Learner, position: Position, figures: Tensor) -> None:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        trained(lambda teacher: student("a", teacher), observer=Broken())


# ---- the recorder on disk


class At(Recorder):
    """Does something after the step of which five were taken before, as a person might from outside."""

    do: Callable[[], object] = staticmethod(lambda: None)

    def after_step(self, active: Sequence[Learner], position: Position) -> Sequence[Learner]:
        if position.total == 5:
            self.do()
        return super().after_step(active, position)


def recorder_of(
    root: Path, names: Sequence[str], *, is_stopping: Callable[[], bool] = lambda: False, log_every: int = 1,
    clock: Callable[[], float] = lambda: 0.0, checkpoint_every_s: float = 1e9,
) -> At:  # fmt: skip
    records = {}
    for name in names:
        folder = RunFolder(root / name)
        folder.path.mkdir()
        run = {"id": name, "epoch": 0, "metrics": {}, "status": "running"}
        write_run(folder, run)
        records[name] = Record(folder, run, EventWriter(folder.events))
    return At(
        records, steps_per_epoch=STEPS, batch_size=30, log_every=log_every, checkpoint_every_s=checkpoint_every_s,
        is_stopping=is_stopping, clock=clock,
    )  # fmt: skip


def test_a_loss_that_is_not_finite_ends_its_run_alone(tmp_path: Path) -> None:
    recorder = recorder_of(tmp_path, ["good", "bad"])
    trained(
        lambda teacher: student("good", teacher), lambda teacher: student("bad", teacher, kd_T=1e-40), observer=recorder
    )
    bad, good = (recorder.records[name] for name in ("bad", "good"))
    assert read_run(bad.folder)["status"] == "failed"
    assert "not finite at step 0" in read_run(bad.folder)["message"]
    assert bad.is_ended
    assert not good.is_ended
    assert len([e for e in read_events(good.folder.events) if e["kind"] == "epoch"]) == EPOCHS


def test_a_loss_that_is_not_finite_between_logged_steps_is_found_at_the_epochs_end(tmp_path: Path) -> None:
    recorder = recorder_of(tmp_path, ["a"], log_every=1000)

    def make(teacher: Teacher) -> Learner:
        learner = student("a", teacher)
        learner.settings.learning_rate_at = lambda epoch: 1e30  # the first, logged step is still finite
        return learner

    trained(make, observer=recorder)
    run = read_run(recorder.records["a"].folder)
    assert run["status"] == "failed"
    assert "not finite" in run["message"]
    assert not recorder.records["a"].folder.checkpoints.exists()


@pytest.mark.parametrize("gone", ["folder", "its checkpoints' place"])
def test_a_run_whose_folder_is_deleted_ends_and_does_not_come_back(tmp_path: Path, gone: str) -> None:
    """Whoever removes a folder while it trains loses that student only."""
    ticks = iter(range(10_000))
    recorder = recorder_of(tmp_path, ["a", "b"], clock=lambda: float(next(ticks)), checkpoint_every_s=1)
    ended: list[str] = []
    for name, record in recorder.records.items():
        record.on_end = lambda name=name: ended.append(name)  # type: ignore[misc]
    recorder.do = lambda: shutil.rmtree(tmp_path / "a") if gone == "folder" else make_unwritable(tmp_path / "a")
    _, [_, other] = trained(
        lambda teacher: student("a", teacher), lambda teacher: student("b", teacher, samples=2), observer=recorder
    )
    assert ended == ["a"]
    assert recorder.records["a"].is_ended
    assert (tmp_path / "a").exists() is (gone != "folder")
    assert same_weights(other, trained(lambda teacher: student("b", teacher, samples=2))[1][0])
    assert checkpoint.steps(tmp_path / "b" / "checkpoints")[0] == EPOCHS * STEPS


def make_unwritable(folder: Path) -> None:
    """Put a file where checkpoints belong: nobody, not even root, can write them then."""
    shutil.rmtree(folder / "checkpoints")
    (folder / "checkpoints").write_text("")


def test_one_that_is_asked_to_stop_stops_with_a_checkpoint_and_the_others_go_on(tmp_path: Path) -> None:
    ticks = iter(range(10_000))
    recorder = recorder_of(tmp_path, ["a", "b"], clock=lambda: float(next(ticks)))
    recorder.do = lambda: RunFolder(tmp_path / "a").stop_request.touch()
    _, [first, other] = trained(
        lambda teacher: student("a", teacher), lambda teacher: student("b", teacher), observer=recorder
    )
    a, b = (recorder.records[name] for name in ("a", "b"))
    assert (read_run(a.folder)["status"], a.is_ended, b.is_ended) == ("stopped", True, False)
    assert checkpoint.steps(a.folder.checkpoints)[0] == 6
    assert set(checkpoint.load_weights_file(a.folder.last_weights)) == set(first.network.state_dict())
    assert max(e["step"] for e in read_events(a.folder.events)) == 6
    assert checkpoint.steps(b.folder.checkpoints)[0] == EPOCHS * STEPS
    assert same_weights(other, trained(lambda teacher: student("b", teacher))[1][0])


def test_one_that_stops_does_not_put_off_the_others_checkpoint(tmp_path: Path) -> None:
    """A checkpoint is due a minute after the last one of all, whoever else wrote one in between."""
    now = [0.0]
    recorder = recorder_of(tmp_path, ["a", "b"], clock=lambda: now[0], checkpoint_every_s=60)
    learners = [student(name, DrawingTeacher()) for name in ("a", "b")]
    now[0] = 50.0
    RunFolder(tmp_path / "a").stop_request.touch()
    assert recorder.after_step(learners, Position(0, 0, 0)) == [learners[1]]
    now[0] = 61.0
    recorder.after_step(learners[1:], Position(0, 1, 1))
    assert checkpoint.steps(tmp_path / "b" / "checkpoints") == [2]


def test_all_stop_at_the_same_step_when_the_process_is_asked(tmp_path: Path) -> None:
    asked: list[bool] = []
    recorder = recorder_of(tmp_path, ["a", "b"], is_stopping=lambda: bool(asked))
    recorder.do = lambda: asked.append(True)
    trained(lambda teacher: student("a", teacher), lambda teacher: student("b", teacher), observer=recorder)
    for record in recorder.records.values():
        assert read_run(record.folder)["status"] == "stopped"
        assert checkpoint.steps(record.folder.checkpoints)[0] == 6


def test_every_run_of_a_process_has_its_epochs_in_its_run_file(tmp_path: Path) -> None:
    now = [0.0]
    recorder = recorder_of(tmp_path, ["a", "b"], clock=lambda: now[0])
    learners = [student(name, DrawingTeacher()) for name in ("a", "b")]
    for epoch in range(3):
        now[0] += 1.5  # run.json follows the epochs no faster than once a second
        for learner in learners:
            position = Position(epoch, STEPS - 1, (epoch + 1) * STEPS - 1)
            recorder.epoch_ended(learner, position, {"train/loss": 1.0}, is_best=False)
            assert read_run(recorder.records[learner.name].folder)["epoch"] == epoch + 1


def test_the_end_is_told_even_where_it_cannot_be_written(tmp_path: Path) -> None:
    recorder = recorder_of(tmp_path, ["a"])
    record, ended = recorder.records["a"], list[str]()
    record.on_end = lambda: ended.append("a")
    shutil.rmtree(record.folder.path)
    recorder.failed(student("a", DrawingTeacher()), BkdError("it broke."))
    assert (record.is_ended, ended) == (True, ["a"])
    assert not record.folder.path.exists()


# ---- epochs that are gone on with


@pytest.mark.parametrize(("start", "prepared"), [(Position(1, 0, 4), [1, 2]), (Position(1, 2, 6), [2])])
def test_an_epoch_is_prepared_at_its_first_step_only(start: Position, prepared: list[int]) -> None:
    """What a recipe takes from the network before an epoch must not be taken from one in its midst."""
    teacher, found = DrawingTeacher(), list[int]()
    learner = student("a", teacher)
    learner.recipe.before_epoch = found.append
    train([learner], loop_of(teacher, 1), Noting(), start)
    assert found == prepared
