"""The child that trains: teachers from the data, students from a teacher, any number of them on the same batches."""

from collections.abc import Sequence
from typing import Any

from bkd import checkpoint, events
from bkd.assemble import Data, count_parameters, make_learner, make_loop
from bkd.child import FINAL_REPETITIONS, Child
from bkd.devices import Machine
from bkd.errors import CheckpointError
from bkd.evaluate import Sampling
from bkd.kinds.table import load_kind
from bkd.learner import Learner, Position
from bkd.recorder import Recorder, restore
from bkd.runfile import Status
from bkd.specs import DistillSpec
from bkd.teachers import NetworkTeacher, Teacher
from bkd.train import train


class TrainChild(Child):
    """Trains runs that share their batches and their teacher, if they have one."""

    def work(self) -> None:
        """Train from the start or the checkpoint, evaluate, end."""
        specs = self.open_specs()
        first = next(iter(specs.values()))
        machine, data = self.open_data(first)
        teacher = self._open_teacher(first, data, machine)
        num_samples = max(getattr(spec, "bnn_samples", 1) for spec in specs.values())
        learners = [make_learner(name, spec, data, machine, teacher) for name, spec in specs.items()]
        loop = make_loop(first, data, machine, teacher, num_samples)
        start = self._start(learners, loop.batches.steps_per_epoch)
        for learner in learners:
            self._begin(learner, specs[learner.name], data, machine, start)
        recorder = Recorder(
            self.records, steps_per_epoch=loop.batches.steps_per_epoch, batch_size=loop.batches.batch_size,
            log_every=first.log_every, checkpoint_every_s=first.checkpoint_every, is_stopping=lambda: self.flag.is_set,
        )  # fmt: skip
        train(learners, loop, recorder, start)
        for learner in learners:
            if not self.records[learner.name].is_ended:
                self._finish(learner, specs[learner.name], data)

    def _open_teacher(self, spec: Any, data: Data, machine: Machine) -> Teacher | None:
        return self.open_sources(spec, data, machine)[0] if isinstance(spec, DistillSpec) else None

    def _begin(self, learner: Learner, spec: Any, data: Data, machine: Machine, start: Position) -> None:
        """Let a kind that starts from another teacher do so, and write what the run runs on."""
        record = self.records[learner.name]
        if spec.kind and (begin := load_kind(spec.kind).begin) is not None:
            begin(learner.recipe, spec, self.material(spec, data, machine), start.total > 0)
            if start.total == 0:
                record.run["metrics"] = dict(learner.recipe.figures)
        self.note_start(learner.name, data, machine, count_parameters(learner.network), learner.recipe.notes)

    def _start(self, learners: Sequence[Learner], steps_per_epoch: int) -> Position:
        """Return where to begin: at 0, or at the newest step of which all learners have a checkpoint."""
        if not self.is_resume:
            return Position(0, 0, 0)
        step = self._common_step(learners)
        starts = {self._restore(learner, steps_per_epoch, step) for learner in learners}
        if len(starts) > 1:
            raise CheckpointError("The runs of this process stopped at different steps. Resume them one by one.")
        return starts.pop()

    def _common_step(self, learners: Sequence[Learner]) -> int | None:
        """Return the newest step that all learners kept; None where each takes its own newest."""
        if len(learners) == 1:
            return None
        kept = [set(checkpoint.steps(self.records[learner.name].folder.checkpoints)) for learner in learners]
        return max(set.intersection(*kept), default=None)

    def _restore(self, learner: Learner, steps_per_epoch: int, step: int | None) -> Position:
        record = self.records[learner.name]
        found = checkpoint.read(record.folder.checkpoints, step=step)
        if found is None:
            print("There is no checkpoint yet: beginning again at step 0.", flush=True)
            events.truncate(record.folder.events, 0)
            return Position(0, 0, 0)
        tensors, state, warnings = found
        for warning in warnings:
            print(warning, "Going on from the one before it.", flush=True)
        if state["steps_per_epoch"] != steps_per_epoch:
            raise CheckpointError(
                f"The checkpoint has {state['steps_per_epoch']} steps an epoch, the data now gives {steps_per_epoch}. "
                "The data set's files have changed: launch the run anew."
            )
        events.truncate(record.folder.events, state["events_offset"])
        start = restore(learner, record, state, tensors)
        print(f"Resuming at step {start.total} (epoch {start.epoch + 1}).", flush=True)
        return start

    def _finish(self, learner: Learner, spec: Any, data: Data) -> None:
        """Write the last weights, evaluate them on the test set, and end as done."""
        record = self.records[learner.name]
        checkpoint.write_weights_file(record.folder.last_weights, learner.network.state_dict())
        sampling = Sampling(learner.recipe.num_samples, FINAL_REPETITIONS, spec.seed)
        self.evaluate(record, predictor_of(learner, spec), data, sampling)
        record.run["metrics"] |= learner.recipe.closing()
        record.run["best"] = {"epoch": learner.history.best_epoch, "val/acc": learner.history.best_acc}
        record.end(Status.DONE, step=int(record.run["epoch"]) * data.batches(spec).steps_per_epoch)


def predictor_of(learner: Learner, spec: Any) -> Teacher:
    """Return a learner's network, as it is now, as a frozen predictor."""
    learner.network.eval()
    if spec.kind:
        kind = load_kind(spec.kind)
        assert kind.teacher is not None, spec.kind
        return kind.teacher(learner.network, spec).freeze()
    return NetworkTeacher(learner.network).freeze()
