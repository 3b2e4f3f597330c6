"""Runs a terminal program on a pseudo-terminal and follows what a person would see."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time
from collections.abc import Callable

import pyte

ANSWERS = (  # terminal queries that a program may wait for
    (b"\x1b[c", b"\x1b[?62;22c"),
    (b"\x1b[6n", b"\x1b[1;1R"),
    (b"\x1b[?2026$p", b"\x1b[?2026;2$y"),
    (b"\x1b]11;?", b"\x1b]11;rgb:0000/0000/0000\x1b\\"),
)
UNKNOWN_TO_PYTE = re.compile(rb"\x1b\[[<>=][0-9;]*[a-zA-Z]|\x1b\[\?[0-9;]*\$p|\x1bP.*?\x1b\\", re.S)


class Terminal:
    """A program on a pseudo-terminal of a size; a context manager that ends it."""

    def __init__(self, command: list[str], columns: int = 180, rows: int = 50) -> None:
        self.started = time.monotonic()
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup, or a service, may have left it ignored
            os.environ.update(TERM="xterm-256color", COLORTERM="truecolor", COLUMNS=str(columns), LINES=str(rows))
            os.execvp(command[0], command)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.screen = pyte.Screen(columns, rows)
        self.stream = pyte.ByteStream(self.screen)
        self.num_bytes = 0

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *error: object) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.fd)

    def resize(self, columns: int, rows: int) -> None:
        """Take another size, as a window that is dragged does."""
        self.screen.resize(rows, columns)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def press(self, keys: bytes) -> None:
        """Type."""
        os.write(self.fd, keys)

    def read(self, wait_s: float = 0.02) -> bool:
        """Take in what the program wrote; return whether it wrote."""
        if not select.select([self.fd], [], [], wait_s)[0]:
            return False
        self.take(os.read(self.fd, 65536))
        return True

    def take(self, data: bytes) -> None:
        """Take in some bytes."""
        for query, answer in ANSWERS:
            if query in data:
                os.write(self.fd, answer)
        self.num_bytes += len(data)
        self.stream.feed(UNKNOWN_TO_PYTE.sub(b"", data))

    def shows(self, text: str) -> bool:
        """Whether a text stands on the screen."""
        return any(text in line for line in self.screen.display)

    def until(self, is_true: Callable[[], bool], limit_s: float = 30.0) -> float:
        """Read until something holds; return the seconds since the program began."""
        while not is_true():
            self.read()
            if time.monotonic() - self.started > limit_s:
                raise TimeoutError("\n".join(line.rstrip() for line in self.screen.display))
        return time.monotonic() - self.started

    def quiet(self, seconds: float) -> int:
        """Read for a while and return the bytes that came."""
        before, end = self.num_bytes, time.monotonic() + seconds
        while time.monotonic() < end:
            self.read()
        return self.num_bytes - before
