"""The tables of the home screen, one of them in view."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message
from textual.reactive import reactive

from bkd.family import RELATED, parents
from bkd.where import Columns, Predicate
from tui.arrangement import Arrangement
from tui.column_choice import chosen_columns
from tui.messages import Row
from tui.roles import NO_MATCH, ROLES, Role
from tui.tree_columns import TREE
from tui.widgets.columns import Column
from tui.widgets.folds import Folds
from tui.widgets.mark_table import MarkTable
from tui.widgets.marks import Marks
from tui.widgets.outline import Parents
from tui.widgets.tree_table import TreeTable

ROLE = {role.name: role for role in ROLES}
TEACHER = "teacher"
"""Role whose table can show its runs with all that was made from them, as a tree."""


class RunTables(Vertical):
    """A table for each role; runs of all of them can be marked. Only the one in view is kept up to date.

    Args:
        arrangement: Which columns they have, and whether teachers stand in a tree.
    """

    role: reactive[str] = reactive(ROLES[0].name, init=False)
    """Role of the table in view."""

    class TableShown(Message):
        """Another table came into view."""

        def __init__(self, role: str) -> None:
            super().__init__()
            self.role = role

    def __init__(self, arrangement: Arrangement) -> None:
        super().__init__()
        self._arrangement = arrangement
        self.marks = Marks()
        self._rows: Sequence[Row] = ()
        self._columns = Columns(())  # of the rows
        self._found: Sequence[int] = ()  # places among the rows
        self._numbers: Counter[object] = Counter()  # of all rows, by role
        self._is_filtered = False
        self._parents: Parents | None = None  # found out when a tree is shown
        self._related: Sequence[Row] | None = None  # rows of the tree; found out when one is shown
        self._found_folds = Folds()  # while a filter is in force: what it found is not to be hidden
        self._stale = set(ROLE)  # roles whose tables have not got the present rows

    def compose(self) -> ComposeResult:
        """Lay out the tables."""
        for role in ROLES:
            make = TreeTable if role.name == TEACHER else MarkTable
            yield make(role.columns, empty=role.empty, id=role.table_id, marks=self.marks)

    def on_mount(self) -> None:
        """Show the first one only."""
        self.put_columns()
        self._show_current()

    def watch_role(self) -> None:
        """Bring the table into view."""
        self._show_current()
        self.post_message(self.TableShown(self.role))

    def _show_current(self) -> None:
        for role in ROLES:
            self.query_one(f"#{role.table_id}").display = role.name == self.role
        self.current.repaint_changed()

    # ---- which table

    @property
    def current(self) -> MarkTable:
        """The table in view."""
        return self.table_of(self.role)

    @property
    def tree_table(self) -> TreeTable:
        """The table of teachers."""
        self._bring_up_to_date(TEACHER)
        return self.query_one(TreeTable)

    @property
    def is_tree(self) -> bool:
        """Whether a tree is in view."""
        return self.role == TEACHER and not self._arrangement.is_flat

    def table_of(self, role: str) -> MarkTable:
        """Return the table of a role."""
        self._bring_up_to_date(role)
        return self.query_one(f"#{ROLE[role].table_id}", MarkTable)

    def show_next(self, steps: int) -> None:
        """Show the next table, or with -1 the one before."""
        names = list(ROLE)
        self.role = names[(names.index(self.role) + steps) % len(names)]

    def reveal(self, run_id: str, role: str) -> None:
        """Move the cursor to a run: in the tree, where it is in view, else in its role's table."""
        if not (self.is_tree and self.tree_table.reveal(run_id)):
            self.role = role
            self.table_of(role).select(run_id)

    # ---- marks

    @property
    def marked(self) -> list[str]:
        """Ids of the marked runs, in the order in which they were marked."""
        return list(self.marks)

    def unmark(self) -> None:
        """Take all marks away."""
        self.current.set_marks(())

    # ---- what they show

    def usual_columns(self, role: str) -> Sequence[Column]:
        """Return the columns of a table for which none were chosen."""
        return TREE if role == TEACHER and not self._arrangement.is_flat else ROLE[role].columns

    def put_columns(self) -> None:
        """Show the columns that were chosen."""
        for role in ROLE:
            columns = chosen_columns(self.usual_columns(role), self._arrangement.columns(role))
            self.query_one(f"#{ROLE[role].table_id}", MarkTable).set_columns(columns)

    def set_rows(self, rows: Sequence[Row], matches: Predicate, *, is_filtered: bool) -> list[tuple[int, int]]:
        """Show those of the rows that match, newest first; return how many each table shows, and of how many.

        Args:
            rows: All runs, oldest first.
            matches: Whether a run is to be shown.
            is_filtered: Whether one may be out of view.
        """
        changed = _changed(self._rows, rows)
        if changed is None:
            self._parents = None
        if is_filtered or self._is_filtered:
            changed = None  # which runs are in view may be others
        if rows is not self._rows:
            self._columns, self._related = Columns(rows), None
            self._numbers = Counter(self._columns.of("role"))
        self._rows, self._is_filtered = rows, is_filtered
        self._found = matches.among(self._columns, range(len(rows))) if is_filtered else range(len(rows))
        is_up_to_date = self.role not in self._stale
        self._stale = set(ROLE)
        if changed is not None and is_up_to_date:
            self._stale.discard(self.role)
            self.query_one(f"#{ROLE[self.role].table_id}", MarkTable).swap_rows(changed)
        else:
            self._bring_up_to_date(self.role)
        found = Counter(map(self._columns.of("role").__getitem__, self._found)) if is_filtered else self._numbers
        return [(found[role], self._numbers[role]) for role in ROLE]

    def unfold_found(self) -> None:
        """Have all that a filter finds in view: another one is in force."""
        self._found_folds = Folds()

    def show_anew(self) -> None:
        """Show the rows as the arrangement is now."""
        self.put_columns()
        self._stale = set(ROLE)
        self._bring_up_to_date(self.role)

    def _bring_up_to_date(self, role: str) -> None:
        if role not in self._stale:
            return
        self._stale.discard(role)
        if role == TEACHER and not self._arrangement.is_flat:
            self._fill_tree()
        else:
            self._fill_flat(ROLE[role])

    def _fill_flat(self, role: Role) -> None:
        table = self.query_one(f"#{role.table_id}", MarkTable)
        roles = self._columns.of("role")
        shown = [self._rows[place] for place in reversed(self._found) if roles[place] == role.name]
        table.set_empty(NO_MATCH if self._numbers[role.name] else role.empty)
        if isinstance(table, TreeTable):
            table.set_flat(shown)
        else:
            table.set_rows(shown)

    def _fill_tree(self) -> None:
        table = self.query_one(TreeTable)
        if self._parents is None:
            self._parents = parents(self._rows)
        if self._related is None:
            related = [row for row in reversed(self._rows) if row.get("role") in RELATED]
            self._related = _lone_last(related, self._parents)
        table.set_empty(NO_MATCH if self._parents else ROLE[TEACHER].empty)
        if self._is_filtered:
            found = set(map(self._columns.of("id").__getitem__, self._found))
            table.set_tree(self._related, self._parents, self._found_folds, found)
        else:
            table.set_tree(self._related, self._parents, self._arrangement.folds)


def _changed(before: Sequence[Row], now: Sequence[Row]) -> dict[str, Row] | None:
    """Return the rows that are others than before, by id; None if runs came, went, or hang elsewhere."""
    if before is now:
        return {}
    if len(before) != len(now):
        return None
    pairs = [(old, new) for old, new in zip(before, now, strict=True) if old is not new]
    if any(old.get(key) != new.get(key) for old, new in pairs for key in ("id", "role", "teacher")):
        return None
    return {str(new["id"]): new for _, new in pairs}


def _lone_last(rows: list[Row], parents_of: Parents) -> list[Row]:
    """Return rows with the students whose teacher is gone after all others."""
    lone = [row for row in rows if row["role"] == "student" and parents_of.get(row["id"]) is None]
    if not lone:
        return rows
    ids = {row["id"] for row in lone}
    return [*(row for row in rows if row["id"] not in ids), *lone]
