"""The training loop. There is one, for every kind of teacher and for students.

It knows no path, no command and no registry: it is given learners, batches and somebody to tell.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor

from bkd.data.batches import Batch, Batches
from bkd.errors import BkdError, TrainingFailed
from bkd.learner import Learner, Position, Targets
from bkd.rng import generator
from bkd.teachers import Prediction, Teacher


class Observer(Protocol):
    """Who is told what happens, and may end it."""

    def stepped(self, learner: Learner, position: Position, figures: Tensor) -> None:
        """Hear of a step; `figures` lies on the device in the order of `learner.keys`."""

    def epoch_ended(
        self, learner: Learner, position: Position, figures: dict[str, float | None], *, is_best: bool
    ) -> None:
        """Hear of an epoch; `position` is that of its last step."""

    def failed(self, learner: Learner, error: Exception) -> None:
        """Hear that a learner cannot go on; the others do."""

    def after_step(self, active: Sequence[Learner], position: Position) -> Sequence[Learner]:
        """Write a checkpoint if one is due; return the learners that go on."""
        ...


@dataclass
class Loop:
    """What the loop runs over.

    Attributes:
        batches: Training batches, any of which can be made on its own.
        epochs: Epochs in all.
        seed: Of the teacher's draws.
        held_out: Makes the batches of the per-epoch validation; empty without validation.
        split: Their name, "val", or "test" under the paper's protocol.
        teacher: Shared by the learners; None when teachers are trained.
        num_samples: S, most draws that any learner asks of the teacher.
        autocast: Context of the teacher's forward pass.
    """

    batches: Batches
    epochs: int
    seed: int
    held_out: Callable[[], Iterable[Batch]]
    split: str = "val"
    teacher: Teacher | None = None
    num_samples: int = 1
    autocast: Callable[[], AbstractContextManager[Any]] = nullcontext


def train(learners: Sequence[Learner], loop: Loop, observer: Observer, start: Position) -> None:
    """Train learners on the same batches, with one teacher's pass a batch, from `start` to the last epoch.

    A learner whose loss is not finite, or of whom the observer cannot take note, is dropped and told of; the others
    go on.
    """
    active = list(learners)
    per_epoch = loop.batches.steps_per_epoch
    for epoch in range(start.epoch, loop.epochs):
        first_step = start.step if epoch == start.epoch else 0
        for learner in active:
            learner.begin_epoch(epoch, first_step)
        for step, batch in enumerate(loop.batches.epoch(epoch, first_step), first_step):
            position = Position(epoch, step, epoch * per_epoch + step)
            targets = ask_teacher(loop, batch, position, "teacher")
            upcoming = _once(lambda position=position: _next_targets(loop, position))  # type: ignore[misc]
            for learner in list(active):
                try:
                    observer.stepped(learner, position, learner.step(targets, position, upcoming))
                except BkdError as error:
                    active.remove(learner)
                    observer.failed(learner, error)
            active = list(observer.after_step(active, position))
            if not active:
                return
        validate(active, loop, observer, epoch)


def validate(active: list[Learner], loop: Loop, observer: Observer, epoch: int) -> None:
    """Evaluate every learner at the end of an epoch and tell the observer; a failed one leaves `active`."""
    per_epoch = loop.batches.steps_per_epoch
    last = Position(epoch, per_epoch - 1, (epoch + 1) * per_epoch - 1)
    targets = [
        ask_teacher(loop, batch, Position(epoch, index, 0), "validate-teacher")
        for index, batch in enumerate(loop.held_out())
    ]
    for learner in list(active):
        size = loop.batches.batch_size
        held_out = learner.validate(targets, epoch, split=loop.split, num_train_batch=size) if targets else {}
        figures, is_best = learner.end_epoch(epoch, held_out)
        try:
            observer.epoch_ended(learner, last, figures, is_best=is_best)
        except BkdError as error:
            active.remove(learner)
            observer.failed(learner, error)


def ask_teacher(loop: Loop, batch: Batch, position: Position, stream: str) -> Targets:
    """Return the batch with the teacher's prediction, whose draws all learners share."""
    if loop.teacher is None:
        return Targets(batch)
    draws = generator(loop.seed, stream, position.epoch, position.step, batch.x.device)
    with loop.autocast():
        prediction: Prediction = loop.teacher.predict_batch(batch, loop.num_samples, draws)
    return Targets(batch, prediction)


def _next_targets(loop: Loop, position: Position) -> Targets:
    batch = loop.batches.peek(position.epoch, position.step + 1)
    return ask_teacher(loop, batch, position, "probe-teacher")


def _once(make: Callable[[], Targets]) -> Callable[[], Targets]:
    """Return a function that makes its result at the first call, so that learners share it."""
    made: list[Targets] = []

    def get() -> Targets:
        if not made:
            made.append(make())
        return made[0]

    return get


def finite_or_fail(loss: float, position: Position) -> None:
    """Raise TrainingFailed if a loss is not finite."""
    if loss != loss or loss in (float("inf"), float("-inf")):
        raise TrainingFailed(
            f"The loss is not finite at step {position.total} (epoch {position.epoch + 1}). "
            "Lower --learning-rate, or resume with --precision fp32 if the run used bf16."
        )
