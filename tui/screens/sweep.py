"""One sweep: how it stands, its students, its output."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from textual import events, on, work
from textual.app import ComposeResult
from textual.worker import get_current_worker

from bkd.errors import StorageError
from bkd.store import Store
from tui.follow_screen import FollowScreen
from tui.lineage import students_of_sweep
from tui.messages import Row, RowsRead
from tui.pane_screen import PANE_COMMANDS
from tui.panes import shared_panes
from tui.row_watch import RowWatch
from tui.run_columns import SWEEP_STUDENTS
from tui.widgets.chart_grid import GRID_ROWS
from tui.widgets.key_bar import Key
from tui.widgets.main_pane import MainPane
from tui.widgets.pane import Pane
from tui.widgets.run_table import RunTable

SWEEP_KEYS = (
    Key("enter", "open", "open_selected"), Key("x", "stop", "stop_run"),
    Key("r", "resume", "resume_run"), Key("s", "sort", "sort"), Key("o", "output", "toggle_log"),
    Key("t", "tags", "edit_tags"), Key("D", "delete", "delete_run"),
    Key("?", "help", "app.show_help"), Key("esc", "back", "back"),
)  # fmt: skip


class StudentsPane(MainPane):
    """The students of a sweep."""

    MAIN = "RunTable"

    def compose(self) -> ComposeResult:
        """Lay out the table."""
        yield RunTable(SWEEP_STUDENTS, empty="No students yet: the sweep is about to list them.", id="students")
        yield from super().compose()


class SweepScreen(FollowScreen):
    """Follows a sweep and the rows of its students."""

    COMMAND_LIST: ClassVar = (
        ("Open student", "Watch the selected student", "open_selected"),
        ("Stop sweep", "Stop the students at work after their step, and launch no more", "stop_run"),
        ("Resume sweep", "Go on with the students that are not done", "resume_run"),
        ("Delete sweep", "Delete this sweep; its students stay", "delete_run"),
        ("Edit tags", "Edit this sweep's tags", "edit_tags"),
        ("Duplicate sweep", "Open the form for a sweep like this one, to change and launch it", "duplicate_run"),
        ("Students", "Show this sweep's students", "show_pane('Students')"),
        *PANE_COMMANDS,
        ("Output", "Show or hide what the sweep printed last", "toggle_log"),
        ("Back", "Back to the tables", "back"),
    )
    AUTO_FOCUS = ""  # the pane in front says what takes the focus
    MEMORY_KEY = "sweep.pane"

    def __init__(self, store: Store, row: Row) -> None:
        super().__init__(store, row)
        self._watch = RowWatch(store)
        self._rows: Sequence[Row] = ()

    def pane_makers(self) -> Mapping[str, Callable[[], Pane]]:
        """Return what makes each pane."""
        makers: dict[str, Callable[[], Pane]] = {"Students": lambda: StudentsPane(self.folder.log)}
        return makers | shared_panes(self.store, self.folder)

    def main_keys(self) -> Sequence[Key]:
        """Return the keys of the students."""
        return SWEEP_KEYS

    def on_mount(self) -> None:
        """Fill the table, then follow the files and the rows."""
        try:
            self._rows = self._watch.first()
        except StorageError as error:
            self.notify(str(error), severity="error", markup=False)
        self.begin()
        self.watch_students()

    def on_screen_resume(self) -> None:
        """Look at once after a student was in front."""
        self._watch.look_now()

    def on_resize(self, event: events.Resize) -> None:
        """Show the output where there is room for it."""
        self.set_class(event.size.height >= GRID_ROWS, "-log")
        if self.main is not None:
            self.main.follow_log()
        self.call_after_refresh(self.show_figures)

    @work(thread=True, group="rows", exclusive=True)
    def watch_students(self) -> None:
        """Post the rows whenever they have changed."""
        worker = get_current_worker()
        for message in self._watch.changes(lambda: worker.is_cancelled, lambda: self.is_current):
            self.post_message(message)

    @on(RowsRead)
    def rows_read(self, event: RowsRead) -> None:
        """Show how the students stand now."""
        self._rows = event.rows
        self._show_students()

    def show_run(self) -> None:
        """Show the sweep as it is now."""
        super().show_run()
        self._show_students()

    def _show_students(self) -> None:
        for table in self.query(RunTable):
            table.set_rows(students_of_sweep(self.run, self._rows))

    @on(RunTable.RunOpened)
    def open_student(self) -> None:
        """Watch the student under the cursor."""
        row = self.query_one(RunTable).selected_row
        if row is not None and row.get("path"):
            self.watch_run(row)
        elif row is not None:
            self.notify(f"This student is {row['status']}: there is nothing to show of it.", severity="warning")

    def action_open_selected(self) -> None:
        """Open the student under the cursor."""
        for table in self.query(RunTable):
            table.action_open()

    def action_sort(self) -> None:
        """Sort by the next column."""
        for table in self.query(RunTable):
            table.action_sort_next()
