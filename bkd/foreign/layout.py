"""Folders of the paper's scripts: which hold a trained network, and what their names tell of it.

A teacher lies in teachers/{kind}/{architecture}/{name}, a student in students/T:{teacher}_S:{student}/{kind}/
lambd_..tempt_..temps_../{name} or, of the few-shot runs, in fewshot_experiment/{percent}/T:.._S:../{kind}/{name}.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bkd.errors import CheckpointError, SpecError

SNAPSHOT = "snapshot_sd.pt"
FOREIGN_KINDS = ("Deterministic", "Bayesian", "MSE", "MCMI", "Laplace")

# name -> position of the first max-pool among torchvision's `features`, where the scripts leave an empty place
_VGG = {
    "vgg11": 2, "vgg13": 4, "vgg16": 4, "vgg19": 4,
    "vgg11_bn": 3, "vgg13_bn": 6, "vgg16_bn": 6, "vgg19_bn": 6,
}  # fmt: skip
FIRST_POOL: dict[str, int] = _VGG
FOREIGN_ARCHITECTURES = (
    "resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "wrn_16_1", "wrn_16_2", "wrn_40_1", "wrn_40_2",
    *_VGG, "vgg_c8", "vgg_c13",
)  # fmt: skip

_NUMBER = r"\d+(?:\.\d*)?(?:e-?\d+)?"
_RECIPE = rf"(?P<epochs>\d+)_(?P<learning_rate>{_NUMBER})_(?P<lr_decay_rate>{_NUMBER})_\[(?P<lr_decay_epochs>[\d, ]*)\]"
_BASE = rf"{_RECIPE}_(?P<bnn_annealing_epochs>\d+)_(?P<bnn_ml_epochs>\d+)_trial_(?P<trial>\d+)"
_TEACHER = re.compile(_BASE)
_MCMI = re.compile(
    rf"(?P<parent>.*_trial_(?P<trial>\d+))_(?P<mcmi_param>-?{_NUMBER})_(?P<epochs>\d+)_(?P<learning_rate>{_NUMBER})"
    rf"_(?P<batch_size>\d+)_{_NUMBER}"
)
_LAPLACE = re.compile(
    r"(?P<parent>.*_trial_(?P<trial>\d+))_(?P<subs_weights>last_layer|all|subnetwork)"
    r"_(?P<hess_struct>kron|diag|full|lowrank|gp)_(?P<la_method>marglik|gridsearch)"
    r"_(?P<pred_type>glm|nn)_(?P<link_approx>probit|mc|bridge_norm|bridge)"
)
_STUDENT = re.compile(
    rf"T:(?P<parent>.+)_S:{_RECIPE}_(?P<alpha>{_NUMBER})_(?P<kd_T>{_NUMBER})_(?P<kd_S>{_NUMBER})_(?P<bnn_samples>\d+)"
)
_PAIR = re.compile(r"T:(?P<teacher>.+)_S:(?P<student>.+)")
_TRIAL = re.compile(r".*trial_(?P<trial>\d+)")
_SETTING = re.compile(rf"lambd_(?P<alpha>{_NUMBER})tempt_(?P<kd_T>{_NUMBER})temps_(?P<kd_S>{_NUMBER})")
_WHOLE = frozenset(
    {"epochs", "trial", "bnn_annealing_epochs", "bnn_ml_epochs", "batch_size", "bnn_samples"}
)  # fmt: skip
_TEXT = frozenset({"subs_weights", "hess_struct", "la_method", "pred_type", "link_approx"})


@dataclass(frozen=True)
class ForeignRun:
    """A folder of the paper's scripts that holds a trained network.

    Attributes:
        folder: Where it lies.
        key: What it is in its tree, the same wherever the tree lies.
        role: "teacher" or "student".
        kind: Kind of the teacher; of a student, of its teacher.
        arch: Architecture; of a student, of its teacher.
        student_arch: Architecture of a student.
        parent: Folder name of the teacher that it was made from, "" if there is none.
        settings: What the name tells, by the names of bkd's settings.
        fewshot_percent: Percent of each class that a few-shot student was trained on.
    """

    folder: Path
    key: str
    role: str
    kind: str
    arch: str
    student_arch: str = ""
    parent: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    fewshot_percent: int | None = None

    @property
    def network_arch(self) -> str:
        """Architecture of the network in the folder."""
        return self.student_arch or self.arch

    @property
    def snapshot(self) -> Path:
        """The file with its weights."""
        return self.folder / SNAPSHOT

    @property
    def rank(self) -> int:
        """Place in the order of import: a run comes after the one that it was made from."""
        return 2 if self.role == "student" else int(self.kind in ("MCMI", "Laplace"))

    def parent_folders(self) -> Iterator[Path]:
        """Yield the folders where the teacher that it was made from may lie, nearest first."""
        if not self.parent:
            return
        kind = self.kind if self.role == "student" else "Deterministic"
        if self.role == "teacher":
            yield self.folder.parents[2] / kind / self.arch / self.parent
        for above in self.folder.parents:
            yield above / "teachers" / kind / self.arch / self.parent


def find_snapshots(path: Path) -> list[Path]:
    """Return the folders at and below `path` that hold a snapshot, in a fixed order.

    Raises:
        SpecError: The path does not exist, is no folder, or holds no snapshot.
    """
    if not path.is_dir():
        what = "is a file, must be a folder" if path.exists() else "does not exist"
        raise SpecError(
            f"import PATH {path} {what}. Give the save/ folder that the paper's scripts wrote, or one in it."
        )
    found = []
    for folder, folders, files in os.walk(path):
        folders.sort()
        if SNAPSHOT in files:
            found.append(Path(folder))
    if not found:
        raise SpecError(f"import PATH {path} holds no {SNAPSHOT} in any of its folders. {_advice(path)}")
    return found


def _advice(path: Path) -> str:
    if (path / "registry.json").exists():
        return "It is a save root of bkd already: show it with `bkd list --save` and its path."
    return "Give the save/ folder that the paper's scripts wrote, or one in it."


def read_folder(folder: Path) -> ForeignRun:
    """Return what the names of a folder and of those around it tell.

    Raises:
        CheckpointError: It is neither a teacher's nor a student's, or of a kind or architecture that the scripts lack.
    """
    folder = folder.absolute()
    if not _is_text(str(folder)):
        raise CheckpointError(f"{folder} is no name in UTF-8. Rename the folder.")
    above = [parent.name for parent in folder.parents]
    has_setting = bool(above) and _SETTING.fullmatch(above[0]) is not None
    names = above[1:] if has_setting else above
    pair = _PAIR.fullmatch(names[1]) if len(names) > 1 else None
    if pair is not None:
        return _student(folder, pair, names, above[0] if has_setting else "")
    if len(names) < 2 or names[1] not in FOREIGN_KINDS:
        raise CheckpointError(
            f"{folder} lies neither in {{kind}}/{{architecture}}, with a kind of {', '.join(FOREIGN_KINDS)}, nor in "
            "T:{teacher}_S:{student}/{kind}. Keep the folders as the paper's scripts name them."
        )
    kind, arch = names[1], _checked_arch(folder, names[0])
    key = f"teachers/{kind}/{arch}/{folder.name}"
    settings, parent = _teacher_settings(kind, folder.name)
    return ForeignRun(folder, key, "teacher", kind, arch, parent=parent, settings=settings)


def _student(folder: Path, pair: re.Match[str], names: list[str], setting: str) -> ForeignRun:
    kind = names[0]
    if kind not in FOREIGN_KINDS:
        raise CheckpointError(
            f"{folder} is a student of a {kind} teacher, must be one of {', '.join(FOREIGN_KINDS)}. "
            "Keep the folders as the paper's scripts name them."
        )
    arch, student = (_checked_arch(folder, pair[name]) for name in ("teacher", "student"))
    is_fewshot = len(names) > 2 and names[2].isdecimal() and not setting
    percent = int(names[2]) if is_fewshot else None
    told = _STUDENT.fullmatch(folder.name)
    settings = _values(told) if told else {}
    settings |= _values(_SETTING.fullmatch(setting)) if setting else {}
    parent = told["parent"] if told else ""
    settings |= _values(_TRIAL.match(parent))  # a student repeats its teacher's trial, its own name has none
    parts = [f"fewshot/{percent}" if is_fewshot else "students", names[1], kind, setting, folder.name]
    key = "/".join(part for part in parts if part)
    return ForeignRun(folder, key, "student", kind, arch, student, parent, settings, percent)


def _teacher_settings(kind: str, name: str) -> tuple[dict[str, Any], str]:
    """Return a teacher's settings and the name of the teacher that it was made from."""
    told = {"MCMI": _MCMI, "Laplace": _LAPLACE}.get(kind, _TEACHER).fullmatch(name)
    if told is None:
        return _values(_TRIAL.match(name)), ""
    settings = _values(told)
    if kind != "Bayesian":
        settings = {key: value for key, value in settings.items() if not key.startswith("bnn_")}
    return settings, told.groupdict().get("parent", "")


def _values(match: re.Match[str] | None) -> dict[str, Any]:
    return {name: _value(name, text) for name, text in match.groupdict().items() if name != "parent"} if match else {}


def _value(name: str, text: str) -> Any:
    if name == "lr_decay_epochs":
        return [int(part) for part in text.split(",") if part.strip()]
    if name in _TEXT:
        return text
    return int(text) if name in _WHOLE else float(text)


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _checked_arch(folder: Path, arch: str) -> str:
    if arch not in FOREIGN_ARCHITECTURES:
        raise CheckpointError(
            f"{folder} names the architecture {arch}, the paper's scripts build {', '.join(FOREIGN_ARCHITECTURES)}. "
            "Rename the folder after the network that was trained."
        )
    return arch
