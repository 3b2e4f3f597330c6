"""A reliability diagram that a person can read bin by bin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.segment import Segment
from textual import events
from textual.binding import Binding, BindingType
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from bkd.chart_frame import NUM_COLOURS, Frame
from bkd.chart_raster import PATTERNS
from bkd.chart_reliability import Bin, Reliability, draw_reliability
from bkd.text import count, percent
from tui.widgets.chart_heading import Entry, Heading, Piece
from tui.widgets.chart_picture import SIGNS, tone_of

TITLE, MEANING, LONG_TITLE_COLUMNS = "Reliability", ": accuracy over confidence, %", 80
ROWS_PER_HEADING_LINE = 6


class ReliabilityView(Widget, can_focus=True):
    """Accuracy against confidence of one or several runs, with the number of images in each bin."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "step(-1)", "Bin with less confidence", show=False),
        Binding("right", "step(1)", "Bin with more confidence", show=False),
        Binding("c", "crosshair", "Read a bin"),
        Binding("escape", "put_away", "No bin", show=False),
    ]
    DEFAULT_CSS = """
    ReliabilityView {
        & > .reliability-view--title { color: $foreground; text-style: bold; }
        &:focus > .reliability-view--title { color: $accent; text-style: bold; }
        & > .reliability-view--text { color: $muted; }
        & > .reliability-view--axis { color: $chart-axis; }
        & > .reliability-view--level { color: $muted; }
        & > .reliability-view--mark { color: $accent; }
        & > .reliability-view--series-1 { color: $series-1; }
        & > .reliability-view--series-2 { color: $series-2; }
        & > .reliability-view--series-3 { color: $series-3; }
        & > .reliability-view--series-4 { color: $series-4; }
        & > .reliability-view--series-1-faint { color: $series-1-faint; }
    }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "reliability-view--title",
        "reliability-view--text",
        "reliability-view--axis",
        "reliability-view--level",
        "reliability-view--mark",
        *(f"reliability-view--series-{n}" for n in (1, 2, 3, 4)),
        "reliability-view--series-1-faint",
    }

    tables: reactive[Sequence[Reliability]] = reactive(())
    """What is drawn, an earlier one on top."""
    split: reactive[str] = reactive("")
    """Which images the tables are of; empty where that is plain."""
    chosen: reactive[tuple[float, float] | None] = reactive(None)
    """The ends of the bin whose figures are read; None for the figures of all images."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._lines: list[list[Piece]] = []
        self._drawn: object = None  # what the lines were made from

    def render_line(self, y: int) -> Strip:
        """Return a line: of the heading, or a row of the diagram."""
        made_from = (self.content_size, self.tables, self.chosen, self.split)
        if made_from != self._drawn:
            self._lines, self._drawn = self._draw(), made_from
        pieces = self._lines[y] if y < len(self._lines) else []
        cells = [Segment(p.text, self.get_component_rich_style(f"reliability-view--{p.tone}")) for p in pieces]
        return Strip(cells).adjust_cell_length(self.content_size.width)

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Read the bin under the pointer."""
        column, plot = int(event.screen_x) - self.content_region.x, self._draw_frame().plot
        if plot.left <= column < plot.left + plot.width:
            confidence = plot.x_at(column) / 100
            self.chosen = min(self.bins, key=lambda ends: _distance(ends, confidence), default=None)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave Escape to the screen while no bin is read."""
        return action != "put_away" or self.chosen is not None

    def action_step(self, steps: int) -> None:
        """Read the next bin that holds images; the first time the one with the most confidence, or the least."""
        bins = self.bins
        if self.chosen in bins:
            self.chosen = bins[min(max(bins.index(self.chosen) + steps, 0), len(bins) - 1)]
        elif bins:
            self.chosen = bins[0 if steps > 0 else -1]

    def action_crosshair(self) -> None:
        """Read the bin with the most confidence, or the figures of all images again."""
        self.chosen = self.bins[-1] if self.bins and self.chosen is None else None

    def action_put_away(self) -> None:
        """Show the figures of all images again."""
        self.chosen = None

    @property
    def bins(self) -> list[tuple[float, float]]:
        """The ends of the bins that hold images in any table, from the least to the most confident."""
        return sorted({(part.low, part.high) for table in self.tables for part in table.bins})

    def _draw(self) -> list[list[Piece]]:
        """Return all lines."""
        frame = self._draw_frame()
        return [*self._heading(), *([Piece(run.text, tone_of(run)) for run in row] for row in frame.rows())]

    def _draw_frame(self) -> Frame:
        """Draw the diagram below the heading."""
        width, height = self.content_size
        chosen = None if self.chosen is None else sum(self.chosen) / 2
        rows = max(height - len(self._heading()), 1)
        return draw_reliability(self.tables, width=width, height=rows, chosen=chosen, is_monochrome=self.app.no_color)

    def _heading(self) -> list[list[Piece]]:
        """Return the title and the legend with the figures."""
        at = ""
        if self.chosen is not None:
            at = f"confidence {100 * self.chosen[0]:.0f} to {100 * self.chosen[1]:.0f}%"
        width, height = self.content_size
        title = f"{TITLE}, {self.split}" if self.split else TITLE
        title += MEANING if width >= LONG_TITLE_COLUMNS and not at else ""
        heading = Heading(title, [self._entry(i, table) for i, table in enumerate(self.tables)], [], at)
        return heading.lines(max(width, 1), max(height // ROWS_PER_HEADING_LINE, 1))

    def _entry(self, index: int, table: Reliability) -> Entry:
        value = f"ECE {percent(table.ece)}"
        if self.chosen is not None:
            value = _read(next((part for part in table.bins if (part.low, part.high) == self.chosen), None))
        pattern = PATTERNS[index % len(PATTERNS)] if self.app.no_color else PATTERNS[0]
        return Entry(table.name, value, SIGNS[pattern], f"series-{index % NUM_COLOURS + 1}")


def _read(part: Bin | None) -> str:
    """Return a bin's figures in words."""
    if part is None:
        return "no images"
    return f"{percent(part.accuracy, 1)} right at {percent(part.confidence, 1)}, {count(part.images, 'image')}"


def _distance(ends: tuple[float, float], confidence: float) -> float:
    """Return how far a confidence lies from a bin, 0 inside."""
    return max(ends[0] - confidence, confidence - ends[1], 0.0)
