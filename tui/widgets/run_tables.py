"""The tables of the home screen, one of them in view."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message
from textual.reactive import reactive

from tui.messages import Row
from tui.roles import NO_MATCH, ROLES
from tui.widgets.mark_table import MarkTable


class RunTables(Vertical):
    """A table for each role; runs of all of them can be marked."""

    role: reactive[str] = reactive(ROLES[0].name, init=False)
    """Role of the table in view."""

    class TableShown(Message):
        """Another table came into view."""

        def __init__(self, role: str) -> None:
            super().__init__()
            self.role = role

    def compose(self) -> ComposeResult:
        """Lay out the tables."""
        for role in ROLES:
            yield MarkTable(role.columns, empty=role.empty, id=role.table_id)

    def on_mount(self) -> None:
        """Show the first one only."""
        self._show_current()

    def watch_role(self) -> None:
        """Bring the table into view."""
        self._show_current()
        self.post_message(self.TableShown(self.role))

    def _show_current(self) -> None:
        for role in ROLES:
            self.query_one(f"#{role.table_id}").display = role.name == self.role

    @property
    def current(self) -> MarkTable:
        """The table in view."""
        return self.table_of(self.role)

    @property
    def marked(self) -> list[str]:
        """Ids of the marked runs, table by table, in the order in which they were marked."""
        return [run_id for role in ROLES for run_id in self.table_of(role.name).marked]

    def unmark(self) -> None:
        """Take all marks away."""
        for role in ROLES:
            self.table_of(role.name).set_marks(())

    def table_of(self, role: str) -> MarkTable:
        """Return the table of a role."""
        return self.query_one(f"#{role}s", MarkTable)

    def show_next(self, steps: int) -> None:
        """Show the next table, or with -1 the one before."""
        names = [role.name for role in ROLES]
        self.role = names[(names.index(self.role) + steps) % len(names)]

    def set_rows(self, rows: Sequence[Row], matches: Callable[[Row], bool]) -> list[tuple[int, int]]:
        """Give each table those of the rows that match, newest first; return how many it shows, and of how many."""
        counts = []
        for role in ROLES:
            of_role = [row for row in rows if row.get("role") == role.name]
            shown = [row for row in of_role if matches(row)][::-1]
            table = self.table_of(role.name)
            table.set_empty(NO_MATCH if of_role else role.empty)
            table.set_rows(shown)
            counts.append((len(shown), len(of_role)))
        return counts
