"""A run's row: which fields of its run.json the registry repeats."""

from collections.abc import Callable, Mapping
from functools import lru_cache
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


_NONE = type(None)
_NUMBERS = ("epoch", "epochs", "trial", "created", "started", "ended")
_TYPES: dict[str, frozenset[type]] = {
    **dict.fromkeys(ROW_FIELDS, frozenset({str, _NONE})),
    **dict.fromkeys(("epoch", "epochs", "trial"), frozenset({int, _NONE})),
    **dict.fromkeys(("started", "ended"), frozenset({int, float, _NONE})),
    "created": frozenset({int, float, str, _NONE}),
    "members": frozenset({list, _NONE}), "tags": frozenset({list, _NONE}), "metrics": frozenset({dict, _NONE}),
}  # fmt: skip
_ITEMS: dict[str, frozenset[type]] = {
    "members": frozenset({str}), "tags": frozenset({str}), "metrics": frozenset({int, float, _NONE})
}  # fmt: skip
MOST = 1e12
"""What no number of a row reaches."""
MOST_METRIC = 1e150
"""What no metric reaches; the square of one that does is not a number."""


def is_below(path: Any) -> bool:
    """Whether a path leads to something below the folder that it starts from, whatever lies there."""
    return type(path) is str and "\0" not in path and _NOWHERE.isdisjoint(path.split("/"))


_NOWHERE = frozenset({"", ".", ".."})


def damage_of(row: Mapping[str, Any]) -> str:
    """Say why a row cannot be used, or return an empty string; fields of a wrong type are for `sound_row`."""
    if not (type(row.get("id")) is str and row["id"]):
        return "a row has no id"
    if row.get("role") is not None and (type(row["role"]) is not str or row["role"] not in TABLES):
        return f"the row of {row['id']!r} has a role that there is not"
    if row.get("path") is not None and not is_below(row["path"]):
        return f"the path of {row['id']!r} leads out of the save folder"
    return ""


def sound_row(row: Row) -> Row:
    """Return a row, or a run.json dict, whose fields all hold what they should; what is something else becomes None."""
    if row.get("path") is not None and not is_below(row["path"]):
        row = row | {"path": None}
    if _fits(tuple(map(type, map(row.get, ROW_FIELDS)))) and all(map(_has_sound_items, (row,) * 3, _ITEMS)):
        wrong = [field for field in _NUMBERS if type(row.get(field)) in (int, float) and not -MOST < row[field] < MOST]
        return row | dict.fromkeys(wrong) if wrong else row
    return sound_row(row | {field: _sound(field, row.get(field)) for field in _TYPES})


@lru_cache(maxsize=256)
def _fits(types: tuple[type, ...]) -> bool:
    """Whether these are types that the fields may have; rows have few combinations."""
    return all(found in _TYPES[field] for field, found in zip(ROW_FIELDS, types, strict=True))


def _has_sound_items(row: Row, field: str) -> bool:
    value = row.get(field)
    if not value:
        return True
    if field != "metrics":
        return _ITEMS[field].issuperset(map(type, value))
    return _ITEMS[field].issuperset(map(type, value.values())) and all(map(_is_metric, value.values()))


def _is_metric(value: float | None) -> bool:
    return value is None or -MOST_METRIC < value < MOST_METRIC


def _sound(field: str, value: Any) -> Any:
    """Return what is good of a field's value: of lists and objects the good items, of anything wrong None."""
    if type(value) not in _TYPES[field] or value is None or field not in _ITEMS:
        return value if type(value) in _TYPES[field] else None
    if field == "metrics":
        return {key: item for key, item in value.items() if type(item) in _ITEMS[field] and _is_metric(item)}
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


def age_of(row: Mapping[str, Any]) -> tuple[str, str]:
    """Return what rows are sorted by, the oldest first."""
    # As text: ISO stamps and, until 2286, whole and fractional seconds sort alike; a row without one comes first.
    return str(row.get("created") or ""), row["id"]
