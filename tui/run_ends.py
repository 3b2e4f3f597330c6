"""Which runs have ended between two looks at all of them."""

from __future__ import annotations

from collections.abc import Sequence

from tui.messages import Row
from tui.widgets.status import is_going_on


def runs_ended(before: Sequence[Row], after: Sequence[Row]) -> list[Row]:
    """Return the rows, as they are now, of the runs that were going on and have ended."""
    going_on = {row["id"] for row in before if is_going_on(row.get("status"))}
    return [row for row in after if row["id"] in going_on and not is_going_on(row.get("status"))] if going_on else []
