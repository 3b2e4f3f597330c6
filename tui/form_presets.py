"""The presets of a form: the defaults, the run that it is like, those of the project, those that a person saved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bkd.presets import PAPER, TITLES, has_settings, preset_values, presets_for, summary_of, takes_settings
from bkd.specs import RunSpec
from tui.form_fields import fields_of
from tui.memory import Memory
from tui.sources import SOURCE_FIELDS

DEFAULTS = "Defaults"
KEPT = (*SOURCE_FIELDS, "trial", "trials")  # of no preset: what is made from what, and which repetition it is
_KEY = "launch.presets"
_BY_TITLE = {title: name for name, title in TITLES.items()}

Values = Mapping[str, Any]


@dataclass(frozen=True)
class FormStart:
    """What a form begins with.

    Attributes:
        values: Settings by field.
        run_id: The run that they are those of, "" if of none.
        lost: Settings of that run which there are no more.
    """

    values: Values = field(default_factory=dict)
    run_id: str = ""
    lost: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """Name of its preset."""
        return f"like {self.run_id}" if self.run_id else DEFAULTS


class FormPresets:
    """What the presets of each form are.

    Args:
        memory: Keeps those that a person saved.
        start: What the form begins with.
    """

    def __init__(self, memory: Memory, start: FormStart) -> None:
        self._memory = memory
        self.start = start

    def names(self, spec: type[RunSpec]) -> list[str]:
        """Return the presets of a form; the first one holds at the start."""
        first = [self.start.title, DEFAULTS] if self.start.run_id else [DEFAULTS]
        return [*first, *(TITLES[name] for name in presets_for(spec.command())), *self.saved(spec)]

    def saved(self, spec: type[RunSpec]) -> dict[str, Values]:
        """Return the presets that a person saved for a form."""
        mine = self._everything().get(spec.command())
        known = mine.items() if isinstance(mine, dict) else ()
        return {str(name): values for name, values in known if isinstance(values, dict)}

    def values(self, name: str, spec: type[RunSpec], teacher_kind: str) -> dict[str, Any]:
        """Return the settings of a preset; None stands for a field's default.

        Args:
            name: One of `names`.
            spec: Of the form.
            teacher_kind: Of the teacher that was named, "" if none was.
        """
        if name in (DEFAULTS, self.start.title):
            theirs = {} if name == DEFAULTS else self.start.values
            return {f.name: theirs.get(f.name) for f in fields_of(spec) if f.name not in KEPT}
        if name in _BY_TITLE:
            return preset_values(_BY_TITLE[name], spec.command(), teacher_kind)
        return dict(self.saved(spec).get(name, {}))

    def summary(self, name: str, spec: type[RunSpec]) -> str:
        """Return what a preset is."""
        if name in _BY_TITLE:
            return summary_of(_BY_TITLE[name], spec.command())
        if name == self.start.title and self.start.run_id:
            return f"The settings of {self.start.run_id}."
        return "Every field at its default." if name == DEFAULTS else "Saved by you; ctrl+p deletes it."

    def remark(self, name: str, spec: type[RunSpec], teacher_kind: str) -> str:
        """Return what to know of a preset beside its settings."""
        if _BY_TITLE.get(name) != PAPER or not takes_settings(spec.command()) or has_settings(teacher_kind):
            return ""
        if not teacher_kind:
            return "The paper's alpha and temperatures follow from the kind of the teacher: name one."
        return f"The paper gives no alpha and temperatures for students of {teacher_kind} teachers."

    def _everything(self) -> dict[str, Any]:
        nothing: dict[str, Any] = {}
        return self._memory.get(_KEY, nothing)

    def save(self, spec: type[RunSpec], name: str, values: Values) -> None:
        """Keep settings under a name."""
        mine = self.saved(spec) | {name: {key: value for key, value in values.items() if key not in KEPT}}
        self._memory.put(_KEY, {**self._everything(), spec.command(): mine})

    def delete(self, spec: type[RunSpec], name: str) -> None:
        """Forget settings."""
        mine = {key: values for key, values in self.saved(spec).items() if key != name}
        self._memory.put(_KEY, {**self._everything(), spec.command(): mine})

    def fault_of(self, spec: type[RunSpec], name: str) -> str:
        """Return why settings cannot be saved under a name, "" if they can."""
        if not name:
            return "Type a name, or press escape."
        taken = name in (DEFAULTS, self.start.title) or name in _BY_TITLE
        return f"{name} is taken. Choose another name." if taken else ""
