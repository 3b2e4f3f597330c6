"""The line over a form that chooses which form it is."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.widget import Widget

from tui.forms import FormChoice
from tui.widgets.field_row import Choice
from tui.widgets.line import Line


class FormChoiceRow(Widget):
    """A label and a list of forms."""

    def __init__(self, forms: FormChoice, name: str) -> None:
        """Create the line.

        Args:
            forms: What can be chosen.
            name: Of the form that is open.
        """
        super().__init__()
        self._forms, self._form_name = forms, name

    def compose(self) -> ComposeResult:
        """Lay out label and list."""
        yield Line(self._forms.label, classes="field-label")
        options = [(name, name) for name in self._forms.names]
        yield Choice(
            options, value=self._form_name, allow_blank=False, compact=True, id="form-choice", classes="field-control"
        )
        yield Line("ctrl+o chooses another", classes="field-note")

    @property
    def help(self) -> str:
        """What is open, in full, and what else can be chosen."""
        title = self._forms.load(str(self.query_one(Choice).value)).title
        return f"{title.removesuffix('.')}.\nEnter lists: {', '.join(self._forms.names)}."

    def open(self) -> None:
        """Open the list."""
        choice = self.query_one(Choice)
        choice.focus()
        choice.action_show_overlay()
