"""A save root with runs as they lie on disk, and how to wait for what an app shows."""

import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import orjson
from textual.pilot import Pilot

from bkd.paths import RunFolder
from bkd.runfile import write_run
from bkd.store import Store

DEADLINE_S = 60.0
CREATED = 1_790_000_000.0
SPLIT = {"dataset": "digits", "val_fraction": 0.1, "split_seed": 0, "protocol": "heldout"}


class SaveRoot:
    """Writes runs below a folder the way a child does."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.store = Store(path)

    def teacher(self, run_id: str, **values: Any) -> RunFolder:
        kind = values.get("kind", "Deterministic")
        head = {"role": "teacher", "kind": kind, "path": f"teachers/{kind}/wrn_16_1/{run_id}"}
        return self._write(run_id, head | values)

    def student(self, run_id: str, teacher: str, **values: Any) -> RunFolder:
        head = {
            "role": "student", "kind": "Deterministic", "student_arch": "vgg8", "teacher": teacher,
            "path": f"students/T:wrn_16_1_S:vgg8/Deterministic/lambd_1tempt_1temps_1/{run_id}",
            "lineage": {"teacher": teacher, "teacher_kind": "Deterministic"},
        }  # fmt: skip
        return self._write(run_id, head | values)

    def usable_teacher(self, run_id: str, kind: str = "Deterministic", **spec: Any) -> RunFolder:
        """Write a teacher that others can be made from: with its settings and weights."""
        settings = {"type": "train", "kind": kind, "arch": "wrn_16_1", "epochs": 8, "trial": 1} | SPLIT | spec
        folder = self.teacher(run_id, kind=kind, dataset=settings["dataset"], spec=settings)
        folder.last_weights.touch()
        return folder

    def sweep(self, run_id: str, teacher: str, students: Sequence[str | None], **values: Any) -> RunFolder:
        """Write a sweep of students that have these ids; None: not launched yet."""
        listed = [
            {"group": index // 2, "id": student, "path": f"students/{student}" if student else None,
             "spec": {"type": "distill", "student": "vgg8", "trial": index // 2 + 1, "kd_T": 4.0, "kd_S": 1.0,
                      "alpha": 0.5, "bnn_samples": 10, "fewshot_percent": None, "epochs": 3}}
            for index, student in enumerate(students)
        ]  # fmt: skip
        head = {
            "role": "experiment", "kind": "grid", "student_arch": "vgg8", "teacher": teacher, "students": listed,
            "path": f"experiments/grid/{run_id}", "epochs": len(students), "metrics": {},
            "lineage": {"teacher": teacher, "teacher_kind": "Deterministic"},
            "spec": {"type": "sweep grid", "dataset": "digits", "epochs": 3, "grid": "4:1:0.5"},
        }  # fmt: skip
        return self._write(run_id, head | values)

    def _write(self, run_id: str, values: dict[str, Any]) -> RunFolder:
        run = {
            "v": 1, "id": run_id, "name": f"wrn_16_1_digits_{run_id}", "arch": "wrn_16_1", "student_arch": None,
            "dataset": "digits", "status": "done", "epoch": 3, "epochs": 3, "created": CREATED, "started": CREATED + 1,
            "ended": CREATED + 61, "teacher": None, "trial": 1, "host": None, "message": None, "results": {},
            "metrics": {"test/acc": 0.9, "test/ece": 0.05, "test/nll": 0.3}, "lineage": {}, "environment": {},
            "spec": {"type": "train", "dataset": "digits", "epochs": 3, "learning_rate": 0.001},
            "split": {"train": 1200},
        } | values  # fmt: skip
        folder = self.store.folder(run["path"])
        folder.path.mkdir(parents=True)
        write_run(folder, run)
        self.store.register(run)
        return folder


def append(path: Path, records: Iterable[dict[str, Any]]) -> None:
    with path.open("ab") as file:
        for record in records:
            file.write(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE))


def steps(first: int, last: int) -> list[dict[str, Any]]:
    """Return step records of a run that logs ten steps a second."""
    return [
        {"v": 1, "t": CREATED + n / 10, "kind": "step", "step": n, "epoch": 0, "train/loss": 2.0 / n, "train/acc": 0.5,
         "grad/noise_onehot": 10.0 / n, "grad/noise": 9.0 / n, "time/images_per_s": 1000.0}
        for n in range(first, last + 1)
    ]  # fmt: skip


async def until(pilot: Pilot[Any], holds: Callable[[], bool], what: str = "the app shows it") -> None:
    """Let the app go on until something holds; the deadline only ends a test that would hang."""
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        await pilot.pause(0.01)
        if holds():
            return
    raise AssertionError(f"never: {what}")


async def at_rest(pilot: Pilot[Any], *groups: str) -> None:
    """Let the app go on until no worker of some groups is at work and what they posted was taken in."""
    await until(pilot, lambda: not any(w.group in groups and not w.is_finished for w in pilot.app.workers))
    await pilot.pause()
