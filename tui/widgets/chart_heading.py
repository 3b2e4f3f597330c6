"""The line over a chart: its title, the legend with values, and the settings that are on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bkd.chart import Series
from bkd.chart_smoothing import ema
from bkd.text import cell_width, clean, fit, number

KEY = "━"
"""A series' sign in the legend, in its colour."""

VALUE_CELLS = 7
"""A value takes at least these, so that what stands behind it stays where it is while the value changes."""

NEGLIGIBLE = 1e-9
"""Weight in the moving average below which an older value does not change what is read."""


class Piece(NamedTuple):
    """Text and the component class, without prefix, that colours it."""

    text: str
    tone: str


@dataclass(frozen=True)
class Heading:
    """What the line says.

    Attributes:
        title: the chart's name with its unit.
        names: of the series.
        values: of the series, as text.
        settings: words for what differs from the plain view, "log" or "zoom".
        at: where the values are from, "step 1240"; empty for the last ones.
    """

    title: str
    names: Sequence[str]
    values: Sequence[str]
    settings: Sequence[str]
    at: str = ""

    def pieces(self, width: int) -> list[Piece]:
        """Return the line in exactly `width` cells; where room is short settings go first, then values, then names."""
        legend = list(zip(self.names, self.values, strict=True))
        for settings, with_values in ((self.settings, True), ((), True), ((), False)):
            line = self._line(legend if with_values else [(name, "") for name in self.names], settings)
            if (spare := width - sum(cell_width(piece.text) for piece in line)) >= 0:
                return [*line, Piece(" " * spare, "text")]
        return _cut(self._line([("", value) for value in self.values] if self.at else legend, ()), width)

    def _line(self, legend: Sequence[tuple[str, str]], settings: Sequence[str]) -> list[Piece]:
        """Return the pieces at their full widths."""
        line = [Piece(clean(self.title), "title")]
        if self.at:
            line.append(Piece(f"  {self.at}", "mark"))
        for index, (name, value) in enumerate(legend):
            line.append(Piece(f"  {KEY}", f"series-{index % 4 + 1}"))
            words = (clean(name), f"{value:<{VALUE_CELLS}}" if value else "")
            line.append(Piece("".join(f" {word}" for word in words if word), "text"))
        if settings:
            line.append(Piece("  " + " ".join(settings), "text"))
        return line


def value_text(series: Series, smoothing: float, x: float | None) -> str:
    """Return a series' value at the point nearest to x, or its last one, smoothed as it is drawn."""
    ys = np.asarray(series.y, dtype=np.float64)
    if ys.size == 0:
        return "-"
    at = ys.size - 1 if x is None else _nearest(np.asarray(series.x, dtype=np.float64), x)
    reach = int(math.log(NEGLIGIBLE) / math.log(smoothing)) if smoothing else 0
    return number(float(ema(ys[max(0, at - reach) : at + 1], smoothing)[-1]))


def nearest_x(series: Sequence[Series], x: float) -> float:
    """Return where the point nearest to x lies, of any series; x itself where there is none."""
    places = [np.asarray(one.x, dtype=np.float64) for one in series]
    points = [float(place[_nearest(place, x)]) for place in places if place.size]
    return min((point for point in points if not math.isnan(point)), key=lambda point: abs(point - x), default=x)


def _nearest(places: NDArray[np.float64], x: float) -> int:
    """Return the index of the place nearest to x."""
    distance = np.abs(places - x)
    return int(np.argmin(np.where(np.isnan(distance), np.inf, distance)))


def _cut(line: Sequence[Piece], width: int) -> list[Piece]:
    """Cut a line at a width; an ellipsis tells that it goes on."""
    kept: list[Piece] = []
    for text, tone in line:
        room = width - sum(cell_width(piece.text) for piece in kept)
        if cell_width(text) >= room:
            return [*kept, Piece(fit(text + " …", room), tone)]
        kept.append(Piece(text, tone))
    return kept
