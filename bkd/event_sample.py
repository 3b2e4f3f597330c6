"""Look at a long event file without reading all of it: records from everywhere in it, within a time.

A file of a million steps takes seconds to read. A few thousand records spread evenly over it draw the same curves, and
every epoch's record is sought where the epoch number changes, since there are so few of them.
"""

from __future__ import annotations

import os
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bkd.events import parse

Record = dict[str, Any]

WINDOW_BYTES = 1 << 12
"""Bytes read at a place; a line longer than that is not found there."""
END_BYTES = 1 << 16
"""Bytes read at the file's end, all of whose records are taken."""
MOST_PLACES, MOST_EPOCHS = 512, 400
BUDGET_S = 0.25
SEEKS = 12
"""Steps of a search for an epoch's end."""


@dataclass(frozen=True)
class EventSample:
    """Records of a file, in its order, a part of all that there are.

    Attributes:
        records: From the first to the last.
        size: Bytes up to the end of the last whole line that was there.
    """

    records: list[Record]
    size: int


@dataclass(frozen=True)
class _Window:
    """Whole lines found at a place: where the first begins and the last ends, their records."""

    offset: int
    stop: int
    records: list[Record]

    @property
    def epoch(self) -> int:
        """The epoch of its last record that has one, -1 without any."""
        return next((e for r in reversed(self.records) if isinstance(e := r.get("epoch"), int)), -1)


def sample_events(
    path: Path,
    *,
    budget_s: float = BUDGET_S,
    most_places: int | None = None,
    most_epochs: int | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> EventSample | None:
    """Return records from everywhere in a file, or None if it cannot be read.

    Places are visited coarse to fine, so that a slow disk gives fewer of them, evenly spread all the same.

    Args:
        path: The event file.
        budget_s: Seconds after which no further place is visited; beginning and end always are.
        most_places: Places between beginning and end that are visited; unset: MOST_PLACES.
        most_epochs: Epochs whose records are sought; unset: MOST_EPOCHS.
        clock: Seconds.
    """
    deadline = clock() + budget_s
    most_places = MOST_PLACES if most_places is None else most_places
    most_epochs = MOST_EPOCHS if most_epochs is None else most_epochs
    try:
        with path.open("rb", buffering=0) as file:
            return _sample(file.fileno(), most_places, most_epochs, lambda: clock() >= deadline)
    except OSError:
        return None


def _sample(fd: int, most_places: int, most_epochs: int, is_late: Callable[[], bool]) -> EventSample:
    size = os.fstat(fd).st_size
    end = _last_lines(fd, size)
    windows = {0: _window(fd, 0, size), end.offset: end}
    for share in _spread_out(most_places):
        if is_late():
            break
        window = _window(fd, int(share * size), end.offset)
        windows.setdefault(window.offset, window)
    if most_epochs > 0:
        for window in list(_epoch_ends(fd, sorted(windows.values(), key=lambda w: w.offset), most_epochs, is_late)):
            windows.setdefault(window.offset, window)
    found = [windows[offset] for offset in sorted(windows)]
    return EventSample(list(_joined(found)), end.stop)


def _window(fd: int, offset: int, stop: int) -> _Window:
    """Return the whole lines in the bytes at an offset; the first is that of offset 0 or follows a line's end."""
    data = os.pread(fd, max(0, min(WINDOW_BYTES, stop - offset)), offset)
    start = 0 if offset == 0 else data.find(b"\n") + 1
    stop = data.rfind(b"\n") + 1
    return _Window(offset + start, offset + stop, parse(data[start:stop]) if start or not offset else [])


def _last_lines(fd: int, size: int) -> _Window:
    """Return the last whole lines of a file."""
    offset = max(0, size - END_BYTES)
    data = os.pread(fd, size - offset, offset)
    start, stop = 0 if offset == 0 else data.find(b"\n") + 1, data.rfind(b"\n") + 1
    return _Window(offset + start, offset + stop, parse(data[start:stop]))


def _spread_out(most: int) -> Iterator[float]:
    """Yield shares in (0, 1): the middle, then the quarters, each round twice as fine."""
    parts = 2
    while parts <= most:
        yield from (odd / parts for odd in range(1, parts, 2))
        parts *= 2


def _joined(windows: Iterable[_Window]) -> Iterator[Record]:
    """Yield the records of windows in ascending order of their place; what lies in two of them comes once."""
    last = (-1, -1)
    for window in windows:
        for record in window.records:
            step, kind = record.get("step"), record.get("kind")
            place = (step if isinstance(step, int) else last[0], int(kind == "epoch"))
            if kind not in ("step", "epoch") or place > last:
                last = max(last, place)
                yield record


# ---- epochs


def _epoch_ends(fd: int, windows: list[_Window], most_epochs: int, is_late: Callable[[], bool]) -> Iterator[_Window]:
    """Yield windows in which the last records of epochs lie, those that no window holds yet."""
    known = [window for window in windows if window.epoch >= 0]
    if not known:
        return
    first, last = known[0].epoch, known[-1].epoch
    stride = max(1, (last - first) // most_epochs)
    held = {r.get("epoch") for w in known for r in w.records if r.get("kind") == "epoch"}
    epochs = [window.epoch for window in known]
    for epoch in range(first, last, stride):
        if is_late():
            return
        if epoch not in held:
            right = bisect_left(epochs, epoch + 1)
            yield from _epoch_end(fd, epoch, known[max(right - 1, 0)].offset, known[min(right, len(known) - 1)].offset)


def _epoch_end(fd: int, epoch: int, low: int, high: int) -> Iterator[_Window]:
    """Yield the window between two offsets that holds the last record of an epoch; none if it is not found."""
    for _ in range(SEEKS):
        middle = max(low, (low + high - WINDOW_BYTES) // 2)
        window = _window(fd, middle, high + WINDOW_BYTES)
        if any(r.get("kind") == "epoch" and r.get("epoch") == epoch for r in window.records):
            yield window
            return
        if not window.records or high - low <= WINDOW_BYTES // 2:
            return
        if window.epoch > epoch:
            high = middle
        else:
            low = max(window.stop - 1, low + 1)  # the line's end, so that the next line is a whole one
