"""What runs write now: step, speed, loss and a small curve from their event files, at a bounded cost a look."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bkd.errors import StorageError
from bkd.event_sample import sample_events
from bkd.events import EventTail
from bkd.paths import RunFolder
from bkd.runfile import read_run
from bkd.store import Store
from tui.messages import Row
from tui.plots import has_kl_term
from tui.run_columns import is_sweep, steps_per_epoch
from tui.sketch import Sketch
from tui.widgets.status import is_going_on

CURVE_CELLS = 8
CURVE_PLACES = 32
"""Places of a file that are looked at for a curve of a few cells, 4 KB each."""
RECENT = 50
"""Steps over which speed is taken, as in `tui.history`."""
LOOK_BYTES = 1 << 18
"""Bytes that one look reads on; a file that has grown by more is sampled anew."""
SAMPLE_S = 0.1
NEW_A_LOOK = 12
"""Files of ended runs that one look begins with, so that those of runs at work do not wait for them."""

Record = Mapping[str, Any]
Mark = tuple[int, int, int]


@dataclass(frozen=True)
class Live:
    """Figures of a run by its event file.

    Attributes:
        is_going_on: Whether there may be more.
        step: Steps taken.
        epoch: Epochs done.
        share: Of the whole run that is done, 0 to 1.
        eta_s: Seconds that the rest takes at the speed of the last steps.
        loss: Of the last step; the NLL where the loss has a KL term.
        loss_name: "loss" or "NLL".
        acc: Of the last step's images.
        images_per_s: As the run said last.
        step_s: Seconds between the last steps.
        time_s: When the last event was written, Unix seconds.
        curve: The loss from the first to the last step, a block a cell.
    """

    is_going_on: bool = False
    step: int | None = None
    epoch: int = 0
    share: float | None = None
    eta_s: float | None = None
    loss: float | None = None
    loss_name: str = "loss"
    acc: float | None = None
    images_per_s: float | None = None
    step_s: float | None = None
    time_s: float | None = None
    curve: str = ""


class RunFollower:
    """Follows one run's event file: a sample of what is there, then what comes.

    Args:
        folder: Of the run.
        run: Its run.json, for how many steps and epochs there will be and what its loss is.
        most_places: Places of the file that the sample visits.
        most_epochs: Epochs whose records the sample seeks.

    Attributes:
        fresh: The records that the last look brought.
        is_anew: Whether they take the place of all before: the file was sampled.
    """

    def __init__(self, folder: RunFolder, run: Row, *, most_places: int = CURVE_PLACES, most_epochs: int = 0) -> None:
        self._path = folder.events
        self._is_going_on = is_going_on(run.get("status"))
        self._epochs = int(_number(run.get("epochs")) or 0)
        self._known_steps_per_epoch = steps_per_epoch(run)
        self._loss_name, self._loss_key = ("NLL", "train/ce") if has_kl_term(run) else ("loss", "train/loss")
        self._most_places, self._most_epochs = most_places, most_epochs
        self.fresh: Sequence[Record] = ()
        self._clear()

    def _clear(self) -> None:
        self._tail = EventTail(self._path)
        self._steps_per_epoch = self._known_steps_per_epoch
        self._step: int | None = None
        self._epoch = 0
        self._last: Record = {}
        self._time_s: float | None = None
        self._images_per_s: float | None = None
        self._recent: deque[tuple[float, int]] = deque(maxlen=RECENT)
        self._sketch = Sketch()
        self.is_anew = True

    def look(self) -> Live:
        """Read on and return the figures; those of before where the file cannot be read."""
        self.fresh, self.is_anew = (), False
        size = _size(self._path)
        if size is None:
            return self.live
        if not self._tail.offset or not 0 <= size - self._tail.offset <= LOOK_BYTES:
            self._begin()
            return self.live
        records = self._tail.read(limit_bytes=LOOK_BYTES)
        if self._tail.is_rewound:
            self._begin()
        else:
            self._take(records)
        return self.live

    def _begin(self) -> None:
        """Sample the file, and go on behind what was there."""
        sample = sample_events(
            self._path, budget_s=SAMPLE_S, most_places=self._most_places, most_epochs=self._most_epochs
        )
        if sample is not None:
            self._clear()
            self._tail.start_at(sample.size)
            self._take(sample.records)

    @property
    def live(self) -> Live:
        """The figures as they are known now."""
        return Live(
            is_going_on=self._is_going_on,
            step=self._step,
            epoch=self._epoch,
            share=self._share(),
            eta_s=self._eta_s(),
            loss=_number(self._last.get(self._loss_key)),
            loss_name=self._loss_name,
            acc=_number(self._last.get("train/acc")),
            images_per_s=self._images_per_s,
            step_s=self._step_s(),
            time_s=self._time_s,
            curve=self._sketch.text(CURVE_CELLS),
        )

    def _take(self, records: Sequence[Record]) -> None:
        self.fresh = records
        for record in records:
            time_s, step, kind = _number(record.get("t")), record.get("step"), record.get("kind")
            self._time_s = self._time_s if time_s is None else time_s
            if type(step) is int and step >= 0 and kind in ("step", "epoch"):
                self._take_step(record, step, time_s, is_epoch=kind == "epoch")

    def _take_step(self, record: Record, step: int, time_s: float | None, *, is_epoch: bool) -> None:
        epoch = record.get("epoch")
        self._step, self._epoch = step, epoch if type(epoch) is int and epoch >= 0 else self._epoch
        if is_epoch:
            self._epoch += 1
            self._steps_per_epoch = step / self._epoch or self._steps_per_epoch
            return
        self._last = record
        self._images_per_s = _number(record.get("time/images_per_s")) or self._images_per_s
        if time_s is not None:
            self._recent.append((time_s, step))
        if (loss := _number(record.get(self._loss_key))) is not None:
            self._sketch.add(step, loss)

    def _share(self) -> float | None:
        if not self._epochs:
            return None
        done = self._step / self._steps_per_epoch if self._step and self._steps_per_epoch else self._epoch
        return min(1.0, done / self._epochs)

    def _step_s(self) -> float | None:
        if len(self._recent) < 2:
            return None
        (t0, step0), (t1, step1) = self._recent[0], self._recent[-1]
        return (t1 - t0) / (step1 - step0) if step1 > step0 and t1 >= t0 else None

    def _eta_s(self) -> float | None:
        step_s = self._step_s()
        if not self._is_going_on or self._step is None or step_s is None or not self._steps_per_epoch:
            return None
        return max(0.0, self._epochs * self._steps_per_epoch - self._step) * step_s


class LiveReader:
    """Figures of the runs in view; the followers of runs that are out of view are dropped.

    Args:
        store: Where the runs are.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._followers: dict[tuple[object, ...], RunFollower] = {}
        self._ended: dict[str, tuple[Mark, Live]] = {}  # by id; of runs that write no more

    def read(self, rows: Iterable[Row], is_cancelled: Callable[[], bool] = lambda: False) -> dict[str, Live]:
        """Return the figures of runs by id: of all that are going on, and of as many others as one look may cost."""
        found: dict[str, Live] = {}
        for row in (rows := list(rows)):
            if is_sweep(row) or not row.get("path"):
                found[str(row["id"])] = Live()  # it has no steps
        rows = [row for row in rows if row["id"] not in found]
        going_on = [row for row in rows if is_going_on(row.get("status"))]
        keys = {_key(row): row for row in going_on}
        self._followers = {key: one for key, one in self._followers.items() if key in keys}
        for key, row in keys.items():
            if is_cancelled():
                return found
            follower = self._followers.get(key) or self._follower(row)
            self._followers[key] = follower
            found[str(row["id"])] = follower.look()
        new = 0
        for row in rows:
            if new < NEW_A_LOOK and not is_cancelled() and not is_going_on(row.get("status")):
                found[str(row["id"])], is_new = self._of_ended(row)
                new += is_new
        return found

    def _follower(self, row: Row) -> RunFollower:
        folder = self._store.folder(str(row["path"]))
        try:
            run = {**read_run(folder), "status": row.get("status")}
        except StorageError:
            run = dict(row)
        return RunFollower(folder, run)

    def _of_ended(self, row: Row) -> tuple[Live, bool]:
        """Return the figures of a run that has ended, and whether its file had to be looked into."""
        mark = _mark(self._store.folder(str(row["path"])))
        if mark is None:
            return Live(), False
        known = self._ended.get(str(row["id"]))
        if known is not None and known[0] == mark:
            return known[1], False
        live = self._follower(row).look()
        self._ended[str(row["id"])] = mark, live
        return live, True


def _key(row: Row) -> tuple[object, ...]:
    """Return what changes when a run begins anew."""
    return row["id"], row.get("status"), row.get("started"), row.get("path")


def _mark(folder: RunFolder) -> Mark | None:
    try:
        stat = os.stat(folder.events)
    except OSError:
        return None
    return stat.st_ino, stat.st_size, stat.st_mtime_ns


def _size(path: os.PathLike[str]) -> int | None:
    try:
        return os.stat(path).st_size
    except OSError:
        return None


def _number(value: Any) -> float | None:
    """Return a value if it is a number."""
    return float(value) if type(value) in (int, float) else None
