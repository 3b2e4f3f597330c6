"""A screen that follows the files of one run."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import ClassVar

from textual import on, work
from textual.binding import Binding, BindingType
from textual.worker import get_current_worker

from bkd.errors import StorageError
from bkd.store import Store
from tui.history import History
from tui.messages import EventsRead, LogRead, Row, RunRead, TaskDone
from tui.run_actions import RunActions
from tui.run_columns import steps_per_epoch
from tui.run_files import RunFiles
from tui.widgets.chart_grid import GRID_COLUMNS
from tui.widgets.log_tail import LogTail
from tui.widgets.run_state import RunState

STATE_EVERY_S = 0.2


class FollowScreen(RunActions):
    """Shows how its run stands and what it prints; what else there is to see its children add.

    A child's `compose` yields a RunState and a LogTail, and its `on_mount` calls `begin`.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Back"),
        Binding("o", "toggle_log", "Output"),
        Binding("x", "stop_run", "Stop"),
        Binding("r", "resume_run", "Resume"),
        Binding("t", "edit_tags", "Tags"),
        Binding("y", "duplicate_run", "Duplicate", show=False),
        Binding("D", "delete_run", "Delete"),
        Binding("q", "app.quit", "Quit"),
    ]
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (GRID_COLUMNS, "-wide")]  # noqa: RUF012  declared by Screen

    def __init__(self, store: Store, row: Row) -> None:
        super().__init__()
        self.store = store
        self.run: Row = row
        self.folder = store.folder(str(row["path"]))
        with suppress(StorageError):  # then the row it was opened with has to do
            self.run = store.load(self.folder)
        self.history = History()
        self.history.know_steps_per_epoch(steps_per_epoch(self.run))
        self._files = RunFiles(store, self.folder, self.run)
        self.history.add(self._files.first_events())
        self._state_at = 0.0
        self._is_state_due = False

    def begin(self) -> None:
        """Show what is known, then follow the files."""
        self.show_run()
        self.set_interval(1.0, lambda: self.state.tick(self.history))
        self.follow()

    @work(thread=True, group="follow", exclusive=True)
    def follow(self) -> None:
        """Post new events, the output's new end and changes of run.json."""
        worker = get_current_worker()
        for message in self._files.changes(lambda: worker.is_cancelled):
            self.post_message(message)

    @on(EventsRead)
    def take_events(self, event: EventsRead) -> None:
        """Take in new records; the state follows as fast as one can read."""
        is_first = not self.history.curves
        if event.is_rewound:
            self.history.clear()
        self.history.add(event.records)
        self.history_grew(is_first=is_first)
        if not self._is_state_due:
            self._is_state_due = True
            wait = self._state_at + STATE_EVERY_S - time.monotonic()
            self.set_timer(wait, self.show_figures) if wait > 0 else self.show_figures()

    @on(RunRead)
    def take_run(self, event: RunRead) -> None:
        """Show how the run stands now; leave if it is gone."""
        if not self.folder.run.exists():
            self.notify("The run was deleted.")
            self.action_back()
            return
        self.run = event.run
        self.history.know_steps_per_epoch(steps_per_epoch(self.run))
        self.show_run()

    @on(LogRead)
    def take_log(self, event: LogRead) -> None:
        """Show the output's end."""
        self.query_one(LogTail).set_lines(event.lines)

    @on(TaskDone)
    def look_again(self) -> None:
        """The app reports it; the follower sees what changed."""

    @property
    def state(self) -> RunState:
        """The lines that say how the run stands."""
        return self.query_one(RunState)

    def show_run(self) -> None:
        """Show the run as it is now."""
        self.state.show_run(self.run)
        self.show_figures()

    def show_figures(self) -> None:
        """Say the latest figures."""
        self._state_at, self._is_state_due = time.monotonic(), False
        self.state.show_figures(self.history)

    def history_grew(self, *, is_first: bool) -> None:
        """Draw what has grown; `is_first` tells that there was nothing before."""

    def action_toggle_log(self) -> None:
        """Show or hide the output."""
        self.toggle_class("-log")

    def action_back(self) -> None:
        """Go back to where it was opened."""
        self.dismiss()

    def target(self) -> Row | None:
        """Return the run."""
        return self.run
