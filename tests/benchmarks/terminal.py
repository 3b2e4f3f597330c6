"""Runs a terminal program on a pseudo-terminal and follows what a person would see."""

import fcntl
import os
import pty
import re
import select
import shutil
import signal
import struct
import tempfile
import termios
import time
import weakref
from collections.abc import Callable, Mapping, Sequence

import pyte

ANSWERS = (  # terminal queries that a program may wait for
    (b"\x1b[c", b"\x1b[?62;22c"),
    (b"\x1b[6n", b"\x1b[1;1R"),
    (b"\x1b[?2026$p", b"\x1b[?2026;2$y"),
    (b"\x1b]11;?", b"\x1b]11;rgb:0000/0000/0000\x1b\\"),
)
UNKNOWN_TO_PYTE = re.compile(rb"\x1b\[[<>=][0-9;]*[a-zA-Z]|\x1b\[\?[0-9;]*\$p|\x1bP.*?\x1b\\", re.S)
TRUECOLOUR = {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
SSH = {"TERM": "xterm", "SSH_CONNECTION": "192.0.2.1 50000 192.0.2.2 22"}
"""A login from elsewhere whose terminal says no more than that it has 16 colours."""
FOREIGN = ("SSH_CONNECTION", "SSH_TTY", "COLORTERM", "NO_COLOR", "TERM_PROGRAM", "TEXTUAL_ANIMATIONS")


UNCACHED = "PYTHONDONTWRITEBYTECODE"
"""Of a program that has been started before, Python keeps the byte code; not to keep it would be measured as well."""


class CountingScreen(pyte.Screen):
    """A screen that counts the cells painted on it."""

    num_cells = 0

    def draw(self, data: str) -> None:
        """Paint text at the cursor."""
        self.num_cells += len(data)
        super().draw(data)


class Terminal:
    """A program on a pseudo-terminal of a size, with a state folder of its own; a context manager that ends it.

    Args:
        command: The program and its arguments.
        columns: Width in cells.
        rows: Height in cells.
        environment: What tells the program what terminal it is on, beside what it inherits.
    """

    def __init__(
        self, command: Sequence[str], columns: int = 180, rows: int = 50, environment: Mapping[str, str] = TRUECOLOUR
    ) -> None:
        self.state_folder = tempfile.mkdtemp(prefix="bkd-state-")
        self._forget = weakref.finalize(self, shutil.rmtree, self.state_folder, ignore_errors=True)
        self.started = time.monotonic()
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup, or a service, may have left it ignored
            for name in (*FOREIGN, UNCACHED):
                os.environ.pop(name, None)
            os.environ.update(COLUMNS=str(columns), LINES=str(rows), XDG_STATE_HOME=self.state_folder, **environment)
            os.execvp(command[0], list(command))
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.screen = CountingScreen(columns, rows)
        self.stream = pyte.ByteStream(self.screen)
        self.num_bytes = 0
        self._lines = [""] * rows

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *error: object) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.fd)
        self._forget()

    @property
    def lines(self) -> list[str]:
        """What stands on the screen; only lines that changed since the last look are put together again."""
        for y in self.screen.dirty & set(range(self.screen.lines)):  # it names lines of a larger screen before, too
            row = self.screen.buffer[y]
            self._lines[y] = "".join(row[x].data for x in range(self.screen.columns))  # "" follows a wide character
        self.screen.dirty.clear()
        return self._lines

    @property
    def cpu_s(self) -> float:
        """Seconds of a core that the program has used."""
        fields = self._proc("stat").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def rss_mb(self) -> float:
        """Megabytes that the program holds in memory."""
        return int(self._proc("statm").split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6

    def _proc(self, name: str) -> str:
        with open(f"/proc/{self.pid}/{name}") as file:
            return file.read()

    def resize(self, columns: int, rows: int) -> None:
        """Take another size, as a window that is dragged does."""
        self.screen.resize(rows, columns)
        self.screen.dirty.update(range(rows))
        self._lines = [""] * rows
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
        self.received(data)
        self.stream.feed(UNKNOWN_TO_PYTE.sub(b"", data))

    def received(self, data: bytes) -> None:
        """Hear of what the program wrote."""

    def shows(self, text: str) -> bool:
        """Whether a text stands on the screen."""
        return any(text in line for line in self.lines)

    def until(self, is_true: Callable[[], bool], limit_s: float = 30.0) -> float:
        """Read until something holds; return the seconds since the program began."""
        end = time.monotonic() + limit_s
        while not is_true():
            self.read()
            if time.monotonic() > end:
                raise TimeoutError("\n".join(line.rstrip() for line in self.lines))
        return time.monotonic() - self.started

    def quiet(self, seconds: float) -> int:
        """Read for a while and return the bytes that came."""
        before, end = self.num_bytes, time.monotonic() + seconds
        while time.monotonic() < end:
            self.read()
        return self.num_bytes - before
