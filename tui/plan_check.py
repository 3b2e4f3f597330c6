"""What a launch would find wrong or do, found out before it: takes files to read, so it belongs in a thread."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bkd import actions
from bkd.errors import BkdError, RunNotFound
from bkd.estimate import estimate
from bkd.runfile import Status, this_host
from bkd.specs import RunSpec
from bkd.store import Store
from bkd.text import count
from bkd.trials import spec_of_trials
from tui.form_fields import field_named, trials_in
from tui.messages import Row
from tui.sources import source_field


@dataclass(frozen=True)
class PlanCheck:
    """What was found.

    Attributes:
        fault: Why the run would be refused, "" if it would not.
        field: The field at fault, "" if none is in particular.
        note: What would be launched, if it is more than one run, and how long it would take, if that can be told.
        rows: All runs.
    """

    fault: str
    field: str
    note: str
    rows: Sequence[Row]


def check_plan(store: Store, spec: type[RunSpec], values: Mapping[str, Any]) -> PlanCheck:
    """Return what would come of a launch with values that are right by themselves."""
    rows: Sequence[Row] = ()
    try:
        rows = store.rows()
        trials = trials_in(spec, values)
        run = actions.plan(store, spec_of_trials(spec, values, trials)).run
    except BkdError as error:
        return PlanCheck(str(error), field_at_fault(spec, error), "", rows)
    repeated = 1 if run.get("students") else len(trials)
    found = estimate(store, run, rows, trials=repeated)
    said = found.text() if found else ""
    note = " ".join(filter(None, (_note(run, repeated), f"{said[:1].upper()}{said[1:]}." if said else "")))
    return PlanCheck("", "", note, rows)


def field_at_fault(spec: type[RunSpec], error: BkdError) -> str:
    """Return the field that an error is about, by the name that it begins with; "" if it names none."""
    named = field_named(spec, str(error))
    if named:
        return named
    if isinstance(error, RunNotFound) or source_field(spec) == "members":
        return source_field(spec)
    return ""


def _note(run: Mapping[str, Any], repeated: int) -> str:
    students = run.get("students")
    if not students:
        return f"Launches {repeated} runs, one after another; those that wait are queued." if repeated > 1 else ""
    groups = len({student["group"] for student in students})
    together = ", all on the same batches" if groups == 1 else ", one after another"
    if 1 < groups < len(students):
        together = f", in {groups:,} groups, one after another; those of a group on the same batches"
    return f"Launches {count(len(students), 'student')}{together if len(students) > 1 else ''}."


def advice(rows: Sequence[Row], values: Mapping[str, Any]) -> str:
    """Return what to think of while another run is at work on this machine; "" if none is, or it was thought of."""
    if "threads" in values or str(values.get("device", "")).startswith("cuda"):
        return ""
    at_work = sum(
        row.get("status") == Status.RUNNING and row.get("host") == this_host() and row.get("role") != "experiment"
        for row in rows
    )
    if not at_work:
        return ""
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    verb = "is" if at_work == 1 else "are"
    return f"● {count(at_work, 'run')} {verb} at work here. Share the {cpus} CPUs by threads, or all slow down."
