"""A save root whose runs never change, whenever and wherever it is made."""

from collections.abc import Iterator
from contextlib import contextmanager
from math import exp, sin
from os import close
from typing import Any

from pilot_save import CREATED, SPLIT, SaveRoot, append

from bkd import actions
from bkd.kinds.table import load_kind
from bkd.locks import acquire
from bkd.paths import RunFolder
from bkd.runfile import this_host
from bkd.specs import DistillSpec, RunSpec, dump, make_spec

NOW = CREATED + 900.0
STEPS, EPOCHS = 480, 40
TEACHER, BAYESIAN, LIVE, STUDENT = "1d7e0001", "2bae0002", "3f0a0003", "5d0a0101"
ENVIRONMENT = {
    "bkd": "0.1.0", "python": "3.11.4", "torch": "2.7.1", "device": "cpu", "threads": 1, "parameters": 174778,
    "platform": "Linux-6.1.0-x86_64-with-glibc2.36", "commit": "0123456789abcdef0123456789abcdef01234567",
}  # fmt: skip


# ---- runs


def fit(level: float, share: float, wobble: float) -> dict[str, float]:
    """Return what a network has reached after a share of its training; the higher the level, the better."""
    accuracy = level - 0.9 * exp(-7 * share) + 0.006 * sin(wobble)
    return {
        "acc": round(accuracy, 4),
        "nll": round(2.3 * (1 - accuracy) + 0.01, 4),
        "ece": round(0.02 + accuracy / 50, 4),
    }


