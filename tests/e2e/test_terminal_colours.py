"""What the app sends a terminal: no colours where none are wanted, few bytes over a network, a sentence to none."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest
from benchmarks.bench_list import RUNS, make_save_root
from benchmarks.terminal import SSH, TRUECOLOUR, Terminal

from bkd.store import Store

FIRST_SCREEN_BYTES = 40_000
COLOUR = re.compile(rb"\x1b\[[0-9;]*?(?<![0-9])(3[0-9]|4[0-9]|9[0-7]|10[0-7])(?![0-9])[0-9;]*m")
ESCAPE, CTRL_P, DOWN = b"\x1b", b"\x10", b"\x1b[B"

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*multi-threaded:DeprecationWarning"
)  # of fork; the child execs at once


class Recorded(Terminal):
    """A terminal that keeps what it was sent."""

    sent = b""

    def received(self, data: bytes) -> None:
        self.sent += data


@pytest.fixture
def many(store: Store, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A thousand runs, looked at outside of tmux."""
    monkeypatch.delenv("TMUX", raising=False)
    make_save_root(store.root)
    return store


def opened(store: Store, *options: str, **variables: str) -> Recorded:
    command = [sys.executable, "-m", "bkd", "--save", str(store.root), "tui", *options]
    return Recorded(command, environment={**TRUECOLOUR, **variables})


def names_shown(terminal: Terminal) -> int:
    return sum(bool(re.search(r"a\d{6}b", line)) for line in terminal.screen.display)


@pytest.fixture
def remote(many: Store) -> Iterator[Recorded]:
    with opened(many, SSH_CONNECTION=SSH["SSH_CONNECTION"]) as terminal:
        terminal.until(lambda: names_shown(terminal) > 40)
        terminal.quiet(1.5)
        yield terminal


def test_first_screen_over_a_network(remote: Recorded) -> None:
    assert RUNS == 1000
    assert remote.num_bytes <= FIRST_SCREEN_BYTES
    assert remote.sent.count(b"\x1b[2J") == 1
    assert b"\x1b[?1003h" not in remote.sent  # each movement of the mouse
    assert not re.search(rb"[34]8;[25];", remote.sent)  # 16 colours


def test_help_and_palette_cost_what_they_show(remote: Recorded) -> None:
    for keys, most in ((b"?", 8000), (ESCAPE, 6000), (CTRL_P, 10_000), (b"s", 6000), (DOWN, 1000), (ESCAPE, 8000)):
        before = remote.num_bytes
        remote.press(keys)
        remote.quiet(1.0)
        assert remote.num_bytes - before <= most, keys


@pytest.mark.parametrize(("variables", "options"), [({"NO_COLOR": "1"}, []), ({}, ["--colours", "none"])])
def test_no_colour_is_sent_where_none_is_wanted(many: Store, variables: dict[str, str], options: list[str]) -> None:
    with opened(many, *options, **variables) as terminal:
        terminal.until(lambda: names_shown(terminal) > 40)
        for keys in (b"j", b"?", ESCAPE, b"/", b"acc", ESCAPE, CTRL_P, ESCAPE):
            terminal.press(keys)
            terminal.quiet(0.5)
        assert not COLOUR.search(terminal.sent)
        assert b"\x1b[7m" in terminal.sent or b";7m" in terminal.sent  # the cursor


def test_colours_are_sent_otherwise(many: Store) -> None:
    with opened(many) as terminal:
        terminal.until(lambda: names_shown(terminal) > 40)
        assert COLOUR.search(terminal.sent)


def test_terminal_that_cannot_place_text_gets_a_sentence(store: Store) -> None:
    command = [sys.executable, "-m", "bkd", "--save", str(store.root), "tui"]
    with Recorded(["env", "TERM=dumb", *command]) as terminal:
        terminal.until(lambda: b"TERM is dumb" in terminal.sent)
        assert b"bkd list" in terminal.sent
    piped = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=os.environ)
    assert piped.returncode == 2
    assert "needs a terminal" in piped.stderr
