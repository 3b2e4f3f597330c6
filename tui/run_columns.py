"""The columns of the tables of teachers and students."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

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


def when(seconds: float | None) -> str:
    """Return a point in time as "11-23 14:05", in this machine's time zone."""
    return "-" if seconds is None else time.strftime("%m-%d %H:%M", time.localtime(seconds))


def _tone(row: Row) -> str:
    return status_tone(row.get("status"))


def _status(value: Any) -> str:
    return status_text(status_word(value or ""))


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
