"""Teachers, students and experiments as tables, with what the selected run is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, cast

from textual import events, on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.worker import get_current_worker

from bkd.errors import StorageError
from bkd.runfile import UNFINISHED, Status
from bkd.store import Store
from bkd.text import clean
from tui.arrangement import Arrangement
from tui.home_keys import COMMANDS, KEYS
from tui.messages import Row, RowsRead
from tui.roles import ROLES
from tui.row_watch import RowWatch
from tui.tables_screen import TablesScreen
from tui.widgets.detail_panel import DetailPanel
from tui.widgets.filter_bar import FilterBar
from tui.widgets.first_run import FirstRun
from tui.widgets.key_bar import KeyBar
from tui.widgets.line import Line
from tui.widgets.live_feed import LiveFeed
from tui.widgets.mark_table import MARK
from tui.widgets.run_table import RunTable
from tui.widgets.run_tables import RunTables
from tui.widgets.status import GLYPHS
from tui.widgets.table_tabs import TableTabs

if TYPE_CHECKING:
    from tui.app import BkdApp
    from tui.forms import FormChoice
    from tui.memory import Memory


DETAILS = ("-details", "-no-details")  # shown on a narrow terminal, hidden on a wide one


class HomeScreen(TablesScreen):
    """A table for each role, one of them in view, and the details of the run under its cursor."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "new_teacher", "New teacher"),
        Binding("d", "distil", "Distil"),
        Binding("c", "compare", "Compare"),
        Binding("x", "stop_run", "Stop"),
        Binding("r", "resume_run", "Resume"),
        Binding("D", "delete_run", "Delete"),
        Binding("t", "edit_tags", "Tags"),
        Binding("y", "duplicate_run", "Duplicate", show=False),
        Binding("i", "toggle_details", "Details"),
        Binding("q", "app.quit", "Quit"),
    ]
    COMMAND_LIST: ClassVar = COMMANDS
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (120, "-wide")]  # noqa: RUF012  declared by Screen
    AUTO_FOCUS = "#teachers"

    def __init__(self, store: Store) -> None:
        super().__init__()
        self.store = store
        self._watch = RowWatch(store)
        self._at_work = Counter[str]()
        self._wanted: str | None = None  # a run that was launched and is to be selected once it is listed

    def compose(self) -> ComposeResult:
        """Lay out title, filter, tables, details and keys."""
        self.arrangement = Arrangement(cast("BkdApp", self.app).memory)
        with Horizontal(id="title"):
            yield Line(" bkd ", id="brand")
            yield TableTabs()
            yield Line(id="summary")
        yield FilterBar(id="filter-bar")
        yield FirstRun(self.store.root)
        with Horizontal(id="body"):
            yield RunTables(self.arrangement)
            yield DetailPanel(self.store, id="details")
        yield Line(id="left-out")
        yield LiveFeed(self.store, lambda: self.table)
        yield KeyBar(KEYS, id="keys")

    def on_mount(self) -> None:
        """Fill the tables before anything is painted, then keep looking."""
        try:
            self._show_rows(self._watch.first())
        except StorageError as error:
            self._say_error(str(error))
        self._recall()
        self.query_one(TableTabs).show(self.tables.role)
        self.call_after_refresh(self.watch_runs)

    def _recall(self) -> None:
        """Show the table that was in view last time, and the details or not."""
        shown = self.memory.get("home.details", list[str]())
        self.add_class(*(one for one in DETAILS if one in shown))
        role = self.memory.get("home.table", "")
        if role in (one.name for one in ROLES) and role != self.tables.role:
            self.action_show(role)

    @property
    def memory(self) -> Memory:
        """What the app remembers."""
        return cast("BkdApp", self.app).memory

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

    @on(LiveFeed.FiguresRead)
    def show_live(self, event: LiveFeed.FiguresRead) -> None:
        """Show the live figures of the runs in view."""
        self.table.show_live(event.figures)

    def _show_rows(self, rows: Sequence[Row]) -> None:
        self._at_work = Counter(str(row.get("status")) for row in rows if row.get("status") in UNFINISHED)
        self.set_class(not rows, "-first-run")
        if self.query_one(FirstRun).is_wanted(not rows):
            self.table.focus()
        self.show_rows(rows)
        if self._wanted is not None:
            self.select(self._wanted)

    def say_summary(self) -> None:
        """Say how many runs are at work, how many are marked, what is filtered, and where."""
        text = summary_text(
            at_work_text(self._at_work),
            len(self.marked),
            self.filter_text(),
            self.left_out_note(),
            str(self.store.root),
        )
        self.query_one("#summary", Line).say(text)

    def _say_error(self, text: str) -> None:
        self.query_one("#summary", Line).say(clean(text))

    # ---- tables

    @on(RunTables.TableShown)
    def table_shown(self, event: RunTables.TableShown) -> None:
        """Mark its name and show the details of its run."""
        self.query_one(TableTabs).show(event.role)
        self.memory.put("home.table", event.role)
        self._show_details()

    def action_open_selected(self) -> None:
        """Open the run under the cursor."""
        self.table.action_open()

    def select(self, run_id: str) -> None:
        """Show a run's table with the cursor on it, now or as soon as it is listed."""
        row = next((row for row in self.rows if row["id"] == run_id), None)
        self._wanted = run_id if row is None else None
        if row is not None:
            self.tables.reveal(run_id, str(row["role"]))
            self.table.focus()

    def action_toggle_details(self) -> None:
        """Show or hide the details: beside the table, or under it on a narrow terminal."""
        self.toggle_class("-details" if self.has_class("-narrow") else "-no-details")
        self.memory.put("home.details", [shown for shown in DETAILS if self.has_class(shown)])
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
        self.query_one(DetailPanel).show(self.under_cursor(), self.rows)
        self.say_left_out()

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

        selected = self.teacher_in_question()
        marked = [row for row in self.marked if row.get("role") == "teacher"]
        self._open_form(TEACHER_FORMS, marked or ([] if selected is None else [selected]))

    def action_distil(self) -> None:
        """Open the form for a student, or a sweep of them, of the selected teacher."""
        row = self.teacher_in_question()
        if row is None:
            self.notify("There is no teacher to distil from. Press n to train one.", severity="warning")
            return
        from tui.forms import STUDENT_FORMS

        self._open_form(STUDENT_FORMS, [row])

    def _open_form(self, forms: FormChoice, chosen: Sequence[Row]) -> None:
        from tui.screens.launch import LaunchScreen

        self.open_screen(LaunchScreen(self.store, forms, self.rows, chosen), self.run_launched)

    def run_launched(self, run_id: str | None) -> None:
        """Select the run that was launched from a form."""
        super().run_launched(run_id)
        if run_id is not None:
            self.action_unmark()
            self.select(run_id)
            self.look_now()


def at_work_text(counts: Mapping[str, int]) -> str:
    """Return how many runs go on, by status: "● 2 running, 1 queued", "○ 1 queued"; "" for none."""
    parts = [f"{counts[status]} {status}" for status in (Status.RUNNING, Status.QUEUED) if counts.get(status)]
    return f"{GLYPHS['running' if counts.get(Status.RUNNING) else 'queued']} {', '.join(parts)}" if parts else ""


def summary_text(at_work: str, marked: int, filter_text: str, left_out: str, root: str) -> str:
    """Return what stands right of the tables' names: what is going on, and where."""
    parts = [at_work] if at_work else []
    parts += [f"{MARK} {marked} marked"] if marked else []
    parts += [f"filter: {clean(filter_text)}"] if filter_text else []
    parts += [left_out] if left_out else []
    return "   ".join([*parts, clean(root)])
