"""Following the run under the cursor: its figures, its loss curves, what it takes of its machine."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bkd.errors import StorageError
from bkd.store import Store
from bkd.system import SAMPLE_EVERY_S, Sample, latest
from tui.live import Live, Record, RunFollower
from tui.messages import Row
from tui.plots import Plot, plots_of
from tui.run_columns import is_sweep
from tui.widgets.status import is_going_on

if TYPE_CHECKING:
    from tui.history import History

SETTLE_S = 0.1
POLL_S = 0.1
TELL_EVERY_S = 0.3
"""Figures that change faster cannot be read."""
PLACES, EPOCHS = 192, 100
"""Places of the event file that are looked at, and epochs whose records are sought."""
SYSTEM_EVERY_S = SAMPLE_EVERY_S / 2
FRESH_S = 4 * SAMPLE_EVERY_S
"""A sample of the machine that is older says nothing of now."""


@dataclass(frozen=True)
class Followed:
    """What is new of a run.

    Attributes:
        run_id: Which run.
        plot: Its first chart; None of one that has none.
        live: Its figures; None of one that is not trained here.
        history: The curves, where they take the place of all before.
        records: That go on from the curves before.
        system: Its last sample of the machine, None where there is none of late.
    """

    run_id: str
    plot: Plot | None = None
    live: Live | None = None
    history: History | None = None
    records: Sequence[Record] = ()
    system: Sample | None = None


class SelectedRun:
    """Tells of one run; of one that goes on again and again.

    Args:
        store: Where it is.
        row: Its row.
        settle_s: So long the cursor must rest on the run before its events are read.
        clock: Unix seconds.
    """

    def __init__(
        self, store: Store, row: Row, *, settle_s: float = SETTLE_S, clock: Callable[[], float] = time.time
    ) -> None:
        self._store, self._row, self._settle_s, self._clock = store, row, settle_s, clock
        self._folder = store.folder(str(row.get("path")))
        self._is_going_on = is_going_on(row.get("status"))
        self._system: Sample | None = None
        self._system_at = 0.0

    def changes(self, is_cancelled: Callable[[], bool], is_watched: Callable[[], bool]) -> Iterator[Followed]:
        """Yield what is known first, then what is new, until the run has ended or it is cancelled.

        Args:
            is_cancelled: Asked at least every POLL_S.
            is_watched: Whether anybody sees it; if not, nothing is read.
        """
        until = time.monotonic() + self._settle_s
        while not is_cancelled() and (time.monotonic() < until or not is_watched()):
            time.sleep(SETTLE_S / 2)
        if is_cancelled():
            return
        from tui.history import History  # arrays take time to import, which the first screen does not have

        run_id, begun = str(self._row["id"]), self._begin()
        if begun is None:
            yield Followed(run_id)
            return
        plot, follower = begun
        history: History | None = History()
        waiting: list[Record] = []
        told, told_at = None, 0.0
        while not is_cancelled():
            live = follower.look()
            if follower.is_anew:
                history, waiting = History(), []
                history.add(_kept(follower.fresh, plot))
            else:
                waiting += follower.fresh
            is_due = time.monotonic() - told_at >= TELL_EVERY_S
            if is_due and (history is not None or waiting or self._look_at_system() != told):
                told, told_at = self._look_at_system(), time.monotonic()
                yield Followed(run_id, plot, live, history, _kept(_thinned(waiting), plot), told)
                history, waiting = None, []
            if not self._is_going_on or not _wait(is_cancelled, is_watched):
                return

    def _begin(self) -> tuple[Plot, RunFollower] | None:
        """Return the run's first chart and who follows its events; None where there is nothing to follow."""
        try:
            run = {**self._store.load(self._folder), "status": self._row.get("status")}
        except StorageError:
            return None
        plots = () if is_sweep(run) else plots_of(run)
        return (plots[0], RunFollower(self._folder, run, most_places=PLACES, most_epochs=EPOCHS)) if plots else None

    def _look_at_system(self) -> Sample | None:
        """Return the last sample of the machine, unless it is old."""
        now = self._clock()
        if self._is_going_on and not 0 <= now - self._system_at < SYSTEM_EVERY_S:
            self._system_at, sample = now, latest(self._folder)
            at = None if sample is None else sample.get("t")
            is_fresh = isinstance(at, int | float) and now - at <= FRESH_S
            self._system = sample if is_fresh else None
        return self._system


def _wait(is_cancelled: Callable[[], bool], is_watched: Callable[[], bool]) -> bool:
    """Wait for the next look; return whether it is wanted."""
    while not is_cancelled():
        time.sleep(POLL_S)
        if is_watched():
            return not is_cancelled()
    return False


def _thinned(records: Sequence[Record]) -> list[Record]:
    """Return the last step and every epoch of some records: a small chart shows no more."""
    last = next((record for record in reversed(records) if record.get("kind") == "step"), None)
    return [record for record in records if record.get("kind") == "epoch" or record is last]


def _kept(records: Sequence[Record], plot: Plot) -> list[Record]:
    """Return records with nothing but what a chart shows."""
    keys = ("t", "kind", "step", "epoch", *(key for _, key in plot.series))
    return [{key: record[key] for key in keys if key in record} for record in records]
