"""A screen with a form: which form it is, its fields, its presets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, cast

from textual import events, on
from textual.binding import Binding, BindingType
from textual.widgets import OptionList, Select

from bkd.command_line import command_for
from bkd.specs import RunSpec
from bkd.store import Store
from bkd.text import clean
from tui.form_presets import FormPresets, FormStart
from tui.forms import FormChoice
from tui.held_screen import HeldScreen
from tui.messages import Row
from tui.screens.pick import PickScreen
from tui.sources import kind_meant, kinds_allowed, starting_values, teachers_for
from tui.widgets.field_list import FieldList
from tui.widgets.field_row import FieldRow
from tui.widgets.form_choice_row import FormChoiceRow
from tui.widgets.line import Line
from tui.widgets.preset_row import PresetRow
from tui.widgets.source_row import SourceRow

if TYPE_CHECKING:
    from tui.app import BkdApp


class FormScreen(HeldScreen[str]):
    """Has a FormChoiceRow, a PresetRow, a FieldList, and lines for its title and for the help of the field in focus."""

    # those with priority are answered before a key that follows them is given to the field in focus
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+o", "choose_form", "Another form", priority=True, show=False),
        Binding("ctrl+t", "choose_preset", "Preset", priority=True, show=False),
        Binding("ctrl+n", "save_preset", "Save preset", priority=True, show=False),
        Binding("tab,down", "next_field", "Next field", priority=True, show=False),
        Binding("shift+tab,up", "previous_field", "Previous field", priority=True, show=False),
    ]

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

    def check(self) -> None:
        """Show what is wrong with the fields."""
        raise NotImplementedError

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
        others = {name: value for name, value in self._given.items() if name not in self.fields.rows}
        self._given = others | self.fields.own_values
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

    def _follow_teacher(self) -> None:
        """Put the preset again if it depends on the kind of the teacher and there is another one now."""
        name, kind = self._preset
        now = self._teacher_kind()
        if now == kind:
            return
        before = self.presets.values(name, self.spec, kind)
        self._preset = (name, now)
        if before != self.presets.values(name, self.spec, now):
            self._put_preset(name)

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
