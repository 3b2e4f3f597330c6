"""A tree of runs as lines: which runs are in view, in which order, and the guides before their names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bkd.family import below
from tui.widgets.columns import Row

OPEN, FOLDED = "▾", "▸"
LEVEL_CELLS = 2

Parents = Mapping[str, str | None]


@dataclass(frozen=True)
class Outline:
    """The runs in view from top to bottom.

    Lists of rows and of texts, not of records: ten thousand of those would be one more thing to search for garbage.

    Attributes:
        rows: The runs.
        guides: What stands before the name of each; its last but one character is the fold sign, if there is one.
        heirs: The rows that hang under each run, also out of view.
    """

    rows: Sequence[Row]
    guides: Sequence[str]
    heirs: Mapping[str | None, Sequence[Row]]

    def has_heirs(self, index: int) -> bool:
        """Whether other runs hang under the one in a line."""
        return self.guides[index][-2] in (OPEN, FOLDED)

    def is_folded(self, index: int) -> bool:
        """Whether what hangs under the run in a line is out of view."""
        return self.guides[index][-2] == FOLDED

    def num_below(self, index: int) -> int:
        """Return how many runs hang under the one in a line, at any depth."""
        number, waiting = 0, [self.rows[index]["id"]]
        while waiting:
            heirs = self.heirs.get(waiting.pop(), ())
            number += len(heirs)
            waiting += [row["id"] for row in heirs]
        return number


def outline(rows: Sequence[Row], parents: Parents, is_folded: Callable[[str], bool]) -> Outline:
    """Return the lines of a tree; siblings keep the order of the rows.

    Args:
        rows: The runs; a run whose parent is not among them is left out.
        parents: What each run hangs under.
        is_folded: Whether what hangs under a run is out of view.
    """
    heirs = below(rows, parents)
    shown: list[Row] = []
    guides: list[str] = []
    # One level a depth: the siblings that are left, the last of all of them, and the guides of the levels above.
    levels: list[tuple[Iterator[Row], Row | None, str]] = [(iter(heirs.get(None, ())), None, "")]
    while levels:
        siblings, last, before = levels[-1]
        is_root = len(levels) == 1
        for row in siblings:
            mine = heirs.get(row["id"])
            folded = mine is not None and is_folded(row["id"])
            sign = (FOLDED if folded else OPEN) if mine else (" " if is_root else "─")
            joint = "" if is_root else "└─" if row is last else "├─"
            shown.append(row)
            guides.append(f"{before}{joint}{sign} ")
            if mine and not folded:
                levels.append((iter(mine), mine[-1], "" if is_root else before + ("  " if row is last else "│ ")))
                break
        else:
            levels.pop()
    return Outline(shown, guides, heirs)
