"""One line of words to choose from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.segment import Segment
from textual import events
from textual.message import Message
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from bkd.text import cell_width, clean

GAP = 2
MORE = "…"


class WordMenu(Widget):
    """As many words as fit, one of them chosen; a click takes a word."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"word-menu--chosen", "word-menu--more"}

    words: reactive[tuple[str, ...]] = reactive(())
    """What there is to choose from."""
    chosen: reactive[int] = reactive(0)
    """Index of the chosen word."""

    class WordTaken(Message):
        """A word was clicked."""

        def __init__(self, word: str) -> None:
            super().__init__()
            self.word = word

    def render_line(self, y: int) -> Strip:
        """Return the line."""
        first, last = self._window()
        chosen, more = (self.get_component_rich_style(f"word-menu--{name}") for name in ("chosen", "more"))
        segments = [Segment(MORE if first else " ", more)]
        for index in range(first, last):
            segments.append(Segment(clean(self.words[index]), chosen if index == self.chosen else self.rich_style))
            segments.append(Segment(" " * GAP, self.rich_style))
        if last < len(self.words):
            segments.append(Segment(f"{MORE} {len(self.words) - last} more", more))
        return Strip(segments).adjust_cell_length(self.size.width, self.rich_style)

    def on_click(self, event: events.Click) -> None:
        """Take the word under the pointer."""
        first, last = self._window()
        end = 1
        for index in range(first, last):
            end += cell_width(clean(self.words[index])) + GAP
            if event.x < end:
                self.post_message(self.WordTaken(self.words[index]))
                return

    def show(self, words: Sequence[str]) -> None:
        """Offer other words, the first one chosen."""
        if tuple(words) != self.words:
            self.chosen = 0
        self.words = tuple(words)

    def move(self, steps: int) -> None:
        """Choose another word."""
        if self.words:
            self.chosen = (self.chosen + steps) % len(self.words)

    @property
    def word(self) -> str | None:
        """The chosen word."""
        return self.words[self.chosen] if self.words else None

    def _window(self) -> tuple[int, int]:
        """Return the first word in view and the one after the last; the chosen one is among them."""
        first, room = 0, self.size.width - 1 - len(f"{MORE} {len(self.words)} more")
        widths = [cell_width(clean(word)) + GAP for word in self.words]
        while first < self.chosen and sum(widths[first : self.chosen + 1]) > room:
            first += 1
        last, used = first, 0
        while last < len(widths) and (used := used + widths[last]) <= room:
            last += 1
        return first, last
