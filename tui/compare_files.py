"""Following the files of many runs: what they are, and one metric of each; worked out in a thread for the screen."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from threading import Event
from typing import Any, NamedTuple

import numpy as np
from textual.message import Message

from bkd.chart import Series
from bkd.chart_trace import Trace
from bkd.compare_curves import Axis, Band, Columns, MetricCurve, Points, group_bands
from bkd.compare_groups import Differences, RunGroup
from bkd.compare_runs import Compared, RunWatch, folder_of, read_ids
from bkd.errors import StorageError
from bkd.events import EventTail
from bkd.runfile import UNFINISHED
from bkd.spec_defaults import defaults
from bkd.store import Store
from tui.compare_sides import Comparison, compare_all, with_tests
from tui.messages import Row
from tui.run_columns import steps_per_epoch

LOOK_EVERY_S = 1.0
LOOK_CANCELLED_S = 0.1
CHUNK_BYTES = 1 << 20
MOST_METRICS = 6  # of which curves are kept, so that going back to one is quick


class Wanted(NamedTuple):
    """What of the curves is to be shown: which metric, and whether repetitions are averaged."""

    key: str
    is_grouped: bool


class RunsCompared(Message):
    """The runs were read, or one of them has changed.

    Attributes:
        comparison: What there is to say of them; None where none of them is there any more.
        error: Why they could not be read.
    """

    def __init__(self, comparison: Comparison | None, error: str = "") -> None:
        super().__init__()
        self.comparison, self.error = comparison, error


class CurvesRead(Message):
    """Curves were read, or have grown.

    Attributes:
        wanted: What they show.
        series: One for each group or run, in their order; empty ones too, so that each keeps its colour.
        keys: Metrics of which there are curves.
        time_s: When the newest record of a run that goes on was written, Unix seconds; None if none goes on.
    """

    def __init__(self, wanted: Wanted, series: Sequence[Series], keys: frozenset[str], time_s: float | None) -> None:
        super().__init__()
        self.wanted, self.series, self.keys, self.time_s = wanted, series, keys, time_s


class CompareFiles:
    """Tells of the compared runs.

    Args:
        store: Where they are.
        ids: Of the runs.
    """

    def __init__(self, store: Store, ids: Sequence[str]) -> None:
        self._store, self._ids = store, tuple(ids)
        self._due = Event()
        self._wanted: Wanted | None = None
        self._metrics: dict[str, _MetricFiles] = {}
        self._differences = Differences()

    def want(self, wanted: Wanted) -> None:
        """Have other curves read, without delay."""
        if wanted != self._wanted:
            self._wanted = wanted
            self._due.set()

    def changes(self, is_cancelled: Callable[[], bool], is_watched: Callable[[], bool]) -> Iterator[Message]:
        """Yield RunsCompared and CurvesRead whenever there is something new, until cancelled.

        Args:
            is_cancelled: Asked at least every LOOK_CANCELLED_S.
            is_watched: Whether anybody sees the runs; nothing is read while not.
        """
        try:
            compared = read_ids(self._store, self._ids)
        except StorageError as error:
            yield RunsCompared(None, str(error))
            return
        if not compared.runs:
            yield RunsCompared(None)
            return
        watch, comparison = RunWatch(self._store, compared), compare_all(compared, defaults)
        yield RunsCompared(comparison)
        shown, is_tested = None, False

        def is_interrupted() -> bool:
            return is_cancelled() or self._due.is_set()

        while not is_cancelled():
            if is_watched() and (changed := watch.look()) is not None:
                comparison, shown, is_tested = compare_all(changed, defaults), None, False
            if is_watched() and (wanted := self._wanted):
                yield from self._curves(comparison, wanted, wanted != shown, is_cancelled)
                shown = wanted
            if not is_tested and (found := with_tests(comparison, self._differences.compare, is_interrupted)):
                comparison, is_tested = found, True
                yield RunsCompared(comparison)
            self._wait(is_cancelled)

    def _curves(
        self, comparison: Comparison, wanted: Wanted, is_new: bool, is_cancelled: Callable[[], bool]
    ) -> Iterator[CurvesRead]:
        """Yield the curves if they have grown or are new; now and then while there is much to read."""
        files = self._files_of(wanted.key, comparison.compared)
        told_at, is_told = time.monotonic(), not is_new
        for has_grown in files.read(comparison.compared.runs):
            is_told = is_told and not has_grown
            if is_cancelled() or self._wanted != wanted:
                return
            if not is_told and time.monotonic() - told_at >= LOOK_EVERY_S:
                yield files.told(comparison, wanted)
                told_at, is_told = time.monotonic(), True
        if not is_told:
            yield files.told(comparison, wanted)

    def _files_of(self, key: str, compared: Compared) -> _MetricFiles:
        """Return the files as they were read for a metric; those of the metric left longest ago are forgotten."""
        files = self._metrics.pop(key, None) or _MetricFiles(self._store, key, compared.runs)
        while len(self._metrics) >= MOST_METRICS:
            del self._metrics[next(iter(self._metrics))]
        self._metrics[key] = files
        return files

    def _wait(self, is_cancelled: Callable[[], bool]) -> None:
        """Wait for the next look, or until other curves are wanted."""
        end = time.monotonic() + LOOK_EVERY_S
        while time.monotonic() < end and not is_cancelled() and not self._due.wait(LOOK_CANCELLED_S):
            pass
        self._due.clear()


class _MetricFiles:
    """The event files of runs, as far as they tell of one metric."""

    def __init__(self, store: Store, key: str, runs: Sequence[Row]) -> None:
        self._tails = {str(run["id"]): EventTail(folder_of(store, run).events) for run in runs}
        self._curves = {str(run["id"]): MetricCurve(key, steps_per_epoch(run)) for run in runs}
        self._made: dict[tuple[str, ...], tuple[list[int], Series]] = {}  # by mark and ids, with the curves' sizes

    def read(self, runs: Sequence[Row]) -> Iterator[bool]:
        """Read what is new, part by part; yield after each whether there was anything."""
        for run in runs:
            tail, curve = self._tails[str(run["id"])], self._curves[str(run["id"])]
            while True:
                records = tail.read(limit_bytes=CHUNK_BYTES)
                if tail.is_rewound:
                    curve.clear()
                    self._made.clear()
                yield bool(records) or tail.is_rewound
                if not records:
                    break
                curve.add(records)

    def told(self, comparison: Comparison, wanted: Wanted) -> CurvesRead:
        """Return the curves as they are now."""
        found = {run_id: columns for run_id, curve in self._curves.items() if (columns := curve.columns())}
        side = comparison.side(wanted.is_grouped)
        series = [self._series(group, found) for group in side.groups]
        keys = frozenset().union(*(curve.keys for curve in self._curves.values()))
        going_on = [str(run["id"]) for run in comparison.compared.runs if run.get("status") in UNFINISHED]
        times = [time_s for run_id in going_on if (time_s := self._curves[run_id].time_s) is not None]
        return CurvesRead(wanted, series, keys, max(times, default=None))

    def _series(self, group: RunGroup, found: Mapping[str, Columns]) -> Series:
        """Return a group's curve, the same object as before where nothing has grown: it is drawn faster."""
        members = {member.id: found[member.id] for member in group.members if member.id in found}
        sizes, of = [len(columns.y) for columns in members.values()], (group.mark, *members)
        if of not in self._made or self._made[of][0] != sizes:
            self._made[of] = sizes, series_of(group, members)
        return self._made[of][1]


