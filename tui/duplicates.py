"""From a run to the form that launches one like it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bkd.command_line import settings_of_run
from bkd.errors import SpecError
from bkd.specs import RunSpec, make_spec
from tui.form_presets import FormStart
from tui.forms import SINGLE, STUDENT_FORMS, TEACHER_FORMS, FormChoice
from tui.messages import Row

_SAME_SERIES = ("role", "kind", "arch", "student_arch", "dataset")


def form_of(run: Row) -> tuple[FormChoice, str, FormStart] | None:
    """Return the forms, the name of the one that launches runs like a run, and what it begins with; None without form.

    Args:
        run: Its run.json.
    """
    spec = run.get("spec") or {}
    run_type = str(spec.get("type"))
    forms = TEACHER_FORMS if run_type == "train" else STUDENT_FORMS
    name = str(spec.get("kind")) if run_type == "train" else SINGLE if run_type == "distill" else run_type
    if name not in forms.names:
        return None
    return forms, name, start_of(forms.load(name).spec, run)


def start_of(cls: type[RunSpec], run: Row) -> FormStart:
    """Return the settings of a run that are not those which a form fills by itself."""
    own = settings_of_run(run)
    known = {name: value for name, value in own.items() if name in cls.model_fields}
    lost = tuple(name for name in own if name not in known)
    return FormStart(_without_derived(cls, known), str(run["id"]), lost)


def _without_derived(cls: type[RunSpec], values: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what follows from the others, as milestones do from the epochs: it is to follow them again."""
    kept = dict(values)
    for name in [name for name in kept if cls.model_fields[name].default is None]:
        rest = {other: value for other, value in kept.items() if other != name}
        try:
            if getattr(make_spec(cls, rest), name) == getattr(make_spec(cls, dict(kept)), name):
                kept = rest
        except SpecError:  # of a run that cannot be launched any more: the form tells why
            continue
    return kept


def free_trial(run: Row, rows: Sequence[Row]) -> int:
    """Return the first trial above those of a run's repetitions; of a sweep, above those of its teacher's students."""
    if run.get("role") == "experiment":
        alike = [row for row in rows if row.get("role") == "student" and row.get("teacher") == run.get("teacher")]
    else:
        alike = [row for row in rows if all(row.get(name) == run.get(name) for name in _SAME_SERIES)]
    return 1 + max(int(row.get("trial") or 0) for row in [run, *alike])
