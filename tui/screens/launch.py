"""The form that launches a teacher, a student of a teacher, or a sweep of students."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.timer import Timer
from textual.widgets import Input
from textual.worker import get_current_worker

from bkd import trials
from bkd.errors import BkdError
from bkd.specs import RunSpec
from bkd.store import Store
from bkd.text import clean, count
from tui.form_fields import faults_of, trials_in
from tui.form_presets import FormStart
from tui.form_screen import FormScreen
from tui.forms import FormChoice
from tui.messages import LaunchRefused, PlanChecked, Row, RunLaunched
from tui.plan_check import advice, check_plan, field_at_fault
from tui.run_columns import is_sweep
from tui.widgets.field_list import FieldList
from tui.widgets.field_row import FieldRow
from tui.widgets.form_choice_row import FormChoiceRow
from tui.widgets.key_bar import Key, KeyBar
from tui.widgets.line import Line
from tui.widgets.preset_row import PresetRow

PLAN_AFTER_S = 0.15  # of quiet: a plan reads files
KEYS = (
    Key("ctrl+s", "launch", "launch"), Key("ctrl+t", "preset", "choose_preset"), Key("ctrl+y", "copy", "copy"),
    Key("ctrl+o", "kind", "choose_form"), Key("tab", "next field", "next_field"),
    Key("?", "help", "app.show_help"), Key("esc", "back", "back"),
)  # fmt: skip


class LaunchScreen(FormScreen):
    """Ends with the id of the run that was launched, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "launch", "Launch", priority=True),
        Binding("ctrl+y", "copy", "Copy command", priority=True),
        Binding("escape", "back", "Back"),
    ]
    COMMAND_LIST: ClassVar = (
        ("Launch", "Launch the run with these settings", "launch"),
        ("Copy command", "Copy the command that launches the same run", "copy"),
        ("Another form", "Choose another kind of teacher, or a sweep", "choose_form"),
        ("Choose preset", "Start from the paper's recipe, a quick look, or what you saved", "choose_preset"),
        ("Save preset", "Save these settings as a preset", "save_preset"),
        ("Delete preset", "Delete the chosen preset, if you saved it", "delete_preset"),
    )

    def __init__(
        self, store: Store, forms: FormChoice, rows: Sequence[Row], chosen: Sequence[Row] = (), *, name: str = "",
        start: FormStart | None = None,
    ) -> None:  # fmt: skip
        super().__init__(store, forms, rows, chosen, name=name, start=start)
        self._is_launching = False
        self._refusal: dict[str, str] = {}  # by field; stays until a field changes
        self._plan_timer: Timer | None = None

    def compose(self) -> ComposeResult:
        """Lay out title, choices of form and preset, fields, errors, notes, help, command and keys."""
        yield Line(self._title, id="form-title")
        yield FormChoiceRow(self._forms, self._form_name)
        yield PresetRow(self.presets.names(self.spec))
        yield FieldList(self.spec, self._first_values(), self._rows)
        yield Line(id="form-error")
        yield Line(id="plan-note")
        yield Line(id="advice")
        yield Line(id="field-help")
        yield Line(id="command")
        yield KeyBar(KEYS, id="keys")

    def on_mount(self) -> None:
        """Check the values that the form starts with."""
        self.fields.focus_first()
        self._show_rows(self._rows)
        self.check()

    # ---- checking

    @on(FieldRow.FieldChanged)
    def check(self) -> None:
        """Show what is wrong beside the fields, and the command; look at other runs once the fields are right."""
        self._follow_teacher()
        values = self.values
        self._refusal = {}
        self.fields.mark(self._preset[0], self._start.values if self._start.run_id else None)
        summary = self.presets.summary(self._preset[0], self.spec)
        self.query_one(PresetRow).say_changed(summary, self.fields.set_by_preset)
        faults = faults_of(self.spec, values)
        self._show_faults(faults)
        self.query_one("#command", Line).say(f"$ {clean(self.command)}", resizes=True)
        self._say("#advice", self._advice(values))
        if self._plan_timer is not None:
            self._plan_timer.stop()
        if faults:
            self._say("#plan-note", "")
        else:
            self._plan_timer = self.set_timer(PLAN_AFTER_S, lambda: self.check_plan(self.spec, values))

    def _advice(self, values: Mapping[str, Any]) -> str:
        """Return what to think of before the launch."""
        if self._start.lost:
            return f"● {clean(', '.join(self._start.lost))} of {clean(self._start.run_id)} cannot be set any more."
        return (
            same_run_advice(self._start, self.fields, self._rows)
            or self.presets.remark(self._preset[0], self.spec, self._teacher_kind())
            or advice(self._rows, values)
        )

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
            self._say("#advice", self._advice(event.values))

    def _show_faults(self, faults: Mapping[str, str]) -> None:
        """Show faults beside their fields, and those that belong to none under the fields."""
        self._say("#form-error", "\n".join(self.fields.show_faults(faults)))
        self._show_help()

    def _say(self, selector: str, text: str) -> None:
        line = self.query_one(selector, Line)
        line.set_class(bool(text), "-shown")
        line.say("\n".join(map(clean, text.splitlines())), resizes=True)

    # ---- actions

    def action_back(self) -> None:
        """Leave without launching."""
        self.dismiss(None)

    def action_copy(self) -> None:
        """Copy the command."""
        self.app.copy_to_clipboard(self.command)
        self.notify("The command is in the clipboard, if the terminal allows it (OSC 52).")

    def action_launch(self) -> None:
        """Launch the run once every field has taken in the keys that were typed before."""
        waiting = set(self.query(Input))

        def taken_in(control: Input) -> None:
            waiting.discard(control)
            if not waiting:
                self.call_later(self._launch_if_right)

        for control in list(waiting):
            control.call_later(taken_in, control)

    def _launch_if_right(self) -> None:
        for row in self._source_rows():
            row.insist()
        self.check()
        wrong = next((row for row in self.fields.rows.values() if row.fault), None)
        if wrong is not None:
            wrong.control.focus()
        elif not self.query_one("#form-error").has_class("-shown") and not self._is_launching:
            self._is_launching = True
            self.query_one("#field-help", Line).say("Launching ...")
            self.launch(self.spec, self.values)

    @work(thread=True, group="launch")
    def launch(self, spec: type[RunSpec], values: dict[str, Any]) -> None:
        """Write the folders of the run or of one for each trial, and start what runs them."""
        try:
            folders = trials.launch_trials(self.store, spec, values, trials_in(spec, values))
            self.post_message(RunLaunched(str(self.store.load(folders[0])["id"]), len(folders) - 1))
        except BkdError as error:
            self.post_message(LaunchRefused(str(error), field_at_fault(spec, error)))

    @on(RunLaunched)
    def launched(self, event: RunLaunched) -> None:
        """End with the run."""
        event.stop()
        if event.waiting:
            self.app.notify(f"{count(event.waiting, 'more trial')} queued; they go on without this app.", markup=False)
        self.dismiss(event.run_id)

    @on(LaunchRefused)
    def not_launched(self, event: LaunchRefused) -> None:
        """Say why the run was not launched; a change of a field tries again."""
        event.stop()
        self._is_launching = False
        self._refusal = {event.field: event.text}
        self._show_faults(self._refusal)


def same_run_advice(start: FormStart, fields: FieldList, rows: Sequence[Row]) -> str:
    """Return what to change while the run would be the very same as the one that the form began with."""
    run = next((row for row in rows if row["id"] == start.run_id), None)
    if run is None or fields.differs(start.values):
        return ""
    from tui.duplicates import free_trial

    free = f"trials from {free_trial(run, rows)} on" if is_sweep(run) else f"trial {free_trial(run, rows)}"
    return f"● The same run as {clean(start.run_id)}: change a setting, or take {free}."
