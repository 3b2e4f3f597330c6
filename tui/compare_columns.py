"""The columns of the compared runs' table."""

from __future__ import annotations

from typing import Any

from bkd.text import percent
from tui.compare_sides import Comparison
from tui.messages import Row
from tui.run_columns import metric, progress
from tui.widgets.columns import Column
from tui.widgets.status import status_text, status_tone, status_word


def _status(value: Any) -> str:
    return status_text(status_word(value or ""))


COLUMNS = (
    Column("Mark", "mark", 4),
    Column("Id", "id", 8),
    Column("Status", "status", 9, show=_status, tone=lambda row: status_tone(row.get("status"))),
    Column("Group", "group", 16, grows=True),
    Column("Trial", "trial", 5, align="right", priority=1),
    Column("Counts as", "repetition", 9, align="right", priority=4),
    Column("Epoch", progress, 7, show=str, align="right", priority=2),
    Column("Acc", metric("acc"), 7, show=percent, align="right", priority=2),
    Column("Teacher", "teacher", 8, priority=3),
    Column("Name", "name", 34, priority=5),
)


def rows_of(comparison: Comparison) -> list[Row]:
    """Return a row for each run: its run.json with its mark, its group, and the repetition as which it counts."""
    return [
        {**member.run, "mark": member.mark, "group": group.label, "repetition": member.repetition}
        for group in comparison.by_group.groups
        for member in group.members
    ]
