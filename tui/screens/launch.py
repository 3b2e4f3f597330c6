"""The form that launches a teacher, a student of a teacher, or a sweep of students."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from textual import events, on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Select
from textual.worker import get_current_worker

from bkd import actions
from bkd.errors import BkdError
from bkd.specs import RunSpec, make_spec
from bkd.store import Store
from bkd.text import clean
from tui.command_line import command_for
from tui.form_fields import FormField, faults_of, fields_of
from tui.forms import FormChoice
from tui.held_screen import HeldScreen
from tui.messages import LaunchRefused, PlanChecked, Row, RunLaunched
from tui.plan_check import advice, check_plan, field_at_fault
from tui.screens.pick import PickScreen
from tui.sources import kinds_allowed, starting_values, teachers_for
from tui.widgets.field_row import FieldRow
from tui.widgets.form_choice_row import FormChoiceRow
from tui.widgets.key_bar import Key, KeyBar
from tui.widgets.line import Line
from tui.widgets.source_row import SourceRow

PLAN_AFTER_S = 0.15  # of quiet: a plan reads files
KEYS = (
    Key("ctrl+s", "launch", "launch"), Key("ctrl+y", "copy command", "copy"),
    Key("tab", "next field", "app.focus_next"), Key("?", "help", "app.show_help"), Key("esc", "back", "back"),
)  # fmt: skip


class LaunchScreen(HeldScreen[str]):
    """Ends with the id of the run that was launched, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "launch", "Launch", priority=True),
        Binding("ctrl+y", "copy", "Copy command", priority=True),
        Binding("ctrl+o", "choose_form", "Another form", priority=True, show=False),
        Binding("down", "app.focus_next", "Next field", show=False),
        Binding("up", "app.focus_previous", "Previous field", show=False),
        Binding("escape", "back", "Back"),
    ]
    COMMAND_LIST: ClassVar = (
        ("Launch", "Launch the run with these settings", "launch"),
        ("Copy command", "Copy the command that launches the same run", "copy"),
    )

    def __init__(self, store: Store, forms: FormChoice, rows: Sequence[Row], chosen: Sequence[Row]) -> None:
        """Create the form.

        Args:
            store: Where the run will be.
            forms: What can be launched; the first one is open.
            rows: All runs.
            chosen: Teachers that were marked, or the selected one: what runs made from others begin with.
        """
        super().__init__()
        self.store = store
        self._forms = forms
        self._form_name = forms.names[0]
        self._rows, self._chosen = rows, chosen
        self._given: dict[str, Any] = {}
        self._is_launching = False
        self._refusal: dict[str, str] = {}  # by field; stays until a field changes
        self._plan_timer: Timer | None = None

    def compose(self) -> ComposeResult:
        """Lay out title, choice of form, fields, errors, notes, help, command and keys."""
        yield Line(clean(self._forms.load(self._form_name).title), id="form-title")
        yield FormChoiceRow(self._forms)
        with VerticalScroll(id="fields", can_focus=False):
            yield from self._field_rows()
        yield Line(id="form-error")
        yield Line(id="plan-note")
        yield Line(id="advice")
        yield Line(id="field-help")
        yield Line(id="command")
        yield KeyBar(KEYS, id="keys")

    def on_mount(self) -> None:
        """Check the values that the form starts with."""
        self._focus_first()
        self._show_rows(self._rows)
        self.check()

    @property
    def spec(self) -> type[RunSpec]:
        """The spec that the form fills."""
        return self._forms.load(self._form_name).spec

    @property
    def values(self) -> dict[str, Any]:
        """What was given, by field."""
        return {row.field.name: row.value for row in self.query(FieldRow) if row.value is not None}

    @property
    def command(self) -> str:
        """The command that launches the same run."""
        return command_for(self.spec, self.values, self.store.root)

    def _field_rows(self) -> Iterator[Widget]:
        given, group = starting_values(self.store, self.spec, self._chosen) | self._given, ""
        for field in fields_of(self.spec):
            if field.group != group:
                yield Line(field.group, classes="group" if group else "group -first")
                group = field.group
            yield self._field_row(field, given.get(field.name))

    def _field_row(self, field: FormField, given: Any) -> FieldRow:
        return SourceRow(field, given, self._rows) if field.names_runs else FieldRow(field, given)

    def _focus_first(self) -> None:
        """Go to the first field that is not filled already."""
        rows = list(self.query(FieldRow))
        first = next((row for row in rows if not (row.field.names_runs and row.value)), rows[0] if rows else None)
        if first is not None:  # the rows of a choice that was changed again are gone already
            first.query_one(".field-control").focus()

    # ---- checking

    @on(FieldRow.FieldChanged)
    def check(self) -> None:
        """Show what is wrong beside the fields, and the command; look at other runs once the fields are right."""
        values = self.values
        faults = faults_of(self.spec, values)
        has_fault, self._refusal = bool(faults), {}
        self._show_faults(faults)
        self.query_one("#command", Line).say(f"$ {clean(self.command)}", resizes=True)
        self._say("#advice", advice(self._rows, values))
        if self._plan_timer is not None:
            self._plan_timer.stop()
        if has_fault:
            self._say("#plan-note", "")
        else:
            self._plan_timer = self.set_timer(PLAN_AFTER_S, lambda: self.check_plan(self.spec, values))

    @work(thread=True, group="plan", exclusive=True)
    def check_plan(self, spec: type[RunSpec], values: Mapping[str, Any]) -> None:
        """Find out what a launch would find out."""
        found = check_plan(self.store, spec, values)
        if not get_current_worker().is_cancelled:
            self.post_message(PlanChecked(spec, values, found))

    @on(PlanChecked)
    def plan_checked(self, event: PlanChecked) -> None:
        """Show what was found, unless the form has changed since."""
        if (event.spec, event.values) == (self.spec, self.values) and not self._is_launching:
            self._show_rows(event.found.rows)
            self._show_faults({event.found.field: event.found.fault} if event.found.fault else dict(self._refusal))
            self._say("#plan-note", event.found.note)
            self._say("#advice", advice(event.found.rows, event.values))

    def _show_faults(self, faults: dict[str, str]) -> None:
        """Show faults beside their fields, and those that belong to none under the fields."""
        for row in self.query(FieldRow):
            row.show_fault(faults.pop(row.field.name, ""))
        self._say("#form-error", "\n".join(faults.values()))
        self._show_help()

    def _say(self, selector: str, text: str) -> None:
        line = self.query_one(selector, Line)
        line.set_class(bool(text), "-shown")
        line.say("\n".join(map(clean, text.splitlines())), resizes=True)

    def _show_rows(self, rows: Sequence[Row]) -> None:
        self._rows = rows
        for row in self.query(SourceRow):
            row.set_teachers(rows, teachers_for(self.store, self.spec, rows))

    @on(events.DescendantFocus)
    def _show_help(self) -> None:
        rows = (
            (w for w in self.focused.ancestors if isinstance(w, FieldRow | FormChoiceRow)) if self.focused else iter(())
        )
        for row in rows:
            self.query_one("#field-help", Line).say(row.help)

    @on(Select.Changed, "#form-choice")
    async def change_form(self, event: Select.Changed) -> None:
        """Show the fields of another form; what was given stays where the form has such a field."""
        event.stop()
        if event.value == self._form_name:
            return
        self._given |= self.values
        self._form_name = str(event.value)
        fields = self.query_one("#fields", VerticalScroll)
        async with self.batch():
            await fields.remove_children()
            await fields.mount_all(self._field_rows())
        self.query_one("#form-title", Line).say(clean(self._forms.load(self._form_name).title))
        self._show_rows(self._rows)
        self._focus_first()
        self.check()

    @on(SourceRow.ListWanted)
    def list_teachers(self, event: SourceRow.ListWanted) -> None:
        """Offer the teachers that will do."""
        row, kinds = event.row, " or ".join(kinds_allowed(self.spec))
        title = "Members of the ensemble" if row.takes_several else f"A {kinds} teacher" if kinds else "A teacher"
        usable = teachers_for(self.store, self.spec, self._rows)

        def answered(run_ids: list[str] | None) -> None:
            if run_ids is not None:
                row.choose(run_ids)

        self.app.push_screen(PickScreen(title, usable, row.refs, takes_several=row.takes_several), answered)

    # ---- actions

    def action_back(self) -> None:
        """Leave without launching."""
        self.dismiss(None)

    def action_choose_form(self) -> None:
        """Choose another kind, or a sweep."""
        self.query_one(FormChoiceRow).open()

    def action_copy(self) -> None:
        """Copy the command."""
        self.app.copy_to_clipboard(self.command)
        self.notify("The command is in the clipboard, if the terminal allows it (OSC 52).")

    def action_launch(self) -> None:
        """Launch the run unless something is wrong."""
        for row in self.query(SourceRow):
            row.insist()
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
            self.post_message(LaunchRefused(str(error), field_at_fault(spec, error)))

    @on(RunLaunched)
    def launched(self, event: RunLaunched) -> None:
        """End with the run."""
        event.stop()
        self.dismiss(event.run_id)

    @on(LaunchRefused)
    def not_launched(self, event: LaunchRefused) -> None:
        """Say why the run was not launched; a change of a field tries again."""
        event.stop()
        self._is_launching = False
        self._refusal = {event.field: event.text}
        self._show_faults(dict(self._refusal))
