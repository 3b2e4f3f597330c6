"""Add tags to several runs, and take tags from them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import ClassVar, NamedTuple

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input

from bkd.text import clean, count
from tui.widgets.line import Line


class TagChange(NamedTuple):
    """Tags that all runs are to have, and that none is to have."""

    add: Sequence[str]
    drop: Sequence[str]


class TagsOfManyScreen(ModalScreen[TagChange]):
    """Ends with what was typed, with None on Escape."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "Cancel")]

    def __init__(self, tags: Sequence[Iterable[object]]) -> None:
        """Create the question.

        Args:
            tags: Of each run.
        """
        super().__init__()
        self._runs = len(tags)
        self._counts = Counter(str(tag) for of_run in tags for tag in of_run)

    def compose(self) -> ComposeResult:
        """Lay out what tags there are and the ones to change."""
        present = ", ".join(f"{clean(tag)} ({number})" for tag, number in sorted(self._counts.items()))
        with Vertical(classes="dialog"):
            yield Line(f"Tags of {count(self._runs, 'marked run')}", classes="title")
            yield Line(f"They have: {present or 'none'}", id="present")
            yield Line("Write tags to add, and with a minus before it one to take away: paper -debug")
            yield Input(id="tags", compact=True)

    @on(Input.Submitted, "#tags")
    def keep(self, event: Input.Submitted) -> None:
        """End with each tag once."""
        words = list(dict.fromkeys(event.value.replace(",", " ").split()))
        drop = [word[1:] for word in words if word.startswith("-") and len(word) > 1]
        self.dismiss(TagChange([word for word in words if not word.startswith("-")], drop))
