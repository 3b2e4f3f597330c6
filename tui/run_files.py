"""Following the files of one run: its events and its run.json."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from textual.message import Message

from bkd.errors import StorageError
from bkd.event_sample import sample_events
from bkd.events import EventTail
from bkd.paths import RunFolder
from bkd.runfile import UNFINISHED
from bkd.store import Store
from tui.exact_history import ExactHistory
from tui.history import History
from tui.messages import EventsRead, HistoryRead, Row, RunRead
from tui.run_faults import unreadable

POLL_S = 0.1  # of the event file while the run goes on
SETTLED_POLL_S = 1.0  # of everything else, and of a run that has ended
CHUNK_BYTES = 1 << 20  # of events a message
LONG_BYTES = 1 << 22  # of an event file that is sampled before all of it is read
BREATH_S = 0.001  # between two parts of it, for the app
PATIENCE_S = 0.7  # after a sample was taken, so that it is on the screen before the rest is read


class RunFiles:
    """Tells of what a run writes.

    Args:
        store: Where the run is.
        folder: Of the run.
        run: What is known of it.
    """

    def __init__(self, store: Store, folder: RunFolder, run: Row) -> None:
        self._store, self._folder, self._run = store, folder, run
        self._tail = EventTail(folder.events)
        self._exact: ExactHistory | None = None  # of a long file, while it is being read
        self._exact_from = 0.0

    def open(self, history: History) -> None:
        """Take in what can be had at once: all of a short event file, a sample of a long one; `changes` goes on."""
        sampled = self._sampled()
        if sampled:
            history.become(sampled)
        else:
            history.add(self._tail.read(limit_bytes=LONG_BYTES))

    def changes(self, is_cancelled: Callable[[], bool]) -> Iterator[Message]:
        """Yield EventsRead, HistoryRead and RunRead until cancelled."""
        settled_at = 0.0
        while not is_cancelled():
            now = time.monotonic()
            is_due = now - settled_at >= SETTLED_POLL_S
            if is_due or self._run.get("status") in UNFINISHED:
                for message in self._events(is_cancelled):
                    if isinstance(message, EventsRead):
                        is_due |= any(record.get("kind") == "state" for record in message.records)
                    yield message
            if is_due:
                settled_at = now
                yield from self._state()
            yield from self._read_exactly(now + POLL_S, is_cancelled)
            time.sleep(max(0.0, now + POLL_S - time.monotonic()))

    def _events(self, is_cancelled: Callable[[], bool]) -> Iterator[EventsRead | HistoryRead]:
        """Yield all new records, part by part; a sample of a long file that was rewound."""
        while not is_cancelled():
            before = self._tail.offset
            records = self._tail.read(limit_bytes=CHUNK_BYTES)
            if self._tail.is_rewound:
                self._exact = None
                if sampled := self._sampled():
                    yield HistoryRead(sampled)
                    return
            elif self._tail.offset == before:
                return
            if self._exact:
                self._exact.follow(records)
            yield EventsRead(records, self._tail.is_rewound)

    def _sampled(self) -> History | None:
        """Return the history of a sample if the file is long, and get ready to read all of it; else None."""
        try:
            if self._folder.events.stat().st_size <= LONG_BYTES:
                return None
        except OSError:
            return None  # there is none yet
        sample = sample_events(self._folder.events)
        if sample is None:
            return None
        self._tail.start_at(sample.size)
        self._exact = ExactHistory(self._folder.events, sample.size)
        self._exact_from = time.monotonic() + PATIENCE_S
        history = History()
        history.add(sample.records)
        history.is_sampled = True
        return history

    def _read_exactly(self, until: float, is_cancelled: Callable[[], bool]) -> Iterator[HistoryRead]:
        """Read some more of a long file until a time; once all is read, yield its history."""
        while self._exact and self._exact_from < time.monotonic() < until and not is_cancelled():
            if self._exact.read_part():
                history, self._exact = self._exact.history, None
                yield HistoryRead(history)
            time.sleep(BREATH_S)

    def _state(self) -> Iterator[RunRead]:
        try:
            run: Row = self._store.load(self._folder)
        except StorageError as error:
            run = unreadable(self._run, self._folder, error)
        if run != self._run:
            self._run = run
            yield RunRead(run)
