"""The form that launches a teacher, a student of a teacher, or a sweep of students."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, cast

from textual import events, on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.timer import Timer
from textual.widgets import Input, OptionList, Select
from textual.worker import get_current_worker

from bkd import trials
from bkd.command_line import command_for
from bkd.errors import BkdError
from bkd.specs import RunSpec
from bkd.store import Store
from bkd.text import clean, count
from tui.form_fields import faults_of, trials_in
from tui.form_presets import FormPresets, FormStart
from tui.forms import FormChoice
from tui.held_screen import HeldScreen
from tui.messages import LaunchRefused, PlanChecked, Row, RunLaunched
from tui.plan_check import advice, check_plan, field_at_fault
from tui.run_columns import is_sweep
from tui.screens.pick import PickScreen
from tui.sources import kind_meant, kinds_allowed, starting_values, teachers_for
from tui.widgets.field_list import FieldList
from tui.widgets.field_row import FieldRow
from tui.widgets.form_choice_row import FormChoiceRow
from tui.widgets.key_bar import Key, KeyBar
from tui.widgets.line import Line
from tui.widgets.preset_row import PresetRow
from tui.widgets.source_row import SourceRow

if TYPE_CHECKING:
    from tui.app import BkdApp

PLAN_AFTER_S = 0.15  # of quiet: a plan reads files
KEYS = (
    Key("ctrl+s", "launch", "launch"), Key("ctrl+t", "preset", "choose_preset"), Key("ctrl+y", "copy", "copy"),
    Key("ctrl+o", "kind", "choose_form"), Key("tab", "next field", "next_field"),
    Key("?", "help", "app.show_help"), Key("esc", "back", "back"),
)  # fmt: skip


class LaunchScreen(HeldScreen[str]):
    """Ends with the id of the run that was launched, or None."""

    # those with priority are answered before a key that follows them is given to the field in focus
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "launch", "Launch", priority=True),
        Binding("ctrl+y", "copy", "Copy command", priority=True),
        Binding("ctrl+o", "choose_form", "Another form", priority=True, show=False),
        Binding("ctrl+t", "choose_preset", "Preset", priority=True, show=False),
        Binding("ctrl+n", "save_preset", "Save preset", priority=True, show=False),
        Binding("tab,down", "next_field", "Next field", priority=True, show=False),
        Binding("shift+tab,up", "previous_field", "Previous field", priority=True, show=False),
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
        """Create the form.

        Args:
            store: Where the run will be.
            forms: What can be launched.
            rows: All runs.
            chosen: Teachers that were marked, or the selected one: what runs made from others begin with.
            name: Of the form that is open; "": the first one.
            start: What it begins with, of the run that the new one is to be like.
        """
        super().__init__()
        self.store = store
        self._forms = forms
        self._form_name = name or forms.names[0]
        self._rows, self._chosen = rows, chosen
        self._start = start or FormStart()
        self._given: dict[str, Any] = dict(self._start.values)
        self._preset = (self._start.title, "")  # its name, and the kind of teacher that it was put for
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

    @property
    def spec(self) -> type[RunSpec]:
        """The spec that the form fills."""
        return self._forms.load(self._form_name).spec

    @property
    def fields(self) -> FieldList:
        """The fields."""
        return self.query_one(FieldList)

    @property
    def values(self) -> dict[str, Any]:
        """What was given, by field."""
        return self.fields.values

    @property
    def presets(self) -> FormPresets:
        """The presets of the forms."""
        return FormPresets(cast("BkdApp", self.app).memory, self._start)

    @property
    def command(self) -> str:
        """The command that launches the same run."""
        values = self.values
        is_several = any(mark in str(values.get("trial", "")) for mark in ",- ")
        named = {"trials" if name == "trial" and is_several else name: value for name, value in values.items()}
        return command_for(self.spec.command(), named, self.store.root)

    @property
    def _title(self) -> str:
        what, colon, rest = clean(self._forms.load(self._form_name).title).partition(":")
        like = f", like {clean(self._start.run_id)}" if self._start.run_id else ""
        return f"{what}{like}{colon}{rest}"

    def _first_values(self) -> dict[str, Any]:
        return starting_values(self.store, self.spec, self._chosen) | self._given

    # ---- checking

    @on(FieldRow.FieldChanged)
    def check(self) -> None:
        """Show what is wrong beside the fields, and the command; look at other runs once the fields are right."""
        if self._follow_teacher():
            return  # the fields that it changes tell
        values = self.values
        self._refusal = {}
        self.fields.mark(self._preset[0], self._start.values if self._start.run_id else None)
        self.query_one(PresetRow).say_changed(self.presets.summary(self._preset[0]), self.fields.set_by_preset)
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

    def _show_rows(self, rows: Sequence[Row]) -> None:
        self._rows = rows
        for row in self._source_rows():
            row.set_teachers(rows, teachers_for(self.store, self.spec, rows))

    def _source_rows(self) -> list[SourceRow]:
        return [row for row in self.fields.rows.values() if isinstance(row, SourceRow)]

    @on(events.DescendantFocus)
    def _show_help(self) -> None:
        ancestors = self.focused.ancestors if self.focused else ()
        row = next((w for w in ancestors if isinstance(w, FieldRow | FormChoiceRow | PresetRow)), None)
        if row is not None:
            self.query_one("#field-help", Line).say(row.help)

    # ---- choices

    @on(Select.Changed, "#form-choice")
    async def change_form(self, event: Select.Changed) -> None:
        """Show the fields of another form; what was given stays where the form has such a field."""
        event.stop()
        if event.value == self._form_name:
            return
        self._given |= self.fields.own_values
        self._form_name = str(event.value)
        preset = self._preset[0] if self._preset[0] in self.presets.names(self.spec) else self._start.title
        async with self.batch():
            await self.fields.change_spec(self.spec, self._first_values())
        self.query_one(PresetRow).offer(self.presets.names(self.spec), preset)
        self.query_one("#form-title", Line).say(self._title)
        self._show_rows(self._rows)
        if preset != self._start.title:
            self._put_preset(preset)
        self._preset = (preset, self._teacher_kind())
        self.fields.focus_first()
        self.check()

    @on(Select.Changed, "#preset-choice")
    def change_preset(self, event: Select.Changed) -> None:
        """Put the settings of another preset; what the one before had set is as it was."""
        event.stop()
        if event.value != self._preset[0]:
            self._put_preset(str(event.value))
            self.check()

    def _put_preset(self, name: str) -> None:
        kind = self._teacher_kind()
        self._preset = (name, kind)
        self.fields.put_preset(self.presets.values(name, self.spec, kind))

    def _follow_teacher(self) -> bool:
        """Put the preset again if it depends on the kind of the teacher and there is another one now."""
        name, kind = self._preset
        now = self._teacher_kind()
        if now == kind:
            return False
        before = self.presets.values(name, self.spec, kind)
        self._preset = (name, now)
        if before == self.presets.values(name, self.spec, now):
            return False
        self._put_preset(name)
        return True

    def _teacher_kind(self) -> str:
        return kind_meant(str(self.values.get("teacher", "")), self._rows)

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

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave the arrow keys to a list of choices that is open."""
        return not (action.endswith("_field") and isinstance(self.focused, OptionList))

    def action_next_field(self) -> None:
        """Go to the next field."""
        self.focus_next()

    def action_previous_field(self) -> None:
        """Go to the field before."""
        self.focus_previous()

    def action_choose_preset(self) -> None:
        """Choose a preset."""
        self.query_one(PresetRow).open()

    def action_save_preset(self) -> None:
        """Ask for a name and save the settings under it."""
        from tui.screens.name_preset import NamePresetScreen

        def answered(name: str | None) -> None:
            if name is not None:
                self.presets.save(self.spec, name, self.values)
                self._preset = (name, self._teacher_kind())
                self.query_one(PresetRow).offer(self.presets.names(self.spec), name)
                self.notify(f"{name} is among the presets of this form now.", markup=False)
                self.check()

        self.app.push_screen(NamePresetScreen(lambda name: self.presets.fault_of(self.spec, name)), answered)

    def action_delete_preset(self) -> None:
        """Delete the chosen preset; the settings stay as they are."""
        name = self._preset[0]
        if name not in self.presets.saved(self.spec):
            self.notify("Choose a preset that you saved: the others cannot be deleted.", severity="warning")
            return
        self.presets.delete(self.spec, name)
        self._preset = (self._start.title, self._teacher_kind())
        self.query_one(PresetRow).offer(self.presets.names(self.spec), self._start.title)
        self.notify(f"{name} was deleted.", markup=False)
        self.check()

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
