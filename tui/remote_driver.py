"""A driver for a terminal at the far end of a network."""

from __future__ import annotations

import sys

from textual import constants
from textual.driver import Driver


def remote_driver() -> type[Driver] | None:
    """Return a driver that is not told of each movement of the mouse; None where another one is needed."""
    if sys.platform == "win32" or constants.DRIVER is not None:
        return None
    from textual.drivers.linux_driver import LinuxDriver

    class RemoteDriver(LinuxDriver):
        """Asks for buttons, the wheel and drags only: each movement would be a packet, and repaint what it passes."""

        def _enable_mouse_support(self) -> None:
            if self._mouse:
                self.write("\x1b[?1000h\x1b[?1002h\x1b[?1006h")
                self.flush()

        def _disable_mouse_support(self) -> None:
            if self._mouse:
                self.write("\x1b[?1000l\x1b[?1002l\x1b[?1006l")
                self.flush()

    return RemoteDriver
