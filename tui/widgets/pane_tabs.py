"""The names of a run's panes, in one line over them."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.message import Message

from tui.widgets.line import Line


class PaneTabs(Horizontal):
    """One name a pane; a click asks for it."""

    class PaneChosen(Message):
        """A pane is wanted."""

        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(id="pane-tabs")
        self._names = names

    def compose(self) -> ComposeResult:
        """Lay out the names."""
        for name in self._names:
            yield PaneTab(name)

    def show(self, name: str) -> None:
        """Mark the name of the pane in front."""
        for tab in self.query(PaneTab):
            tab.set_class(tab.pane_name == name, "-active")


class PaneTab(Line):
    """The name of one pane."""

    def __init__(self, name: str) -> None:
        super().__init__(f" {name} ", id=f"tab-{name.lower()}")
        self.pane_name = name

    def on_click(self) -> None:
        """Ask for the pane."""
        self.post_message(PaneTabs.PaneChosen(self.pane_name))
