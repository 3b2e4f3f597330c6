"""Reading the runs of a save root again and again, as seldom as one can."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from threading import Event

from bkd.errors import StorageError
from bkd.store import Store
from registry import Mark
from tui.messages import Row, RowsRead
from tui.widgets.status import is_going_on

LOOK_EVERY_S = 1.0
LOOK_BEHIND_S = 2.0  # while nobody sees the rows, but a run may end
LOOK_CANCELLED_S = 0.1


class RowWatch:
    """Tells of the rows whenever they have changed.

    Args:
        store: Whose runs.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._due = Event()
        self._mark: Mark | None = None
        self._looked_at = 0.0
        self._rows: Sequence[Row] = ()

    def first(self) -> Sequence[Row]:
        """Return the rows as they are now; `changes` goes on from them.

        Raises:
            StorageError: If they cannot be read.
        """
        self._mark = self._store.registry.mark()  # taken first: what changes from here on is seen by the next look
        self._rows = self._store.rows()
        return self._rows

    def look_now(self) -> None:
        """Have the rows read without delay."""
        self._due.set()

    def changes(self, is_cancelled: Callable[[], bool], is_watched: Callable[[], bool]) -> Iterator[RowsRead]:
        """Yield the rows each time they differ, until cancelled.

        Args:
            is_cancelled: Asked at least every LOOK_CANCELLED_S.
            is_watched: Whether anybody sees the rows; if not, they are read less often, so that the end of a run is
                noticed, and only when asked for by `look_now` if no run goes on.
        """
        fault = ""
        while not is_cancelled():
            if not self._wait(is_cancelled, is_watched):
                continue
            self._looked_at = time.monotonic()
            mark = self._store.registry.mark()
            if mark == self._mark and self._store.is_settled and not fault:
                continue
            rows, error = self._rows_or_fault()
            self._mark = mark
            # Rows that did not change are the same objects, so that this compares nothing but their addresses.
            if (rows != self._rows or error != fault) and not is_cancelled():
                self._rows, fault = rows, error
                yield RowsRead(rows, error)

    def _rows_or_fault(self) -> tuple[Sequence[Row], str]:
        """Return the rows as they are now and "", or the rows of before and why they cannot be read."""
        try:
            return self._store.rows(), ""
        except StorageError as error:
            return self._rows, str(error)

    def _wait(self, is_cancelled: Callable[[], bool], is_watched: Callable[[], bool]) -> bool:
        """Wait for the next look; return whether it is due."""
        end = time.monotonic() + LOOK_EVERY_S
        while time.monotonic() < end and not is_cancelled():
            if self._due.wait(LOOK_CANCELLED_S):
                self._due.clear()
                return True
        return not is_cancelled() and (is_watched() or self._may_have_ended())

    def _may_have_ended(self) -> bool:
        """Whether it is time to see if a run has ended though nobody watches."""
        is_due = time.monotonic() - self._looked_at >= LOOK_BEHIND_S
        return is_due and any(is_going_on(row.get("status")) for row in self._rows)
