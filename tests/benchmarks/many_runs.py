"""A save root of 10,000 runs as people leave them: rows with all their metrics, lineages, some lost or failed."""

import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from bkd.runfile import this_host
from bkd.spec_defaults import defaults
from registry import Registry, row_of
from registry.storage import AtomicStorage

RUNS = 10_000
TEACHERS = 1_000
LOST = 300  # half of them still called running by their row
SWEEPS = 20
BEGAN = 1.76e9
KINDS = ("Deterministic", "Bayesian", "MSE", "Laplace", "MCMI", "Ensemble", "TTDA")
MADE_FROM_ONE = ("Laplace", "MCMI", "TTDA")
METRICS = (
    "grad/norm", "grad/noise_full", "grad/noise", "grad/noise_onehot", "grad/noise_teacher", "grad/noise_shared",
    "grad/noise_ratio", "grad/bias", "grad/alpha_star", "train/loss", "train/acc", "lr", "val/acc", "val/acc5",
    "val/nll", "val/brier", "val/ece", "val/loss", "val/grad/noise", "val/grad/noise_onehot", "val/grad/noise_teacher",
    "val/grad/noise_ratio", "val/grad/bias", "converge/noise_loss", "converge/noise_acc", "test/acc", "test/acc5",
    "test/nll", "test/brier", "test/ece",
)  # fmt: skip
Run = dict[str, Any]


def run_id(i: int) -> str:
    """Return the id of the i-th run."""
    return f"a{i:06d}b"


def is_teacher(i: int) -> bool:
    """Whether the i-th run is a teacher; the nine after it are its students."""
    return i % (RUNS // TEACHERS) == 0


def runs() -> Iterator[Run]:
    """Yield run.json of every run, the oldest first."""
    draw = random.Random(0)
    for i in range(RUNS):
        yield _teacher(i, draw) if is_teacher(i) else _heir(i, draw)


def _teacher(i: int, draw: random.Random) -> Run:
    n = i * TEACHERS // RUNS
    kind = KINDS[n % len(KINDS)]
    base = run_id((n - n % len(KINDS)) * RUNS // TEACHERS)
    members = [run_id(k * len(KINDS) * RUNS // TEACHERS) for k in range(5)] if kind == "Ensemble" else None
    spec = {"type": "train", "kind": kind, "dataset": "digits", "arch": "wrn_16_1", "trial": n % 5 + 1, "epochs": 200}
    own = {"role": "teacher", "teacher": base if kind in MADE_FROM_ONE else None, "members": members}
    if own["teacher"]:
        spec["teacher"] = base
    return _run(i, kind, f"teachers/{kind}/wrn_16_1", defaults("train", kind) | spec, draw) | own


def _heir(i: int, draw: random.Random) -> Run:
    first = i - i % (RUNS // TEACHERS)
    kind = KINDS[first * TEACHERS // RUNS % len(KINDS)]
    if i % (RUNS // SWEEPS) == 1:
        spec: Run = {"type": "sweep grid", "teacher": run_id(first), "trial": 1, "epochs": 9}
        return _run(i, "grid", "experiments/grid", spec, draw) | {"role": "experiment", "teacher": run_id(first)}
    spec = defaults("distill", "") | {
        "type": "distill", "teacher": run_id(first), "student": "wrn_16_2", "dataset": "digits", "trial": i % 3 + 1,
        "alpha": 1.0, "kd_T": float(i % 9 // 3 + 1), "kd_S": 1.0, "epochs": 100,
    }  # fmt: skip
    folder = f"students/T:wrn_16_1_S:wrn_16_2/{kind}/lambd_1tempt_{i % 9 // 3 + 1}temps_1"
    own = {"role": "student", "student_arch": "wrn_16_2", "teacher": run_id(first)}
    return _run(i, kind, folder, spec, draw) | own


def _run(i: int, kind: str, folder: str, spec: Run, draw: random.Random) -> Run:
    name = f"wrn_16_1_digits_trial_{spec['trial']}_{run_id(i)}"
    metrics = {key: draw.random() for key in METRICS}
    bins = [
        {"low": k / 15, "high": (k + 1) / 15, "count": 24, "confidence": draw.random(), "accuracy": draw.random()}
        for k in range(15)
    ]
    test = {key.partition("/")[2]: value for key, value in metrics.items() if key.startswith("test/")}
    return {
        "v": 1, "id": run_id(i), "name": name, "kind": kind, "arch": "wrn_16_1", "student_arch": None,
        "dataset": "digits", "status": _status(i), "epoch": spec["epochs"], "epochs": spec["epochs"],
        "created": BEGAN + 600 * i, "started": BEGAN + 600 * i + 2, "ended": BEGAN + 600 * i + 500,
        "path": f"{folder}/{name}", "members": None, "trial": spec["trial"], "host": this_host(), "message": None,
        "metrics": metrics, "results": {"test": test | {"images": 360, "samples": 1, "reliability": bins}},
        "lineage": {}, "environment": {"device": "cpu", "precision": "fp32", "parameters": 174778, "threads": 1},
        "spec": spec, "split": {"fingerprint": "8e09a9843165", "train": 1293, "val": 144, "test": 360},
        "tags": ["paper"] if i % 4 == 0 else [], "note": "looks good" if i % 50 == 0 else "",
    }  # fmt: skip


def _status(i: int) -> str:
    step = RUNS // LOST
    if i % step == 3:
        return "running" if i // step % 2 else "lost"  # neither has a process
    return {7: "failed", 8: "stopped"}.get(i % 31, "done")


def make_save_root(root: Path, *, with_folders: bool = False) -> None:
    """Write the registry and the folders of the unsettled runs, or of all.

    Args:
        root: The save root; must not exist.
        with_folders: Write the run folders of the finished ones too.
    """
    root.mkdir(parents=True)
    tables: dict[str, dict[str, object]] = {"teachers": {}, "students": {}, "experiments": {}}
    for run in runs():
        table = tables[f"{run['role']}s"]
        table[str(len(table) + 1)] = row_of(run)
        if with_folders or run["status"] in ("running", "lost"):
            write_folder(root, run)
    AtomicStorage(root / "registry.json").write(tables)
    assert len(Registry(root / "registry.json").rows()) == RUNS


def write_folder(root: Path, run: Run) -> Path:
    """Write a run's run.json and return its folder."""
    folder = root / run["path"]
    folder.mkdir(parents=True)
    own = {key: value for key, value in run.items() if key not in ("tags", "note")}
    if run["status"] == "lost":
        own["status"] = "running"  # nobody writes that a run is lost
    (folder / "run.json").write_bytes(orjson.dumps(own, option=orjson.OPT_INDENT_2))
    (folder / "user.json").write_bytes(orjson.dumps({"tags": run["tags"], "note": run["note"]}))
    (folder / "run.lock").touch()
    return folder


def live_run(i: int) -> Run:
    """Return run.json of a run at work that is newer than all others."""
    draw = random.Random(i)
    spec = {"type": "train", "kind": "Bayesian", "dataset": "digits", "arch": "wrn_16_1", "trial": 1, "epochs": 200}
    run = _run(RUNS + i, "Bayesian", "teachers/Bayesian/wrn_16_1", spec, draw)
    now = time.time()
    return run | {
        "role": "teacher", "teacher": None, "status": "running", "epoch": 3, "created": now + i, "started": now,
        "ended": None, "results": {},
    }  # fmt: skip
