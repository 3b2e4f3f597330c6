"""Where a text stands in a log, found part by part."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from itertools import chain

from tui.log_file import BLOCK, LogFile

GROUP = 16
"""Blocks that are looked through at a time."""

MOST = 100_000
"""Lines that are noted; a search stops there."""


class LogSearch:
    """Finds the lines that hold a text, those from a place on first, then those before it.

    Attributes:
        needle: The text.
        found: Starts of the lines, ascending.
        is_complete: Whether all of the file was looked through.
    """

    def __init__(self, file: LogFile, needle: str, place: int = 0) -> None:
        self._file, self.needle = file, needle
        self._first = place // BLOCK
        self._seen = 0  # bytes of the file when it was looked through
        self.found: list[int] = []
        self.is_complete = False

    @property
    def is_full(self) -> bool:
        """Whether there are more lines than are noted."""
        return len(self.found) >= MOST

    def scan(self) -> Iterator[None]:
        """Look through the file, or what it has more since; yields after each group of blocks.

        Raises:
            OSError: If the file cannot be read.
        """
        size = self._file.size
        if size < self._seen:
            self.found, self._seen, self.is_complete = [], 0, False
        groups = -(-size // (BLOCK * GROUP))
        if self.is_complete:
            first = max(0, self._seen // BLOCK - 1) // GROUP  # its last line may have grown
            del self.found[bisect_left(self.found, first * GROUP * BLOCK + 1 if first else 0) :]
            order = iter(range(first, groups))
        else:
            first = min(max(0, self._first - 1) // GROUP, max(0, groups - 1))
            order = chain(range(first, groups), range(first - 1, -1, -1))
        for group in order:
            if self.is_full:
                break
            blocks = range(group * GROUP, min((group + 1) * GROUP, -(-size // BLOCK)))
            if self._file.may_hold(blocks, self.needle):
                self._add([start for block in blocks for start in self._file.matching(block, self.needle)])
            yield
        self._seen, self.is_complete = size, True

    def _add(self, starts: list[int]) -> None:
        """Note the starts of a group, which lie before or behind all others."""
        if not self.found or (starts and starts[0] > self.found[-1]):
            self.found += starts
        else:
            self.found[:0] = starts
