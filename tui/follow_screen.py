"""A screen that follows the files of one run."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import ClassVar

from textual import on, work
from textual.binding import Binding, BindingType
from textual.worker import get_current_worker

from bkd.errors import StorageError
from bkd.runfile import Status
from bkd.store import Store
from tui.history import History
from tui.messages import EventsRead, HistoryRead, LogRead, Row, RunRead, RunWanted, TaskDone
from tui.pane_screen import PaneScreen
from tui.run_columns import steps_per_epoch
from tui.run_faults import END_LINES
from tui.run_files import RunFiles
from tui.widgets.chart_grid import GRID_COLUMNS
from tui.widgets.run_state import RunState

STATE_EVERY_S = 0.2


class FollowScreen(PaneScreen):
    """Shows how its run stands, and keeps up with its files; a child calls `begin` when it is mounted."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Back"),
        Binding("ctrl+y", "copy_command", "Copy command", show=False),
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
        self._files.open(self.history)
        self._state_at = 0.0
        self._is_state_due = False
        self._is_deleted = self._is_resting = self._is_end_asked = False

    def begin(self) -> None:
        """Show what is known, then follow the files."""
        self.show_run()
        self.open_first_pane()
        self.set_interval(1.0, self.tick)
        self.follow()

    def tick(self) -> None:
        """Say what has grown older."""
        self.state.tick(self.history)
        if self.state.is_going_on:
            self.pane.tick(self.history)

    # ---- files

    @work(thread=True, group="follow", exclusive=True)
    def follow(self) -> None:
        """Post new events and changes of run.json."""
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
        self._show_figures_soon()

    @on(HistoryRead)
    def take_history(self, event: HistoryRead) -> None:
        """Take over curves that were read as a whole; exact ones replace their sample in their turn."""
        self.history.become(event.history)
        self.history_grew(is_first=self.history.is_sampled)
        self._show_figures_soon()

    def _show_figures_soon(self) -> None:
        if not self._is_state_due:
            self._is_state_due = True
            wait = self._state_at + STATE_EVERY_S - time.monotonic()
            self.set_timer(wait, self.show_figures) if wait > 0 else self.show_figures()

    @on(RunRead)
    def take_run(self, event: RunRead) -> None:
        """Show how the run stands now; leave if it was deleted from here."""
        if self._is_deleted and not self.folder.run.exists():
            self.action_back()
            return
        self.run = event.run
        self.history.know_steps_per_epoch(steps_per_epoch(self.run))
        self.show_run()

    @work(thread=True, group="end", exclusive=True)
    def read_end(self) -> None:
        """Post the last lines of the output."""
        from tui.log_file import LogFile

        with suppress(OSError):
            log = LogFile(self.folder.log)
            self.post_message(LogRead([line.text for line in log.before(log.size, END_LINES)]))

    @on(LogRead)
    def take_end(self, event: LogRead) -> None:
        """Show the last lines of a failed run's output."""
        self.state.show_end(event.lines)

    @on(TaskDone)
    def look_again(self) -> None:
        """The app reports it; the follower sees what changed."""

    def on_screen_suspend(self) -> None:
        """Follow nothing while another screen hides this one."""
        self.call_later(self._rest)

    def on_screen_resume(self) -> None:
        """Go on."""
        if self._is_resting:
            self._is_resting = False
            self.follow()
            self.pane.wake(self.run, self.history)

    def _rest(self) -> None:
        stack = self.app.screen_stack
        above = stack[stack.index(self) + 1 :] if self in stack else []
        if not self._is_resting and any(not screen.is_modal for screen in above):
            self._is_resting = True
            self.workers.cancel_group(self, "follow")
            self.pane.sleep()

    # ---- showing

    @property
    def state(self) -> RunState:
        """The lines that say how the run stands."""
        return self.query_one(RunState)

    def show_run(self) -> None:
        """Show the run as it is now."""
        self.state.show_run(self.run)
        if self.run.get("status") != Status.FAILED:
            self._is_end_asked = False
        elif not self._is_end_asked:
            self._is_end_asked = True
            self.read_end()
        self.pane.show_run(self.run)
        self.show_figures()

    def show_figures(self) -> None:
        """Say the latest figures."""
        self._state_at, self._is_state_due = time.monotonic(), False
        self.state.show_figures(self.history)

    def history_grew(self, *, is_first: bool) -> None:
        """Draw what has grown; `is_first` tells that there was nothing before."""
        if self.main is not None:
            self.main.history_grew(is_first=is_first)

    @on(RunWanted)
    def open_relative(self, event: RunWanted) -> None:
        """Open a run of this one's family."""
        if event.row is None:
            self.notify(
                f"{event.run_id} was deleted: there is nothing to show of it.", severity="warning", markup=False
            )
        else:
            self.watch_run(event.row)

    # ---- actions

    def action_copy_command(self) -> None:
        """Copy the command that launches the same run."""
        from tui.configuration import command_of

        command = command_of(self.run, self.store.root)
        if command:
            self.app.copy_to_clipboard(command)
            self.notify("The command is in the clipboard, if the terminal allows it (OSC 52).")
        else:
            self.notify("This run's settings are of another version: there is no command for it.", severity="warning")

    def action_back(self) -> None:
        """Go back to where it was opened."""
        self.dismiss()

    def _delete(self, run_id: str, *, force: bool) -> None:
        self._is_deleted = True
        super()._delete(run_id, force=force)

    def target(self) -> Row | None:
        """Return the run."""
        return self.run
