"""The exact curves of a long event file, read part by part while a sample of it is on the screen."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bkd.events import EventTail
from tui.history import History
from tui.messages import Row

PART_BYTES = 1 << 19
"""Read at a time: a part keeps the interpreter busy for a few ms, in which nothing else of the app goes on."""


class ExactHistory:
    """Adds up all records of a file up to a place, and those that were read behind it meanwhile.

    Args:
        path: The event file.
        size: Where to end, the end of a whole line; who follows the file goes on from there.
    """

    def __init__(self, path: Path, size: int) -> None:
        self._tail, self._size = EventTail(path), size
        self._later: list[Row] = []
        self.history = History()

    def follow(self, records: Sequence[Row]) -> None:
        """Keep records that stand behind the place, in the file's order."""
        self._later += records

    def read_part(self) -> bool:
        """Read some more; return whether that was all, as it also is where the file was cut or is gone."""
        before = self._tail.offset
        if before < self._size:
            self.history.add(self._tail.read(limit_bytes=min(PART_BYTES, self._size - before)))
        is_going_on = before < self._tail.offset < self._size and not self._tail.is_rewound
        if not is_going_on:
            self.history.add(self._later)
        return not is_going_on
