"""The names of the tables over them, with how many runs each holds."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.message import Message

from tui.roles import ROLES, Role
from tui.widgets.line import Line


class TableTabs(Horizontal):
    """One name a table; a click asks for it."""

    class TabChosen(Message):
        """The table of a role is wanted."""

        def __init__(self, role: str) -> None:
            super().__init__()
            self.role = role

    def compose(self) -> ComposeResult:
        """Lay out the names."""
        for role in ROLES:
            yield TableTab(role)

    def show(self, role: str) -> None:
        """Mark the name of the table in view."""
        for tab in self.query(TableTab):
            tab.set_class(tab.role.name == role, "-active")

    def say_counts(self, counts: Sequence[tuple[int, int]]) -> None:
        """Show how many runs each table shows, and of how many."""
        for tab, (shown, all_runs) in zip(self.query(TableTab), counts, strict=True):
            tab.say_count(shown, all_runs)


class TableTab(Line):
    """The name of one table."""

    def __init__(self, role: Role) -> None:
        super().__init__(id=f"tab-{role.name}")
        self.role = role

    def say_count(self, shown: int, all_runs: int) -> None:
        """Show how many runs the table has, and how many a filter hides."""
        number = all_text = f"{all_runs:,}"
        if shown != all_runs:  # as wide for any number, so that nothing has to move while a filter is typed
            number = f"{shown:>{len(all_text)},} of {all_text}"
        text = f" {self.role.key} {self.role.title} {number} "
        self.say(text, resizes=len(text) != len(self.said))

    def on_click(self) -> None:
        """Ask for the table."""
        self.post_message(TableTabs.TabChosen(self.role.name))
