"""A tree of runs as lines: which runs are in view, in which order, and the guides before their names."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import compress

from bkd.family import below
from tui.widgets.columns import Row

OPEN, FOLDED = "▾", "▸"
LEVEL_CELLS = 2

Parents = Mapping[str, str | None]


@dataclass(frozen=True)
class Forest:
    """Runs in the order of a tree of which nothing is folded: after each come all that hang under it.

    Lists of rows and of numbers, not of records: ten thousand of those would be one more thing to search for garbage.

    Attributes:
        rows: The runs.
        ids: Their ids.
        parents: The place of what each hangs under, -1 for nothing.
        ends: The place after the last run that hangs under each.
    """

    rows: Sequence[Row]
    ids: Sequence[str]
    parents: Sequence[int]
    ends: Sequence[int]

    def with_rows(self, changed: Mapping[str, Row]) -> Forest:
        """Return it with newer rows, given by id, in place of those of the same runs."""
        return replace(self, rows=[changed.get(run_id, row) for run_id, row in zip(self.ids, self.rows, strict=True)])

    def with_ancestors(self, found: Collection[str]) -> list[int]:
        """Return the places of runs, given by id, and of all that they hang under."""
        marks = bytearray(map(found.__contains__, self.ids))
        parents = self.parents
        for place in compress(range(len(marks)), bytes(marks)):
            at = parents[place]
            while at >= 0 and not marks[at]:
                marks[at] = 1
                at = parents[at]
        return list(compress(range(len(marks)), marks))


def forest(rows: Sequence[Row], parents: Parents) -> Forest:
    """Return the order of a tree; siblings keep the order of the rows.

    Args:
        rows: The runs; a run whose parent is not among them is left out.
        parents: What each run hangs under.
    """
    heirs = below(rows, parents)
    ordered: list[Row] = []
    above: list[int] = []
    ends: list[int] = []
    levels: list[tuple[Iterator[Row], int]] = [(iter(heirs.get(None, ())), -1)]  # the siblings left, and their parent
    while levels:
        siblings, parent = levels[-1]
        for row in siblings:
            ordered.append(row)
            above.append(parent)
            ends.append(len(ordered))
            if mine := heirs.get(row["id"]):
                levels.append((iter(mine), len(ordered) - 1))
                break
        else:
            levels.pop()
            if parent >= 0:
                ends[parent] = len(ordered)
    return Forest(ordered, [row["id"] for row in ordered], above, ends)


class Outline:
    """The runs of a tree in view from top to bottom; what stands before a name is put together when it is painted.

    Args:
        tree: All runs.
        found: Ids of those to be shown, with what they hang under; None for all.
        is_folded: Whether what hangs under a run is out of view.
    """

    def __init__(self, tree: Forest, found: Collection[str] | None, is_folded: Callable[[str], bool]) -> None:
        self._tree = tree
        self._kept = range(len(tree.rows)) if found is None else tree.with_ancestors(found)  # also under a fold
        self._is_folded = is_folded
        self._places = self._unfolded()
        self.rows: Sequence[Row] = list(map(tree.rows.__getitem__, self._places))

    def _unfolded(self) -> list[int]:
        ids, ends, is_folded = self._tree.ids, self._tree.ends, self._is_folded
        places: list[int] = []
        next_in_view = 0
        for place in self._kept:
            if place >= next_in_view:
                places.append(place)
                if ends[place] > place + 1 and is_folded(ids[place]):
                    next_in_view = ends[place]
        return places

    def swap(self, tree: Forest) -> None:
        """Show newer rows of the same runs."""
        self._tree = tree
        self.rows = list(map(tree.rows.__getitem__, self._places))

    def has_heirs(self, index: int) -> bool:
        """Whether other runs hang under the one in a line."""
        return self.num_below(index) > 0

    def is_folded(self, index: int) -> bool:
        """Whether what hangs under the run in a line is out of view."""
        return self.has_heirs(index) and self._is_folded(self._tree.ids[self._places[index]])

    @property
    def is_any_open(self) -> bool:
        """Whether any run in view has others in view under it."""
        lines = range(len(self._places))
        return any(self.has_heirs(index) and not self.is_folded(index) for index in lines)

    def num_below(self, index: int) -> int:
        """Return how many runs hang under the one in a line, at any depth."""
        place = self._places[index]
        return bisect_left(self._kept, self._tree.ends[place]) - bisect_right(self._kept, place)

    def guides(self, index: int) -> str:
        """Return what stands before a name; the last but one character is the fold sign, if there is one."""
        parents, place = self._tree.parents, self._places[index]
        is_root = parents[place] < 0
        none = " " if is_root else "─"
        sign = (FOLDED if self.is_folded(index) else OPEN) if self.has_heirs(index) else none
        if is_root:
            return f"{sign} "
        levels = ["└─" if self._is_last(place) else "├─"]
        at = parents[place]
        while parents[at] >= 0:
            levels.append("  " if self._is_last(at) else "│ ")
            at = parents[at]
        return f"{''.join(reversed(levels))}{sign} "

    def _is_last(self, place: int) -> bool:
        """Whether a run is the last of those that hang under the same one."""
        ends, kept = self._tree.ends, self._kept
        sibling = bisect_left(kept, ends[place])
        return sibling == len(kept) or kept[sibling] >= ends[self._tree.parents[place]]
