"""What a column of the run table shows, and which columns fit a width."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from bkd.text import Align, number

Row = Mapping[str, Any]
"""One object of `bkd list --json`."""

GAP = 2
"""Cells between two columns."""

MARGIN = 1
"""Cells left and right of a row."""


def shown(value: Any) -> str:
    """Return a cell's text: None as "-", numbers with four digits, lists with commas."""
    if value is None:
        return "-"
    if isinstance(value, int | float) and not isinstance(value, bool):
        return number(value)
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


@dataclass(frozen=True)
class Column:
    """A column of the run table.

    Attributes:
        title: Its heading.
        value: A key of the row, or a function of the row; what the column is sorted by. None sorts last.
        width: Cells.
        show: The value's text.
        align: Side of the texts.
        priority: Which columns a narrow table loses first: the largest number, of equal ones the rightmost. 0 stays.
        grows: Whether it takes the cells that are left over.
        keeps_end: Whether a text that is too long loses its middle instead of its end.
        tone: The row's component class for this cell without its prefix ("running", "muted"), or None.
    """

    title: str
    value: str | Callable[[Row], Any]
    width: int
    show: Callable[[Any], str] = shown
    align: Align = "left"
    priority: int = 0
    grows: bool = False
    keeps_end: bool = False
    tone: Callable[[Row], str | None] | None = None

    def value_of(self, row: Row) -> Any:
        """Return what the column shows and sorts by."""
        return row.get(self.value) if isinstance(self.value, str) else self.value(row)


class Placed(NamedTuple):
    """A column that fits, its first cell and its cells."""

    column: Column
    start: int
    width: int


def place(columns: Sequence[Column], width: int) -> list[Placed]:
    """Choose the columns that fit a width and give each its cells."""
    kept = list(columns)
    while needed(kept) > width and any(column.priority for column in kept):
        kept.remove(max(reversed(kept), key=lambda column: column.priority))
    growing = [column for column in kept if column.grows]
    spare = max(0, width - needed(kept))
    placed, start = [], MARGIN
    for column in kept:
        extra = spare // len(growing) if column in growing else 0
        placed.append(Placed(column, start, column.width + extra))
        start += column.width + extra + GAP
    return placed


def needed(columns: Sequence[Column]) -> int:
    """Return the cells that columns take at their own widths."""
    return sum(column.width + GAP for column in columns) - GAP + 2 * MARGIN


def column_at(placed: Sequence[Placed], x: int) -> Column | None:
    """Return the column that holds a cell."""
    return next((column for column, start, width in placed if start <= x < start + width), None)


def ordered(rows: Sequence[Row], columns: Sequence[Column], title: str | None, descending: bool) -> Sequence[Row]:
    """Return rows ordered by the column of a title; without such a column as they are, or turned round."""
    column = next((column for column in columns if column.title == title), None)
    if column is not None:
        return sort_rows(rows, column, descending)
    return rows[::-1] if descending else rows


def sort_rows(rows: Sequence[Row], column: Column, descending: bool) -> list[Row]:
    """Return rows ordered by a column; equal ones keep their order, missing values come last either way."""
    keys = [_sort_key(column.value_of(row)) for row in rows]
    order = [i for i, key in enumerate(keys) if key is not None]
    order.sort(key=lambda i: keys[i] or (), reverse=descending)
    missing = [i for i, key in enumerate(keys) if key is None]
    return [rows[i] for i in [*order, *missing]]


def _sort_key(value: Any) -> tuple[int, Any] | None:
    """Return something that can be compared with the key of any other value; None for a missing one."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, int | float):
        return 0, value
    return 1, shown(value).casefold()
