"""Ask for the name of a preset."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input

from bkd.text import clean
from tui.widgets.line import Line

MOST_CELLS = 24


class NamePresetScreen(ModalScreen[str]):
    """Ends with a name, with None on Escape."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "Cancel")]

    def __init__(self, fault_of: Callable[[str], str]) -> None:
        """Create the question.

        Args:
            fault_of: Returns why a name will not do, "" if it will.
        """
        super().__init__()
        self._fault_of = fault_of

    def compose(self) -> ComposeResult:
        """Lay out what is saved and its name."""
        with Vertical(classes="dialog"):
            yield Line("Save these settings as a preset", classes="title")
            yield Line("All but the teacher and the trial. Enter saves them, Escape leaves.", id="name-note")
            yield Input(placeholder="name", id="preset-name", compact=True, max_length=MOST_CELLS)

    @on(Input.Submitted, "#preset-name")
    def keep(self, event: Input.Submitted) -> None:
        """End with the name if it will do."""
        name = clean(event.value).strip()
        fault = self._fault_of(name)
        if fault:
            self.query_one("#name-note", Line).say(fault)
        else:
            self.dismiss(name)
