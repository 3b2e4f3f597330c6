"""What a compiled filter is: tests that can be put to one row, or to thousands of rows column by column."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

Row = Mapping[str, Any]
Getter = Callable[[Row], Any]
Places = Sequence[int]
"""Which of many rows, in ascending order."""


class Columns:
    """Values of many rows side by side: to walk through rows of which each lies elsewhere takes longer than a test.

    Args:
        rows: They do not change from here on.
    """

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows = rows
        self._values: dict[str, Sequence[Any]] = {}

    def of(self, key: str, value_of: Getter | None = None) -> Sequence[Any]:
        """Return a value of each row, taken from the rows once.

        Args:
            key: Of the row, or the name of what `value_of` takes from it.
            value_of: Unset: what the row has under the key.
        """
        if key not in self._values:
            rows = self.rows
            self._values[key] = [row.get(key) for row in rows] if value_of is None else [value_of(row) for row in rows]
        return self._values[key]

    def places(self) -> Places:
        """Return the places of all rows."""
        return range(len(self.rows))


class Predicate(Protocol):
    """A filter."""

    def __call__(self, row: Row) -> bool:
        """Whether a row matches."""

    def among(self, columns: Columns, places: Places) -> Places:
        """Return those of some rows that match."""


class Term:
    """A test of one value of a row.

    Args:
        key: Name of the value; of the same name there is only one `value_of`.
        value_of: Takes the value from a row.
        passes: Whether a value does.
    """

    def __init__(self, key: str, value_of: Getter, passes: Callable[[Any], bool]) -> None:
        self._key, self._value_of, self._passes = key, value_of, passes

    def __call__(self, row: Row) -> bool:
        """Whether a row matches."""
        return self._passes(self._value_of(row))

    def among(self, columns: Columns, places: Places) -> Places:
        """Return those of some rows that match."""
        values, passes = columns.of(self._key, self._value_of), self._passes
        return [place for place in places if passes(values[place])]


class Every:
    """All of some tests; without any, every row matches."""

    def __init__(self, tests: Sequence[Predicate]) -> None:
        self._tests = tests

    def __call__(self, row: Row) -> bool:
        """Whether a row matches."""
        return all(test(row) for test in self._tests)

    def among(self, columns: Columns, places: Places) -> Places:
        """Return those of some rows that match."""
        for test in self._tests:
            places = test.among(columns, places)
        return places


class Either:
    """One of some tests."""

    def __init__(self, tests: Sequence[Predicate]) -> None:
        self._tests = tests

    def __call__(self, row: Row) -> bool:
        """Whether a row matches."""
        return any(test(row) for test in self._tests)

    def among(self, columns: Columns, places: Places) -> Places:
        """Return those of some rows that match."""
        found: set[int] = set()
        for test in self._tests:
            if not places:
                break
            passed = set(test.among(columns, places))
            found |= passed
            places = [place for place in places if place not in passed]
        return sorted(found)
