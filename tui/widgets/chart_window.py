"""Which part of the x axis a chart shows: all of it, growing with the data, or a window that the user chose."""

from __future__ import annotations

from dataclasses import dataclass

from bkd.chart_axis import Range

SMALLEST_SHARE = 1e-6
"""Least length of a window, as a share of the whole axis."""


@dataclass(frozen=True)
class Window:
    """Part of an x axis.

    Attributes:
        chosen: its ends; None shows everything.
    """

    chosen: Range | None = None

    def zoomed(self, factor: float, around: float, whole: Range) -> Window:
        """Return the window with its length multiplied by a factor; the point `around` stays where it is on screen."""
        low, high = self.chosen or whole
        length = max((high - low) * factor, (whole[1] - whole[0]) * SMALLEST_SHARE)
        share = (around - low) / (high - low)
        return _inside(around - share * length, length, whole)

    def panned(self, share: float, whole: Range) -> Window:
        """Return the window moved right by a share of its length (left if negative); everything does not move."""
        return self if self.chosen is None else self.shifted(share * (self.chosen[1] - self.chosen[0]), whole)

    def shifted(self, distance: float, whole: Range) -> Window:
        """Return the window moved right by a distance in x (left if negative); everything does not move."""
        if self.chosen is None:
            return self
        low, high = self.chosen
        return _inside(low + distance, high - low, whole)


def _inside(low: float, length: float, whole: Range) -> Window:
    """Return a window pushed inside the whole axis; one as long as that shows everything."""
    if length >= (whole[1] - whole[0]) * (1 - 1e-9):
        return Window()
    low = min(max(low, whole[0]), whole[1] - length)
    return Window((low, low + length))
