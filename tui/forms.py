"""Which forms there are: one for each kind of teacher, one for a student, one for each sweep."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import cast

from bkd.catalog import RUN_TYPES
from bkd.kinds.table import KINDS, load_kind
from bkd.specs import RunSpec

SINGLE = "single student"
_STUDENTS = {SINGLE if name == "distill" else name: place for name, place in RUN_TYPES.items() if name != "synthetic"}


@dataclass(frozen=True)
class Form:
    """What a form fills, and its title."""

    spec: type[RunSpec]
    title: str


@dataclass(frozen=True)
class FormChoice:
    """Forms of which one is open at a time.

    Attributes:
        label: What is chosen.
        names: Of the forms, the first one first open.
        load: Returns the form of a name.
    """

    label: str
    names: tuple[str, ...]
    load: Callable[[str], Form]


def _teacher_form(kind: str) -> Form:
    declared = load_kind(kind)
    return Form(declared.spec, f"New teacher: {declared.summary}")


def _student_form(name: str) -> Form:
    module, _, spec_name = _STUDENTS[name].partition(":")
    spec = cast("type[RunSpec]", getattr(import_module(module), spec_name))
    if name == SINGLE:
        return Form(spec, "New student of a teacher")
    first_line = str(spec.__doc__).partition("\n")[0]
    return Form(spec, f"New sweep: {first_line[:1].lower()}{first_line[1:]}")


TEACHER_FORMS = FormChoice("kind", tuple(KINDS), _teacher_form)
STUDENT_FORMS = FormChoice("what", tuple(_STUDENTS), _student_form)
