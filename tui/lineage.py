"""How runs hang together: what a run was made from, what came from it, which students a sweep has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bkd.text import percent
from tui.run_columns import metric
from tui.widgets.status import GLYPHS, status_word

MOST = 12  # relatives of one sort that are listed
Run = Mapping[str, Any]
Line = tuple[str, str]


def lineage_lines(run: Run, rows: Sequence[Run]) -> Iterator[Line]:
    """Yield what a run was made from and what came from it, as (label, text).

    Args:
        run: run.json.
        rows: All runs.
    """
    yield from _sources(run, _among(rows, _source_ids(run)))
    heirs = heirs_of(str(run.get("id")), rows)
    for role, title in (("teacher", "teachers from it"), ("student", "students"), ("experiment", "experiments")):
        of_role = [row for row in heirs if row.get("role") == role]
        if of_role:
            yield title, str(len(of_role))
        for row in of_role[:MOST]:
            yield f"  {row['id']}", _relative(row, heir=True)
        if len(of_role) > MOST:
            yield "  ...", f"{len(of_role) - MOST} more"


def _source_ids(run: Run) -> set[Any]:
    return {run.get("teacher"), (run.get("lineage") or {}).get("experiment"), *(run.get("members") or ())} - {None}


def _among(rows: Sequence[Run], ids: set[Any]) -> dict[Any, Run]:
    """Return the rows with these ids, by id; to look at thousands of rows takes less than to keep them all by id."""
    return {row["id"]: row for row in rows if row["id"] in ids} if ids else {}


def _sources(run: Run, known: Mapping[Any, Run]) -> Iterator[Line]:
    lineage = run.get("lineage") or {}
    if run.get("teacher"):
        label = "made from" if run.get("role") == "teacher" else "teacher"
        told = {"kind": lineage.get("teacher_kind") or run.get("kind"), "arch": run.get("arch")}
        yield label, ""
        yield f"  {run['teacher']}", _relative(known.get(run["teacher"], told))
    members = run.get("members") or ()
    if members:
        yield "members", str(len(members))
    for member in members:
        yield f"  {member}", _relative(known[member]) if member in known else "was deleted"
    if lineage.get("experiment"):
        sweep = known.get(lineage["experiment"])
        yield "of the sweep", ""
        yield f"  {lineage['experiment']}", "was deleted" if sweep is None else _relative(sweep)


def heirs_of(run_id: str, rows: Sequence[Run]) -> list[Run]:
    """Return the rows of the runs that came from a run: its students, teachers made from it, sweeps over it."""
    return [row for row in rows if row.get("teacher") == run_id or run_id in (row.get("members") or ())]


def _relative(row: Run, *, heir: bool = False) -> str:
    """Return a relative in a few words; of an heir also how it stands."""
    if row.get("role") == "experiment":
        return f"{_sign(row)} {row.get('kind')} {row.get('epoch') or 0}/{row.get('epochs') or '?'}"
    what = str(row.get("student_arch")) if row.get("role") == "student" else f"{row.get('kind')} {row.get('arch')}"
    accuracy = metric("acc")(row)
    parts = [_sign(row) if heir else "", what, "" if accuracy is None else percent(accuracy)]
    return " ".join(part for part in parts if part)


def _sign(row: Run) -> str:
    return GLYPHS.get(status_word(str(row.get("status") or "unknown")), "·")


# ---- sweeps


def students_of_sweep(run: Run, rows: Sequence[Run]) -> list[dict[str, Any]]:
    """Return the rows of a sweep's students in its order, each with its settings under "setting".

    One that is not launched yet has the status "waiting" and an id that no run has.

    Args:
        run: The sweep's run.json.
        rows: All runs.
    """
    launched = run.get("students") or ()
    known = _among(rows, {student.get("id") for student in launched} - {None})
    students = []
    for index, student in enumerate(launched):
        spec, run_id = student.get("spec") or {}, student.get("id")
        missing = {
            "id": run_id or f"#{index + 1}", "role": "student", "status": "waiting" if run_id is None else "deleted",
            "student_arch": spec.get("student"), "trial": spec.get("trial"), "epochs": spec.get("epochs"), "path": None,
        }  # fmt: skip
        students.append({**known.get(run_id, missing), "setting": spec, "group": student.get("group")})
    return students
