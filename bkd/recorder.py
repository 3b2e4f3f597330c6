"""Writes what the loop tells: events, checkpoints, run.json; hears when a run is asked to stop."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from bkd import checkpoint
from bkd.errors import BkdError, StorageError
from bkd.events import EventWriter
from bkd.learner import History, Learner, Position
from bkd.paths import RunFolder
from bkd.runfile import Status, write_run
from bkd.telemetry import HostCopies
from bkd.train import finite_or_fail

RUN_FILE_EVERY_S = 1.0  # run.json follows the epochs no faster than this
STOP_LOOK_S = 0.25  # stop.request is looked for no oftener than this


@dataclass
class Record:
    """One run on disk, as its process knows it.

    Attributes:
        run: run.json as last written or about to be.
        writer: Of events.jsonl.
        is_ended: Whether a final status was written.
        on_end: Called once it was, or could not be.
    """

    folder: RunFolder
    run: dict[str, Any]
    writer: EventWriter
    is_ended: bool = False
    last_figures: dict[str, float | None] = field(default_factory=dict)
    on_end: Callable[[], None] = lambda: None

    def save(self) -> None:
        """Replace run.json."""
        write_run(self.folder, self.run)

    def log(self, message: str) -> None:
        """Say something in the run's log and in its events."""
        print(message, flush=True)
        self.writer.write("log", step=0, epoch=int(self.run["epoch"]), values={"message": message})

    def end(self, status: Status, *, message: str | None = None, step: int = 0) -> None:
        """Write a final status to the events, then to run.json: who reads it there finds all events."""
        self.run |= {"status": status.value, "ended": round(time.time(), 3), "message": message}
        values: dict[str, Any] = {"status": status.value}
        if message:
            values["message"] = message
        try:
            self.writer.write("state", step=step, epoch=int(self.run["epoch"]), values=values, sync=True)
            self.save()
        finally:  # it has ended, whether or not that could be written down
            self.is_ended = True
            self.on_end()


