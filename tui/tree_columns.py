"""The columns of the tree, where teachers and students stand under each other."""

from __future__ import annotations

import re
from typing import Any

from tui.run_columns import STUDENTS, TEACHERS
from tui.widgets.columns import Column, Row

_SETTING = re.compile(r"/lambd_([^/]+?)tempt_([^/]+?)temps_([^/]+?)/")


def setting_text(row: Row) -> str | None:
    """Return alpha and the temperatures of teacher and student that a student's folder tells, "α0.5 T4 S1"."""
    match = _SETTING.search(str(row.get("path")))
    return None if match is None else "α{} T{} S{}".format(*match.groups())


def what(row: Row) -> Any:
    """Return a teacher's kind, an ensemble's with the number of its members; of a student its setting."""
    if row.get("role") == "student":
        return setting_text(row) or "student"
    members = row.get("members")
    return f"{row.get('kind')} of {len(members)}" if members else row.get("kind")


def own_arch(row: Row) -> Any:
    """Return the architecture that a run trains."""
    return row.get("student_arch") if row.get("role") == "student" else row.get("arch")


def made_from(row: Row) -> str | None:
    """Return the ids of the runs that a run was made from."""
    sources = row.get("members") or ([row["teacher"]] if row.get("teacher") else [])
    return " ".join(map(str, sources)) or None


_CHANGED = {
    "Kind": Column("Kind", what, 13, priority=3),
    "Arch": Column("Arch", own_arch, 11, priority=7),
}
_OF_STUDENTS = tuple(
    column for column in STUDENTS if column.title not in {c.title for c in TEACHERS} and column.title == "R"
)
_AT = next(i for i, column in enumerate(TEACHERS) if column.title == "Created")

TREE = tuple(_CHANGED.get(column.title, column) for column in (*TEACHERS[:_AT], *_OF_STUDENTS, *TEACHERS[_AT:]))
