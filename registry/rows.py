"""A run's row: which fields of its run.json the registry repeats."""

from collections.abc import Callable, Iterable, Mapping
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


_TEXT, _NUMBER = (str, type(None)), (int, float, type(None))
_TYPES: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(ROW_FIELDS, _TEXT),
    **dict.fromkeys(("epoch", "epochs", "trial"), (int, type(None))),
    **dict.fromkeys(("started", "ended"), _NUMBER),
    "created": (*_NUMBER, str),
    "members": (list, type(None)), "tags": (list, type(None)), "metrics": (dict, type(None)),
}  # fmt: skip
_ITEMS: dict[str, tuple[type, ...]] = {"members": (str,), "tags": (str,), "metrics": _NUMBER}


def sound_row(row: Row) -> Row:
    """Return a row, or a run.json dict, whose fields all hold what they should; what is something else becomes None."""
    wrong = [field for field, types in _TYPES.items() if type(row.get(field)) not in types]
    wrong += [field for field, types in _ITEMS.items() if not all(type(item) in types for item in _items(row, field))]
    return row | {field: _sound(field, row[field]) for field in wrong} if wrong else row


def _items(row: Row, field: str) -> Iterable[Any]:
    value = row.get(field) if type(row.get(field)) in _TYPES[field] else None
    return value.values() if isinstance(value, dict) else value or ()


def _sound(field: str, value: Any) -> Any:
    """Return what is good of a field's value: the items that are what they should be, of anything else None."""
    if type(value) not in _TYPES[field]:
        return None
    if isinstance(value, dict):
        return {key: item for key, item in value.items() if type(item) in _ITEMS[field]}
    return [item for item in value if type(item) in _ITEMS[field]]


def row_of(run: Mapping[str, Any]) -> Row:
    """Pick a row's fields from a run.json dict; what is missing becomes None, `tags` [] and `metrics` {}."""
    row = sound_row({field: run.get(field) for field in ROW_FIELDS})
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
