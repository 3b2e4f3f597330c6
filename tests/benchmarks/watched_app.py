"""The app on a pseudo-terminal, beside a bare one."""

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from statistics import median

from terminal import TRUECOLOUR, Terminal

MOST_NAMES = 40  # a first screen of 50 lines shows more
BARE = (
    "from textual.app import App\nfrom textual.widgets import Static\n"
    "class Bare(App):\n    def compose(self):\n        yield Static('bare app')\nBare().run()"
)


def app(root: Path, environment: Mapping[str, str] = TRUECOLOUR) -> Terminal:
    """Start the app."""
    return Terminal([sys.executable, "-m", "bkd", "--save", str(root), "tui"], environment=environment)


def names_shown(terminal: Terminal) -> int:
    """Return how many lines of the screen name a run."""
    return sum(bool(re.search(r"a\d{6}b", line)) for line in terminal.lines)


def is_full(terminal: Terminal) -> bool:
    """Whether the screen is full of names."""
    return names_shown(terminal) > MOST_NAMES


def beyond_bare_s(root: Path, rounds: int) -> float:
    """Time the last visible name against a bare app's text, in turns; return the median difference."""
    bare, full = [], []
    for _ in range(rounds):
        with Terminal([sys.executable, "-c", BARE]) as terminal:
            bare.append(terminal.until(lambda t=terminal: t.shows("bare app")))
        with app(root) as terminal:
            full.append(terminal.until(lambda t=terminal: is_full(t)))
    return median(full) - median(bare)