class Recorder:
    """The observer of one process: a record per learner, by the learner's name.

    Args:
        records: By learner name, which is the run's id.
        steps_per_epoch: Of the loop.
        batch_size: Images per step, for images/s.
        log_every: Steps between step events.
        checkpoint_every_s: Seconds between checkpoints within an epoch.
        is_stopping: Whether the whole process was asked to stop.
        clock: Monotonic seconds.
    """

    def __init__(
        self, records: Mapping[str, Record], *, steps_per_epoch: int, batch_size: int, log_every: int,
        checkpoint_every_s: float, is_stopping: Callable[[], bool], clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self.records = records
        self.steps_per_epoch = steps_per_epoch
        self.batch_size = batch_size
        self.log_every = log_every
        self.checkpoint_every_s = checkpoint_every_s
        self.is_stopping = is_stopping
        self.clock = clock
        self._copies = {name: HostCopies() for name in records}
        self._step_at = self._checkpoint_at = clock()
        self._looked_at = -math.inf  # a request may be older than the loop
        self._saved_at = dict.fromkeys(records, clock())
        self._step_s = 0.0
        self._checkpoint_s = 0.0
        self._steps_since = 0

    # ---- Observer

    def stepped(self, learner: Learner, position: Position, figures: Tensor) -> None:
        """Send a step's figures on their way to events.jsonl."""
        copies = self._copies[learner.name]
        if position.total % self.log_every == 0:
            copies.push((position, learner.keys), figures)
        self._write_arrived(learner, wait=False)

    def _write_arrived(self, learner: Learner, *, wait: bool) -> None:
        record = self.records[learner.name]
        for (position, keys), values in self._copies[learner.name].arrived(wait=wait):
            figures = {key: _event_value(key, value) for key, value in zip(keys, values, strict=True)}
            record.last_figures |= figures
            present = {key: value for key, value in figures.items() if value is not None}
            if self._step_s > 0:
                present |= {"time/step_s": self._step_s, "time/images_per_s": round(self.batch_size / self._step_s, 1)}
            record.writer.write("step", step=position.total + 1, epoch=position.epoch, values=present)
            finite_or_fail(values[0], position)

    def epoch_ended(
        self, learner: Learner, position: Position, figures: dict[str, float | None], *, is_best: bool
    ) -> None:
        """Write an epoch's record, its checkpoint, and best.safetensors if it is the best so far."""
        self._write_arrived(learner, wait=True)
        record = self.records[learner.name]
        if is_best:
            checkpoint.write_weights_file(record.folder.best_weights, learner.network.state_dict())
        times = {"time/step_s": self._step_s, "time/checkpoint_s": self._checkpoint_s}
        record.writer.write("epoch", step=position.total + 1, epoch=position.epoch, values=figures | times, sync=True)
        finite_or_fail(figures["train/loss"] or 0.0, position)
        record.run["epoch"] = position.epoch + 1
        record.run["metrics"] = summary(record.run["metrics"], figures, record.last_figures)
        self._checkpoint(learner, Position(position.epoch + 1, 0, position.total + 1))
        self._checkpoint_at = self.clock()
        if self.clock() - self._saved_at[learner.name] >= RUN_FILE_EVERY_S or position.epoch == 0:
            self._saved_at[learner.name] = self.clock()
            record.save()

    def failed(self, learner: Learner, error: Exception) -> None:
        """Write that a learner cannot go on; where even that cannot be written, the log alone tells."""
        print(f"{learner.name} failed: {error}", flush=True)
        try:
            self.records[learner.name].end(Status.FAILED, message=str(error))
        except StorageError as second:
            print(f"{learner.name}: {second}", flush=True)

    def after_step(self, active: Sequence[Learner], position: Position) -> Sequence[Learner]:
        """Keep time, write checkpoints that are due, and stop whoever was asked to."""
        now = self.clock()
        self._step_s, self._step_at = round(now - self._step_at, 6), now
        following = Position(position.epoch, position.step + 1, position.total + 1)
        stopping = self._asked_to_stop(active, now)
        for learner in stopping:
            self._is_written(learner, lambda learner: self._stop(learner, following))
        going_on = [learner for learner in active if learner not in stopping]
        if now - self._checkpoint_at >= self.checkpoint_every_s:
            going_on = [one for one in going_on if self._is_written(one, lambda one: self._keep(one, following))]
            self._checkpoint_at = self.clock()
        return going_on

    # ---- stopping and checkpoints

    def _is_written(self, learner: Learner, write: Callable[[Learner], None]) -> bool:
        """Write something of one learner; what goes wrong is the end of that one, not of the others."""
        try:
            write(learner)
        except BkdError as error:
            self.failed(learner, error)
            return False
        return True

    def _stop(self, learner: Learner, following: Position) -> None:
        self._keep(learner, following)
        record = self.records[learner.name]
        checkpoint.write_weights_file(record.folder.last_weights, learner.network.state_dict())
        record.end(Status.STOPPED, step=following.total)

    def _keep(self, learner: Learner, following: Position) -> None:
        self._write_arrived(learner, wait=True)
        self._checkpoint(learner, following)

    def _asked_to_stop(self, active: Sequence[Learner], now: float) -> list[Learner]:
        if self.is_stopping():
            return list(active)
        if now - self._looked_at < STOP_LOOK_S:
            return []
        self._looked_at = now
        return [learner for learner in active if self.records[learner.name].folder.stop_request.exists()]

    def _checkpoint(self, learner: Learner, following: Position) -> None:
        record, began = self.records[learner.name], self.clock()
        state = {
            "epoch": following.epoch, "step": following.step, "total": following.total,
            "steps_per_epoch": self.steps_per_epoch, "events_offset": record.writer.offset,
            "metrics": record.run["metrics"], "last_figures": record.last_figures, "history": vars(learner.history),
        }  # fmt: skip
        checkpoint.write(record.folder.checkpoints, following.total, learner.tensors(), state)
        self._step_at = self.clock()  # the next step's time is its own
        self._checkpoint_s = round(self._step_at - began, 6)


def restore(
    learner: Learner, record: Record, state: Mapping[str, Any], tensors: dict[str, dict[str, Tensor]]
) -> Position:
    """Put a learner and its record where a checkpoint was; return where to go on."""
    learner.load_tensors(tensors)
    learner.history = History(**state["history"])
    record.run["metrics"], record.last_figures = dict(state["metrics"]), dict(state["last_figures"])
    record.run["epoch"] = state["epoch"]
    return Position(state["epoch"], state["step"], state["total"])


def summary(
    earlier: Mapping[str, Any], figures: Mapping[str, float | None], last_step: Mapping[str, float | None]
) -> dict[str, float | None]:
    """Return the metrics that run.json and the registry show: the last epoch's, and the last step's gradient noise."""
    grad = {key: value for key, value in last_step.items() if key.startswith("grad/")}
    return {**earlier, **grad, **figures}


def _event_value(key: str, value: float) -> float | None:
    """Turn a gradient figure that does not exist, NaN on the device, into None; any other NaN is a fault to show."""
    return None if key.startswith("grad/") and math.isnan(value) else value
