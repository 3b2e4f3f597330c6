"""The columns of the tables of runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from bkd.paths import SYNTHETIC
from bkd.text import age_text, duration, forecast, number, percent
from tui.widgets.columns import Column, Row
from tui.widgets.status import is_going_on, status_text, status_tone, status_word

FIGURE_CELLS = 6
"""Cells of a column of figures."""


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


def live(name: str) -> Callable[[Row], Any]:
    """Return a function that gives one of a run's live figures (`tui.live.Live`), None where there are none."""
    return lambda row: getattr(row.get("live"), name, None)


def eta(row: Row) -> float | None:
    """Return the seconds that a run still takes; None where nobody can tell, and of one that has ended."""
    value: float | None = live("eta_s")(row) if is_going_on(row.get("status")) else None
    return value


def took(row: Row) -> float | None:
    """Return the seconds that a run took."""
    started, ended = row.get("started"), row.get("ended")
    if isinstance(started, int | float) and isinstance(ended, int | float):
        return float(ended - started)
    return None


def seen(row: Row) -> float | None:
    """Return the seconds since a run that is going on has written an event."""
    time_s = live("time_s")(row)
    return None if time_s is None or not is_going_on(row.get("status")) else max(0.0, time.time() - time_s)


def step_text(step: int | None) -> str:
    """Return a number of steps in at most seven cells: "12,345", "1.23M"."""
    if step is None:
        return "-"
    return f"{step:,}" if step < 1e6 else f"{step / 1e6:.2f}M" if step < 1e9 else f"{step:.0e}"


def short_number(x: float | None) -> str:
    """Return a number in at most six cells, with as many of four significant digits as they hold: "0.0985"."""
    text = number(x)
    for digits in (3, 2, 1) if x is not None else ():
        if len(text) <= FIGURE_CELLS:
            break
        text = f"{x:.{digits}g}"
    return text


def _muted(row: Row) -> str:
    return "muted"


def _tone(row: Row) -> str:
    return status_tone(row.get("status"))


def _status(value: Any) -> str:
    return status_text(status_word(value or ""))


def _or_dash(value: Any) -> str:
    return "-" if value is None else str(value)


def _few(value: float | None) -> str:
    return "all" if value is None else f"{value:g}%"


_STATUS = Column("Status", "status", 9, show=_status, tone=_tone)
_NAME = Column("Name", "name", 31, grows=True, keeps_end=True)
_EPOCH = Column("Epoch", progress, 7, show=str, align="right", priority=2)
_ACC = Column("Acc", metric("acc"), 7, show=percent, align="right", priority=1)
_CURVE = Column("Curve", live("curve"), 8, show=lambda curve: curve or "", priority=4)
_ETA = Column("ETA", eta, 7, show=forecast, align="right", priority=4)
_STEP = Column("Step", live("step"), 7, show=step_text, align="right", priority=6)
_LOSS = Column("Loss", live("loss"), FIGURE_CELLS, show=short_number, align="right", priority=5)
_SEEN = Column("Seen", seen, 4, show=age_text, align="right", priority=6)
_LIVE = (_CURVE, _ETA, _STEP, _LOSS, _SEEN)
_TAIL = (
    Column("ECE", metric("ece"), 6, show=partial(percent, digits=1), align="right", priority=5),
    Column("NLL", metric("nll"), FIGURE_CELLS, show=short_number, align="right", priority=7),
)
_ABOUT = (
    Column("Took", took, 7, show=duration, align="right", priority=9, tone=_muted),
    Column("Created", "created", 11, show=when, priority=8, tone=_muted),
    Column("Tags", "tags", 14, priority=9, tone=_muted),
)

TEACHERS = (
    _STATUS, _NAME,
    Column("Kind", "kind", 13, priority=3),
    Column("Arch", "arch", 11, priority=7),
    Column("Dataset", "dataset", 13, priority=8),
    _EPOCH, *_LIVE, _ACC, *_TAIL, *_ABOUT,
)  # fmt: skip

STUDENTS = (
    _STATUS, _NAME,
    Column("From", "kind", 13, priority=3),
    Column("Teacher", "teacher", 8, priority=4),
    Column("T arch", "arch", 11, priority=7),
    Column("Dataset", "dataset", 13, priority=8),
    _EPOCH, *_LIVE, _ACC, *_TAIL,
    Column("R", noise_ratio, FIGURE_CELLS, show=short_number, align="right", priority=5),
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
    Column("R", noise_ratio, FIGURE_CELLS, show=short_number, align="right", priority=5),
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
