"""What a check or a rebuild of the registry found."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from registry.rows import ROW_FIELDS, Row, expected_row, fault_of

_UNSETTLED = frozenset({"queued", "running", "lost"})
"""States in which a row is not the last word: whoever shows such a run looks into its folder."""
_AHEAD = frozenset({"status", "epoch", "metrics", "started", "host"})
"""What the folder of an unsettled run may know better than its row."""


@dataclass(frozen=True)
class Disagreement:
    """A field in which a row differs from its run's folder."""

    id: str
    path: str | None
    field: str
    in_registry: Any
    in_run: Any


@dataclass
class CheckReport:
    """How registry and run folders differ.

    Attributes:
        rows: How many rows the registry has.
        rows_without_folder: Rows whose run is in no folder.
        folders_without_row: What the rows of the other runs would be.
        disagreements: Field by field, for runs that have both.
        skipped: Folders that cannot have a row, each with the reason.
    """

    rows: int = 0
    rows_without_folder: list[Row] = field(default_factory=list)
    folders_without_row: list[Row] = field(default_factory=list)
    disagreements: list[Disagreement] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        """Whether registry and folders say the same."""
        return not (self.rows_without_folder or self.folders_without_row or self.disagreements or self.skipped)


@dataclass(frozen=True)
class RebuildReport:
    """What a rebuild did.

    Attributes:
        count: Rows that the registry has now.
        quarantined: Where the damaged file lies, None where there was none.
        skipped: Runs that were left out, each with the reason.
    """

    count: int
    quarantined: Path | None
    skipped: list[str]


def expected_rows(
    runs: Iterable[Mapping[str, Any]], is_alive: Callable[[str], bool]
) -> tuple[dict[str, Row], list[str]]:
    """Return the rows that `runs` should have, by id, and why some have none; an id's first run counts."""
    rows: dict[str, Row] = {}
    skipped: list[str] = []
    for run in runs:
        if fault := fault_of(run):
            skipped.append(fault)
        elif run["id"] in rows:
            skipped.append(f"{run.get('path')}: its id {run['id']} is taken by {rows[run['id']]['path']}")
        else:
            rows[run["id"]] = expected_row(run, is_alive)
    return rows, skipped


def compare(rows: Iterable[Row], expected: Mapping[str, Row], skipped: list[str]) -> CheckReport:
    """Compare the registry's rows with those that the run folders ask for."""
    report = CheckReport(skipped=skipped)
    seen = set()
    for row in rows:
        report.rows += 1
        seen.add(row["id"])
        if row["id"] in expected:
            report.disagreements += _differences(row, expected[row["id"]])
        else:
            report.rows_without_folder.append(row)
    report.folders_without_row += [row for run_id, row in expected.items() if run_id not in seen]
    return report


def _differences(row: Row, expected: Row) -> list[Disagreement]:
    # While a run goes on, and after its process was killed, its folder is ahead of its row; that is how it is meant.
    ahead = _AHEAD if {row.get("status"), expected["status"]} <= _UNSETTLED else frozenset()
    return [
        Disagreement(row["id"], expected["path"], name, row.get(name), expected[name])
        for name in ROW_FIELDS
        if name not in ahead and row.get(name) != expected[name]
    ]
