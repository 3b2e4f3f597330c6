"""The line over a comparison: its views by name and key, what is compared, how old the newest record is."""

from __future__ import annotations

import time
from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.message import Message

from bkd.runfile import UNFINISHED
from bkd.text import ago, cell_width, clean, count
from tui.compare_sides import Comparison
from tui.widgets.line import Line

AGE_CELLS = 11


class CompareTitle(Horizontal):
    """One name a view; a click asks for it."""

    class PaneChosen(Message):
        """A view is wanted."""

        def __init__(self, pane: str) -> None:
            super().__init__()
            self.pane = pane

    def __init__(self, panes: Sequence[tuple[str, str]]) -> None:
        """Create the line.

        Args:
            panes: Id and title of each view.
        """
        super().__init__()
        self._panes = panes
        self._parts: Sequence[str] = ()
        self.newest_s: float | None = None
        """When the newest record of a run that goes on was written, Unix seconds; None if none goes on."""

    def compose(self) -> ComposeResult:
        """Lay out the parts."""
        yield Line(" bkd ", id="brand")
        for number, (pane, title) in enumerate(self._panes, start=1):
            yield CompareTab(pane, f" {number} {title} ")
        yield Line("Reading the runs ...", id="compare-summary")
        yield Line(id="compare-age")

    def on_mount(self) -> None:
        """Keep the age up to date."""
        self.set_interval(1.0, self._say_age)

    def show_pane(self, pane: str) -> None:
        """Mark the name of the view that is shown."""
        for tab in self.query(CompareTab):
            tab.set_class(tab.pane == pane, "-active")

    def say(self, text: str) -> None:
        """Say something in place of what is compared."""
        self._parts = [clean(text)]
        self._say_parts()

    def say_compared(self, comparison: Comparison) -> None:
        """Say how many runs are compared, in how many groups, and how many of them go on."""
        runs, groups = comparison.compared.runs, comparison.by_group.groups
        running = sum(run.get("status") in UNFINISHED for run in runs)
        texts = [f"● {running} running"] if running else []
        self._parts = [*texts, f"{count(len(runs), 'run')} in {count(len(groups), 'group')}"]
        self._say_parts()

    def on_resize(self) -> None:
        """Say as much as there is room for."""
        self.call_after_refresh(self._say_parts)

    def _say_parts(self) -> None:
        """Say the whole; where that would be cut, what goes on, or else how much is compared."""
        line, whole = self.query_one("#compare-summary", Line), "   ".join(self._parts)
        if self._parts:
            line.say(whole if cell_width(whole) <= line.size.width else self._parts[0])

    def _say_age(self) -> None:
        age = "" if self.newest_s is None else ago(max(0.0, time.time() - self.newest_s))
        line = self.query_one("#compare-age", Line)
        line.display = bool(age)
        self._say_parts()  # the age may have come or gone, and changed the room
        line.say(f"{age:>{AGE_CELLS}} ")  # filled here: alignment by style sends each blank part with its colours


class CompareTab(Line):
    """The name of one view."""

    def __init__(self, pane: str, text: str) -> None:
        super().__init__(text)
        self.pane = pane

    def on_click(self) -> None:
        """Ask for the view."""
        self.post_message(CompareTitle.PaneChosen(self.pane))
