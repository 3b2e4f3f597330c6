"""The keys of the screen beneath, on one page."""

from __future__ import annotations

from typing import ClassVar

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen, Screen
from textual.widgets import Static

from bkd.text import cell_width
from tui.keys import key_groups
from tui.widgets.line import Line

MOST_KEY_CELLS = 26
GOES_ON = "What is launched here runs on its own: quitting, or losing the terminal, stops nothing."


class HelpScreen(ModalScreen[None]):
    """Lists every key that works on a screen; any of Escape, ?, F1 and q closes it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,f1,q", "dismiss", "Close"),
        Binding("down,j", "scroll(1)", "Down", show=False),
        Binding("up,k", "scroll(-1)", "Up", show=False),
        Binding("pagedown,ctrl+f,space", "scroll_pages(1.0)", "Page down", show=False),
        Binding("pageup,ctrl+b", "scroll_pages(-1.0)", "Page up", show=False),
        Binding("ctrl+d", "scroll_pages(0.5)", "Half a page down", show=False),
        Binding("ctrl+u", "scroll_pages(-0.5)", "Half a page up", show=False),
        Binding("home,g", "scroll(-9999)", "First", show=False),
        Binding("end,G", "scroll(9999)", "Last", show=False),
    ]

    def __init__(self, screen: Screen[object]) -> None:
        super().__init__()
        self._table = help_table(screen)

    def compose(self) -> ComposeResult:
        """Lay out the list."""
        with VerticalScroll(classes="dialog -page"):
            yield Static(self._table)
            yield Line(GOES_ON, classes="hint")

    def action_scroll(self, lines: int) -> None:
        """Scroll by lines."""
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)

    def action_scroll_pages(self, pages: float) -> None:
        """Scroll by a share of the page."""
        page = self.query_one(VerticalScroll)
        page.scroll_relative(y=round(pages * page.size.height), animate=False)


def help_table(screen: Screen[object]) -> Table:
    """Return the list of a screen's keys."""
    groups = key_groups(screen)
    cells = max(cell_width(keys) for group in groups for keys, _ in group.keys)
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(width=min(cells, MOST_KEY_CELLS))
    table.add_column(ratio=1)
    for number, group in enumerate(groups):
        if number:
            table.add_row()
        table.add_row(Text().append(group.title, "bold underline"))
        for keys, meaning in group.keys:
            table.add_row(Text(keys, "bold"), Text(meaning))
    table.add_row()
    return table
