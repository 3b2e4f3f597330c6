"""Where everything lies: the save root's layout and the names of a run's files."""

import os
from dataclasses import dataclass
from pathlib import Path

from bkd.catalog import DATASETS

SYNTHETIC = "synthetic"  # stands for the data set of runs that make their own data


@dataclass(frozen=True)
class RunFolder:
    """The files of one run; one class owns their names."""

    path: Path

    @property
    def run(self) -> Path:
        """run.json: the truth about the run, replaced atomically by the child."""
        return self.path / "run.json"

    @property
    def user(self) -> Path:
        """user.json: tags and note, written by command line and app only."""
        return self.path / "user.json"

    @property
    def user_lock(self) -> Path:
        """Lock of user.json."""
        return self.path / "user.lock"

    @property
    def events(self) -> Path:
        """events.jsonl: metrics, appended."""
        return self.path / "events.jsonl"

    @property
    def system(self) -> Path:
        """system.jsonl: what the run takes of its machine, appended."""
        return self.path / "system.jsonl"

    @property
    def log(self) -> Path:
        """output.log: what the child printed."""
        return self.path / "output.log"

    @property
    def lock(self) -> Path:
        """run.lock: held by the child for its whole life; its mtime is the heartbeat."""
        return self.path / "run.lock"

    @property
    def stop_request(self) -> Path:
        """stop.request: asks one of several learners of a process to stop."""
        return self.path / "stop.request"

    @property
    def checkpoints(self) -> Path:
        """checkpoints/: one folder per checkpoint."""
        return self.path / "checkpoints"

    @property
    def last_weights(self) -> Path:
        """model.safetensors: the last state."""
        return self.path / "model.safetensors"

    @property
    def best_weights(self) -> Path:
        """best.safetensors: the best state on validation."""
        return self.path / "best.safetensors"


def save_root(given: str | Path | None = None) -> Path:
    """Return the save root: the given one, else BKD_SAVE, else ./save."""
    return Path(given or os.environ.get("BKD_SAVE") or "save").expanduser().absolute()


def data_root(given: str | Path | None, save: Path) -> Path:
    """Return the folder of the data sets: the given one, else DATASETS_PATH, else <save>/data."""
    return Path(given or os.environ.get("DATASETS_PATH") or save / "data").expanduser().absolute()


def teacher_folder(kind: str, arch: str, run_name: str) -> str:
    """Return a teacher's folder relative to the save root."""
    return f"teachers/{kind}/{arch}/{run_name}"


def student_folder(
    teacher_arch: str, student_arch: str, teacher_kind: str, setting: tuple[float, float, float], run_name: str
) -> str:
    """Return a student's folder relative to the save root; `setting` is (alpha, kd_T, kd_S)."""
    alpha, kd_t, kd_s = setting
    folder = f"lambd_{alpha:g}tempt_{kd_t:g}temps_{kd_s:g}"
    return f"students/T:{teacher_arch}_S:{student_arch}/{teacher_kind}/{folder}/{run_name}"


def experiment_folder(name: str, run_name: str) -> str:
    """Return the folder of an experiment, such as a sweep, relative to the save root."""
    return f"experiments/{name}/{run_name}"


def run_name(arch: str, dataset: str, trial: int, run_id: str) -> str:
    """Return a name that a person can read and that never repeats."""
    assert dataset in DATASETS or dataset == SYNTHETIC, dataset
    return f"{arch}_{dataset}_trial_{trial}_{run_id}"


def find_run_files(root: Path) -> list[Path]:
    """Return every run.json below the save root, in a fixed order."""
    found: list[Path] = []
    for top in ("teachers", "students", "experiments"):
        for folder, folders, files in os.walk(root / top):
            if "run.json" in files:
                found.append(Path(folder, "run.json"))
                folders.clear()  # a run holds no runs
            folders.sort()
    return found
