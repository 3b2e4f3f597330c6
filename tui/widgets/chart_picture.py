"""What a chart looks like: a heading over a drawing; and which cells differ from an earlier picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from bkd.chart import Frame, Look, Series, Span, draw, pattern_of
from bkd.chart_frame import LEVEL, MARK, NUM_COLOURS, Run
from bkd.chart_raster import PATTERNS, SOLID
from bkd.chart_scene import beyond, set_scene, weights
from bkd.text import cell_width, number
from tui.widgets.chart_heading import Entry, Heading, Piece
from tui.widgets.chart_values import column_span, nearest_x, place, value_text

SIGNS = dict(zip(PATTERNS, ("━", "━ ━", "┅┅┅", "━━┅"), strict=True))
"""How a series' line looks in the legend, by its pattern."""

LEVEL_SIGN, HIDDEN_SIGN, HIDDEN = "╌", "┄", "off"
BEYOND = {0: "", 1: " ↑", -1: " ↓"}
"""Says of a level that it lies above or below what the y axis shows."""
ROWS_PER_HEADING_LINE, MOST_HEADING_LINES = 6, 4


@dataclass(frozen=True)
class View:
    """How curves are shown.

    Attributes:
        title: name of the values, with their unit.
        look: how they are looked at.
        crosshair: the x whose values are read; None for the last ones.
        chosen: name of the legend entry on which keys act; None for none.
        note: what else is to be known of the curves, "sampled"; empty for nothing.
    """

    title: str
    look: Look
    crosshair: float | None = None
    chosen: str | None = None
    note: str = ""

    def heading(self, series: Sequence[Series], width: int) -> Heading:
        """Return what the lines over a drawing of a width say."""
        look = self.look
        settings = {
            self.note: self.note,
            "log": look.log_y,
            f"smooth {look.smoothing:g}": look.smoothing,
            "zoom": look.x_range,
        }
        x = self.crosshair
        if x is not None:
            x = nearest_x(self.shown(series), look.x_axis, x)
        return Heading(
            self.title,
            list(self._entries(series, x, width)),
            [word for word, is_on in settings.items() if is_on],
            "" if x is None else place(look.x_axis, x),
        )

    def shown(self, series: Sequence[Series]) -> list[Series]:
        """Return the series that are not hidden."""
        return [one for one in series if one.name not in self.look.hidden]

    def _entries(self, series: Sequence[Series], x: float | None, width: int) -> Iterator[Entry]:
        """Yield the legend's entries, with the values at x."""
        look, reach = self.look, 0.0 if x is None else column_span(series, self.look, width)
        for index, (one, weight) in enumerate(zip(series, weights(series, look), strict=True)):
            if one.name in look.hidden:
                yield Entry(one.name, HIDDEN, HIDDEN_SIGN, "text", one.name == self.chosen)
            else:
                sign = SIGNS[pattern_of(index, look.is_monochrome)]
                if look.is_monochrome and sign == SIGNS[SOLID]:
                    sign *= 3
                value, tone = value_text(one, look.x_axis, weight, x, reach), f"series-{index % NUM_COLOURS + 1}"
                yield Entry(one.name, value, sign, tone, one.name == self.chosen)
        y_range = set_scene(series, look).y_range if look.levels else (0.0, 0.0)
        for level in look.levels:
            if level.name in look.hidden:
                yield Entry(level.name, HIDDEN, HIDDEN_SIGN, "text", level.name == self.chosen)
            else:
                value = f"{number(float(level.value))}{BEYOND[beyond(level.value, y_range)]}"
                yield Entry(level.name, value, LEVEL_SIGN, "level", level.name == self.chosen)


@dataclass(frozen=True, eq=False)
class Picture:
    """A heading and a drawing of the same width."""

    width: int
    heading: list[list[Piece]]
    frame: Frame

    @property
    def size(self) -> tuple[int, int]:
        """Cells across and lines."""
        return self.width, self.top + self.frame.height

    @property
    def top(self) -> int:
        """Lines of the heading, above the drawing."""
        return len(self.heading)

    def line(self, y: int) -> list[Piece]:
        """Return a line as pieces of one colour; lines below the drawing are blank."""
        if y < self.top:
            return self.heading[y]
        if y >= self.size[1]:
            return [Piece(" " * self.width, "text")]
        return [Piece(run.text, tone_of(run)) for run in self.frame.row(y - self.top)]

    def entry_at(self, x: int, y: int) -> str | None:
        """Return the name of the legend entry in a cell, None where there is none."""
        right = 0
        for piece in self.heading[y] if 0 <= y < self.top else ():
            right += cell_width(piece.text)
            if x < right:
                return piece.entry
        return None

    def changes(self, before: Picture | None) -> list[Span]:
        """Return the cells that look different from another picture's."""
        if before is None or (before.size, before.top) != (self.size, self.top):
            return [Span(y, 0, self.width) for y in range(self.size[1])]
        lines = zip(before.heading, self.heading, strict=True)
        heading = [Span(y, *ends) for y, (old, new) in enumerate(lines) for ends in _changed(old, new)]
        drawing = [Span(row + self.top, start, stop) for row, start, stop in self.frame.changes(before.frame)]
        return [*heading, *drawing]


def take(series: Sequence[Series], view: View, width: int, height: int) -> Picture:
    """Draw curves as a picture of `width` x `height` cells, at least 1 x 2."""
    width, height = max(width, 1), max(height, 2)
    most = min(max(height // ROWS_PER_HEADING_LINE, 1), MOST_HEADING_LINES)
    heading = view.heading(series, width).lines(width, most)
    frame = draw(series, width=width, height=height - len(heading), look=view.look)
    if view.crosshair is not None and frame.plot.left <= (column := frame.plot.column_of(view.crosshair)) < width:
        frame = frame.marked(column)
    return Picture(width, heading, frame)


def with_old_values(picture: Picture, before: Picture | None) -> Picture:
    """Return a picture whose heading still shows the values of an earlier one, where nothing else in it differs."""
    if before is None or list(map(_shape, picture.heading)) != list(map(_shape, before.heading)):
        return picture
    return replace(picture, heading=before.heading)


def tone_of(run: Run) -> str:
    """Return the component class, without prefix, of a run."""
    if run.series is None:
        return {MARK: "mark", LEVEL: "level"}.get(run.paint, "axis")
    return f"series-{run.series % NUM_COLOURS + 1}{'-faint' if run.is_faint else ''}"


def _changed(before: Sequence[Piece], after: Sequence[Piece]) -> list[tuple[int, int]]:
    """Return the columns from the first to the last piece that differ; the whole line when pieces have moved."""
    ends = list(accumulate(cell_width(piece.text) for piece in after))
    if _shape(before) != _shape(after):
        return [(0, ends[-1])]
    changed = [i for i, (old, new) in enumerate(zip(before, after, strict=True)) if old != new]
    if not changed:
        return []
    return [(ends[changed[0]] - cell_width(after[changed[0]].text), ends[changed[-1]])]


def _shape(pieces: Sequence[Piece]) -> list[tuple[int, str]]:
    """Return each piece's cells and colour."""
    return [(cell_width(piece.text), piece.tone) for piece in pieces]
