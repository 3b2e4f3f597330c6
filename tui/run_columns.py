"""The columns of the tables of runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from bkd.paths import SYNTHETIC
from bkd.text import number, percent
from tui.widgets.columns import Column, Row
from tui.widgets.status import status_text, status_tone, status_word


def metric(name: str) -> Callable[[Row], float | None]:
    """Return a function that gives a row's test value of a metric, else its validation value."""
    keys = (f"test/{name}", f"val/{name}")

    def value_of(row: Row) -> float | None:
        metrics = row.get("metrics") or {}
        return next((metrics[key] for key in keys if metrics.get(key) is not None), None)

    return value_of


def noise_ratio(row: Row) -> float | None:
    """Return R, the teacher's gradient noise relative to the labels'."""
    value: float | None = (row.get("metrics") or {}).get("grad/noise_ratio")
    return value


def setting(name: str) -> Callable[[Row], Any]:
    """Return a function that gives a setting of a sweep's student."""
    return lambda row: (row.get("setting") or {}).get(name)


class Progress(int):
    """Epochs done, sorted as a number, shown with how many there will be."""

    epochs: int | None = None

    def __str__(self) -> str:
        return f"{int(self)}/{self.epochs or '?'}"


def progress(row: Row) -> Progress:
    """Return how far a run is, "12/200"."""
    done = Progress(row.get("epoch") or 0)
    done.epochs = row.get("epochs")
    return done


def students_done(row: Row) -> Progress | None:
    """Return how many of a sweep's students are done, "3/8"; None for an experiment that is no sweep."""
    return progress(row) if is_sweep(row) else None


def is_sweep(row: Row) -> bool:
    """Whether a run launches students: every experiment does but the one that makes its own data."""
    return row.get("role") == "experiment" and row.get("kind") != SYNTHETIC


def steps_per_epoch(run: Row) -> float | None:
    """Return the steps of an epoch by the run's images and batch size, None where it does not tell."""
    train, batch = (run.get("split") or {}).get("train"), (run.get("spec") or {}).get("batch_size")
    return train // batch if isinstance(train, int) and isinstance(batch, int) and batch > 0 else None


def when(seconds: Any) -> str:
    """Return a point in time as "11-23 14:05", in this machine's time zone."""
    return time.strftime("%m-%d %H:%M", time.localtime(seconds)) if isinstance(seconds, int | float) else "-"


def _tone(row: Row) -> str:
    return status_tone(row.get("status"))


def _status(value: Any) -> str:
    return status_text(status_word(value or ""))


def _or_dash(value: Any) -> str:
    return "-" if value is None else str(value)


def _few(value: float | None) -> str:
    return "all" if value is None else f"{value:g}%"


def _muted(row: Row) -> str:
    return "muted"


_STATUS = Column("Status", "status", 9, show=_status, tone=_tone)
_NAME = Column("Name", "name", 31, grows=True)
_EPOCH = Column("Epoch", progress, 7, show=str, align="right", priority=2)
_ACC = Column("Acc", metric("acc"), 7, show=percent, align="right", priority=1)
_TAIL = (
    Column("ECE", metric("ece"), 6, show=partial(percent, digits=1), align="right", priority=5),
    Column("NLL", metric("nll"), 6, show=number, align="right", priority=6),
)
_ABOUT = (
    Column("Created", "created", 11, show=when, priority=8, tone=_muted),
    Column("Tags", "tags", 14, priority=9, tone=_muted),
)

TEACHERS = (
    _STATUS, _NAME,
    Column("Kind", "kind", 13, priority=3),
    Column("Arch", "arch", 11, priority=7),
    Column("Dataset", "dataset", 13, priority=8),
    _EPOCH, _ACC, *_TAIL, *_ABOUT,
)  # fmt: skip

STUDENTS = (
    _STATUS, _NAME,
    Column("From", "kind", 13, priority=3),
    Column("Teacher", "teacher", 8, priority=4),
    Column("T arch", "arch", 11, priority=7),
    Column("Dataset", "dataset", 13, priority=8),
    _EPOCH, _ACC, *_TAIL,
    Column("R", noise_ratio, 6, show=number, align="right", priority=5),
    *_ABOUT,
)  # fmt: skip

EXPERIMENTS = (
    _STATUS, _NAME,
    Column("Kind", "kind", 10, priority=1),
    Column("Done", students_done, 7, show=_or_dash, align="right", priority=2),
    Column("Teacher", "teacher", 8, priority=4),
    Column("T arch", "arch", 11, priority=7),
    Column("Students", "student_arch", 13, priority=5),
    Column("Dataset", "dataset", 13, priority=8),
    *_ABOUT,
)  # fmt: skip

SWEEP_STUDENTS = (
    _STATUS,
    Column("Id", "id", 8, tone=_muted),
    Column("Student", "student_arch", 13, priority=3),
    Column("Trial", "trial", 5, align="right", priority=2),
    Column("Tt", setting("kd_T"), 4, align="right", priority=4),
    Column("Ts", setting("kd_S"), 4, align="right", priority=4),
    Column("alpha", setting("alpha"), 5, align="right", priority=4),
    Column("S", setting("bnn_samples"), 3, align="right", priority=5),
    Column("Few", setting("fewshot_percent"), 5, show=_few, align="right", priority=3),
    _EPOCH, _ACC, *_TAIL,
    Column("R", noise_ratio, 6, show=number, align="right", priority=5),
)  # fmt: skip

PICKED = (
    Column("Id", "id", 8),
    Column("Kind", "kind", 13, priority=1),
    Column("Arch", "arch", 11, priority=3, grows=True),
    Column("Dataset", "dataset", 13, priority=2),
    _ACC,
    Column("Trial", "trial", 5, align="right", priority=4),
    Column("Created", "created", 11, show=when, priority=5, tone=_muted),
    Column("Tags", "tags", 14, priority=6, tone=_muted),
)  # fmt: skip
