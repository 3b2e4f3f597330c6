"""Which mark stands for which run: a sign in the colour of its curve, a letter, what it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from rich.text import Text
from textual.widget import Widget

from bkd.text import cell_width, count

GAP = 3
MORE_CELLS = 16
"""What "and 12 more: 4" takes."""

ROWS_PER_LINE, MOST_LINES = 12, 6


class Mark(NamedTuple):
    """A mark, what it stands for, and its curve's sign and component class, without prefix."""

    mark: str
    label: str
    sign: str
    tone: str


class CompareMarks(Widget):
    """Marks in a few lines; the last of them says how many more there are, if there are."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "compare-marks--text",
        "compare-marks--muted",
        *(f"compare-marks--series-{n}" for n in (1, 2, 3, 4)),
    }

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._marks: Sequence[Mark] = ()

    def render(self) -> Text:
        """Return the lines."""
        lines = laid_out([_cells(mark) for mark in self._marks], self.size.width, self.size.height)
        text, at = Text(no_wrap=True, overflow="ellipsis"), 0
        for number, taken in enumerate(lines):
            if number:
                text.append("\n")
            for mark in self._marks[at : at + taken]:
                text.append(f"{mark.sign} {mark.mark}", self._style(mark.tone))
                text.append(f" {mark.label}{' ' * GAP}", self._style("text"))
            at += taken
        if left := len(self._marks) - at:
            text.append(f"and {count(left, 'more', 'more')}: 4", self._style("muted"))
        return text

    def set_marks(self, marks: Sequence[Mark]) -> None:
        """Replace the marks; nothing is painted where they are the same."""
        if tuple(marks) != tuple(self._marks):
            self._marks = marks
            self.refresh()

    def fit_to(self, width: int, height: int) -> None:
        """Take as many lines as all marks need, and as a terminal of a size has room for."""
        most = max(1, min(MOST_LINES, height // ROWS_PER_LINE))
        self.styles.height = len(laid_out([_cells(mark) for mark in self._marks], width - 2, most))

    def _style(self, tone: str) -> str:
        return str(self.get_component_rich_style(f"compare-marks--{tone}"))


def laid_out(widths: Sequence[int], width: int, most_lines: int) -> list[int]:
    """Return how many entries stand in each line, the last of which leaves room to say that there are more."""
    lines, used = [0], 0
    for index, cells in enumerate(widths):
        is_last_line = len(lines) == most_lines
        are_more = is_last_line and used + sum(widths[index:]) > width
        room = width - (MORE_CELLS if are_more else 0)
        if lines[-1] and used + cells > room:
            if is_last_line:
                break
            lines.append(0)
            used = 0
        lines[-1] += 1
        used += cells
    return lines


def _cells(mark: Mark) -> int:
    return cell_width(f"{mark.sign} {mark.mark} {mark.label}") + GAP
