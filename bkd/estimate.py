"""How long a run will take, from runs like it that this machine has finished."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Any

from bkd.catalog import DATASETS
from bkd.errors import StorageError
from bkd.events import last_events
from bkd.paths import RunFolder
from bkd.runfile import Status, read_run, this_host
from bkd.store import Store
from bkd.text import count

MOST_LOOKED_AT = 12  # of the newest; each takes a file or two to read
TAIL_BYTES = 1 << 16
SAME_ROW = ("role", "kind", "arch", "student_arch", "dataset")
SAME_SETTING = ("device", "precision", "compile", "noise_exact", "vi", "subs_weights", "hess_struct", "views")
BETTER_IF_SAME = ("threads", "bnn_samples", "batch_size", "protocol")  # runs that have these are believed alone

Run = Mapping[str, Any]


@dataclass(frozen=True)
class Estimate:
    """How long a launch will take.

    Attributes:
        seconds: Of all of its runs, one after another.
        runs: How many finished ones it was found from.
        is_most: Whether it will rather be less, as runs share their batches.
    """

    seconds: float
    runs: int
    is_most: bool = False

    def text(self) -> str:
        """Return it as "about 12 min, from 3 similar runs on this machine"."""
        word = "at most about" if self.is_most else "about"
        return f"{word} {rough_duration(self.seconds)}, from {count(self.runs, 'similar run')} on this machine"


@dataclass(frozen=True)
class Pace:
    """How long a finished run took.

    Attributes:
        image_s: Seconds per training image and pass.
        rest_s: Seconds for everything beside the steps.
    """

    image_s: float
    rest_s: float


def estimate(store: Store, run: Run, rows: Sequence[Run], *, trials: int = 1) -> Estimate | None:
    """Return how long a planned run will take, None where no run like it has ended on this machine.

    Args:
        store: Where the runs are.
        run: run.json of the plan.
        rows: All runs.
        trials: How often it is repeated.
    """
    students = run.get("students")
    if not students:
        found = _single(store, run, rows)
        return found and Estimate(found.seconds * trials, found.runs)
    return _sweep(store, run, students, rows)


def _sweep(store: Store, run: Run, students: Sequence[Run], rows: Sequence[Run]) -> Estimate | None:
    known: dict[tuple[Any, ...], Estimate | None] = {}
    seconds, runs = 0.0, 0
    for student in students:
        spec = student["spec"]
        key = tuple(spec.get(name) for name in ("student", "bnn_samples", "fewshot_percent"))
        if key not in known:
            one = {**run, "role": "student", "kind": run["lineage"]["teacher_kind"], "student_arch": spec["student"]}
            known[key] = _single(store, one | {"spec": spec}, rows)
        found = known[key]
        if found is None:
            return None
        seconds, runs = seconds + found.seconds, max(runs, found.runs)
    return Estimate(seconds, runs, is_most=len({student["group"] for student in students}) < len(students))


def _single(store: Store, run: Run, rows: Sequence[Run]) -> Estimate | None:
    similar = list(_similar(store, run, rows))
    for name in BETTER_IF_SAME:
        same = [(folder, one) for folder, one in similar if one["spec"].get(name) == run["spec"].get(name)]
        similar = same or similar
    spec = run["spec"]
    paces = [pace for folder, one in similar if (pace := pace_of(folder, one)) is not None]
    if not paces:
        return None
    passes = int(spec.get("epochs") or 1)
    rest = min(pace.rest_s for pace in paces)  # a run that was resumed has its pause in it
    return Estimate(rest + median(pace.image_s for pace in paces) * passes * images_of(spec), len(paces))


def _similar(store: Store, run: Run, rows: Sequence[Run]) -> Iterable[tuple[RunFolder, Run]]:
    here = this_host()
    alike = [
        row for row in reversed(rows)
        if row.get("status") == Status.DONE and row.get("host") == here and row.get("ended")
        and all(row.get(name) == run.get(name) for name in SAME_ROW)
    ]  # fmt: skip
    for row in alike[:MOST_LOOKED_AT]:
        folder = store.folder(str(row["path"]))
        with suppress(StorageError):
            one = read_run(folder)
            if all(one["spec"].get(name) == run["spec"].get(name) for name in SAME_SETTING):
                yield folder, one


def pace_of(folder: RunFolder, run: Run) -> Pace | None:
    """Return how long a finished run took, None if its files do not tell."""
    started, ended = run.get("started"), run.get("ended")
    if not isinstance(started, int | float) or not isinstance(ended, int | float) or ended <= started:
        return None
    images = int((run.get("split") or {}).get("train") or images_of(run["spec"]))
    passes, batch = int(run["spec"].get("epochs") or 1), run["spec"].get("batch_size")
    step = _step_s(last_events(folder.events, tail_bytes=TAIL_BYTES)) if batch else None
    if step is None:
        return Pace((ended - started) / (images * passes), 0.0)
    used = step * (images // batch) * passes
    return Pace(step / batch, max(0.0, ended - started - used))


def _step_s(events: Sequence[Run]) -> float | None:
    """Return the seconds of a step, with its share of the validation if epochs tell; None if no step tells."""
    for kind in ("epoch", "step"):
        told = [event for event in events if event.get("kind") == kind]
        found: list[float] = [
            (b["t"] - a["t"]) / (b["step"] - a["step"]) for a, b in pairwise(told) if b["step"] > a["step"]
        ]
        if found:
            return max(0.0, median(found))
    return None


def images_of(spec: Mapping[str, Any]) -> int:
    """Return on how many images a pass trains, as far as the settings tell."""
    whole = DATASETS[str(spec["dataset"])].train_images
    images = float(whole if spec.get("protocol") == "paper" else whole * (1 - float(spec.get("val_fraction") or 0)))
    if spec.get("train_limit"):
        images = min(images, float(spec["train_limit"]))
    percent = spec.get("fewshot_percent")
    return max(1, round(images * percent / 100 if isinstance(percent, int | float) else images))


def rough_duration(seconds: float) -> str:
    """Return a forecast in the unit that suits it: "20 s", "12 min", "3.5 h", "2.1 days"."""
    if seconds < 90:
        return f"{max(5, 5 * round(seconds / 5))} s"
    if seconds < 90 * 60:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h" if seconds < 36 * 3600 else f"{seconds / 86400:.1f} days"
