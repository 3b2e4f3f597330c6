"""A tab of a run's view: nothing is read, drawn or kept for it while another one is in front."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.containers import Vertical
from textual.widget import Widget

from tui.history import History
from tui.messages import Row
from tui.widgets.key_bar import Key


class Pane(Vertical):
    """What stands under the tabs; its screen wakes it when it comes to the front, and tells it what has changed."""

    KEYS: ClassVar[Sequence[Key]] = ()
    """What the key bar says of it."""
    MAIN = ""
    """Selector of the widget that takes the focus."""

    def wake(self, run: Row, history: History) -> None:
        """Show a run as it is now, and begin to follow what only this pane shows.

        Args:
            run: run.json.
            history: What the run's events add up to.
        """
        self.show_run(run)

    def sleep(self) -> None:
        """Follow nothing any more."""

    def show_run(self, run: Row) -> None:
        """Show how the run stands now."""

    def tick(self, history: History) -> None:
        """Say what grows older, once a second."""

    def focus_main(self) -> None:
        """Take the focus."""
        main = self.query(self.MAIN).first() if self.MAIN and self.query(self.MAIN) else None
        if isinstance(main, Widget):
            main.focus()
