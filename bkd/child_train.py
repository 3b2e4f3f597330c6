"""The child that trains: teachers from the data, students from a teacher, any number of them on the same batches."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
from torch import Tensor

from bkd import checkpoint, events
from bkd.assemble import Data, build_recipe, count_parameters, make_learner, make_loop, shape_of
from bkd.child import FINAL_REPETITIONS, Child
from bkd.devices import Machine
from bkd.errors import BkdError, CheckpointError
from bkd.evaluate import Sampling
from bkd.kinds.table import load_kind
from bkd.learner import Learner, Position
from bkd.recorder import Recorder, restore
from bkd.runfile import Status
from bkd.specs import DistillSpec
from bkd.teacher_cache import open_cache
from bkd.teacher_cache_key import images_fingerprint
from bkd.teachers import NetworkTeacher, Teacher
from bkd.train import train

Found = tuple[dict[str, dict[str, Tensor]], dict[str, Any], list[str]]  # tensors, state, warnings of a checkpoint


class TrainChild(Child):
    """Trains runs that share their batches and their teacher, if they have one."""

    def work(self) -> None:
        """Train from the start or the checkpoint, evaluate, end."""
        specs = self.open_specs()
        first = next(iter(specs.values()))
        machine, data = self.open_data(first)
        teacher = self._open_teacher(list(specs.values()), data, machine)
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
                try:
                    self._finish(learner, specs[learner.name], data)
                except BkdError as error:  # the others may still be finished
                    recorder.failed(learner, error)

    def _open_teacher(self, specs: Sequence[Any], data: Data, machine: Machine) -> Teacher | None:
        """Load the teacher that the runs share, with its answers kept where that pays."""
        spec = specs[0]
        if not isinstance(spec, DistillSpec):
            return None
        [teacher] = self.open_sources(spec, data, machine)
        students = sum(count_parameters(build_recipe(s, shape_of(data)).network) for s in specs)
        is_auto = spec.teacher_cache == "auto"
        if spec.teacher_cache == "off" or (is_auto and not cache_pays(teacher, students)):
            return teacher
        _, run = self.store.read(spec.teacher)
        parts = {
            "kind": run["kind"], "dataset": spec.dataset, "images": images_fingerprint(data.images.train_images),
            "spec": hashlib.blake2b(orjson.dumps(run["spec"], option=orjson.OPT_SORT_KEYS)).hexdigest()[:32],
        }  # fmt: skip
        folder = self.store.root / "cache" if is_auto else Path(spec.teacher_cache).expanduser().absolute()
        return open_cache(
            teacher, parts, folder, num_images=len(data.images.train_labels), info=data.images.info,
            limit_gib=spec.teacher_cache_gib, say=lambda text: print(text, flush=True),
        )  # fmt: skip

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
        folders = {learner.name: self.records[learner.name].folder.checkpoints for learner in learners}
        found = _newest_common(folders)
        [start] = {self._restore(learner, steps_per_epoch, found[learner.name]) for learner in learners}
        return start

    def _restore(self, learner: Learner, steps_per_epoch: int, found: Found | None) -> Position:
        record = self.records[learner.name]
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
        checkpoint.drop_after(record.folder.checkpoints, start.total)
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


CACHE_FACTOR = 2  # a teacher this many times as large as its students is worth keeping answers of


def cache_pays(teacher: Teacher, student_parameters: int) -> bool:
    """Return whether keeping a teacher's answers is worth the disk: it is deterministic, and large for its students."""
    size = sum(parameter.numel() for parameter in teacher.network.parameters())
    return not teacher.is_stochastic and size >= CACHE_FACTOR * student_parameters


def _newest_common(folders: Mapping[str, Path]) -> dict[str, Found | None]:
    """Return the checkpoint of each run at the newest step at which all of them are whole; None if none has any.

    Raises:
        CheckpointError: If there is no such step.
    """
    if len(folders) == 1:
        return {name: checkpoint.read(folder) for name, folder in folders.items()}
    kept = [set(checkpoint.steps(folder)) for folder in folders.values()]
    if not any(kept):
        return dict.fromkeys(folders)
    for step in sorted(set.intersection(*kept), reverse=True):
        try:
            return {name: checkpoint.read(folder, step=step) for name, folder in folders.items()}
        except CheckpointError as error:
            print(error, f"Step {step} is passed over.", flush=True)
    raise CheckpointError("The runs of this process have no checkpoint of one step. Resume them one by one.")


def predictor_of(learner: Learner, spec: Any) -> Teacher:
    """Return a learner's network, as it is now, as a frozen predictor."""
    learner.network.eval()
    if spec.kind:
        kind = load_kind(spec.kind)
        assert kind.teacher is not None, spec.kind
        return kind.teacher(learner.network, spec).freeze()
    return NetworkTeacher(learner.network).freeze()
