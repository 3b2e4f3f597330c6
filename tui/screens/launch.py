"""The form that launches a teacher, or a student of a teacher."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from textual import events, on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widget import Widget
from textual.widgets import Select

from bkd import actions
from bkd.errors import BkdError
from bkd.kinds.table import KINDS, load_kind
from bkd.specs import DistillSpec, RunSpec, make_spec
from bkd.store import Store
from bkd.text import clean
from tui.command_line import command_for
from tui.form_fields import faults_of, fields_of
from tui.held_screen import HeldScreen
from tui.messages import Row, RunLaunched, TaskDone
from tui.widgets.field_row import Choice, FieldRow
from tui.widgets.key_bar import Key, KeyBar
from tui.widgets.line import Line

KEYS = (
    Key("ctrl+s", "launch", "launch"), Key("ctrl+y", "copy command", "copy"),
    Key("tab", "next field", "app.focus_next"), Key("?", "help", "app.show_help"), Key("esc", "back", "back"),
)  # fmt: skip


class LaunchScreen(HeldScreen[str]):
    """Ends with the id of the run that was launched, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "launch", "Launch", priority=True),
        Binding("ctrl+y", "copy", "Copy command", priority=True),
        Binding("down", "app.focus_next", "Next field", show=False),
        Binding("up", "app.focus_previous", "Previous field", show=False),
        Binding("escape", "back", "Back"),
    ]
    COMMAND_LIST: ClassVar = (
        ("Launch", "Launch the run with these settings", "launch"),
        ("Copy command", "Copy the command that launches the same run", "copy"),
    )
    AUTO_FOCUS = "FieldRow .field-control"

    def __init__(self, store: Store, teacher: Row | None = None) -> None:
        """Create the form.

        Args:
            store: Where the run will be.
            teacher: The student's teacher; None for the form of a teacher.
        """
        super().__init__()
        self.store = store
        self.teacher = teacher
        self.kind = next(iter(KINDS))
        self._given: dict[str, Any] = {}
        self._is_launching = False

    def compose(self) -> ComposeResult:
        """Lay out title, kind, fields, help, errors, command and keys."""
        yield Line(self._title(), id="form-title")
        if self.teacher is None:
            yield KindRow()
        with VerticalScroll(id="fields", can_focus=False):
            yield from self._rows()
        yield Line(id="form-error")
        yield Line(id="field-help")
        yield Line(id="command")
        yield KeyBar(KEYS, id="keys")

    def on_mount(self) -> None:
        """Check the values that the form starts with."""
        self.check()

    @property
    def spec(self) -> type[RunSpec]:
        """The spec that the form fills."""
        return DistillSpec if self.teacher is not None else load_kind(self.kind).spec

    @property
    def values(self) -> dict[str, Any]:
        """What was given, by field."""
        values = {} if self.teacher is None else {"teacher": self.teacher["id"]}
        return values | {row.field.name: row.value for row in self.query(FieldRow) if row.value is not None}

    @property
    def command(self) -> str:
        """The command that launches the same run."""
        return command_for(self.spec, self.values, self.store.root)

    def _title(self) -> str:
        if self.teacher is None:
            return f"New teacher: {load_kind(self.kind).summary}"
        row = self.teacher
        return clean(f"New student of {row['id']}: {row.get('kind')} {row.get('arch')} on {row.get('dataset')}")

    def _rows(self) -> Iterator[Widget]:
        group = ""
        for field in fields_of(self.spec):
            if field.group != group:
                yield Line(field.group, classes="group" if group else "group -first")
                group = field.group
            yield FieldRow(field, self._given.get(field.name))

    # ---- checking

    @on(FieldRow.FieldChanged)
    def check(self) -> None:
        """Show what is wrong beside the fields, and the command."""
        values = self.values
        faults = faults_of(self.spec, values)
        for row in self.query(FieldRow):
            row.show_fault(faults.pop(row.field.name, ""))
        self._say_error("\n".join(faults.values()))
        self.query_one("#command", Line).say(f"$ {clean(self.command)}", resizes=True)
        self._show_help()

    def _say_error(self, text: str) -> None:
        line = self.query_one("#form-error", Line)
        line.set_class(bool(text), "-shown")
        line.say("\n".join(map(clean, text.splitlines())), resizes=True)

    @on(events.DescendantFocus)
    def _show_help(self) -> None:
        row = next((w for w in self.focused.ancestors if isinstance(w, FieldRow)), None) if self.focused else None
        if row is not None:
            self.query_one("#field-help", Line).say(row.help)

    @on(Select.Changed, "#kind")
    async def change_kind(self, event: Select.Changed) -> None:
        """Show the fields of another kind; what was given stays where the kind has such a field."""
        event.stop()
        if event.value == self.kind:
            return
        self._given |= self.values
        self.kind = str(event.value)
        fields = self.query_one("#fields", VerticalScroll)
        async with self.batch():
            await fields.remove_children()
            await fields.mount_all(self._rows())
        self.query_one("#form-title", Line).say(self._title())
        self.check()

    # ---- actions

    def action_back(self) -> None:
        """Leave without launching."""
        self.dismiss(None)

    def action_copy(self) -> None:
        """Copy the command."""
        self.app.copy_to_clipboard(self.command)
        self.notify("The command is in the clipboard, if the terminal allows it (OSC 52).")

    def action_launch(self) -> None:
        """Launch the run unless something is wrong."""
        self.check()
        wrong = next((row for row in self.query(FieldRow) if row.fault), None)
        if wrong is not None:
            wrong.query_one(".field-control").focus()
        elif not self.query_one("#form-error").has_class("-shown") and not self._is_launching:
            self._is_launching = True
            self.query_one("#field-help", Line).say("Launching ...")
            self.launch(self.spec, self.values)

    @work(thread=True, group="launch")
    def launch(self, spec: type[RunSpec], values: dict[str, Any]) -> None:
        """Write the run's folder and start its child."""
        try:
            folder = actions.launch(self.store, make_spec(spec, values))
            self.post_message(RunLaunched(str(self.store.load(folder)["id"])))
        except BkdError as error:
            self.post_message(TaskDone(str(error), is_error=True))

    @on(RunLaunched)
    def launched(self, event: RunLaunched) -> None:
        """End with the run."""
        event.stop()
        self.dismiss(event.run_id)

    @on(TaskDone)
    def not_launched(self, event: TaskDone) -> None:
        """Say why the run was not launched; a change of a field tries again."""
        event.stop()
        self._is_launching = False
        self._say_error(event.text)


class KindRow(Widget):
    """The choice of the teacher's kind."""

    def compose(self) -> ComposeResult:
        """Lay out label and choice."""
        yield Line("kind", classes="field-label")
        kinds = [(name, name) for name in KINDS]
        yield Choice(
            kinds, value=next(iter(KINDS)), allow_blank=False, compact=True, id="kind", classes="field-control"
        )
