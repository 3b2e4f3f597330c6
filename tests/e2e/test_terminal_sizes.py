"""A terminal that is dragged to nothing and back, and one that something else has written on."""

import sys

import pytest
from benchmarks.bench_list import make_save_root
from benchmarks.terminal import Terminal

from bkd.store import Store

CTRL_L = b"\x0c"

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*multi-threaded:DeprecationWarning"
)  # of fork; the child execs at once


def test_small_terminals_are_told_so_and_large_ones_are_painted_whole(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_save_root(store.root)
    command = [sys.executable, "-m", "bkd", "--save", str(store.root), "tui"]
    with Terminal(["env", "-u", "COLUMNS", "-u", "LINES", *command], 80, 24) as terminal:
        terminal.until(lambda: terminal.shows("a000999b") or terminal.shows("a000998b"))
        for columns, rows in ((20, 5), (1, 1)):
            terminal.resize(columns, rows)
            terminal.until(lambda: terminal.screen.display[0].startswith("t"))
            terminal.quiet(0.5)
        terminal.resize(20, 5)
        terminal.until(lambda: terminal.shows("too small"))
        terminal.resize(120, 40)
        terminal.until(lambda: terminal.shows("a000998b") and "quit" in terminal.screen.display[39])

        terminal.stream.feed(b"\x1b[2Jsomething else")
        assert not terminal.shows("a000998b")
        terminal.press(CTRL_L)
        terminal.until(lambda: terminal.shows("a000998b"))
        terminal.until(lambda: not terminal.shows("something else"))
