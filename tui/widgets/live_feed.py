"""Reads live figures of the runs in view: once a second while one of them goes on, else when others come in view."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, cast

from textual import on, work
from textual.message import Message
from textual.widget import Widget
from textual.worker import get_current_worker

from bkd.store import Store
from tui.live import Live, LiveReader
from tui.messages import Row
from tui.widgets.run_table import RunTable
from tui.widgets.status import is_going_on
from tui.widgets.visibility import is_in_view

if TYPE_CHECKING:
    from tui.app import BkdApp

TICK_S = 0.25
READ_EVERY_S = 1.0


class LiveFeed(Widget):
    """Invisible; reads in a thread and tells its screen.

    Args:
        store: Where the runs are.
        table: Gives the table in view.
    """

    class FiguresRead(Message):
        """Figures of the runs in view were read.

        Attributes:
            figures: By run id, of all runs that were ever in view.
        """

        def __init__(self, figures: Mapping[str, Live]) -> None:
            super().__init__()
            self.figures = figures

    class _Looked(Message):
        """A thread has read the figures of some of these runs."""

        def __init__(self, rows: Sequence[Row], figures: Mapping[str, Live]) -> None:
            super().__init__()
            self.rows = rows
            self.figures = figures

    def __init__(self, store: Store, table: Callable[[], RunTable]) -> None:
        super().__init__()
        self._reader = LiveReader(store)
        self._table = table
        self._figures: dict[str, Live] = {}
        self._known: dict[str, object] = {}  # what each run was like when it was last read
        self._shown: object = None
        self._read_at = 0.0
        self._is_reading = False

    def on_mount(self) -> None:
        """Look whether there is something to read."""
        self.set_interval(TICK_S, self.look)

    def look(self) -> None:
        """Have the runs in view read if that may bring something new."""
        table = self._table()
        if self._is_reading or not is_in_view(table) or cast("BkdApp", self.app).is_held:
            return
        rows = table.rows_in_view
        shown = [(row["id"], _state(row)) for row in rows]
        is_due = time.monotonic() - self._read_at >= READ_EVERY_S
        new = [row for row in rows if self._known.get(row["id"]) != _state(row)]
        going_on = [row for row in rows if is_going_on(row.get("status"))] if is_due or new else []
        if new or going_on:
            self._is_reading = True
            self._read_at = time.monotonic() if is_due else self._read_at
            self.read([*going_on, *(row for row in new if not is_going_on(row.get("status")))])
        elif shown != self._shown:
            self.post_message(self.FiguresRead(self._figures))
        self._shown = shown

    @work(thread=True, group="live")
    def read(self, rows: Sequence[Row]) -> None:
        """Read the figures of some runs."""
        worker = get_current_worker()
        found = self._reader.read(rows, lambda: worker.is_cancelled)
        self.post_message(self._Looked(rows, found))

    @on(_Looked)
    def tell(self, event: _Looked) -> None:
        """Pass the figures on."""
        event.stop()
        self._is_reading = False
        self._figures |= event.figures
        read = (row for row in event.rows if row["id"] in event.figures)
        self._known |= {str(row["id"]): _state(row) for row in read}
        self.post_message(self.FiguresRead(self._figures))


def _state(row: Row) -> object:
    """Return what a run's figures depend on besides its events."""
    return row.get("status"), row.get("started"), row.get("ended")
