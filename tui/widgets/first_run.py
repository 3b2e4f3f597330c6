"""What a save root without runs shows instead of empty tables: what this is, and what to do."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import VerticalScroll

from bkd.catalog import DATASETS
from bkd.data.files import status
from bkd.paths import data_root
from bkd.text import clean, listed
from tui.widgets.line import Line

WHAT = (
    "bkd trains Bayesian teachers and other ones, distils students from them,",
    "and shows how each run goes, live and afterwards.",
)
HERE = (
    ("n", "train a teacher: a form opens, and ctrl+s launches"),
    ("d", "distil students of it, as soon as there is one"),
    ("?", "all keys; ctrl+p all commands, themes too"),
    ("q", "quit; what runs goes on running"),
)
ELSEWHERE = (
    ("bkd demo", "two teachers, three students of each, in minutes"),
    ("bkd import DIR", "take over runs that were made before"),
)
KEY_CELLS = 16


class FirstRun(VerticalScroll, can_focus=False):
    """Stands in the place of the tables until there is a run; hides what lies behind it.

    Args:
        root: The save root.
    """

    DEFAULT_CSS = """
    FirstRun { display: none; height: 1fr; padding: 1 2; scrollbar-size-vertical: 1; }
    FirstRun.-wanted { display: block; }
    """

    def __init__(self, root: Path) -> None:
        super().__init__()
        self._root = root

    def compose(self) -> ComposeResult:
        """Lay out the text."""
        yield Line()

    def is_wanted(self, is_empty: bool) -> bool:
        """Show it while there is no run; return whether it has just gone away."""
        was_shown = self.has_class("-wanted")
        if is_empty and not was_shown:
            self.query_one(Line).say(first_text(self._root, os.environ.get("BKD_SAVE")), resizes=True)
        self.set_class(is_empty, "-wanted")
        return was_shown and not is_empty


def first_text(root: Path, named: str | None = None) -> Text:
    """Return what there is to say where no run is.

    Args:
        root: The save root.
        named: What names it in the environment.
    """
    at_hand, missing = found_and_missing(data_root(None, root))
    text = Text()
    text.append("\n".join(WHAT), "bold")
    text.append("\n\n")
    _append_keys(text, HERE)
    text.append("\nOr in a shell:\n")
    _append_keys(text, ELSEWHERE)
    text.append(f"\nRuns will be kept in    {clean(str(root))}\n")
    text.append(f"Data sets at hand       {listed(at_hand) or 'none'}\n")
    if missing:
        text.append(f"To be downloaded        {listed(missing)}: bkd data download NAME\n")
    if named is None:
        text.append("--save DIR or BKD_SAVE names another place for runs.\n", "dim")
    return text


def found_and_missing(root: Path) -> tuple[list[str], list[str]]:
    """Return the names of the data sets that are below a folder or built in, and of the others."""
    found = {name: status(name, root).found for name in DATASETS}
    return [name for name in found if found[name]], [name for name in found if not found[name]]


def _append_keys(text: Text, keys: Sequence[tuple[str, str]]) -> None:
    for key, meaning in keys:
        text.append(f"  {key:<{KEY_CELLS}}", "bold")
        text.append(f"{meaning}\n")
