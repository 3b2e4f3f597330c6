"""What a run printed: all of it, searched and followed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.timer import Timer

from tui.history import History
from tui.messages import Row
from tui.widgets.filter_line import FilterLine
from tui.widgets.key_bar import Key
from tui.widgets.line import Line
from tui.widgets.log_view import LogView
from tui.widgets.pane import Pane

SEARCH_AFTER_S = 0.15  # of quiet


class OutputPane(Pane):
    """A log, a line to search it, and one that says where one is."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("slash", "search", "Search", key_display="/")]
    MAIN = "LogView"
    KEYS: ClassVar[Sequence[Key]] = (
        Key("/", "search", "pane('search')"), Key("n N", "matches", "pane('match(1)')"),
        Key("f", "follow", "pane('toggle_follow')"), Key("w", "wrap", "pane('wrap')"),
        Key("g", "first", "pane('top')"), Key("G", "last", "pane('follow')"),
    )  # fmt: skip

    def __init__(self, path: Path) -> None:
        super().__init__(id="output")
        self._path = path
        self._search_timer: Timer | None = None

    def compose(self) -> ComposeResult:
        """Lay out the log, the search and the line under them."""
        yield LogView(self._path, id="output-log")
        yield FilterLine("text to find; a capital in it makes capitals matter")
        yield Line(id="output-standing")

    @property
    def log_view(self) -> LogView:
        """The log."""
        return self.query_one(LogView)

    def wake(self, run: Row, history: History) -> None:
        """Read the log."""
        self.log_view.wake()

    def sleep(self) -> None:
        """Read nothing any more."""
        self.log_view.sleep()

    @on(LogView.Changed)
    def say_standing(self, event: LogView.Changed) -> None:
        """Say where one is, and what was found."""
        event.stop()
        self.query_one("#output-standing", Line).say(self.log_view.standing)
        self.query_one(FilterLine).say(self.log_view.found_text)

    @on(FilterLine.Typed)
    def typed(self, event: FilterLine.Typed) -> None:
        """Search once the typing pauses."""
        event.stop()
        if self._search_timer is not None:
            self._search_timer.stop()
        self._search_timer = self.set_timer(SEARCH_AFTER_S, lambda: self.log_view.search(event.text))

    @on(FilterLine.Left)
    def leave_search(self, event: FilterLine.Left) -> None:
        """Go back to the log."""
        event.stop()
        self.log_view.focus()

    def action_search(self) -> None:
        """Type what to search."""
        self.query_one(FilterLine).open()

    def action_match(self, steps: int) -> None:
        """Go to another match."""
        self.log_view.action_match(steps)

    def action_toggle_follow(self) -> None:
        """Follow the end, or stay."""
        self.log_view.action_toggle_follow()

    def action_wrap(self) -> None:
        """Wrap long lines, or cut them."""
        self.log_view.action_wrap()

    def action_top(self) -> None:
        """Go to the beginning."""
        self.log_view.action_top()

    def action_follow(self) -> None:
        """Go to the end and stay there."""
        self.log_view.action_follow()
