"""The names of a comparison's views."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.message import Message

from tui.widgets.line import Line


class CompareTabs(Horizontal):
    """One name a view, with its key; a click asks for it."""

    class PaneChosen(Message):
        """A view is wanted."""

        def __init__(self, pane: str) -> None:
            super().__init__()
            self.pane = pane

    def __init__(self, panes: Sequence[tuple[str, str]]) -> None:
        """Create the names.

        Args:
            panes: Id and title of each view.
        """
        super().__init__()
        self._panes = panes

    def compose(self) -> ComposeResult:
        """Lay out the names."""
        for number, (pane, title) in enumerate(self._panes, start=1):
            yield CompareTab(pane, f" {number} {title} ")

    def show(self, pane: str) -> None:
        """Mark the name of the view that is shown."""
        for tab in self.query(CompareTab):
            tab.set_class(tab.pane == pane, "-active")


class CompareTab(Line):
    """The name of one view."""

    def __init__(self, pane: str, text: str) -> None:
        super().__init__(text)
        self.pane = pane

    def on_click(self) -> None:
        """Ask for the view."""
        self.post_message(CompareTabs.PaneChosen(self.pane))
