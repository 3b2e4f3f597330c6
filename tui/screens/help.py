"""The keys of the screen beneath, on one page."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen, Screen
from textual.widgets import Static

from bkd.text import cell_width
from tui.keys import key_groups

MOST_KEY_CELLS = 22
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
        self._text = help_text(screen)

    def compose(self) -> ComposeResult:
        """Lay out the list."""
        with VerticalScroll(classes="dialog -page"):
            yield Static(self._text, markup=False)

    def action_scroll(self, lines: int) -> None:
        """Scroll by lines."""
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)

    def action_scroll_pages(self, pages: float) -> None:
        """Scroll by a share of the page."""
        page = self.query_one(VerticalScroll)
        page.scroll_relative(y=round(pages * page.size.height), animate=False)


def help_text(screen: Screen[object]) -> Text:
    """Return the list of a screen's keys."""
    groups = key_groups(screen)
    cells = min(MOST_KEY_CELLS, max(cell_width(keys) for group in groups for keys, _ in group.keys))
    text = Text()
    for group in groups:
        text.append(f"{group.title}\n", "bold")
        for keys, meaning in group.keys:
            text.append(f"  {keys:<{cells}}  ", "bold")
            text.append(f"{meaning}\n")
        text.append("\n")
    return text.append(GOES_ON, "dim")
