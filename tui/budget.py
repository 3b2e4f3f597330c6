"""How much may be painted, so that a slow link keeps up."""

from __future__ import annotations

import time
from collections.abc import Callable


class PaintBudget:
    """Cells that may be painted, refilled as time goes by; one large picture may overdraw it, and the next ones wait.

    Args:
        cells_per_s: How fast it refills.
        most: How much it holds.
        clock: Seconds.
    """

    def __init__(self, cells_per_s: float, most: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._most, self._clock = cells_per_s, most, clock
        self._cells, self._at = most, clock()

    @property
    def has_room(self) -> bool:
        """Whether something may be painted now."""
        now = self._clock()
        self._cells, self._at = min(self._most, self._cells + self._rate * (now - self._at)), now
        return self._cells > 0

    def spend(self, cells: int) -> None:
        """Note what was painted."""
        self._cells -= cells
