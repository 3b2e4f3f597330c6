"""The line of a form that names the teachers a run is made from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from textual import on
from textual.message import Message
from textual.suggester import Suggester
from textual.widgets import Input

from tui.form_fields import FormField
from tui.messages import Row
from tui.sources import describe, split_refs
from tui.widgets.field_row import FieldRow

ASK = "enter lists them"


class IdSuggester(Suggester):
    """Completes the last id that is typed."""

    def __init__(self) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self.ids: Sequence[str] = ()

    async def get_suggestion(self, value: str) -> str | None:
        """Return the text with its last id completed."""
        word = value.replace(",", " ").rpartition(" ")[2]
        found = next((run_id for run_id in self.ids if word and run_id.startswith(word)), None)
        return None if found is None else value[: len(value) - len(word)] + found


class SourceRow(FieldRow):
    """Takes ids and their beginnings; says who is meant by them; Enter asks for a list to choose from."""

    class ListWanted(Message):
        """A list of teachers is wanted."""

        def __init__(self, row: SourceRow) -> None:
            super().__init__()
            self.row = row

    def __init__(self, field: FormField, given: Any = None, rows: Sequence[Row] = ()) -> None:
        """Create the line.

        Args:
            field: What it sets.
            given: The value that it starts with.
            rows: All runs.
        """
        self._rows = rows
        self._suggester = IdSuggester()
        self._is_insisting = False
        super().__init__(field, given)  # makes the control, which needs the suggester

    def _input(self) -> Input:
        return Input(
            str(self._given or ""), placeholder=ASK, compact=True, suggester=self._suggester, classes="field-control"
        )

    @property
    def takes_several(self) -> bool:
        """Whether it names several teachers."""
        return self.field.name == "members"

    @property
    def refs(self) -> list[str]:
        """What was typed, one by one."""
        return split_refs(str(self.value or ""))

    @property
    def note(self) -> str:
        """Who is meant."""
        return " · ".join(filter(None, (self.mark, describe(",".join(self.refs), self._rows))))

    def show_fault(self, fault: str) -> None:
        """Show what is wrong, but before anything was typed or launched only that something is needed."""
        super().show_fault(fault)
        if fault and not self.refs and not self._is_insisting:
            self.say_note("required", is_fault=False)

    def insist(self) -> None:
        """Show from now on also that it is missing."""
        self._is_insisting = True
        self.show_fault(self.fault)

    def set_teachers(self, rows: Sequence[Row], usable: Sequence[Row]) -> None:
        """Take note of how the runs are now.

        Args:
            rows: All of them.
            usable: Those that may be named.
        """
        self._rows = rows
        self._suggester.ids = [str(row["id"]) for row in usable]

    def choose(self, run_ids: Sequence[str]) -> None:
        """Take what was chosen from the list."""
        self.put(",".join(run_ids))

    @on(Input.Submitted)
    def ask_for_list(self, event: Input.Submitted) -> None:
        """Ask for a list."""
        event.stop()
        self.post_message(self.ListWanted(self))
