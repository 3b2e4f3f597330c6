"""Teachers and students as tables, with what the selected one is."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from threading import Event
from typing import Any, ClassVar

from textual import events, on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.worker import get_current_worker

from bkd.errors import StorageError
from bkd.runfile import Status
from bkd.store import Store
from bkd.text import clean
from bkd.where import Predicate
from tui.messages import Row, RowsRead, RunLaunched, RunRead
from tui.run_actions import RunActions
from tui.run_columns import STUDENTS, TEACHERS
from tui.widgets.filter_bar import FilterBar
from tui.widgets.key_bar import Key, KeyBar
from tui.widgets.line import Line
from tui.widgets.run_table import RunTable

LOOK_EVERY_S = 1.0
LOOK_CANCELLED_S = 0.1
SETTLED = frozenset({Status.DONE, Status.FAILED, Status.STOPPED})  # others change without the registry's doing
EMPTY = {
    "teacher": "No teachers yet.\n\nPress n to train one here,\nor quit with q and run `bkd demo` for a first set.",
    "student": "No students yet.\n\nSelect a teacher (1) and press d to distil a student from it.",
}
NO_MATCH = "No run matches the filter.\n\nPress / to change it, escape in it to drop it."
KEYS = (
    Key("enter", "open", "open_selected"), Key("n", "teacher", "new_teacher"), Key("d", "distil", "distil"),
    Key("/", "filter", "filter"), Key("x", "stop", "stop_run"), Key("r", "resume", "resume_run"),
    Key("s", "sort", "sort"), Key("i", "info", "toggle_details"), Key("D", "delete", "delete_run"),
    Key("t", "tags", "edit_tags"), Key("?", "help", "app.show_help"), Key("q", "quit", "app.quit"),
)  # fmt: skip


class HomeScreen(RunActions):
    """Two tables, one of them in view, and the details of the run under its cursor."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("1", "show('teacher')", "Teachers", show=False),
        Binding("2", "show('student')", "Students", show=False),
        Binding("tab,shift+tab", "show_other", "Other table", show=False),
        Binding("n", "new_teacher", "New teacher"),
        Binding("d", "distil", "Distil"),
        Binding("slash", "filter", "Filter", key_display="/"),
        Binding("x", "stop_run", "Stop"),
        Binding("r", "resume_run", "Resume"),
        Binding("D", "delete_run", "Delete"),
        Binding("t", "edit_tags", "Tags"),
        Binding("i", "toggle_details", "Details"),
        Binding("q", "app.quit", "Quit"),
    ]
    COMMAND_LIST: ClassVar = (
        ("New teacher", "Open the form for a teacher", "new_teacher"),
        ("Distil a student", "Open the form for a student of the selected teacher", "distil"),
        ("Open run", "Watch the selected run", "open_selected"),
        ("Stop run", "Stop the selected run after its step", "stop_run"),
        ("Resume run", "Resume the selected run from its last checkpoint", "resume_run"),
        ("Delete run", "Delete the selected run", "delete_run"),
        ("Edit tags", "Edit the tags of the selected run", "edit_tags"),
        ("Filter", "Filter the runs", "filter"),
        ("Teachers", "Show the teachers", "show('teacher')"),
        ("Students", "Show the students", "show('student')"),
    )
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (120, "-wide")]  # noqa: RUF012  declared by Screen
    AUTO_FOCUS = "#teachers"

    def __init__(self, store: Store) -> None:
        super().__init__()
        self.store = store
        self.rows: Sequence[Row] = ()
        self._matches: Predicate = lambda row: True
        self._filter = ""
        self._role = "teacher"
        self._wanted: str | None = None  # a run that was launched and is to be selected once it is listed
        self._look = Event()
        self._mark_shown: tuple[int, int, int] | None = None

    def compose(self) -> ComposeResult:
        """Lay out title, filter, tables, details and keys."""
        with Horizontal(id="title"):
            yield Line(" bkd ", id="brand")
            yield TableTab("teacher")
            yield TableTab("student")
            yield Line(id="summary")
        yield FilterBar(id="filter-bar")
        with Horizontal(id="body"):
            with Vertical(id="tables"):
                yield RunTable(TEACHERS, empty=EMPTY["teacher"], id="teachers")
                yield RunTable(STUDENTS, empty=EMPTY["student"], id="students")
            with VerticalScroll(id="details", can_focus=False):
                yield Line(id="detail-text")
        yield KeyBar(KEYS, id="keys")

    def on_mount(self) -> None:
        """Fill the tables before anything is painted, then keep looking."""
        self._mark_shown = self._mark()  # taken first: what changes from here on is seen by the next look
        try:
            self._show_rows(self.store.rows())
        except StorageError as error:
            self._say_error(str(error))
        self._show_role()
        self.call_after_refresh(self.watch_runs)

    def on_screen_resume(self) -> None:
        """Look at once after another screen was in front."""
        self.look_now()

    # ---- looking at the runs

    @work(thread=True, group="rows", exclusive=True)
    def watch_runs(self) -> None:
        """Read the rows whenever they may differ, and post them when they do."""
        worker, mark, error = get_current_worker(), self._mark_shown, ""
        before: Sequence[Row] = self.rows
        while not worker.is_cancelled:
            if not self._wait(worker):
                continue
            found = self._mark()
            if found == mark and all(row.get("status") in SETTLED for row in before) and not error:
                continue
            rows, fault = self._rows_or(before)
            mark = found
            if (rows != before or fault != error) and not worker.is_cancelled:
                before, error = rows, fault
                self.post_message(RowsRead(rows, fault))

    def _rows_or(self, before: Sequence[Row]) -> tuple[Sequence[Row], str]:
        """Return the rows as they are now and "", or the rows of before and why they cannot be read."""
        try:
            return self.store.rows(), ""
        except StorageError as error:
            return before, str(error)

    def _wait(self, worker: Any) -> bool:
        """Wait for the next look, at most as long as a cancelled worker may go on; return whether it is due."""
        end = time.monotonic() + LOOK_EVERY_S
        while time.monotonic() < end and not worker.is_cancelled:
            if self._look.wait(LOOK_CANCELLED_S):
                self._look.clear()
                return True
        return not worker.is_cancelled and self.is_current

    def _mark(self) -> tuple[int, int, int] | None:
        """Return what changes whenever the registry's file is replaced."""
        try:
            stat = os.stat(self.store.registry.path)
        except OSError:
            return None
        return stat.st_ino, stat.st_mtime_ns, stat.st_size

    def look_now(self) -> None:
        """Have the rows read without delay."""
        self._look.set()

    @on(RowsRead)
    def rows_read(self, event: RowsRead) -> None:
        """Show the rows, and the details again if the selected run changed."""
        before = self.target()
        if event.error:
            self._say_error(event.error)
        else:
            self._show_rows(event.rows)
        if before is not None and self.target() != before:
            self._show_details()

    def _show_rows(self, rows: Sequence[Row]) -> None:
        self.rows = rows
        for role, table in self._tables().items():
            of_role = [row for row in rows if row.get("role") == role]
            shown = [row for row in of_role if self._matches(row)][::-1]
            table.set_empty(NO_MATCH if of_role else EMPTY[role])
            table.set_rows(shown)
            self.query_one(f"#tab-{role}", TableTab).say_count(len(shown), len(of_role))
        self._say_summary()
        if self._wanted is not None:
            self.select(self._wanted)

    def _say_summary(self) -> None:
        running = sum(row.get("status") in ("running", "queued") for row in self.rows)
        parts = [f"● {running} running"] if running else []
        parts += [f"filter: {clean(self._filter)}"] if self._filter else []
        self.query_one("#summary", Line).say("   ".join([*parts, clean(str(self.store.root))]))

    def _say_error(self, text: str) -> None:
        self.query_one("#summary", Line).say(clean(text))

    # ---- the two tables

    def _tables(self) -> dict[str, RunTable]:
        return {"teacher": self.query_one("#teachers", RunTable), "student": self.query_one("#students", RunTable)}

    @property
    def table(self) -> RunTable:
        """The table in view."""
        return self._tables()[self._role]

    def _show_role(self) -> None:
        for role, table in self._tables().items():
            table.display = role == self._role
            self.query_one(f"#tab-{role}", TableTab).set_class(role == self._role, "-active")

    def action_show(self, role: str) -> None:
        """Show the teachers or the students."""
        self._role = role
        self._show_role()
        self.table.focus()
        self._show_details()

    def action_show_other(self) -> None:
        """Change between teachers and students."""
        self.action_show("student" if self._role == "teacher" else "teacher")

    def action_sort(self) -> None:
        """Sort by the next column."""
        self.table.action_sort_next()

    def action_open_selected(self) -> None:
        """Open the run under the cursor."""
        self.table.action_open()

    def select(self, run_id: str) -> None:
        """Show a run's table with the cursor on it, now or as soon as it is listed."""
        row = next((row for row in self.rows if row["id"] == run_id), None)
        self._wanted = run_id if row is None else None
        if row is not None:
            self.action_show(str(row["role"]))
            self.table.select(run_id)

    # ---- filter

    def action_filter(self) -> None:
        """Type a filter."""
        self.add_class("-filtering")
        self.query_one(FilterBar).open(sorted({key for row in self.rows for key in row.get("metrics") or ()}))

    @on(FilterBar.FilterChanged)
    def put_filter(self, event: FilterBar.FilterChanged) -> None:
        """Show the runs that match."""
        self._filter, self._matches = event.text, event.matches
        self._show_rows(self.rows)

    @on(FilterBar.FilterLeft)
    def leave_filter(self) -> None:
        """Go back to the table; a filter in force stays in view."""
        self.set_class(bool(self._filter), "-filtering")
        self.table.focus()

    # ---- details

    def target(self) -> Row | None:
        """Return the row under the cursor."""
        return self.table.selected_row

    def action_toggle_details(self) -> None:
        """Show or hide the details: beside the table, or under it on a narrow terminal."""
        self.toggle_class("-details" if self.has_class("-narrow") else "-no-details")
        self._show_details()

    def on_resize(self, event: events.Resize) -> None:
        """Fill the details that have come into view."""
        self.call_after_refresh(self._show_details)

    @on(RunTable.RunSelected)
    def run_selected(self, event: RunTable.RunSelected) -> None:
        """Show the details of the run under the cursor."""
        if event.table is self.table:
            self.query_one("#details").scroll_home(animate=False)
            self._show_details()

    def _show_details(self) -> None:
        row = self.target()
        if row is None:
            self.query_one("#detail-text", Line).say("", resizes=True)
        elif self.query_one("#details").display:
            self.read_run(row, [other for other in self.rows if other.get("teacher") == row["id"]])

    @work(thread=True, group="details", exclusive=True)
    def read_run(self, row: Row, students: Sequence[Row]) -> None:
        """Read a run's folder; what the row says stands in where that fails."""
        try:
            run: Row = self.store.load(self.store.folder(str(row["path"])))
        except StorageError as error:
            run = {**row, "message": str(error)}
        if not get_current_worker().is_cancelled:
            self.post_message(RunRead(run, students))

    @on(RunRead)
    def run_read(self, event: RunRead) -> None:
        """Show a run, unless the cursor has gone on."""
        from tui.details import detail_text

        row = self.target()
        if row is not None and row["id"] == event.run.get("id"):
            self.query_one("#detail-text", Line).say(detail_text(event.run, event.students), resizes=True)

    # ---- other screens

    @on(RunTable.RunOpened)
    def open_run(self, event: RunTable.RunOpened) -> None:
        """Watch a run."""
        from tui.screens.run import RunScreen

        row = event.table.selected_row
        if row is not None:
            self.open_screen(RunScreen(self.store, row))

    def action_new_teacher(self) -> None:
        """Open the form for a teacher."""
        from tui.screens.launch import LaunchScreen

        self.open_screen(LaunchScreen(self.store), self._launched)

    def action_distil(self) -> None:
        """Open the form for a student of the selected teacher."""
        row = self._tables()["teacher"].selected_row
        if row is None:
            self.notify("There is no teacher to distil from. Press n to train one.", severity="warning")
            return
        from tui.screens.launch import LaunchScreen

        self.open_screen(LaunchScreen(self.store, row), self._launched)

    def _launched(self, run_id: str | None) -> None:
        if run_id is not None:
            self.select(run_id)
            self.look_now()
            self.notify(f"{run_id} was launched; it goes on without this app.", markup=False)

    @on(RunLaunched)
    def run_launched(self, event: RunLaunched) -> None:
        """Select a run that was launched."""
        self._launched(event.run_id)


class TableTab(Line):
    """The name of a table; a click shows it."""

    NAMES: ClassVar = {"teacher": ("1", "Teachers"), "student": ("2", "Students")}

    def __init__(self, role: str) -> None:
        super().__init__(id=f"tab-{role}")
        self.role = role

    def say_count(self, shown: int, all_runs: int) -> None:
        """Show how many runs the table has, and how many a filter hides."""
        key, name = self.NAMES[self.role]
        number = f"{shown:,}" if shown == all_runs else f"{shown:,} of {all_runs:,}"
        self.say(f" {key} {name} {number} ", resizes=True)

    def on_click(self) -> None:
        """Show the table."""
        if isinstance(self.screen, HomeScreen):
            self.screen.action_show(self.role)
