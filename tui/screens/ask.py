"""A question that Enter answers with yes."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen

from tui.widgets.line import Line


class AskScreen(ModalScreen[bool]):
    """Ends with True on Enter or y, with False on Escape or n."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,y", "dismiss(True)", "Yes"),
        Binding("escape,n", "dismiss(False)", "No"),
    ]

    def __init__(self, question: str, text: str, verb: str) -> None:
        """Create the question.

        Args:
            question: What is to be done.
            text: To what, harmless text of one or more lines.
            verb: What Enter does.
        """
        super().__init__()
        self._question, self._text, self._verb = question, text, verb

    def compose(self) -> ComposeResult:
        """Lay out question, text and keys."""
        with VerticalScroll(classes="dialog -page", can_focus=False):
            yield Line(self._question, classes="title")
            yield Line(self._text, id="text")
            yield Line(f"Enter: {self._verb}.  Escape: leave them as they are.", classes="hint")
