"""What a form shows of a spec: which fields in which order, and what each says of itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Any, get_args

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from bkd.catalog import ARCHITECTURES, DATASETS, NETWORK_FIELDS, SPLIT_FIELDS
from bkd.command_line import value_text
from bkd.spec_faults import explain, range_of
from bkd.specs import DerivedSpec, RunSpec
from bkd.text import clean, exact
from bkd.trials import parse_trials
from tui.sources import SOURCE_FIELDS, kinds_allowed, source_field

FIRST = (
    "teacher", "members", "student", "students", "grid", "arch", "dataset", "epochs", "trial", "trials", "train_limit",
    "fewshot_percent", "alpha", "kd_T", "kd_S", "bnn_samples", "weights", "vi", "bnn_ml_epochs", "bnn_annealing_epochs",
    "mse_on", "batch_size", "learning_rate", "device", "threads",
)  # fmt: skip
FIRST_GROUP = "Most used"
_NAMES = {"arch": ARCHITECTURES, "student": ARCHITECTURES, "dataset": tuple(DATASETS)}


@dataclass(frozen=True)
class FormField:
    """A field of a spec as a form shows it.

    Attributes:
        name: Of the field.
        info: What the spec says of it.
        kinds: Of the teachers that it may name, () where any kind will do.
        takes_trials: Whether it may name several trials, each of which is a run.
    """

    name: str
    info: FieldInfo
    kinds: tuple[str, ...] = ()
    takes_trials: bool = False

    @property
    def label(self) -> str:
        """What stands before it."""
        return "trials" if self.takes_trials else self.name

    @property
    def group(self) -> str:
        """Heading under which it stands."""
        return FIRST_GROUP if self.name in FIRST else str(self._extra["group"])

    @property
    def unit(self) -> str:
        """Unit of its value, "" where it has none."""
        return str(self._extra["unit"])

    @property
    def is_switch(self) -> bool:
        """Whether it is on or off."""
        return self.info.annotation is bool

    @property
    def names_runs(self) -> bool:
        """Whether its value names other runs."""
        return self.name in SOURCE_FIELDS

    @property
    def is_required(self) -> bool:
        """Whether it must be given."""
        return self.info.is_required()

    @cached_property
    def choices(self) -> tuple[str, ...]:
        """The values that it may have, () where any number or text may do."""
        if self.name in _NAMES:
            return _NAMES[self.name]
        annotation = self.info.annotation
        if isinstance(annotation, type) and issubclass(annotation, Enum):
            return tuple(str(member.value) for member in annotation)
        return ()

    @property
    def default(self) -> Any:
        """Its value if nothing is given; an enum's as text."""
        return getattr(self.info.default, "value", self.info.default)

    @property
    def range(self) -> str:
        """What a number must keep to, as ">= 0 and < 1"; "" where nothing is asked."""
        return range_of(self.info)

    def help(self) -> str:
        """Return meaning, unit, range, default and flag."""
        facts = [
            f"unit: {self.unit}" if self.unit else "",
            f"range: {self.range}" if self.range else "",
            f"one of: {', '.join(self.choices)}" if 0 < len(self.choices) < 8 else "",
            "" if self.is_required else f"default: {shown_default(self)}",
            f"kinds: {', '.join(self.kinds)}" if self.kinds else "",
            f"flag: --{self.name.replace('_', '-')}",
        ]
        several = " Several, as 1-5 or 1,2,5, run one after another." if self.takes_trials else ""
        return f"{self.info.description}{several}\n{'   '.join(fact for fact in facts if fact)}"

    def as_given(self, value: Any) -> str | bool | None:
        """Return a value as forms compare it: as text, or True and False; None where it is the default."""
        if value is None or value == self.default:
            return None
        if self.is_switch:
            return bool(value)
        text = clean(self._as_text(value))
        return None if not text or (self.default is not None and text == self._as_text(self.default)) else text

    def _as_text(self, value: Any) -> str:
        """Return a value as text, a number as short as it can be written."""
        text = value_text(value)
        types = get_args(self.info.annotation) or (self.info.annotation,)
        if int in types or float in types:
            with suppress(ValueError):
                return exact(float(text))
        return text

    @property
    def _extra(self) -> Mapping[str, Any]:
        extra = self.info.json_schema_extra
        assert isinstance(extra, dict), self.name
        return extra


def shown_default(field: FormField) -> str:
    """Return a field's default as text."""
    if field.is_required:
        return ""
    if field.default is None:
        return "unset"
    if field.is_switch:
        return "on" if field.default else "off"
    return (
        ",".join(f"{value:g}" if isinstance(value, float) else str(value) for value in field.default)
        if isinstance(field.default, list)
        else str(field.default)
    )


def fields_of(cls: type[RunSpec]) -> list[FormField]:
    """Return the fields that a person may set, the most used first, then group by group."""
    inherited = (
        *(SPLIT_FIELDS if source_field(cls) else ()),
        *(NETWORK_FIELDS if issubclass(cls, DerivedSpec) else ()),
    )
    kinds = kinds_allowed(cls)
    fields = [
        FormField(name, info, kinds if name in SOURCE_FIELDS else (), name == "trial" and takes_trials(cls))
        for name, info in cls.model_fields.items()
        if name not in inherited
    ]
    first = sorted((f for f in fields if f.name in FIRST), key=lambda f: FIRST.index(f.name))
    rest = [f for f in fields if f.name not in FIRST]
    groups = list(dict.fromkeys(f.group for f in rest))
    return [*first, *sorted(rest, key=lambda f: groups.index(f.group))]


def takes_trials(cls: type[RunSpec]) -> bool:
    """Whether a form of a spec launches a run for each of several trials; a sweep has trials of its own."""
    return "trials" not in cls.model_fields


def trials_in(cls: type[RunSpec], values: Mapping[str, Any]) -> list[int]:
    """Return the trials that values name.

    Raises:
        ValueError: If they cannot be read.
    """
    return parse_trials(str(values.get("trial", 1))) if takes_trials(cls) else [int(values.get("trial", 1))]


def faults_of(cls: type[RunSpec], values: Mapping[str, Any]) -> dict[str, str]:
    """Return what is wrong with values by field; under "" what is wrong between fields and begins with none."""
    if takes_trials(cls):
        try:
            trials = trials_in(cls, values)
        except ValueError as error:
            return {"trial": f"{cls.command()}.trial {error}."} | faults_of(cls, {**values, "trial": 1})
        values = {**values, "trial": trials[0]}
    try:
        cls.model_validate(dict(values))
    except ValidationError as error:
        found = [(field or field_named(cls, fault), fault) for field, fault in explain(cls, error)]
        return dict(reversed(found))  # of several faults of one field the first
    return {}


def field_named(cls: type[RunSpec], fault: str) -> str:
    """Return the field with which a sentence begins, perhaps behind the command: "train mcmi.teacher must be ..."."""
    found = re.match(r"(?:[\w ]+[.:] ?)?(\w+) ", fault)
    return found[1] if found and found[1] in cls.model_fields else ""


def short_fault(fault: str, field: str) -> str:
    """Return a fault without the field's own name, value and description: what fits beside the field."""
    text = re.sub(rf"^(?:[\w ]+[.:] ?)?{field} ", "", fault)
    text = re.sub(r"^(?:'[^']*'|\"[^\"]*\"|\[[^\]]*\]) (?=has|is|needs|must)", "", text)
    return text.partition(". ")[0].rstrip(".")