def series_of(group: RunGroup, found: Mapping[str, Columns]) -> Series:
    """Return the curve of a run, or the mean of several with its band, by step and, where it is known, by epoch."""
    if not found:
        return Series(group.mark, np.empty(0), np.empty(0))
    if len(group.members) == 1:
        [columns] = found.values()
        return Series.of(group.mark, _trace(columns))
    points = {run_id: Points(columns.steps, columns.y) for run_id, columns in found.items()}
    [band] = group_bands([group], points)
    assert band is not None, group.mark
    trace = _trace(Columns(band.x, _epochs_at(band, list(found.values())), band.mean))
    return Series(group.mark, trace.x, trace.y, band=(band.low, band.high), grown=trace)


def _trace(columns: Columns) -> Trace:
    if columns.epochs is None:
        trace = Trace(Axis.STEP.value)
        trace.extend(columns.y, columns.steps)
    else:
        trace = Trace(Axis.STEP.value, Axis.EPOCH.value)
        trace.extend(columns.y, columns.steps, columns.epochs)
    return trace


def _epochs_at(band: Band, members: Sequence[Columns]) -> Any:
    """Return how many epochs were done at each step of a band; members are trained alike, so the longest one tells."""
    longest = max(members, key=lambda columns: columns.steps[-1])
    return None if longest.epochs is None else np.interp(band.x, longest.steps, longest.epochs)
