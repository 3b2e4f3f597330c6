"""A line in which one types what to look for."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input

from tui.widgets.line import Line


class FilterLine(Horizontal):
    """An input that is out of view until it is opened; Enter leaves it, Escape empties it and puts it away."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "drop", "Drop", show=False)]

    class Typed(Message):
        """Another text is looked for; "" for none."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Left(Message):
        """The focus should go back to what is searched."""

    def __init__(self, hint: str) -> None:
        super().__init__(classes="filter-line")
        self._hint = hint

    def compose(self) -> ComposeResult:
        """Lay out the sign, the input, and what was found."""
        yield Line("/ ", classes="filter-sign")
        yield Input(placeholder=self._hint, compact=True, classes="filter-input")
        yield Line(classes="filter-found")

    @property
    def text(self) -> str:
        """What is looked for."""
        return self.query_one(Input).value

    def open(self) -> None:
        """Come into view, and take the focus."""
        self.add_class("-open")
        self.query_one(Input).focus()

    def say(self, found: str) -> None:
        """Say what was found."""
        self.query_one(".filter-found", Line).say(found, resizes=True)

    @on(Input.Changed)
    def typed(self, event: Input.Changed) -> None:
        """Tell what is looked for now."""
        event.stop()
        self.post_message(self.Typed(self.text))

    @on(Input.Submitted)
    def leave(self, event: Input.Submitted) -> None:
        """Go back; an empty line goes out of view."""
        event.stop()
        self.set_class(bool(self.text.strip()), "-open")
        self.post_message(self.Left())

    def action_drop(self) -> None:
        """Look for nothing any more."""
        self.query_one(Input).value = ""
        self.remove_class("-open")
        self.post_message(self.Left())
