"""How a chart is looked at, apart from which part of it: what a remembered layout keeps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SMOOTHINGS = (0.0, 0.6, 0.9, 0.97, 0.99)


@dataclass(frozen=True)
class ChartSettings:
    """Settings of a chart.

    Attributes:
        x_axis: what x counts.
        log_y: whether the y axis is logarithmic.
        smoothing: weight of the past in the moving average, in [0, 1).
        hidden: names of the series and levels that are not shown.
    """

    x_axis: str = "step"
    log_y: bool = False
    smoothing: float = 0.0
    hidden: frozenset[str] = frozenset()

    @property
    def next_smoothing(self) -> float:
        """The next smoothing of the usual ones."""
        return next((one for one in SMOOTHINGS if one > self.smoothing), SMOOTHINGS[0])

    def to_json(self) -> dict[str, Any]:
        """Return the settings as JSON values."""
        return {
            "x_axis": self.x_axis, "log_y": self.log_y, "smoothing": self.smoothing, "hidden": sorted(self.hidden)
        }  # fmt: skip

    @classmethod
    def from_json(cls, held: Mapping[str, Any]) -> ChartSettings:
        """Return settings that were kept; what does not hold any more falls back to its default."""
        x_axis, log_y, smoothing, hidden = (held.get(key) for key in ("x_axis", "log_y", "smoothing", "hidden"))
        is_weight = isinstance(smoothing, int | float) and 0 <= smoothing < 1
        names = hidden if isinstance(hidden, list) else []
        return cls(
            x_axis if isinstance(x_axis, str) and x_axis else cls.x_axis,
            log_y is True,
            float(smoothing) if isinstance(smoothing, int | float) and is_weight else cls.smoothing,
            frozenset(name for name in names if isinstance(name, str)),
        )
