"""Every setting of a run: its value, meaning and default; and the command that launches the same run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from bkd.text import clean, exact
from tui.messages import Row

if TYPE_CHECKING:
    from bkd.specs import RunSpec
    from tui.form_fields import FormField

HEAD = ("type", "kind")  # of the spec as it is written: what the run is
OTHER_GROUP = "Of another version"


class Setting(NamedTuple):
    """One setting.

    Attributes:
        group: Heading under which it stands.
        name: Of the field.
        value: As text.
        unit: Of the value, "" for none.
        meaning: In a sentence.
        default: As text; "" where the value must be given.
        is_changed: Whether the value differs from the default.
    """

    group: str
    name: str
    value: str
    unit: str
    meaning: str
    default: str
    is_changed: bool


def settings_of(run: Row) -> Iterator[Setting]:
    """Yield a run's settings, the most used first, then group by group; those that its spec does not know last."""
    spec = run.get("spec") or {}
    cls = spec_class(spec)
    names = [] if cls is None else list(cls.model_fields)
    if cls is not None:
        from tui.form_fields import shown_default

        for field in _ordered(cls):
            value, is_given = spec.get(field.name), field.name in spec
            differs = is_given and (field.is_required or value != field.default)
            yield Setting(
                field.group, field.name, shown(value) if is_given else "not recorded", field.unit,
                clean(str(field.info.description or "")), shown_default(field), differs,
            )  # fmt: skip
    for name in spec:
        if name not in (*names, *HEAD):
            yield Setting(OTHER_GROUP, clean(name), shown(spec[name]), "", "", "", True)


def _ordered(cls: type[RunSpec]) -> list[FormField]:
    """Return all fields of a spec, also those that a form leaves out because they are inherited."""
    from tui.form_fields import FIRST, FIRST_GROUP, FormField

    fields = [FormField(name, info) for name, info in cls.model_fields.items()]
    groups = [FIRST_GROUP, *dict.fromkeys(field.group for field in fields if field.group != FIRST_GROUP)]
    place = {name: index for index, name in enumerate(FIRST)}
    return sorted(fields, key=lambda field: (groups.index(field.group), place.get(field.name, 0)))


def command_of(run: Row, save: Path) -> str:
    """Return the command that launches the same run; "" for one whose settings this version does not know."""
    from bkd.command_line import command_of_run

    return "" if spec_class(run.get("spec") or {}) is None else command_of_run(run, save)


def spec_class(spec: Mapping[str, Any]) -> type[RunSpec] | None:
    """Return the spec that a run's settings were written by, None if this version does not know it."""
    from importlib import import_module

    from bkd.catalog import RUN_TYPES, canonical
    from bkd.kinds.table import KINDS, load_kind

    kind, run_type = canonical(str(spec.get("kind")), tuple(KINDS)), str(spec.get("type"))
    if run_type == "train":
        return None if kind is None else load_kind(kind).spec
    if run_type not in RUN_TYPES:
        return None
    module, _, name = RUN_TYPES[run_type].partition(":")
    return cast("type[RunSpec]", getattr(import_module(module), name))


def shown(value: Any) -> str:
    """Return a setting's value as harmless text."""
    if value is None:
        return "unset"
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float):
        return exact(value)
    if isinstance(value, list | tuple):
        return ", ".join(map(shown, value)) or "none"
    return clean(str(value))