def events(level: float, last: int = STEPS, *, of_student: bool = False) -> Iterator[dict[str, Any]]:
    """Yield the records of a run."""
    yield {"v": 1, "t": CREATED + 1, "kind": "state", "step": 0, "epoch": 0, "status": "running"}
    for step in range(1, last + 1):
        at = {"v": 1, "t": CREATED + 1 + step / 8, "step": step, "epoch": (step - 1) // (STEPS // EPOCHS)}
        share, wobble = step / STEPS, level * 50 * step
        train = fit(level + 0.01, share, wobble)
        onehot = round(14 * exp(-3 * share) * (1 + 0.2 * sin(wobble)), 4)
        noise = {"grad/noise": onehot, "grad/noise_onehot": onehot, "grad/norm": round(onehot / 9, 4)}
        if of_student:
            ratio = round(0.95 - 0.4 * share + 0.02 * sin(wobble / 7), 4)
            noise |= {
                "grad/noise_teacher": round(onehot * ratio, 4), "grad/noise_ratio": ratio,
                "grad/bias": round(0.1 * share, 4), "grad/alpha_star": round(1 - share / 5, 4),
            }  # fmt: skip
        yield at | noise | {
            "kind": "step", "train/loss": train["nll"], "train/ce": train["nll"], "train/acc": train["acc"],
            "lr": 0.003 if share < 0.5 else 0.0003, "time/images_per_s": 1400.0 + round(60 * sin(wobble)),
        }  # fmt: skip
        if step % (STEPS // EPOCHS) == 0:
            val = fit(level, share, wobble)
            yield at | {
                "kind": "epoch",
                "val/loss": val["nll"],
                **{f"val/{name}": value for name, value in val.items()},
            }


def reliability(level: float) -> dict[str, Any]:
    """Return an evaluation."""
    counts = (0, 0, 2, 5, 9, 14, 20, 40, 90, 180)
    bins = [
        {"low": n / 10, "high": (n + 1) / 10, "count": count, "confidence": (n + 0.5) / 10,
         "accuracy": round((n + 0.5) / 10 - (1 - level) * (1 + 0.3 * sin(5 * n)), 4)}
        for n, count in enumerate(counts)
    ]  # fmt: skip
    gap = sum(one["count"] * abs(one["accuracy"] - one["confidence"]) for one in bins) / sum(counts)
    return fit(level, 1.0, 0.0) | {
        "acc5": 1.0,
        "ece": round(gap, 4),
        "brier": round(1 - level, 4),
        "images": 360,
        "reliability": bins,
    }


def head(level: float, spec: RunSpec, number: int) -> dict[str, Any]:
    """Return what run.json says of a run that reached a level."""
    results = {"test": reliability(level), "val": reliability(level + 0.005)}
    metrics = {f"{split}/{name}": result[name] for split, result in results.items() for name in ("acc", "nll", "ece")}
    return {
        "spec": dump(spec), "results": results, "metrics": metrics, "epoch": EPOCHS, "epochs": EPOCHS,
        "environment": ENVIRONMENT, "created": CREATED + number, "trial": spec.trial, "split": {"train": 1200},
        "name": f"wrn_16_1_digits_trial_{spec.trial}",
    }  # fmt: skip


class Gallery(SaveRoot):
    """Fills a save root: teachers in each state, students with repetitions, a sweep, one run that goes on."""

    def fill(self) -> None:
        """Write all that ends."""
        for run_id, kind, level, number in (
            (TEACHER, "Deterministic", 0.97, 1), (BAYESIAN, "Bayesian", 0.975, 2), ("4a5e0004", "MSE", 0.96, 3),
        ):  # fmt: skip
            self.made_teacher(run_id, kind, level, number)
        self.made_teacher(
            "6e770006", "Deterministic", 0.9, 6, 144, status="running", host=this_host(), ended=None, results={},
            metrics={"val/acc": 0.81}, epoch=12,
        )  # fmt: skip
        fault = "The loss is not finite at step 31. Use a smaller learning rate."
        self.made_teacher(
            "7fa10007", "Deterministic", 0.9, 7, 30, status="failed", message=fault, results={}, metrics={}, epoch=2
        )
        for place, (teacher, level) in enumerate(((TEACHER, 0.968), (BAYESIAN, 0.981))):
            for trial in (1, 2, 3):
                run_id = f"5d0a0{place + 1}0{trial}"
                self.made_student(run_id, teacher, level + 0.002 * trial, trial, 10 + 3 * place + trial)
        self.sweep("8e5e0008", TEACHER, ["5d0a0101", "5d0a0102", None, None], status="stopped", epoch=2)
        actions.describe(self.store, STUDENT, add=("paper", "digits"))

    def made_teacher(
        self, run_id: str, kind: str, level: float, number: int, last: int = STEPS, **values: Any
    ) -> RunFolder:
        """Write a teacher that others can be made from."""
        spec = make_spec(load_kind(kind).spec, SPLIT | {"arch": "wrn_16_1", "epochs": EPOCHS, "trial": 1})
        said = head(level, spec, number)
        said["name"] += f"_{run_id}"
        folder = self.teacher(run_id, kind=kind, **(said | values))
        folder.last_weights.touch()
        self._log(folder, level, of_student=False, last=last)
        return folder

    def made_student(self, run_id: str, teacher: str, level: float, trial: int, number: int) -> RunFolder:
        """Write a student."""
        row = self.store.load(self.store.find(teacher))
        spec = make_spec(
            DistillSpec,
            SPLIT | {"teacher": teacher, "student": "wrn_16_1", "epochs": EPOCHS, "trial": trial, "kd_T": 4.0},
        )
        said = head(level, spec, number)
        said["name"] += f"_{run_id}"
        said["metrics"]["grad/noise_ratio"] = round(level - 0.4, 4)
        lineage = {
            "teacher": teacher, "teacher_kind": row["kind"], "teacher_path": row["path"], "teacher_name": row["name"],
        }  # fmt: skip
        path = f"students/T:wrn_16_1_S:wrn_16_1/{row['kind']}/lambd_1tempt_4temps_1/{run_id}"
        folder = self.student(
            run_id, teacher, kind=row["kind"], student_arch="wrn_16_1", path=path, **(said | {"lineage": lineage})
        )
        self._log(folder, level, of_student=True)
        return folder

    def _log(self, folder: RunFolder, level: float, *, of_student: bool, last: int = STEPS) -> None:
        append(folder.events, events(level, last, of_student=of_student))
        append(folder.system, samples(24))
        epochs = (
            f"epoch {n}: val/acc {fit(level, n / EPOCHS, n)['acc']}" for n in range(1, last * EPOCHS // STEPS + 1)
        )
        folder.log.write_text("\n".join(["digits: 1293 training images, 144 validation, 360 test", *epochs, ""]))

    @contextmanager
    def live(self, last: int = 300) -> Iterator[RunFolder]:
        """Write a teacher that goes on, and keep it alive."""
        spec = make_spec(load_kind("Deterministic").spec, SPLIT | {"arch": "wrn_16_1", "epochs": EPOCHS, "trial": 2})
        metrics = {f"val/{name}": value for name, value in fit(0.97, last / STEPS, 1.0).items()}
        said = head(0.97, spec, 5) | {
            "status": "running", "host": this_host(), "ended": None, "epoch": last * EPOCHS // STEPS, "results": {},
            "metrics": metrics, "started": NOW - last / 8 - 3,
        }  # fmt: skip
        folder = self.teacher(LIVE, **(said | {"name": f"wrn_16_1_digits_trial_2_{LIVE}"}))
        self._log(folder, 0.97, of_student=False, last=last)
        records = [record | {"t": record["t"] - CREATED + NOW - last / 8 - 3} for record in events(0.97, last)]
        folder.events.unlink()
        append(folder.events, records)
        lock = acquire(folder.lock)
        try:
            yield folder
        finally:
            close(lock)


def samples(count: int) -> Iterator[dict[str, Any]]:
    """Yield what a run took of its machine."""
    for n in range(count):
        yield {
            "v": 1, "t": CREATED + 5 * n, "cpu_percent": round(95 + 4 * sin(n), 1), "rss_mib": 800.0 + 6 * n,
            "threads": 6, "host_cpu_percent": round(60 + 9 * sin(n / 3), 1), "host_mem_percent": 38.0,
            "process_runs": 1, "gpu": [],
        }  # fmt: skip
