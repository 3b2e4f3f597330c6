"""Following the files of one run: its events and its run.json."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

from textual.message import Message

from bkd.errors import StorageError
from bkd.events import EventTail
from bkd.paths import RunFolder
from bkd.runfile import UNFINISHED
from bkd.store import Store
from tui.messages import EventsRead, Row, RunRead
from tui.run_faults import unreadable

POLL_S = 0.1  # of the event file while the run goes on
SETTLED_POLL_S = 1.0  # of everything else, and of a run that has ended
CHUNK_BYTES = 1 << 20  # of events a message


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

    def first_events(self) -> Sequence[Row]:
        """Return the first events, as many as one message holds; `changes` goes on behind them."""
        return self._tail.read(limit_bytes=CHUNK_BYTES)

    def changes(self, is_cancelled: Callable[[], bool]) -> Iterator[Message]:
        """Yield EventsRead and RunRead until cancelled."""
        settled_at = 0.0
        while not is_cancelled():
            now = time.monotonic()
            is_due = now - settled_at >= SETTLED_POLL_S
            if is_due or self._run.get("status") in UNFINISHED:
                for message in self._events(is_cancelled):
                    is_due |= any(record.get("kind") == "state" for record in message.records)
                    yield message
            if is_due:
                settled_at = now
                yield from self._state()
            time.sleep(POLL_S)

    def _events(self, is_cancelled: Callable[[], bool]) -> Iterator[EventsRead]:
        """Yield all new records, part by part."""
        while not is_cancelled():
            records = self._tail.read(limit_bytes=CHUNK_BYTES)
            if not records and not self._tail.is_rewound:
                return
            yield EventsRead(records, self._tail.is_rewound)

    def _state(self) -> Iterator[RunRead]:
        try:
            run: Row = self._store.load(self._folder)
        except StorageError as error:
            run = unreadable(self._run, self._folder, error)
        if run != self._run:
            self._run = run
            yield RunRead(run)
