"""A run's row: which fields of its run.json the registry repeats."""

from collections.abc import Callable, Mapping
from typing import Any

Row = dict[str, Any]

TABLES: dict[str, str] = {"teacher": "teachers", "student": "students", "experiment": "experiments"}
"""The table of each role."""

ROW_FIELDS: tuple[str, ...] = (
    "id", "name", "role", "kind", "arch", "student_arch", "dataset", "status", "epoch", "epochs", "created", "path",
    "teacher", "members", "trial", "tags", "note", "metrics", "started", "ended", "host",
)  # fmt: skip

LISTED_FIELDS: tuple[str, ...] = tuple(field for field in ROW_FIELDS if field != "members")
"""The fields that lists print: one level, but for metrics and tags."""


def row_of(run: Mapping[str, Any]) -> Row:
    """Pick a row's fields from a run.json dict; what is missing becomes None, `tags` [] and `metrics` {}."""
    row = {field: run.get(field) for field in ROW_FIELDS}
    row["tags"] = list(row["tags"] or ())
    row["metrics"] = dict(row["metrics"] or {})
    return row


def expected_row(run: Mapping[str, Any], is_alive: Callable[[str], bool]) -> Row:
    """Return the row that a run should have: `row_of`, but `lost` where an unfinished run has no process any more."""
    row = row_of(run)
    if row["status"] in ("queued", "running") and not (row["path"] and is_alive(row["path"])):
        row["status"] = "lost"
    return row


def fault_of(run: object) -> str:
    """Say why a run cannot have a row, or return an empty string."""
    if not isinstance(run, Mapping):
        return "run.json is not an object"
    where = str(run.get("path") or "a run without a path")
    if not (isinstance(run.get("id"), str) and run["id"]):
        return f"{where}: its run.json has no id"
    if not (isinstance(run.get("role"), str) and run["role"] in TABLES):
        return f"{where}: its role is {run.get('role')!r}, not one of {', '.join(TABLES)}"
    if not isinstance(run.get("tags") or [], list) or not isinstance(run.get("metrics") or {}, Mapping):
        return f"{where}: its tags are not a list or its metrics are not an object"
    return ""


def age_of(row: Mapping[str, Any]) -> tuple[str, str]:
    """Return what rows are sorted by, the oldest first."""
    # As text: ISO stamps and, until 2286, whole and fractional seconds sort alike; a row without one comes first.
    return str(row.get("created") or ""), row["id"]
