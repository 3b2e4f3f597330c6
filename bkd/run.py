"""The child process of a run: joins the maths, the files and the registry."""

import argparse
import os
import threading
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bkd import checkpoint, events
from bkd.assemble import (
    Data,
    count_parameters,
    load_predictor,
    make_learner,
    make_loop,
    open_data,
    shape_of,
)
from bkd.devices import Machine, open_machine
from bkd.errors import BkdError, CheckpointError, SpecError
from bkd.evaluate import Sampling, evaluate
from bkd.kinds.table import load_kind
from bkd.learner import Learner, Position
from bkd.locks import acquire
from bkd.paths import RunFolder
from bkd.recorder import Record, Recorder, restore
from bkd.runfile import HEARTBEAT_S, Status, boot_id, read_run, read_user, this_host
from bkd.specs import DistillSpec, RunSpec, TrainSpec, load
from bkd.stopping import StopFlag
from bkd.store import Store
from bkd.teachers import NetworkTeacher, Teacher
from bkd.train import train


def main(arguments: Sequence[str], flag: StopFlag) -> int:
    """Run the folders named on the command line and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bkd run")
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--lock-fds", default="")
    parser.add_argument("--resume", action="store_true")
    given = parser.parse_args(arguments)
    folders = [RunFolder(path.absolute()) for path in given.folders]
    locks = [int(fd) for fd in given.lock_fds.split(",") if fd] or [acquire(folder.lock) for folder in folders]
    for lock in locks:
        os.set_inheritable(lock, False)
    _start_heartbeat(locks)
    return Child(folders, flag, is_resume=given.resume).run()


def _start_heartbeat(locks: Sequence[int]) -> None:
    def beat() -> None:
        while True:
            for lock in locks:
                os.utime(lock)
            time.sleep(HEARTBEAT_S)

    threading.Thread(target=beat, daemon=True, name="heartbeat").start()


FINAL_REPETITIONS = 3  # of a stochastic teacher on the test set; `bkd evaluate` takes more


class Child:
    """The life of one process: open, train, evaluate, write down.

    Args:
        folders: The runs that share this process; all have one teacher or none, and one data set.
        flag: Set by SIGTERM.
        is_resume: Whether to go on from the last checkpoint.
    """

    def __init__(self, folders: Sequence[RunFolder], flag: StopFlag, *, is_resume: bool) -> None:
        self.folders = folders
        self.flag = flag
        self.is_resume = is_resume
        self.store = Store(_save_root(folders[0]), warn=lambda text: print(text, flush=True))
        self.records: dict[str, Record] = {}

    def run(self) -> int:
        """Train to the end and return the exit code; a failure is written down and told on standard error."""
        try:
            return self._run()
        except Exception as error:
            traceback.print_exc()
            message = str(error) if isinstance(error, BkdError) else f"{type(error).__name__}: {error}"
            self._fail(message)
            return error.exit_code if isinstance(error, BkdError) else 1

    def _run(self) -> int:
        specs = {}
        for folder in self.folders:
            record = self._open_record(folder)
            specs[record.run["id"]] = load(record.run["spec"])
        first = next(iter(specs.values()))
        machine = open_machine(first)
        data = open_data(first, self.store.root, machine.device)
        teacher = self._open_teacher(first, data, machine)
        num_samples = max(getattr(spec, "bnn_samples", 1) for spec in specs.values())
        learners = [make_learner(name, spec, data, machine, teacher) for name, spec in specs.items()]
        loop = make_loop(first, data, machine, teacher, num_samples)
        start = self._start(learners, loop.batches.steps_per_epoch)
        self._note_start(learners, data, machine)
        recorder = Recorder(
            self.records, steps_per_epoch=loop.batches.steps_per_epoch, batch_size=loop.batches.batch_size,
            log_every=first.log_every, checkpoint_every_s=first.checkpoint_every, is_stopping=lambda: self.flag.is_set,
        )  # fmt: skip
        train(learners, loop, recorder, start)
        for learner in learners:
            if not self.records[learner.name].is_ended:
                self._finish(learner, specs[learner.name], data)
        for record in self.records.values():
            self.store.register(record.run, read_user(record.folder))
        return int(any(record.run["status"] == Status.FAILED for record in self.records.values()))

    # ---- opening

    def _open_record(self, folder: RunFolder) -> Record:
        run = read_run(folder)
        run |= {
            "status": Status.RUNNING.value, "pid": os.getpid(), "host": this_host(), "boot_id": boot_id(),
            "started": run.get("started") or round(time.time(), 3), "ended": None, "message": None,
            "process_runs": len(self.folders),
        }  # fmt: skip
        if not self.is_resume:
            folder.events.unlink(missing_ok=True)
        record = Record(folder, run, events.EventWriter(folder.events))
        self.records[run["id"]] = record
        return record

    def _open_teacher(self, spec: RunSpec, data: Data, machine: Machine) -> Teacher | None:
        if not isinstance(spec, DistillSpec):
            return None
        folder, run = self.store.read(spec.teacher)
        theirs = run.get("split", {}).get("fingerprint")
        if theirs is not None and theirs != data.split.fingerprint:
            raise SpecError(
                f"Teacher {run['id']} was validated on other images of {spec.dataset} (split {theirs}) than this run "
                f"would be ({data.split.fingerprint}). The data set's files have changed: train the teacher again."
            )
        return load_predictor(run, folder, shape_of(data), machine.device, spec.weights)

    def _start(self, learners: Sequence[Learner], steps_per_epoch: int) -> Position:
        """Return where to begin: at 0, or where the checkpoints of all learners are."""
        if not self.is_resume:
            return Position(0, 0, 0)
        starts = {self._restore(learner, steps_per_epoch) for learner in learners}
        if len(starts) > 1:
            raise CheckpointError("The runs of this process stopped at different steps. Resume them one by one.")
        return starts.pop()

    def _restore(self, learner: Learner, steps_per_epoch: int) -> Position:
        record = self.records[learner.name]
        found = checkpoint.read(record.folder.checkpoints)
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

    def _note_start(self, learners: Sequence[Learner], data: Data, machine: Machine) -> None:
        for learner in learners:
            record = self.records[learner.name]
            record.run["environment"] = machine.environment() | {"parameters": count_parameters(learner.network)}
            record.run["split"] = {
                "fingerprint": data.split.fingerprint, "train": len(data.split.train), "val": len(data.split.val),
                "test": len(data.images.test_labels),
            }  # fmt: skip
            record.save()
            if record.writer.offset == 0:
                record.writer.write("state", step=0, epoch=0, values={"status": Status.RUNNING.value})
                for note in (*learner.recipe.notes, *machine.notes):
                    print(note, flush=True)
                    record.writer.write("log", step=0, epoch=0, values={"message": note})
            self.store.register(record.run, read_user(record.folder))

    # ---- ending

    def _finish(self, learner: Learner, spec: RunSpec, data: Data) -> None:
        """Write the last weights, evaluate them on the test set, and end as done."""
        record = self.records[learner.name]
        checkpoint.write_weights_file(record.folder.last_weights, learner.network.state_dict())
        predictor = predictor_of(learner, spec)
        sampling = Sampling(learner.recipe.num_samples, FINAL_REPETITIONS, spec.seed)
        result = evaluate(predictor, data.held_out("test"), sampling)
        record.run["results"] = record.run["results"] | {"test": result}
        record.run["metrics"] = record.run["metrics"] | flat_results("test", result)
        record.run["best"] = {"epoch": learner.history.best_epoch, "val/acc": learner.history.best_acc}
        record.end(Status.DONE, step=int(record.run["epoch"]) * data.batches(spec).steps_per_epoch)

    def _fail(self, message: str) -> None:
        for folder in self.folders:
            record = next((r for r in self.records.values() if r.folder == folder), None)
            if record is None or record.is_ended:
                continue
            try:
                record.end(Status.FAILED, message=f"{message} The log is {folder.log}.")
                self.store.register(record.run, read_user(folder))
            except Exception:  # the disk may be the very thing that failed; the log has the first error
                traceback.print_exc()


def predictor_of(learner: Learner, spec: RunSpec) -> Teacher:
    """Return a learner's network, as it is now, as a frozen predictor."""
    learner.network.eval()
    if isinstance(spec, TrainSpec):
        return load_kind(spec.kind).teacher(learner.network, spec).freeze()
    return NetworkTeacher(learner.network).freeze()


def flat_results(split: str, result: dict[str, Any]) -> dict[str, float]:
    """Return an evaluation's figures as metrics: "test/acc", and "test/acc_sd", "test/probs_sd" of stochastic ones."""
    figures = {f"{split}/{name}": result[name] for name in ("acc", "acc5", "nll", "brier", "ece") if name in result}
    return figures | {f"{split}/{name}_sd": value for name, value in result.get("spread", {}).items()}


def _save_root(folder: RunFolder) -> Path:
    """Return the save root of a run folder, by the path that run.json tells."""
    relative = Path(read_run(folder)["path"])
    root = folder.path
    for _ in relative.parts:
        root = root.parent
    return root
