"""Who hangs under whom: a teacher's students and the teachers that were made from it.

An ensemble hangs under nothing: it has several members, and none of them more than another.
"""

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

Row = Mapping[str, Any]
R = TypeVar("R", bound=Row)
RELATED = ("teacher", "student")


def parents(rows: Iterable[Row]) -> dict[str, str | None]:
    """Return for each teacher and student the teacher that it hangs under, None where there is none or it is gone.

    Whoever follows the parents upwards comes to an end, whatever the rows say.

    Args:
        rows: Rows of runs; those of experiments are passed over.
    """
    rows = [row for row in rows if row.get("role") in RELATED]
    teachers = {row["id"] for row in rows if row["role"] == "teacher"}
    found = {str(row["id"]): parent if (parent := row.get("teacher")) in teachers else None for row in rows}
    _cut_circles(found)
    return found


def _cut_circles(found: dict[str, str | None]) -> None:
    """Let a run that would come out above itself hang under nothing."""
    ends: set[str | None] = {None}
    for run_id, parent in found.items():
        if parent in ends:
            ends.add(run_id)
            continue
        path: dict[str, None] = {}
        at: str | None = run_id
        while at is not None and at not in ends and at not in path:
            path[at] = None
            at = found[at]
        if at is not None and at in path:
            found[at] = None
        ends.update(path)


def below(rows: Iterable[R], parent_of: Mapping[str, str | None]) -> dict[str | None, list[R]]:
    """Return the rows that hang under each run, in their order; under None those that hang under nothing."""
    found: dict[str | None, list[R]] = {}
    for row in rows:
        run_id = row["id"]
        if run_id not in parent_of:
            continue
        parent = parent_of[run_id]
        if parent in found:
            found[parent].append(row)
        else:
            found[parent] = [row]
    return found
