"""The end of a run's output under its curves."""

from __future__ import annotations

from pathlib import Path

from tui.widgets.log_view import LogView


class LogTail(LogView):
    """A log in few lines, with a title."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, id="log")
        self.border_title = "Output"
