"""One line that lists the charts of a run by their keys, for when not all of them are in view."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.segment import Segment
from textual import events
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from bkd.text import cell_width


class ChartIndex(Widget):
    """Names of charts behind the digits that show them; a click on one does too."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"chart-index--name", "chart-index--current", "chart-index--hidden"}
    DEFAULT_CSS = """
    ChartIndex {
        dock: bottom; height: 1; display: none;
        &.-shown { display: block; }
        & > .chart-index--name { color: $muted; }
        & > .chart-index--current { color: $accent; text-style: bold; }
        & > .chart-index--hidden { color: $muted; text-style: strike; }
    }
    """

    class ChartChosen(Message):
        """A name was clicked.

        Attributes:
            index: Its place.
        """

        def __init__(self, index: int) -> None:
            super().__init__()
            self.index = index

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__()
        self._texts = [f" {place} {name} " for place, name in enumerate(names, 1)]
        self._current, self._hidden = 0, frozenset[int]()

    def render_line(self, y: int) -> Strip:
        """Return the line."""
        styles = {tone: self.get_component_rich_style(f"chart-index--{tone}") for tone in ("name", "current", "hidden")}
        pieces = [Segment(text, styles[self._tone(index)]) for index, text in enumerate(self._texts)]
        return Strip(pieces).adjust_cell_length(self.size.width, self.rich_style)

    def on_click(self, event: events.Click) -> None:
        """Tell which name was clicked."""
        end = 0
        for index, text in enumerate(self._texts):
            end += cell_width(text)
            if event.x < end:
                self.post_message(self.ChartChosen(index))
                return

    def mark(self, current: int, hidden: frozenset[int]) -> None:
        """Show which chart is the current one, and which are hidden."""
        if (current, hidden) != (self._current, self._hidden):
            self._current, self._hidden = current, hidden
            self.refresh()

    def _tone(self, index: int) -> str:
        return "current" if index == self._current else "hidden" if index in self._hidden else "name"
