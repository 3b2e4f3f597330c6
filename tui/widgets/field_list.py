"""The fields of a form: their values, and who set them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widget import Widget

from bkd.specs import RunSpec
from tui.form_fields import FormField, fields_of, shown_default
from tui.messages import Row
from tui.widgets.field_row import FieldRow
from tui.widgets.line import Line
from tui.widgets.source_row import SourceRow

Given = str | bool | None  # as `FormField.as_given` returns it


class FieldList(VerticalScroll, can_focus=False):
    """A line for each field, under the headings of their groups."""

    def __init__(self, spec: type[RunSpec], given: Mapping[str, Any], rows: Sequence[Row]) -> None:
        """Create the fields.

        Args:
            spec: What they fill.
            given: What they begin with.
            rows: All runs.
        """
        super().__init__(id="fields")
        self._spec, self._start, self._all_rows = spec, given, rows
        self._before: dict[str, Given] = {}  # what fields held before a preset
        self._preset: dict[str, Given] = {}  # what the preset put
        self.rows: dict[str, FieldRow] = {}  # by field

    def compose(self) -> ComposeResult:
        """Lay out the fields."""
        yield from self._lines()

    def _lines(self) -> Iterator[Widget]:
        self.rows, group = {}, ""
        for field in fields_of(self._spec):
            if field.group != group:
                yield Line(field.group, classes="group" if group else "group -first")
                group = field.group
            given = self._start.get(field.name)
            row = SourceRow(field, given, self._all_rows) if field.names_runs else FieldRow(field, given)
            self.rows[field.name] = row
            yield row

    async def change_spec(self, spec: type[RunSpec], given: Mapping[str, Any]) -> None:
        """Show the fields of another spec."""
        self._spec, self._start = spec, given
        self._before, self._preset = {}, {}
        await self.remove_children()
        await self.mount_all(self._lines())

    @property
    def values(self) -> dict[str, Any]:
        """What was given, by field."""
        return {name: row.value for name, row in self.rows.items() if row.value is not None}

    @property
    def own_values(self) -> dict[str, Any]:
        """What was given beside what the preset put."""
        preset = self.set_by_preset
        return {name: value for name, value in self.values.items() if name not in preset} | {
            name: value for name, value in self._before.items() if name in preset and value is not None
        }

    @property
    def set_by_preset(self) -> list[str]:
        """The fields that hold what the preset put, and held something else before."""
        rows = self.rows
        return [
            name for name, value in self._preset.items()
            if name in rows and rows[name].given == value != self._before.get(name)
        ]  # fmt: skip

    def put_preset(self, values: Mapping[str, Any]) -> None:
        """Put the settings of a preset; what the one before has set is again what it was, unless changed since."""
        rows = self.rows
        wanted = {name: row.given for name, row in rows.items()}
        wanted |= {name: self._before.get(name) for name in self.set_by_preset}
        self._preset = {name: rows[name].field.as_given(value) for name, value in values.items() if name in rows}
        self._before = {name: wanted[name] for name in self._preset}
        for name, value in (wanted | self._preset).items():
            if rows[name].given != value:
                rows[name].put(value)

    def mark(self, preset: str, original: Mapping[str, Any] | None) -> None:
        """Note beside the fields what a preset set, and what they are in a run that this one is to be like.

        Args:
            preset: Name of the preset.
            original: Settings of that run.
        """
        set_by = self.set_by_preset
        for name, row in self.rows.items():
            before = None if original is None else row.field.as_given(original.get(name))
            if original is not None and row.given != before:
                is_gone = bool(row.field.choices) and before is not None and before not in row.field.choices
                row.mark = f"{before} is not known any more" if is_gone else f"was {shown(row.field, before)}"
            else:
                row.mark = f"set by {preset}" if name in set_by else ""

    def differs(self, original: Mapping[str, Any]) -> bool:
        """Whether a field holds something else than in a run."""
        return any(row.given != row.field.as_given(original.get(name)) for name, row in self.rows.items())

    def show_faults(self, faults: Mapping[str, str]) -> list[str]:
        """Show faults beside their fields; return those that belong to none."""
        rows = self.rows
        for name, row in rows.items():
            row.show_fault(faults.get(name, ""))
        return [fault for name, fault in faults.items() if name not in rows]

    def focus_first(self) -> None:
        """Go to the first field that is not filled already."""
        rows = list(self.rows.values())
        first = next((row for row in rows if not (row.field.names_runs and row.value)), rows[0] if rows else None)
        if first is not None:  # the rows of a choice that was changed again are gone already
            first.control.focus()


def shown(field: FormField, value: Given) -> str:
    """Return a value as a person reads it."""
    if value is None:
        return shown_default(field) or "unset"
    return value if isinstance(value, str) else "on" if value else "off"
