"""A save root with runs as they lie on disk, and how to wait for what an app shows."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import orjson
from textual.pilot import Pilot

from bkd.paths import RunFolder
from bkd.runfile import write_run
from bkd.store import Store

CREATED = 1_790_000_000.0


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
    """Let the app go on until something holds."""
    for _ in range(400):
        await pilot.pause(0.01)
        if holds():
            return
    raise AssertionError(f"never: {what}")
