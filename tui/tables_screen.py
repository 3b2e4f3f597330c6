"""A screen of tables that are filtered, sorted, marked and arranged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding, BindingType

from bkd.errors import FilterError
from bkd.text import clean
from bkd.where import Predicate, compile_filter
from tui.arrangement import BUILT_IN, Arrangement, View
from tui.many_actions import ManyActions
from tui.messages import Row
from tui.roles import ROLES
from tui.widgets.filter_bar import FilterBar
from tui.widgets.line import Line
from tui.widgets.mark_table import MarkTable
from tui.widgets.run_tables import ROLE, RunTables
from tui.widgets.table_tabs import TableTabs
from tui.widgets.tree_table import TreeTable

if TYPE_CHECKING:
    from textual.timer import Timer

KEEP_FOLDS_AFTER_S = 1.0


class TablesScreen(ManyActions):
    """Tables of runs, one of them in view.

    A child composes TableTabs, a FilterBar and RunTables, fills `rows`, and calls `show_rows` whenever they change.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(role.key, f"show({role.name!r})", role.title, show=False) for role in ROLES),
        Binding("tab", "show_next(1)", "Next table", show=False),
        Binding("shift+tab", "show_next(-1)", "Previous table", show=False),
        Binding("slash", "filter", "Filter", key_display="/"),
        Binding("v", "toggle_tree", "Tree or flat"),
        Binding("C", "choose_columns", "Columns"),
        Binding("V", "choose_view", "Saved views"),
        Binding("escape", "unmark", "Unmark all", show=False),
    ]

    arrangement: Arrangement

    def __init__(self) -> None:
        super().__init__()
        self.rows: Sequence[Row] = ()
        self._matches: Predicate = compile_filter("")
        self._filter = ""
        self._keep_folds: Timer | None = None

    def say_summary(self) -> None:
        """Say what is going on."""
        raise NotImplementedError

    def on_unmount(self) -> None:
        """Remember what is folded."""
        if self._keep_folds is not None:
            self.arrangement.keep_folds()

    # ---- which table, which run

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
        if not self.tables.marks:
            return []
        known = {str(row["id"]): row for row in self.rows}
        return [known[run_id] for run_id in self.tables.marked if run_id in known]

    def under_cursor(self) -> Row | None:
        """Return the row under the cursor."""
        return self.table.selected_row

    def teacher_in_question(self) -> Row | None:
        """Return the selected teacher, or the teacher of the student that is selected in the tree."""
        row = self.tables.tree_table.selected_row
        if row is None or row.get("role") == "teacher":
            return row
        return next((other for other in self.rows if other["id"] == row.get("teacher")), None)

    def show_rows(self, rows: Sequence[Row]) -> None:
        """Show runs that match the filter."""
        self.rows = rows
        if self.tables.marks:
            self.tables.marks.keep({row["id"] for row in rows})
        counts = self.tables.set_rows(rows, self._matches, is_filtered=bool(self._filter))
        self.query_one(TableTabs).say_counts(counts)
        self.say_summary()

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

    def action_sort(self) -> None:
        """Sort by the next column."""
        self.table.action_sort_next()

    def action_sort_reverse(self) -> None:
        """Turn the order round."""
        self.table.action_sort_reverse()

    # ---- tree

    def action_toggle_tree(self) -> None:
        """Show teachers as a tree, or one after the other."""
        if self.tables.role != "teacher":
            self.action_show("teacher")
            return
        self.arrangement.is_flat = not self.arrangement.is_flat
        self.tables.show_anew()
        self.say_summary()

    def action_fold_all(self) -> None:
        """Fold all teachers, or unfold them."""
        self.tables.tree_table.action_fold_all()

    @on(TreeTable.FoldsChanged)
    def folds_changed(self) -> None:
        """Remember what is folded, once a key is not held down any more."""
        if not self._filter:
            if self._keep_folds is not None:
                self._keep_folds.stop()
            self._keep_folds = self.set_timer(KEEP_FOLDS_AFTER_S, self.arrangement.keep_folds)

    # ---- marks

    def action_mark(self) -> None:
        """Mark the run under the cursor."""
        self.table.action_mark()

    def action_mark_all(self) -> None:
        """Mark all runs in the table, or take their marks away."""
        self.table.action_mark_all()

    def action_unmark(self) -> None:
        """Take all marks away."""
        self.tables.unmark()

    @on(MarkTable.MarksChanged)
    def marks_changed(self) -> None:
        """Say how many are marked."""
        self.say_summary()

    # ---- filter

    def action_filter(self) -> None:
        """Type a filter."""
        self.add_class("-filtering")
        self.query_one(FilterBar).open(sorted({key for row in self.rows for key in row.get("metrics") or ()}))

    @on(FilterBar.FilterChanged)
    def put_filter(self, event: FilterBar.FilterChanged) -> None:
        """Show the runs that match."""
        if event.text != self._filter:
            self.tables.unfold_found()
        self._filter, self._matches = event.text, event.matches
        self.show_rows(self.rows)

    @on(FilterBar.FilterLeft)
    def leave_filter(self) -> None:
        """Go back to the table; a filter in force stays in view."""
        self.set_class(bool(self._filter), "-filtering")
        self.table.focus()

    # ---- columns

    def action_choose_columns(self) -> None:
        """Choose the columns of the table in view."""
        from tui.column_choice import all_columns
        from tui.screens.columns import ColumnsScreen

        role = self.tables.role
        usual = self.tables.usual_columns(role)
        rows = [row for row in self.rows if row.get("role") == role or self.tables.is_tree]

        def answered(titles: list[str] | None) -> None:
            if titles is not None:
                self.arrangement.choose_columns(role, titles)
                self.columns_changed()

        shown = [column.title for column in self.table.columns]
        screen = ColumnsScreen(ROLE[role].title, all_columns(usual, rows), shown, usual, self.table.size.width)
        self.app.push_screen(screen, answered)

    def columns_changed(self) -> None:
        """Show the columns that were chosen."""
        self.tables.put_columns()
        self.say_summary()

    # ---- saved views

    def action_choose_view(self) -> None:
        """Choose, save or delete a view."""
        from tui.screens.views import ViewsScreen

        self.app.push_screen(ViewsScreen(self.arrangement, self._present_view()), self._view_chosen)

    def action_show_view(self, name: str) -> None:
        """Look at the runs as a view of this name does."""
        views = [*self.arrangement.views(), *BUILT_IN]
        self._view_chosen(next((view for view in views if view.name == name), None))

    def _present_view(self) -> View:
        table, role = self.table, self.tables.role
        return View(
            "", role, self._filter, table.sort_by or "", table.descending, self.arrangement.columns(role),
            self.arrangement.is_flat,
        )  # fmt: skip

    def _view_chosen(self, view: View | None) -> None:
        if view is None:
            return
        role = view.role if view.role in ROLE else ROLES[0].name
        if view.columns is not None:
            self.arrangement.choose_columns(role, view.columns)
        if role == ROLES[0].name:
            self.arrangement.is_flat = view.is_flat
        self.tables.show_anew()
        self.action_show(role)
        self.table.sort_by, self.table.descending = view.sort_by or None, view.descending
        try:
            self.query_one(FilterBar).put(view.filter)
        except FilterError as fault:
            self.notify(clean(str(fault)), severity="error", markup=False)
        self.set_class(bool(view.filter), "-filtering")

    def filter_text(self) -> str:
        """Return the filter in force, as it was typed."""
        return self._filter

    def left_out_text(self) -> str:
        """Return what the run under the cursor has in the chosen columns that do not fit.

        Without chosen columns return "": the details tell the usual ones.
        """
        row = self.under_cursor()
        if row is None or not self.arrangement.columns(self.tables.role):
            return ""
        left_out = self.table.left_out()
        return clean("   ".join(f"{column.title} {column.show(column.value_of(row))}" for column in left_out))

    def left_out_note(self) -> str:
        """Return how many of the chosen columns do not fit, and "" if all do, or the usual ones are shown."""
        number = len(self.table.left_out()) if self.arrangement.columns(self.tables.role) else 0
        return f"+{number} columns: i" if number else ""

    def say_left_out(self) -> None:
        """Say what the columns hold that do not fit."""
        line, text = self.query_one("#left-out", Line), self.left_out_text()
        line.set_class(bool(text), "-shown")
        line.say(text, resizes=True)
