"""A question that takes a typed word for a yes."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input

from bkd.text import clean
from tui.widgets.line import Line


class ConfirmScreen(ModalScreen[bool]):
    """Ends with True once the word was typed, with False on Escape."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(False)", "Cancel")]

    def __init__(self, question: str, warning: str, word: str, *, kept: str = "the run") -> None:
        """Create the question.

        Args:
            question: What is to be done.
            warning: What that means.
            word: What is to be typed.
            kept: What Escape keeps.
        """
        super().__init__()
        self._question, self._warning, self.word, self._kept = question, warning, word, kept

    def compose(self) -> ComposeResult:
        """Lay out question, warning and answer."""
        with Vertical(classes="dialog -danger"):
            yield Line(clean(self._question), classes="title")
            yield Line("\n".join(map(clean, self._warning.splitlines())), id="warning")
            yield Line(f"Type  {clean(self.word)}  and press Enter; Escape keeps {self._kept}.", id="prompt")
            yield Input(placeholder=clean(self.word), id="answer", compact=True)

    @on(Input.Submitted, "#answer")
    def answer(self, event: Input.Submitted) -> None:
        """End if the word is right, else say what is missing."""
        if event.value.strip() == self.word:
            self.dismiss(True)
        else:
            self.query_one("#prompt", Line).say(f"That is not  {clean(self.word)} . Nothing was done.")
