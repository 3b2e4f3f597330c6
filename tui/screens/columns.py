"""Choose the columns of a table and their order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import OptionList

from bkd.text import listed
from tui.column_choice import FIXED, chosen_columns
from tui.widgets.columns import Column, place
from tui.widgets.line import Line

HINT = "space on/off   K J move   r the usual ones   enter keeps   esc cancels"
ON, OFF = "▪", " "


class ColumnsScreen(ModalScreen[list[str]]):
    """Ends with the titles of the chosen columns, [] for the usual ones, None on Escape."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "Cancel"),
        Binding("enter", "keep", "Keep", priority=True),
        Binding("space", "switch", "On or off", priority=True),
        Binding("shift+up,K", "move(-1)", "Move up"),
        Binding("shift+down,J", "move(1)", "Move down"),
        Binding("k", "step(-1)", "Up", show=False),
        Binding("j", "step(1)", "Down", show=False),
        Binding("r", "reset", "The usual columns"),
    ]
    AUTO_FOCUS = "OptionList"

    def __init__(
        self, table: str, columns: Sequence[Column], shown: Sequence[str], usual: Sequence[Column], width: int
    ) -> None:
        """Create the list.

        Args:
            table: Title of the table.
            columns: All that it can have.
            shown: Titles of those that it has now, from left to right.
            usual: Those that it has if none are chosen.
            width: Its cells.
        """
        super().__init__()
        self._table, self._usual, self._width = table, tuple(usual), width
        known = {column.title: column for column in columns}
        first = [title for title in shown if title in known]
        self._titles = [*first, *(title for title in known if title not in first)]
        self._chosen = set(first)

    def compose(self) -> ComposeResult:
        """Lay out title, list, what does not fit, and keys."""
        with Vertical(classes="dialog -list"):
            yield Line(f"Columns of {self._table}", classes="title")
            yield OptionList(*map(self._prompt, self._titles), id="columns", compact=True)
            yield Line(self._fit_text(), id="fit")
            yield Line(HINT, classes="hint")

    @on(OptionList.OptionSelected)
    def clicked(self) -> None:
        """Turn the column on or off that was clicked."""
        self.action_switch()

    def action_switch(self) -> None:
        """Show the column or leave it out; the name is always shown."""
        at = self._at
        title = self._titles[at]
        if title == FIXED:
            self.query_one("#fit", Line).say(f"{FIXED} is always shown.", resizes=True)
            return
        self._chosen ^= {title}
        self._list.replace_option_prompt_at_index(at, self._prompt(title))
        self._say_fit()

    def action_move(self, steps: int) -> None:
        """Move the column to the left or to the right: up or down in the list."""
        at, to = self._at, self._at + steps
        if 0 <= to < len(self._titles):
            self._titles[at], self._titles[to] = self._titles[to], self._titles[at]
            for index in (at, to):
                self._list.replace_option_prompt_at_index(index, self._prompt(self._titles[index]))
            self._list.highlighted = to
            self._say_fit()

    def action_step(self, steps: int) -> None:
        """Move the cursor."""
        self._list.highlighted = max(0, min(self._at + steps, len(self._titles) - 1))

    def action_reset(self) -> None:
        """Go back to the usual columns."""
        self.dismiss([])

    def action_keep(self) -> None:
        """End with what is chosen; with [] where that are the usual columns."""
        titles = self._chosen_titles()
        self.dismiss([] if titles == [column.title for column in self._usual] else titles)

    @property
    def _list(self) -> OptionList:
        return self.query_one(OptionList)

    @property
    def _at(self) -> int:
        return self._list.highlighted or 0

    def _chosen_titles(self) -> list[str]:
        return [title for title in self._titles if title in self._chosen]

    def _prompt(self, title: str) -> Text:
        is_on = title in self._chosen
        return Text(f"{ON if is_on else OFF} {title}", "" if is_on else "dim")

    def _say_fit(self) -> None:
        self.query_one("#fit", Line).say(self._fit_text(), resizes=True)

    def _fit_text(self) -> str:
        """Say which of the chosen columns the table has no room for."""
        columns = chosen_columns(self._usual, self._chosen_titles())
        fitting = {placed.column.title for placed in place(columns, self._width)}
        out = [column.title for column in columns if column.title not in fitting]
        if not out:
            return f"All {len(columns)} fit into the {self._width} cells of the table."
        return f"No room at this width for {listed(out)}: i shows what the selected run has there."
