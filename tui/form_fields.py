"""What a form shows of a spec: which fields in which order, and what each says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Any, get_args

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from bkd.catalog import ARCHITECTURES, DATASETS
from bkd.plan import NETWORK_FIELDS, SPLIT_FIELDS
from bkd.spec_faults import explain
from bkd.specs import DistillSpec, RunSpec

FIRST = (
    "student", "teacher", "members", "arch", "dataset", "epochs", "trial", "train_limit", "alpha", "kd_T", "kd_S", "bnn_samples", "weights",
    "vi", "bnn_ml_epochs", "bnn_annealing_epochs", "mse_on", "batch_size", "learning_rate", "device",
)  # fmt: skip
FIRST_GROUP = "Most used"
INHERITED = (*SPLIT_FIELDS, *NETWORK_FIELDS)  # by runs that are made from others
_NAMES = {"arch": ARCHITECTURES, "student": ARCHITECTURES, "dataset": tuple(DATASETS)}
_SIGNS = {"gt": ">", "ge": ">=", "lt": "<", "le": "<="}


@dataclass(frozen=True)
class FormField:
    """A field of a spec as a form shows it."""

    name: str
    info: FieldInfo

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
        """What a number must keep to, as ">= 0, < 1"; "" where nothing is asked."""
        metadata = [*self.info.metadata, *(m for part in get_args(self.info.annotation) for m in get_args(part)[1:])]
        return ", ".join(
            f"{sign} {getattr(limit, key):g}"
            for limit in metadata
            for key, sign in _SIGNS.items()
            if hasattr(limit, key)
        )

    def help(self) -> str:
        """Return meaning, unit, range, default and flag."""
        facts = [
            f"unit: {self.unit}" if self.unit else "",
            f"range: {self.range}" if self.range else "",
            f"one of: {', '.join(self.choices)}" if 0 < len(self.choices) < 8 else "",
            f"default: {shown_default(self)}",
            f"flag: --{self.name.replace('_', '-')}",
        ]
        return f"{self.info.description}\n{'   '.join(fact for fact in facts if fact)}"

    @property
    def _extra(self) -> Mapping[str, Any]:
        extra = self.info.json_schema_extra
        assert isinstance(extra, dict), self.name
        return extra


def shown_default(field: FormField) -> str:
    """Return a field's default as text."""
    if field.default is None:
        return "unset"
    return {True: "on", False: "off"}[field.default] if field.is_switch else str(field.default)


def fields_of(cls: type[RunSpec]) -> list[FormField]:
    """Return the fields that a person may set, the most used first, then group by group."""
    is_made = {"teacher", "members"} & set(cls.model_fields)
    hidden = (*(INHERITED if is_made else ()), *(("teacher",) if issubclass(cls, DistillSpec) else ()))
    fields = [FormField(name, info) for name, info in cls.model_fields.items() if name not in hidden]
    first = sorted((f for f in fields if f.name in FIRST), key=lambda f: FIRST.index(f.name))
    rest = [f for f in fields if f.name not in FIRST]
    groups = list(dict.fromkeys(f.group for f in rest))
    return [*first, *sorted(rest, key=lambda f: groups.index(f.group))]


def faults_of(cls: type[RunSpec], values: Mapping[str, Any]) -> dict[str, str]:
    """Return what is wrong with values by field; under "" what is wrong between fields."""
    try:
        cls.model_validate(dict(values))
    except ValidationError as error:
        return dict(reversed(explain(cls, error)))  # of several faults of one field the first
    return {}


def short_fault(fault: str, field: str) -> str:
    """Return a fault without the field's own name and description: what fits beside the field."""
    text = fault.partition(f".{field} ")[2] or fault
    return text.partition(". ")[0].rstrip(".")
