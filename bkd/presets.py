"""Named settings to start from: the paper's recipe, and a quick look that takes minutes on a CPU.

Values are as flags and forms give them. None leaves a setting unset, which scales it to the length of the run: at 200
epochs the learning rate falls at 100 (deterministic teachers also at 150), and a Bayesian teacher trains 100 epochs
without KL term before its weight rises over 50.

Source: "SGD-Based Knowledge Distillation with Bayesian Teachers", arXiv 2601.01484, and its published scripts.
"""

from collections.abc import Mapping
from typing import Any

Values = dict[str, Any]

PAPER, QUICK = "paper", "quick"
TITLES = {PAPER: "Paper", QUICK: "Quick look"}
_LOOP: Values = {
    "epochs": 200, "batch_size": 100, "learning_rate": 1e-3, "lr_schedule": "step", "lr_decay_epochs": None,
    "lr_decay_rate": 0.1, "optimizer": "adam", "momentum": None, "weight_decay": 0.0, "train_limit": None,
    "fewshot_percent": None,
}  # fmt: skip
_TEACHER = _LOOP | {"dataset": "cifar100", "protocol": "paper"}
_STUDENTS = {name: value for name, value in _LOOP.items() if name != "fewshot_percent"}
_SETTINGS: dict[str, Values] = {
    "Deterministic": {"kd_T": 4.0, "kd_S": 1.0, "alpha": 0.5},
    "Bayesian": {"kd_T": 4.0, "kd_S": 1.0, "alpha": 0.7, "bnn_samples": 1},
    "Laplace": {"kd_T": 2.0, "kd_S": 2.0, "alpha": 1.0},
    "MCMI": {"kd_T": 4.0, "kd_S": 1.0, "alpha": 0.8},
}
"""How the paper distils from a kind of teacher; of the kinds that are not here it gives no settings."""

_PAPER: dict[str, Values] = {
    "train deterministic": _TEACHER,
    "train bayesian": _TEACHER | {"vi": "inducing", "bnn_ml_epochs": None, "bnn_annealing_epochs": None},
    "train mse": _TEACHER,
    "train mcmi": _LOOP | {"epochs": 20, "learning_rate": 2e-4, "lr_schedule": "cosine", "mcmi_param": 0.15},
    "train laplace": {
        "subs_weights": "last_layer", "hess_struct": "kron", "la_method": "marglik", "pred_type": "glm",
        "link_approx": "probit",
    },
    "distill": _LOOP,
    "sweep fewshot": _STUDENTS | {"fewshot_percent": [5.0, 10.0, 15.0, 25.0, 35.0, 50.0]},
    "sweep samples": _LOOP | {"bnn_samples": 12, "kd_T": 1.0, "kd_S": 1.0, "alpha": 1.0},
    "sweep grid": _LOOP,
    "sweep seeds": _LOOP | {"trials": [1, 2, 3, 4, 5]},
}  # fmt: skip

_BRIEF: Values = {"epochs": 8, "learning_rate": 2e-3, "batch_size": 50, "lr_schedule": "step", "lr_decay_epochs": None}
_SMALL = _BRIEF | {"dataset": "digits", "arch": "wrn_16_1"}
_SMALL_STUDENT = _BRIEF | {"train_limit": 1000, "student": "wrn_16_1"}
_SMALL_STUDENTS = _BRIEF | {"train_limit": 1000, "students": ["wrn_16_1"], "epochs": 4}
_QUICK: dict[str, Values] = {
    "train deterministic": _SMALL,
    "train bayesian": _SMALL | {"bnn_ml_epochs": None, "bnn_annealing_epochs": None},
    "train mse": _SMALL,
    "train mcmi": {"epochs": 2, "train_limit": 1000},
    "distill": _SMALL_STUDENT,
    "sweep fewshot": _SMALL_STUDENTS | {"train_limit": None, "fewshot_percent": [10.0, 50.0]},
    "sweep samples": _SMALL_STUDENTS | {"bnn_samples": 3},
    "sweep grid": _SMALL_STUDENTS | {"grid": "1:1:1;4:1:0.5"},
    "sweep seeds": _SMALL_STUDENTS | {"trials": [1, 2]},
}
_TABLES = {PAPER: _PAPER, QUICK: _QUICK}


def presets_for(command: str) -> tuple[str, ...]:
    """Return the presets of a run type by the words of its command, as "train bayesian"."""
    return tuple(name for name, table in _TABLES.items() if command in table)


def preset_values(preset: str, command: str, teacher_kind: str = "") -> Values:
    """Return the settings of a preset; {} where it has none for the run type.

    Args:
        preset: PAPER or QUICK.
        command: Words of the command, as "train bayesian".
        teacher_kind: Of the teacher that students are distilled from, "" if it is not known.
    """
    values = dict(_TABLES[preset].get(command, {}))
    if preset == PAPER and takes_settings(command):
        values |= _student_settings(command, teacher_kind)
    return values


def summary_of(preset: str, command: str) -> str:
    """Return what a preset is, for a person."""
    if preset == QUICK:
        return "A few epochs of a small network on the digits, or on 1,000 of the teacher's images: minutes on a CPU."
    if command.startswith("train"):
        return "The paper's recipe for CIFAR-100, on all training images, with the test accuracy of each epoch."
    return (
        "The paper's recipe, with its alpha and temperatures for the kind of the teacher; the data are the teacher's."
    )


def takes_settings(command: str) -> bool:
    """Whether the paper's settings of a run type depend on the kind of teacher."""
    return command in ("distill", "sweep fewshot", "sweep grid", "sweep seeds")


def has_settings(teacher_kind: str) -> bool:
    """Whether the paper says how to distil from a kind of teacher."""
    return teacher_kind in _SETTINGS


def _student_settings(command: str, teacher_kind: str) -> Values:
    settings = _SETTINGS.get(teacher_kind, {})
    if command != "sweep grid" or not settings:
        return settings
    triple = ":".join(f"{settings[name]:g}" for name in ("kd_T", "kd_S", "alpha"))
    return {name: value for name, value in settings.items() if name == "bnn_samples"} | {"grid": triple}


def filled(values: Mapping[str, Any], preset: Mapping[str, Any]) -> Values:
    """Return values with a preset's in the places of those that were not given and do not contradict them."""
    dropped = set(values)
    if "grid" in values:
        dropped |= {"kd_T", "kd_S", "alpha"}
    if "trial" in values:
        dropped |= {"trials"}
    return {name: value for name, value in preset.items() if name not in dropped and value is not None} | dict(values)
