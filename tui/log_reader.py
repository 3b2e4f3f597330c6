"""Reads a log for a view of it, in a thread: pages that are asked for, the end while it is followed, a search."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Literal

from textual.message import Message

from tui.log_file import LogFile, LogLine
from tui.log_search import LogSearch

LOOK_EVERY_S = 1.0
ASKED_S = 0.1  # between looks at what was asked for
SLICE_S = 0.05  # of a search, between looks
PAGE_LINES = 300
IF_FOLLOWED, ANYWAY = 0, 1  # the place of a page at the end: whether to show it to one who has gone elsewhere

Page = Literal["before", "after", "around", "tail"]


class LogPage(Message, bubble=False):
    """Lines were read.

    Attributes:
        page: What was asked for.
        place: Where.
        lines: Of the log.
        size: Of the file.
    """

    def __init__(self, page: Page, place: int, lines: Sequence[LogLine], size: int) -> None:
        super().__init__()
        self.page: Page = page
        self.place, self.lines, self.size = place, lines, size


class LogGrew(Message, bubble=False):
    """The file has more lines than were read; nobody follows it."""

    def __init__(self, size: int, lines: int) -> None:
        super().__init__()
        self.size, self.lines = size, lines


class LogFault(Message, bubble=False):
    """The file cannot be read; "" if there is none yet."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text


class LogSearched(Message, bubble=False):
    """A search has found more, or has ended.

    Attributes:
        needle: What is searched.
        found: Starts of the lines that hold it.
        is_complete: Whether all of the file was looked through.
        is_full: Whether there are more than are noted.
    """

    def __init__(self, search: LogSearch) -> None:
        super().__init__()
        self.needle, self.found = search.needle, tuple(search.found)
        self.is_complete, self.is_full = search.is_complete, search.is_full


class LogReader:
    """Answers a view's questions.

    Attributes:
        is_following: Whether new lines are wanted as they come; set by the view.
    """

    def __init__(self, path: Path) -> None:
        self.is_following = True
        self._file = LogFile(path)
        self._asked: SimpleQueue[tuple[Page, int]] = SimpleQueue()
        self._mark: tuple[int, int, int] | None = None
        self._fault: str | None = None
        self._search: LogSearch | None = None
        self._scan: Iterator[None] | None = None

    def ask(self, page: Page, place: int = 0) -> None:
        """Have lines read."""
        self._asked.put((page, place))

    def search(self, needle: str, place: int) -> None:
        """Look for a text, from a place on first; "" ends a search."""
        search = LogSearch(self._file, needle, place) if needle else None
        self._search, self._scan = search, search.scan() if search else None

    def changes(self, is_cancelled: Callable[[], bool]) -> Iterator[Message]:
        """Yield what the view should know until cancelled."""
        look_at = 0.0
        while not is_cancelled():
            try:
                if time.monotonic() >= look_at:
                    look_at = time.monotonic() + LOOK_EVERY_S
                    yield from self._look()
                yield from self._answers()
                yield from self._searched()
                self._fault = None if self._mark else self._fault
            except OSError as error:
                yield from self._unreadable(error)
                time.sleep(ASKED_S)

    def _look(self) -> Iterator[Message]:
        """Tell whether the file has changed."""
        stat = os.stat(self._file.path)
        before, self._mark = self._mark, (stat.st_ino, stat.st_size, stat.st_mtime_ns)
        if before == self._mark:
            return
        if self._search is not None and self._search.is_complete:
            self._scan = self._search.scan()
        if before is None or before[0] != self._mark[0] or stat.st_size < before[1]:
            yield self._page("tail", ANYWAY)
        elif self.is_following:
            yield self._page("tail", IF_FOLLOWED)
        else:
            yield LogGrew(stat.st_size, self._file.count(before[1], stat.st_size))

    def _answers(self) -> Iterator[Message]:
        """Answer what was asked; wait a moment for a question where there is nothing else to do."""
        try:
            asked = self._asked.get(timeout=0.001 if self._scan else ASKED_S)
        except Empty:
            return
        yield self._page(*asked)

    def _page(self, page: Page, place: int) -> LogPage:
        size = self._file.size
        if page == "before":
            lines = self._file.before(place, PAGE_LINES)
        elif page == "after":
            lines = self._file.after(place, PAGE_LINES)
        elif page == "around":
            lines = self._file.around(place, PAGE_LINES)
        else:
            lines = self._file.before(size, PAGE_LINES)
        return LogPage(page, place, lines, size)

    def _searched(self) -> Iterator[Message]:
        """Search on for a moment."""
        search, scan = self._search, self._scan
        if search is None or scan is None:
            return
        end, found = time.monotonic() + SLICE_S, len(search.found)
        while time.monotonic() < end:
            try:
                next(scan)
            except StopIteration:
                if scan is self._scan:
                    self._scan = None
                break
        if len(search.found) != found or search.is_complete:
            yield LogSearched(search)

    def _unreadable(self, error: OSError) -> Iterator[Message]:
        """Say once why the file cannot be read."""
        was_there = self._mark is not None or self._fault
        text = f"{self._file.path.name} cannot be read: {error.strerror}."
        if isinstance(error, FileNotFoundError):
            text = f"{self._file.path.name} is gone." if was_there else ""
        self._mark = None
        if text != self._fault:
            self._fault = text
            yield LogFault(text)
