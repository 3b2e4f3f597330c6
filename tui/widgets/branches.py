"""A tree of runs as lines: which runs are in view, in which order, and the guides before their names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from bkd.family import below
from tui.widgets.columns import Row

OPEN, FOLDED = "▾", "▸"
LEVEL_CELLS = 2

Parents = Mapping[str, str | None]


class Branch(NamedTuple):
    """A run in the tree.

    Attributes:
        row: The run.
        guides: What stands before its name; its fold sign, if it has one, is the last but one character.
        below: How many runs hang under it, at any depth.
        is_folded: Whether they are out of view.
    """

    row: Row
    guides: str
    below: int
    is_folded: bool


def branches(rows: Sequence[Row], parents: Parents, is_folded: Callable[[str], bool]) -> list[Branch]:
    """Return the runs in view from top to bottom; siblings keep the order of the rows.

    Args:
        rows: The runs; a run whose parent is not among them is left out.
        parents: What each run hangs under.
        is_folded: Whether what hangs under a run is out of view.
    """
    heirs = below(rows, parents)
    counts = _counts(rows, parents)
    lines: list[Branch] = []
    waiting = [(row, "", "", "") for row in reversed(heirs.get(None, ()))]
    while waiting:
        row, before, joint, after = waiting.pop()
        run_id = row["id"]
        mine = heirs.get(run_id)
        folded = mine is not None and is_folded(run_id)
        sign = (FOLDED if folded else OPEN) if mine else ("─" if joint else " ")
        lines.append(Branch(row, f"{before}{joint}{sign} ", counts.get(run_id, 0), folded))
        if mine and not folded:
            inner = before + after
            waiting.append((mine[-1], inner, "└─", "  "))
            waiting.extend((heir, inner, "├─", "│ ") for heir in reversed(mine[:-1]))
    return lines


def _counts(rows: Sequence[Row], parents: Parents) -> dict[str, int]:
    """Return how many of the rows hang under each run."""
    counts: dict[str, int] = {}
    for row in rows:
        at = parents.get(row["id"])
        while at is not None:
            counts[at] = counts.get(at, 0) + 1
            at = parents.get(at)
    return counts
