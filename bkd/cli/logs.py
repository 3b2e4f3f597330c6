"""`bkd logs RUN`: what the run's process printed."""

import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import click
import typer

from bkd.cli.common import RunRef, Save, open_store, single
from bkd.files import storage_error
from bkd.paths import RunFolder
from bkd.runfile import UNFINISHED
from bkd.store import Store
from bkd.text import clean

POLL_S = 0.2


@dataclass
class LogTail:
    """Reads a log from where the last read ended; an unfinished last line is kept back."""

    path: Path
    offset: int = 0
    _rest: bytes = field(default=b"", repr=False)

    def read(self) -> Iterator[str]:
        """Yield the cleaned lines that came since the last read; a file that shrank is read anew.

        Raises:
            StorageError: The file is there and cannot be read.
        """
        try:
            with self.path.open("rb") as file:
                if file.seek(0, 2) < self.offset:
                    self.offset, self._rest = 0, b""
                file.seek(self.offset)
                data = file.read()
        except FileNotFoundError:
            return
        except OSError as error:
            raise storage_error(self.path, error) from error
        self.offset += len(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            yield _text(line)

    def rest(self) -> list[str]:
        """Return the unfinished last line, if there is one."""
        rest, self._rest = self._rest, b""
        return [_text(rest)] if rest else []


def _text(line: bytes) -> str:
    return clean(line.decode("utf-8", "replace").rstrip("\r"))


def follow_log(
    tail: LogTail, is_over: Callable[[], bool], write: Callable[[str], None], sleep: Callable[[float], None]
) -> None:
    """Write lines as they come, until the run is over and everything was written."""
    while True:
        was_over = is_over()  # asked before reading: what is printed up to the end is still read
        for line in tail.read():
            write(line)
        if was_over:
            break
        sleep(POLL_S)
    for line in tail.rest():
        write(line)


def _is_over(store: Store, folder: RunFolder) -> bool:
    status = store.load(folder)["status"]
    return status not in UNFINISHED and not status.startswith("unknown")


def _write(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def logs(
    ref: RunRef,
    follow: Annotated[
        bool, typer.Option("-f", "--follow", help="Go on until the run ends; Ctrl-C leaves it running.")
    ] = False,
    lines: Annotated[int | None, typer.Option("-n", "--lines", min=0, help="Begin with this many last lines.")] = None,
    save: Save = None,
) -> None:
    """Print what a run's process printed."""
    store = open_store(save)
    folder = store.find(ref)
    tail = LogTail(folder.log)
    shown = deque(tail.read(), maxlen=lines)
    if not follow:
        shown.extend(tail.rest())
        if not shown and lines != 0:
            click.echo(f"{clean(str(folder.log))} is empty or not there yet: the run has printed nothing.", err=True)
    sys.stdout.write("".join(f"{line}\n" for line in shown))
    sys.stdout.flush()
    if follow:
        follow_log(tail, lambda: _is_over(store, folder), _write, time.sleep)


app = single(logs)
