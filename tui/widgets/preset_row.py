"""The line over a form that chooses its preset, and tells what that has changed."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Select

from bkd.text import clean
from tui.widgets.field_row import Choice
from tui.widgets.line import Line

HINT = "ctrl+t chooses, ctrl+n saves"


class PresetRow(Widget):
    """A label, a list of presets, and the fields that the chosen one has set."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__()
        self._names = names
        self._summary = "Settings to start from."

    def compose(self) -> ComposeResult:
        """Lay out label, list and note."""
        yield Line("preset", classes="field-label")
        yield Choice(
            _options(self._names), value=self._names[0], allow_blank=False, compact=True, id="preset-choice",
            classes="field-control",
        )  # fmt: skip
        yield Line(HINT, classes="field-note")

    @property
    def help(self) -> str:
        """What can be chosen, and what the chosen one is."""
        return f"{clean(self._summary)}\nEnter lists: {', '.join(map(clean, self._names))}."

    def open(self) -> None:
        """Open the list."""
        choice = self.query_one(Choice)
        choice.focus()
        choice.action_show_overlay()

    def offer(self, names: Sequence[str], chosen: str) -> None:
        """Offer presets, with one of them chosen; no message tells of it."""
        choice = self.query_one(Choice)
        with self.prevent(Select.Changed):
            if list(names) != list(self._names):
                self._names = names
                choice.set_options(_options(names))
            choice.value = chosen

    def say_changed(self, summary: str, fields: Sequence[str]) -> None:
        """Tell what the preset is, and which fields it has set."""
        self._summary = summary
        self.query_one(".field-note", Line).say(f"sets {', '.join(fields)}" if fields else HINT)


def _options(names: Sequence[str]) -> list[tuple[Content, str]]:
    return [(Content(clean(name)), name) for name in names]  # a str would be markup
