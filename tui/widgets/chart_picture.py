"""What a chart looks like: a heading over a drawing; and which cells differ from an earlier picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from bkd.chart import Frame, Series, Span, draw
from bkd.chart_frame import MARK, Run
from bkd.text import cell_width
from tui.widgets.chart_heading import Heading, Piece, nearest_x, value_text
from tui.widgets.chart_window import Window


@dataclass(frozen=True)
class View:
    """How curves are shown.

    Attributes:
        title: name of the values, with their unit.
        x_name: what x counts.
        log_y: logarithmic y axis.
        smoothing: weight of the past in the moving average.
        window: part of the x axis.
        crosshair: the x whose values are read; None for the last ones.
    """

    title: str
    x_name: str
    log_y: bool
    smoothing: float
    window: Window
    crosshair: float | None

    def heading(self, series: Sequence[Series]) -> Heading:
        """Return what the line over the drawing says."""
        settings = {"log": self.log_y, f"smooth {self.smoothing:g}": self.smoothing, "zoom": self.window.chosen}
        return Heading(
            self.title,
            [one.name for one in series],
            [value_text(one, self.smoothing, self.crosshair) for one in series],
            [word for word, is_on in settings.items() if is_on],
            "" if self.crosshair is None else f"{self.x_name} {nearest_x(series, self.crosshair):,.6g}",
        )


@dataclass(frozen=True, eq=False)
class Picture:
    """A heading and a drawing of the same width."""

    width: int
    heading: list[Piece]
    frame: Frame

    @property
    def size(self) -> tuple[int, int]:
        """Cells across and lines."""
        return self.width, self.frame.height + 1

    def line(self, y: int) -> list[Piece]:
        """Return a line as pieces of one colour; line 0 is the heading, lines below the drawing are blank."""
        if y == 0:
            return self.heading
        if y > self.frame.height:
            return [Piece(" " * self.width, "text")]
        return [Piece(run.text, _tone(run)) for run in self.frame.row(y - 1)]

    def changes(self, before: Picture | None) -> list[Span]:
        """Return the cells that look different from another picture's."""
        if before is None or before.size != self.size:
            return [Span(y, 0, self.width) for y in range(self.frame.height + 1)]
        drawing = [Span(row + 1, start, stop) for row, start, stop in self.frame.changes(before.frame)]
        return [*_changed_pieces(before.heading, self.heading), *drawing]


def take(series: Sequence[Series], view: View, width: int, height: int) -> Picture:
    """Draw curves as a picture of `width` x `height` cells, at least 1 x 2."""
    width = max(width, 1)
    frame = draw(
        series,
        width=width,
        height=max(height - 1, 1),
        x_range=view.window.chosen,
        log_y=view.log_y,
        smoothing=view.smoothing,
    )
    if view.crosshair is not None and frame.plot.left <= (column := frame.plot.column_of(view.crosshair)) < width:
        frame = frame.marked(column)
    return Picture(width, view.heading(series).pieces(width), frame)


def with_old_values(picture: Picture, before: Picture | None) -> Picture:
    """Return a picture whose heading still shows the values of an earlier one, where nothing else in it differs."""
    if before is None or _shape(picture.heading) != _shape(before.heading):
        return picture
    return replace(picture, heading=before.heading)


def _tone(run: Run) -> str:
    """Return the component class, without prefix, of a run."""
    if run.series is None:
        return "mark" if run.paint == MARK else "axis"
    return f"series-{run.series % 4 + 1}{'-faint' if run.is_faint else ''}"


def _changed_pieces(before: Sequence[Piece], after: Sequence[Piece]) -> list[Span]:
    """Return the span from the first to the last piece that differ; the whole line when pieces have moved."""
    ends = list(accumulate(cell_width(piece.text) for piece in after))
    if _shape(before) != _shape(after):
        return [Span(0, 0, ends[-1])]
    changed = [i for i, (old, new) in enumerate(zip(before, after, strict=True)) if old != new]
    if not changed:
        return []
    return [Span(0, ends[changed[0]] - cell_width(after[changed[0]].text), ends[changed[-1]])]


def _shape(pieces: Sequence[Piece]) -> list[tuple[int, str]]:
    """Return each piece's cells and colour."""
    return [(cell_width(piece.text), piece.tone) for piece in pieces]
