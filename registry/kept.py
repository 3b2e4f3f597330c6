"""The rows of a registry that is read again and again: parsed once, and then only where the file has changed."""

from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import NamedTuple

from registry.lines import Entry, RowLines, entries_of
from registry.rows import TABLES, Row
from registry.storage import AtomicStorage, Mark, parse, sound


class Sorted(NamedTuple):
    """Rows, the oldest first: all of them, and those of each table."""

    everything: Sequence[Row]
    of_table: Mapping[str, Sequence[Row]]


class KeptRows:
    """The rows as the file has them; what did not change stays the same object, so that a comparison costs nothing.

    Args:
        storage: The file.
    """

    def __init__(self, storage: AtomicStorage) -> None:
        self._storage = storage
        self._lines = RowLines()
        self._first: tuple[bytes, Mapping[str, Sequence[Entry]]] | None = None  # what `_lines` has not seen yet
        self._kept: tuple[Mark | None, Sorted] | None = None

    def rows(self) -> Sorted:
        """Return the rows as they are now.

        Raises:
            RegistryDamaged: The file is not a registry.
            RegistryError: The file cannot be read.
        """
        kept = self._kept  # once: another thread may be here too
        mark, data = self._storage.read_marked(kept[0] if kept else None)
        if data is None and kept is not None and mark == kept[0]:
            return kept[1]
        found = sort(self._entries(data) if data is not None else {})
        self._kept = mark, found
        return found

    def _entries(self, data: bytes) -> Mapping[str, Sequence[Entry]]:
        if self._kept is None:  # most processes read once: parsed whole, which takes least
            found: Mapping[str, Sequence[Entry]] = self._parsed(data)
            self._first = data, found
            return found
        first, self._first = self._first, None
        if first is not None:
            self._lines.learn(*first)
        return self._lines.read(data) or self._parsed(data)

    def _parsed(self, data: bytes) -> Mapping[str, Sequence[Entry]]:
        return entries_of(sound(parse(data, self._storage.path), self._storage.path))


def sort(entries: Mapping[str, Sequence[Entry]]) -> Sorted:
    """Return the rows of the registry's tables, the oldest first."""
    age = attrgetter("age")
    by_table = {name: sorted(entries.get(name, ()), key=age) for name in TABLES.values()}
    everything = sorted((entry for table in by_table.values() for entry in table), key=age)
    return Sorted(
        [entry.row for entry in everything],
        {name: [entry.row for entry in table] for name, table in by_table.items()},
    )
