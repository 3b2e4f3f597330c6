"""Teachers, students and experiments as tables, with what the selected run is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import events, on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.worker import get_current_worker

from bkd.errors import StorageError
from bkd.runfile import UNFINISHED
from bkd.store import Store
from bkd.text import clean
from bkd.where import Predicate
from tui.messages import Row, RowsRead
from tui.roles import ROLES
from tui.row_watch import RowWatch
from tui.run_actions import RunActions
from tui.widgets.detail_panel import DetailPanel
from tui.widgets.filter_bar import FilterBar
from tui.widgets.key_bar import Key, KeyBar
from tui.widgets.line import Line
from tui.widgets.mark_table import MARK, MarkTable
from tui.widgets.run_table import RunTable
from tui.widgets.run_tables import RunTables
from tui.widgets.table_tabs import TableTabs

if TYPE_CHECKING:
    from tui.forms import FormChoice

KEYS = (
    Key("enter", "open", "open_selected"), Key("n", "teacher", "new_teacher"), Key("d", "distil", "distil"),
    Key("/", "filter", "filter"), Key("x", "stop", "stop_run"), Key("r", "resume", "resume_run"),
    Key("s", "sort", "sort"), Key("i", "info", "toggle_details"), Key("space", "mark", "mark"),
    Key("c", "compare", "compare"), Key("D", "delete", "delete_run"), Key("t", "tags", "edit_tags"),
    Key("?", "help", "app.show_help"), Key("q", "quit", "app.quit"),
)  # fmt: skip

COMMANDS = (
    ("New teacher", "Open the form for a teacher", "new_teacher"),
    ("Distil a student", "Open the form for a student, or a sweep of them, of the selected teacher", "distil"),
    ("Open run", "Watch the selected run", "open_selected"),
    ("Stop run", "Stop the selected run after its step", "stop_run"),
    ("Resume run", "Resume the selected run from its last checkpoint", "resume_run"),
    ("Delete run", "Delete the selected run", "delete_run"),
    ("Edit tags", "Edit the tags of the selected run", "edit_tags"),
    ("Filter", "Filter the runs", "filter"),
    ("Mark run", "Mark the selected run, to compare it or as a member of an ensemble", "mark"),
    ("Compare", "Compare the marked runs", "compare"),
    *((role.title, f"Show the {role.title.lower()}", f"show({role.name!r})") for role in ROLES),
)


class HomeScreen(RunActions):
    """A table for each role, one of them in view, and the details of the run under its cursor."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(role.key, f"show({role.name!r})", role.title, show=False) for role in ROLES),
        Binding("tab", "show_next(1)", "Next table", show=False),
        Binding("shift+tab", "show_next(-1)", "Previous table", show=False),
        Binding("n", "new_teacher", "New teacher"),
        Binding("d", "distil", "Distil"),
        Binding("slash", "filter", "Filter", key_display="/"),
        Binding("c", "compare", "Compare"),
        Binding("x", "stop_run", "Stop"),
        Binding("r", "resume_run", "Resume"),
        Binding("D", "delete_run", "Delete"),
        Binding("t", "edit_tags", "Tags"),
        Binding("i", "toggle_details", "Details"),
        Binding("escape", "unmark", "Unmark all", show=False),
        Binding("q", "app.quit", "Quit"),
    ]
    COMMAND_LIST: ClassVar = COMMANDS
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (120, "-wide")]  # noqa: RUF012  declared by Screen
    AUTO_FOCUS = "#teachers"

    def __init__(self, store: Store) -> None:
        super().__init__()
        self.store = store
        self.rows: Sequence[Row] = ()
        self._watch = RowWatch(store)
        self._matches: Predicate = lambda row: True
        self._filter = ""
        self._wanted: str | None = None  # a run that was launched and is to be selected once it is listed

    def compose(self) -> ComposeResult:
        """Lay out title, filter, tables, details and keys."""
        with Horizontal(id="title"):
            yield Line(" bkd ", id="brand")
            yield TableTabs()
            yield Line(id="summary")
        yield FilterBar(id="filter-bar")
        with Horizontal(id="body"):
            yield RunTables()
            yield DetailPanel(self.store, id="details")
        yield KeyBar(KEYS, id="keys")

    def on_mount(self) -> None:
        """Fill the tables before anything is painted, then keep looking."""
        try:
            self._show_rows(self._watch.first())
        except StorageError as error:
            self._say_error(str(error))
        self.query_one(TableTabs).show(self.tables.role)
        self.call_after_refresh(self.watch_runs)

    def on_screen_resume(self) -> None:
        """Look at once after another screen was in front."""
        self.look_now()

    # ---- looking at the runs

    @work(thread=True, group="rows", exclusive=True)
    def watch_runs(self) -> None:
        """Post the rows whenever they have changed."""
        worker = get_current_worker()
        for message in self._watch.changes(lambda: worker.is_cancelled, lambda: self.is_current):
            self.post_message(message)

    def look_now(self) -> None:
        """Have the rows read without delay."""
        self._watch.look_now()

    @on(RowsRead)
    def rows_read(self, event: RowsRead) -> None:
        """Show the rows, and the details again if the selected run or one of its relatives changed."""
        if event.error:
            self._say_error(event.error)
            self.notify(event.error, severity="error")  # beside the tables' names there may be no room for it
        else:
            self._show_rows(event.rows)
            self._show_details()

    def _show_rows(self, rows: Sequence[Row]) -> None:
        self.rows = rows
        self.query_one(TableTabs).say_counts(self.tables.set_rows(rows, self._matches))
        self._say_summary()
        if self._wanted is not None:
            self.select(self._wanted)

    def _say_summary(self) -> None:
        text = summary_text(self.rows, len(self.marked), self._filter, str(self.store.root))
        self.query_one("#summary", Line).say(text)

    def _say_error(self, text: str) -> None:
        self.query_one("#summary", Line).say(clean(text))

    # ---- tables

    @property
    def tables(self) -> RunTables:
        """The tables."""
        return self.query_one(RunTables)

    @property
    def table(self) -> MarkTable:
        """The table in view."""
        return self.tables.current

    @property
    def marked(self) -> list[Row]:
        """The marked runs, also those that a filter hides."""
        known = {str(row["id"]): row for row in self.rows}
        return [known[run_id] for run_id in self.tables.marked if run_id in known]

    def action_show(self, role: str) -> None:
        """Show the table of a role."""
        self.tables.role = role
        self.table.focus()

    def action_show_next(self, steps: int) -> None:
        """Go from table to table."""
        self.tables.show_next(steps)
        self.table.focus()

    @on(TableTabs.TabChosen)
    def show_chosen(self, event: TableTabs.TabChosen) -> None:
        """Show the table whose name was clicked."""
        self.action_show(event.role)

    @on(RunTables.TableShown)
    def table_shown(self, event: RunTables.TableShown) -> None:
        """Mark its name and show the details of its run."""
        self.query_one(TableTabs).show(event.role)
        self._show_details()

    def action_sort(self) -> None:
        """Sort by the next column."""
        self.table.action_sort_next()

    def action_open_selected(self) -> None:
        """Open the run under the cursor."""
        self.table.action_open()

    def action_mark(self) -> None:
        """Mark the run under the cursor."""
        self.table.action_mark()

    def action_unmark(self) -> None:
        """Take all marks away."""
        self.tables.unmark()

    @on(MarkTable.MarksChanged)
    def marks_changed(self) -> None:
        """Say how many are marked."""
        self._say_summary()

    def select(self, run_id: str) -> None:
        """Show a run's table with the cursor on it, now or as soon as it is listed."""
        row = next((row for row in self.rows if row["id"] == run_id), None)
        self._wanted = run_id if row is None else None
        if row is not None:
            self.action_show(str(row["role"]))
            self.table.select(run_id)

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
            self._show_details()

    def _show_details(self) -> None:
        self.query_one(DetailPanel).show(self.target(), self.rows)

    # ---- other screens

    @on(RunTable.RunOpened)
    def open_run(self, event: RunTable.RunOpened) -> None:
        """Watch a run."""
        row = event.table.selected_row
        if row is not None:
            self.watch_run(row)

    def action_compare(self) -> None:
        """Compare the marked runs."""
        marked = [str(row["id"]) for row in self.marked if row.get("role") != "experiment"]
        if len(marked) < 2:
            self.notify("Mark the runs to compare first: space marks the one under the cursor.", severity="warning")
            return
        from tui.screens.compare import CompareScreen

        self.open_screen(CompareScreen(self.store, marked))

    def action_new_teacher(self) -> None:
        """Open the form for a teacher; one that is made from others begins with the marked ones, or the selected."""
        from tui.forms import TEACHER_FORMS

        selected = self.tables.table_of("teacher").selected_row
        marked = [row for row in self.marked if row.get("role") == "teacher"]
        self._open_form(TEACHER_FORMS, marked or ([] if selected is None else [selected]))

    def action_distil(self) -> None:
        """Open the form for a student, or a sweep of them, of the selected teacher."""
        row = self.tables.table_of("teacher").selected_row
        if row is None:
            self.notify("There is no teacher to distil from. Press n to train one.", severity="warning")
            return
        from tui.forms import STUDENT_FORMS

        self._open_form(STUDENT_FORMS, [row])

    def _open_form(self, forms: FormChoice, chosen: Sequence[Row]) -> None:
        from tui.screens.launch import LaunchScreen

        self.open_screen(LaunchScreen(self.store, forms, self.rows, chosen), self._launched)

    def _launched(self, run_id: str | None) -> None:
        if run_id is not None:
            self.action_unmark()
            self.select(run_id)
            self.look_now()
            self.notify(f"{run_id} was launched; it goes on without this app.", markup=False)


def summary_text(rows: Sequence[Row], marked: int, filter_text: str, root: str) -> str:
    """Return what stands right of the tables' names: what is going on, and where."""
    running = sum(row.get("status") in UNFINISHED for row in rows)
    parts = [f"● {running} running"] if running else []
    parts += [f"{MARK} {marked} marked"] if marked else []
    parts += [f"filter: {clean(filter_text)}"] if filter_text else []
    return "   ".join([*parts, clean(root)])
