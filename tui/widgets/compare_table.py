"""A table that scrolls both ways, its heading and its labels staying in view."""

from __future__ import annotations

from textwrap import wrap
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from bkd.text import cell_width, fit
from tui.compare_tables import Table, TableRow

GAP = 2
"""Cells between two columns."""

MARGIN = 1
"""Cells left of a row."""

MORE_LEFT, MORE_RIGHT = "‹", "›"
"""Stand in the heading where there are columns beyond."""

TONES = ("head", "title", "heading", "strong", "text", "muted", *(f"series-{n}" for n in (1, 2, 3, 4)))


class CompareTable(ScrollView, can_focus=True):
    """Rows of texts in columns as wide as their widest text; what does not fit is scrolled to."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "scroll_up", "Up", show=False),
        Binding("down,j", "scroll_down", "Down", show=False),
        Binding("left,h", "sideways(-1)", "Column to the left", show=False),
        Binding("right,l", "sideways(1)", "Column to the right", show=False),
        Binding("pageup,ctrl+b", "page_up", "Page up", show=False),
        Binding("pagedown,ctrl+f", "page_down", "Page down", show=False),
        Binding("home,g", "top", "First", show=False),
        Binding("end,G", "bottom", "Last", show=False),
    ]

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"compare-table--{tone}" for tone in TONES}

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._table = Table("", (), (), ())
        self._lines: list[TableRow] = []  # notes wrapped to the width
        self._label_cells = 0
        self._widths: list[int] = []
        self._laid_out_for = -1

    def render_line(self, y: int) -> Strip:
        """Return a line in view: the heading, a row, or blank."""
        self._lay_out()
        if y == 0:
            return self._heading()
        at = self.scroll_offset.y + y - 1
        return self._line(self._lines[at]) if at < len(self._lines) else Strip.blank(self._room, self.rich_style)

    def on_resize(self) -> None:
        """Wrap notes anew."""
        self._lay_out()

    def action_sideways(self, direction: int) -> None:
        """Scroll to the next column or the previous one, of one wider than the view by half of that."""
        starts = [0]
        for width in self._widths:
            starts.append(starts[-1] + width + GAP)
        x, half = self.scroll_offset.x, max(1, (self._room - self._label_cells) // 2)
        beyond = [abs(start - x) for start in starts if (start - x) * direction > 0]
        if beyond:
            step = min(beyond) if min(beyond) <= 2 * half else half
            self.scroll_to(x=x + direction * step, animate=False)

    def action_top(self) -> None:
        """Go to the first row."""
        self.scroll_to(y=0, animate=False)

    def action_bottom(self) -> None:
        """Go to the last row."""
        self.scroll_to(y=self.max_scroll_y, animate=False)

    @property
    def table(self) -> Table:
        """What is shown."""
        return self._table

    def set_table(self, table: Table) -> None:
        """Replace heading and rows; the place in view stays, and nothing is painted where nothing differs."""
        if table != self._table:
            self._table = table
            self._laid_out_for = -1
            self._lay_out()
            self.refresh()

    def _lay_out(self) -> None:
        """Give the columns their widths and wrap the notes."""
        width = self._room
        if self._laid_out_for == width:
            return
        self._laid_out_for = width
        table = self._table
        full = [row for row in table.rows if row.cells]
        labels = max(map(cell_width, [table.title, *(row.label for row in full)]), default=0)
        self._label_cells = min(labels, max(1, width * 2 // 3))
        self._widths = [
            max(map(cell_width, [head, *(row.cells[i] for row in full)])) for i, head in enumerate(table.heads)
        ]
        self._lines = [line for row in table.rows for line in _wrapped(row, max(1, width - 2 * MARGIN))]
        columns = sum(cells + GAP for cells in self._widths)
        self.virtual_size = Size(MARGIN + self._label_cells + columns, len(self._lines) + 1)

    def _heading(self) -> Strip:
        table = self._table
        cells = [(head, self._style(tone)) for head, tone in zip(table.heads, table.tones, strict=True)]
        line, x = self._joined(table.title, self._style("head"), cells), self.scroll_offset.x
        if x < self.max_scroll_x:
            line = Strip([*line.crop(0, self._room - 1), Segment(MORE_RIGHT, self._style("head"))])
        if x > 0:
            at = MARGIN + self._label_cells
            line = Strip([*line.crop(0, at), Segment(MORE_LEFT, self._style("head")), *line.crop(at + 1)])
        return line

    def _line(self, row: TableRow) -> Strip:
        style = self._style(row.tone)
        if not row.cells:
            text = " " * MARGIN + row.label
            return Strip([Segment(fit(text, self._room), style)], self._room)
        label_style = self._style("text") if row.tone == "muted" else style
        return self._joined(row.label, label_style, [(cell, style) for cell in row.cells])

    def _joined(self, label: str, style: Style, cells: list[tuple[str, Style]]) -> Strip:
        """Join a label that stays where it is and the cells that are in view."""
        left = Segment(fit(" " * MARGIN + label, MARGIN + self._label_cells), style)
        padded = zip(cells, self._widths, strict=True)
        segments = [Segment(" " * GAP + fit(text, width), own) for (text, own), width in padded]
        x, room = self.scroll_offset.x, self._room - left.cell_length
        shown = Strip(segments).crop(x, x + room)
        return Strip([left, *shown]).adjust_cell_length(self._room, self.rich_style)

    @property
    def _room(self) -> int:
        """Cells across that no scrollbar covers."""
        return self.scrollable_content_region.width

    def _style(self, tone: str) -> Style:
        """Return the style of a component class."""
        return self.get_component_rich_style(f"compare-table--{tone}")


def _wrapped(row: TableRow, width: int) -> list[TableRow]:
    """Return a row as lines."""
    if not row.is_note:
        return [row]
    return [TableRow(line, (), row.tone) for line in wrap(row.label, width) or [""]]
