"""A child process's runs on disk: opened, told of, ended. What they compute is in the modules beside this one."""

import os
import sys
import time
import traceback
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import torch

from bkd import events
from bkd.assemble import Data, Find, load_predictor, open_data, shape_of
from bkd.devices import Machine, open_machine
from bkd.errors import BkdError, SpecError
from bkd.evaluate import Sampling, evaluate, flat_results
from bkd.kinds.kind import Material
from bkd.paths import RunFolder
from bkd.recorder import Record
from bkd.runfile import Status, boot_id, read_run, read_user, this_host
from bkd.specs import DataSpec, Weights, load
from bkd.stopping import StopFlag
from bkd.store import Store, root_of
from bkd.teachers import Teacher

FINAL_REPETITIONS = 3  # of a stochastic teacher on the test set; `bkd evaluate` takes more


class Child(ABC):
    """The life of one process: open, do the work, write down how it ended.

    Args:
        folders: The runs that share this process.
        locks: Descriptors of their locks, in the same order.
        flag: Set by SIGTERM.
        is_resume: Whether to go on from where they stopped.
    """

    def __init__(self, folders: Sequence[RunFolder], locks: Sequence[int], flag: StopFlag, *, is_resume: bool) -> None:
        self.folders = folders
        self.locks = dict(zip(folders, locks, strict=True))
        self.flag = flag
        self.is_resume = is_resume
        self.store = Store(root_of(folders[0]), warn=lambda text: print(text, flush=True))
        self.records: dict[str, Record] = {}

    def run(self) -> int:
        """Do the work and return the exit code; a failure is written down and told on standard error."""
        try:
            self.work()
        except BkdError as error:
            print(error, file=sys.stderr, flush=True)
            self._fail(str(error), error.exit_code)
            return error.exit_code
        except Exception as error:
            traceback.print_exc()
            self._fail(f"{type(error).__name__}: {error}", 1)
            return 1
        for record in self.records.values():
            if self._is_alone:
                self.register(record)
        return int(any(record.run["status"] == Status.FAILED for record in self.records.values()))

    @abstractmethod
    def work(self) -> None:
        """Do what the runs are for; every record is ended when this returns."""

    # ---- opening

    def open_specs(self) -> dict[str, Any]:
        """Open the record of every run and return their specs by id."""
        specs = {}
        for folder in self.folders:
            record = self._open_record(folder)
            specs[record.run["id"]] = load(record.run["spec"])
        return specs

    def _open_record(self, folder: RunFolder) -> Record:
        run = read_run(folder)
        run |= {
            "status": Status.RUNNING.value, "pid": os.getpid(), "host": this_host(), "boot_id": boot_id(),
            "started": run.get("started") or round(time.time(), 3), "ended": None, "message": None,
        }  # fmt: skip
        if not self.is_resume:
            folder.events.unlink(missing_ok=True)
        record = Record(folder, run, events.EventWriter(folder.events))
        if not self._is_alone:
            record.on_end = lambda: self._let_go(record)
        self.records[run["id"]] = record
        return record

    @property
    def _is_alone(self) -> bool:
        return len(self.folders) == 1

    def _let_go(self, record: Record) -> None:
        """Give up the lock of a run that has ended while others of this process go on."""
        if record.folder.run.exists():  # it may be gone, and be what the run failed of
            self.register(record)
        os.close(self.locks.pop(record.folder))

    def open_data(self, spec: DataSpec) -> tuple[Machine, Data]:
        """Open device and images of a run."""
        if spec.threads is not None:
            torch.set_num_threads(spec.threads)
        machine = open_machine(spec)
        return machine, open_data(spec, self.store.root, machine.device)

    def open_sources(self, spec: Any, data: Data, machine: Machine) -> list[Teacher]:
        """Load the teachers that a run is made from.

        Raises:
            SpecError: If one was validated on other images than this run would be.
        """
        which = getattr(spec, "weights", Weights.LAST)
        num_chunk = getattr(spec, "num_chunk", None)
        found = []
        for ref in spec.sources:
            folder, run = self.store.read(ref)
            theirs = (run.get("split") or {}).get("fingerprint")
            if theirs is not None and theirs != data.split.fingerprint:
                raise SpecError(
                    f"Teacher {run['id']} was validated on other images of {spec.dataset} (split {theirs}) than this "
                    f"run would be ({data.split.fingerprint}). The data set's files have changed: train it again."
                )
            found.append(
                load_predictor(run, folder, shape_of(data), machine.device, which, self.find, num_chunk=num_chunk)
            )
        return found

    @property
    def find(self) -> Find:
        """What finds a run that another is made from."""
        return self.store.read

    def material(self, spec: Any, data: Data, machine: Machine) -> Material:
        """Return what a teacher is made from beside its own settings."""
        return Material(
            lambda: self.open_sources(spec, data, machine), data.held_out("train"), data.held_out("val"), machine.device
        )

    def note_start(self, name: str, data: Data, machine: Machine, parameters: int, notes: Sequence[str]) -> None:
        """Write what a run runs on into run.json, and its first events."""
        record = self.records[name]
        record.run["environment"] = machine.environment() | {"parameters": parameters}
        record.run["split"] = {
            "fingerprint": data.split.fingerprint, "train": len(data.split.train), "val": len(data.split.val),
            "test": len(data.images.test_labels),
        }  # fmt: skip
        record.save()
        if record.writer.offset == 0:
            record.writer.write("state", step=0, epoch=0, values={"status": Status.RUNNING.value})
            for note in (*notes, *machine.notes):
                record.log(note)
        self.register(record)

    # ---- ending

    def evaluate(self, record: Record, predictor: Teacher, data: Data, sampling: Sampling, split: str = "test") -> None:
        """Evaluate a predictor on a split and put the figures into run.json."""
        result = evaluate(predictor, data.held_out(split), sampling)
        record.run["results"] = record.run["results"] | {split: result}
        record.run["metrics"] = record.run["metrics"] | flat_results(split, result)

    def register(self, record: Record) -> None:
        """Put a run's row into the registry."""
        self.store.register(record.run, read_user(record.folder))

    def _fail(self, message: str, exit_code: int) -> None:
        for folder in self.folders:
            record = next((r for r in self.records.values() if r.folder == folder), None)
            if record is None or record.is_ended:
                continue
            record.run["exit_code"] = exit_code  # 2: the user's to mend
            try:
                record.end(Status.FAILED, message=f"{message} The log is {self.folders[0].log}.")
                if self._is_alone:
                    self.register(record)
            except Exception:  # the disk may be the very thing that failed; the log has the first error
                traceback.print_exc()
