"""run.json and events as they should be: whatever was written by hand, by another program or by a fault is left out.

The files are read by every screen and command, and their fields are used without another look at what they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from registry import is_below, sound_row

Run = dict[str, Any]

OBJECTS = ("spec", "results", "lineage", "environment", "split", "imported")
"""Fields that hold objects."""
SETTINGS = (
    "epochs", "batch_size", "learning_rate", "alpha", "kd_T", "kd_S", "bnn_samples", "fewshot_percent", "trial",
    "train_limit", "seed",
)  # fmt: skip
"""Settings that are numbers."""
ORIGINS = ("teacher", "teacher_name", "teacher_kind", "experiment")
"""Fields of a lineage that hold text."""
SIZES = ("train", "val", "test")
"""Sizes of the parts of a data set."""
FIGURES = ("acc", "acc5", "nll", "brier", "ece", "images", "samples", "repetitions")
"""Results that are numbers."""
SYNTHETIC = ("bayes_loss", "bayes_acc", "seed", "steps", "seconds", "finished", "arms")
ARM = ("gap", "loss_sd", "noise_ratio", "noise_theory", "acc")


def sound_run(run: Run) -> Run:
    """Return what a run.json holds without what is of another type than it should be."""
    run = sound_row(run)
    sound: Run = {field: _object(run.get(field)) for field in OBJECTS if run.get(field) is not None}
    for field, keys in (("spec", SETTINGS), ("split", SIZES)):
        if sound.get(field):
            sound[field] = _numbers(sound[field], keys)
    if sound.get("lineage"):
        sound["lineage"] = {key: value for key, value in sound["lineage"].items() if not _is_wrong_origin(key, value)}
    if sound.get("results"):
        sound["results"] = {name: _result(name, value) for name, value in sound["results"].items()}
    if "students" in run:
        sound["students"] = [_student(student) for student in _list(run["students"]) if isinstance(student, dict)]
    if isinstance(run.get("created"), str):
        sound["created"] = None
    return run | sound


def _is_wrong_origin(key: str, value: Any) -> bool:
    """Whether a field of a lineage that names something holds something else."""
    return key in ORIGINS and not isinstance(value, str | None)


def _student(student: Run) -> Run:
    """Return one of a sweep's students: its id and path, None if it has none yet, and its settings."""
    run_id, path = student.get("id"), student.get("path")
    spec = _numbers(_object(student.get("spec")), SETTINGS)
    is_made = isinstance(run_id, str) and (path is None or is_below(path))
    return student | {"id": run_id if is_made else None, "path": path if is_made else None, "spec": spec}


def _result(name: str, value: Any) -> Run | None:
    """Return an evaluation's figures; None of what is none."""
    result = _object(value)
    if name == "synthetic":
        arms = _object(result.get("arms"))
        is_whole = result.keys() >= set(SYNTHETIC) and all(_is_arm(arm) for arm in arms.values())
        return result if is_whole and all(map(_is_number, map(result.get, SYNTHETIC[:5]))) else None
    sound = _numbers(result, FIGURES)
    if "spread" in sound:
        sound["spread"] = _numbers(_object(sound["spread"]), (*FIGURES, "probs"))
    return sound


def _is_arm(arm: Any) -> bool:
    return isinstance(arm, dict) and all(key in arm and _is_number(arm[key]) for key in ARM)


def _is_number(value: Any) -> bool:
    return value is None or type(value) in (int, float)


def _numbers(values: Mapping[str, Any], keys: tuple[str, ...]) -> Run:
    """Return fields without those of `keys` that hold no number."""
    return {key: value for key, value in values.items() if key not in keys or _is_number(value)}


def _object(value: Any) -> Run:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def sound_events(records: Iterable[Run]) -> list[Run]:
    """Return the records that are events, and of their metrics those that are numbers or null."""
    return [
        {key: value for key, value in record.items() if "/" not in key or _is_number(value)}
        for record in records
        if is_count(record.get("step")) and is_count(record.get("epoch")) and isinstance(record.get("kind"), str)
        and _is_number(record.get("t"))
    ]  # fmt: skip


def is_count(value: Any) -> bool:
    """Whether a value is a number of things."""
    return type(value) is int and value >= 0
