"""The teachers that another run can be made from: which will do, which a form starts with, how they are named."""

from __future__ import annotations

from collections.abc import Sequence

from bkd.plan import USABLE_TEACHER
from bkd.runfile import Status
from bkd.specs import DerivedSpec, RunSpec
from bkd.store import Store
from bkd.text import clean, percent
from tui.messages import Row
from tui.run_columns import metric

SOURCE_FIELDS = ("teacher", "members")


def source_field(spec: type[RunSpec]) -> str:
    """Return the field that names what a run is made from, "" if it has none."""
    return next((name for name in SOURCE_FIELDS if name in spec.model_fields), "")


def kinds_allowed(spec: type[RunSpec]) -> tuple[str, ...]:
    """Return the kinds of teacher that a run can be made from; () where any will do."""
    return spec.made_from if issubclass(spec, DerivedSpec) else ()


def will_do(store: Store, spec: type[RunSpec], row: Row) -> bool:
    """Whether a run can be made from a teacher: of an allowed kind, not at work, with weights."""
    kinds = kinds_allowed(spec)
    if row.get("role") != "teacher" or (kinds and row.get("kind") not in kinds):
        return False
    status = row.get("status")
    return status == Status.DONE or (
        status in USABLE_TEACHER and store.folder(str(row.get("path"))).last_weights.is_file()
    )


def teachers_for(store: Store, spec: type[RunSpec], rows: Sequence[Row]) -> list[Row]:
    """Return the teachers that a run can be made from, newest first."""
    return [row for row in reversed(rows) if will_do(store, spec, row)]


def starting_values(store: Store, spec: type[RunSpec], chosen: Sequence[Row]) -> dict[str, str]:
    """Return what a form starts with.

    Args:
        store: Where the teachers are.
        spec: What the form fills.
        chosen: Teachers that were marked, or the selected one.
    """
    field = source_field(spec)
    ids = [str(row["id"]) for row in chosen if will_do(store, spec, row)]
    if field == "teacher" and len(ids) == 1:
        return {field: ids[0]}
    if field == "members" and len(ids) > 1:
        return {field: ",".join(ids)}
    return {}


def describe(given: str, rows: Sequence[Row]) -> str:
    """Return who is meant by what was typed, "Deterministic 97.22% wrn_16_1 digits"; "" if anybody is unknown.

    Args:
        given: An id or its beginning; several with commas between them.
        rows: All runs.
    """
    found = [_meant(ref, rows) for ref in split_refs(given)]
    known = [row for row in found if row is not None]
    if not known or len(known) < len(found):
        return ""
    if len(known) == 1:
        row = known[0]
        return clean(" ".join(filter(None, (row.get("kind"), _accuracy(row), row.get("arch"), row.get("dataset")))))
    return clean(", ".join(f"{row.get('kind')} {_accuracy(row)}".strip() for row in known))


def kind_meant(ref: str, rows: Sequence[Row]) -> str:
    """Return the kind of the teacher that an id or its beginning means, "" if it means none."""
    row = _meant(ref, rows) if ref else None
    return str(row["kind"]) if row is not None else ""


def split_refs(given: str) -> list[str]:
    """Return the references in "3fa8, 77b1"."""
    return given.replace(",", " ").split()


def _meant(ref: str, rows: Sequence[Row]) -> Row | None:
    found = [row for row in rows if str(row["id"]).startswith(ref)]
    return found[0] if len(found) == 1 else None


def _accuracy(row: Row) -> str:
    value = metric("acc")(row)
    return "" if value is None else percent(value)
