"""SIGTERM as a request: set a flag now, finish the step, then stop. Installed before torch is imported."""

import signal
from types import FrameType


class StopFlag:
    """Remembers that the process was asked to stop."""

    def __init__(self) -> None:
        self.is_set = False

    def install(self) -> "StopFlag":
        """Handle SIGTERM and ignore SIGINT and SIGHUP, which are meant for whoever launched the run."""
        signal.signal(signal.SIGTERM, self._set)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        return self

    def _set(self, number: int, frame: FrameType | None) -> None:
        self.is_set = True
