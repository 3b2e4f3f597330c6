"""Edit a run's tags."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input

from bkd.text import clean
from tui.widgets.line import Line


class TagsScreen(ModalScreen[list[str]]):
    """Ends with the tags as they were typed, with None on Escape."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "Cancel")]

    def __init__(self, name: str, tags: Sequence[str]) -> None:
        super().__init__()
        self._name_of_run, self._tags = name, tags

    def compose(self) -> ComposeResult:
        """Lay out the run's name and its tags."""
        with Vertical(classes="dialog"):
            yield Line(f"Tags of {clean(self._name_of_run)}", classes="title")
            yield Line("Separate them by spaces or commas. Enter keeps them, Escape leaves them as they were.")
            yield Input(" ".join(map(clean, self._tags)), id="tags", compact=True, select_on_focus=False)

    @on(Input.Submitted, "#tags")
    def keep(self, event: Input.Submitted) -> None:
        """End with each tag once."""
        self.dismiss(list(dict.fromkeys(event.value.replace(",", " ").split())))
