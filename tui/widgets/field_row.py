"""One line of a form: the field's name, its control, and its unit or what is wrong with it."""

from __future__ import annotations

from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Checkbox, Input, Select

from bkd.text import clean
from tui.form_fields import FormField, short_fault, shown_default
from tui.widgets.line import Line


class Choice(Select[str], inherit_bindings=False):
    """A list of choices that leaves the arrow keys to the form until it is open."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter,space", "show_overlay", "Choose", show=False)]


class OnOff(Checkbox):
    """A switch that says "on" or "off", so that it needs no colour."""

    def __init__(self, is_on: bool) -> None:
        super().__init__("on" if is_on else "off", value=is_on, compact=True, classes="field-control")
        self._say()

    def watch_value(self) -> None:
        """Say what holds now."""
        self._say()
        super().watch_value()

    def _say(self) -> None:
        self.BUTTON_INNER = "x" if self.value else " "
        self.label = "on" if self.value else "off"


class FieldRow(Widget):
    """A field; what is left at its default is not given."""

    class FieldChanged(Message):
        """The field has another value."""

    def __init__(self, field: FormField, given: Any = None) -> None:
        """Create the line.

        Args:
            field: What it sets.
            given: The value that it starts with; None: the default.
        """
        super().__init__(id=f"field-{field.name}")
        self.field = field
        self._given = None if given is None else field.as_given(given)
        self.fault = ""
        self.mark = ""  # what is to be told of the value: who set it, what it was
        self.control = self._control()
        self._note_line = Line(self.note, classes="field-note")

    def compose(self) -> ComposeResult:
        """Lay out label, control and note."""
        yield Line(self.field.label, classes="field-label")
        yield self.control
        yield self._note_line

    def _control(self) -> Widget:
        field, start = self.field, self.field.default if self._given is None else self._given
        if field.is_switch:
            return OnOff(bool(start))
        if field.choices:
            options = [(choice, choice) for choice in field.choices]
            start = start if start in field.choices else self._usual
            return Choice(options, value=start, allow_blank=False, compact=True, classes="field-control")
        return self._input()

    def _input(self) -> Input:
        return Input(
            str(self._given or ""), placeholder=shown_default(self.field), compact=True, classes="field-control"
        )

    @property
    def _usual(self) -> str:
        """The choice that stands where none was made."""
        choices = self.field.choices
        return self.field.default if self.field.default in choices else choices[0]

    def put(self, value: str | bool | None) -> None:
        """Give it another value, as `FormField.as_given` returns it; None: the default."""
        control = self.control
        if isinstance(control, OnOff):
            control.value = bool(self.field.default if value is None else value)
        elif isinstance(control, Choice):
            control.value = str(value) if value in self.field.choices else self._usual
        elif isinstance(control, Input):
            control.value = str(value or "")

    @property
    def value(self) -> Any:
        """What was given: a text, a choice or True and False; None while it is the default."""
        control = self.control
        value = control.value.strip() if isinstance(control, Input) else getattr(control, "value", None)
        return None if value in ("", self.field.default) else value

    @property
    def given(self) -> str | bool | None:
        """The value in the form in which values are compared."""
        return self.field.as_given(self.value)

    @property
    def help(self) -> str:
        """What is wrong with the field, else what it means."""
        return clean(self.fault) or self.field.help()

    @property
    def note(self) -> str:
        """What stands beside the control while nothing is wrong."""
        return " · ".join(filter(None, (self.mark, self.field.unit)))

    @on(Input.Changed)
    @on(Select.Changed)
    @on(Checkbox.Changed)
    def changed(self, event: Message) -> None:
        """Tell the form."""
        event.stop()
        self.post_message(self.FieldChanged())

    def show_fault(self, fault: str) -> None:
        """Show what is wrong, or the note if nothing is."""
        self.fault = fault
        self.say_note(f"✗ {clean(short_fault(fault, self.field.name))}" if fault else self.note, is_fault=bool(fault))

    def say_note(self, text: str, *, is_fault: bool) -> None:
        """Show something beside the control; a fault may take several lines."""
        self.set_class(is_fault, "-error")
        self._note_line.say(text, resizes=True)
