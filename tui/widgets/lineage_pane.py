"""What a run came from and what came from it; Enter opens a relative."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.worker import get_current_worker

from bkd.errors import StorageError
from bkd.store import Store
from bkd.text import cell_width, clean, fit
from tui.family import Relative, accuracy_text, family, what_text
from tui.history import History
from tui.messages import Row, RowsRead, RunWanted
from tui.row_watch import RowWatch
from tui.widgets.key_bar import Key
from tui.widgets.lines_view import LinesView, Pieces
from tui.widgets.pane import Pane
from tui.widgets.status import status_text, status_tone

STATUS_CELLS = 10
ACCURACY_CELLS = 7
SELF = "  ◀ this run"


class LineagePane(Pane):
    """A tree with kind, architecture, accuracy and status of each run."""

    MAIN = "LinesView"
    KEYS: ClassVar[Sequence[Key]] = (Key("enter", "open", "pane('open')"),)

    def __init__(self, store: Store) -> None:
        super().__init__(id="lineage")
        self._store = store
        self._watch = RowWatch(store)
        self._run: Row = {}
        self._rows: Sequence[Row] | None = None
        self._relatives: Sequence[Relative] = ()

    def compose(self) -> ComposeResult:
        """Lay out the tree."""
        yield LinesView(has_cursor=True)

    def wake(self, run: Row, history: History) -> None:
        """Read the runs, and follow them."""
        self._run = run
        self.follow_rows()

    def on_resize(self) -> None:
        """Fill the width."""
        self.call_after_refresh(self._show)

    def sleep(self) -> None:
        """Read nothing any more."""
        self.workers.cancel_group(self, "family")

    def show_run(self, run: Row) -> None:
        """Show how the run stands now."""
        self._run = run
        self._show()

    @work(thread=True, group="family", exclusive=True)
    def follow_rows(self) -> None:
        """Post the rows at once, then whenever they have changed."""
        worker = get_current_worker()
        try:
            self.post_message(RowsRead(self._watch.first()))
        except StorageError as error:
            self.post_message(RowsRead((), str(error)))
        for message in self._watch.changes(lambda: worker.is_cancelled, lambda: True):
            self.post_message(message)

    @on(RowsRead)
    def take_rows(self, event: RowsRead) -> None:
        """Show how the relatives stand now."""
        event.stop()
        self._rows = event.rows
        self._show()

    def _show(self) -> None:
        if self._rows is None:
            return
        view, is_first = self.query_one(LinesView), not self._relatives
        self._relatives = family(self._run, self._rows)
        left = max(cell_width(relative.branch) + cell_width(_head(relative)) for relative in self._relatives)
        width = max(view.text_width, 40)
        left = min(left, width - STATUS_CELLS - ACCURACY_CELLS - 4)
        view.set_lines([_line(relative, left) for relative in self._relatives])
        if is_first:
            view.cursor = next(i for i, relative in enumerate(self._relatives) if relative.is_self)

    @on(LinesView.LineChosen)
    def choose(self, event: LinesView.LineChosen) -> None:
        """Ask for the run under the cursor, unless it is the one in view."""
        event.stop()
        relative = self._relatives[event.index]
        if not relative.is_self:
            self.post_message(RunWanted(relative.run_id, relative.row))

    def action_open(self) -> None:
        """Open the run under the cursor."""
        self.query_one(LinesView).action_choose()


def _head(relative: Relative) -> str:
    return f"{clean(relative.run_id)}  {what_text(relative.row)}{SELF if relative.is_self else ''}"


def _line(relative: Relative, left: int) -> Pieces:
    """Return a relative as a line: tree, id, what it is, then status and accuracy in columns."""
    status = None if relative.row is None else str(relative.row.get("status"))
    room = left - cell_width(relative.branch)
    return [
        (relative.branch, "muted"),
        (fit(_head(relative), room), "strong" if relative.is_self else "muted" if status is None else ""),
        ("  " + fit("" if status is None else clean(status_text(status)), STATUS_CELLS), status_tone(status)),
        ("  " + fit(accuracy_text(relative.row), ACCURACY_CELLS, "right"), ""),
    ]
