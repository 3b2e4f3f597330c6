"""The line in which a filter is typed, with what may come next under it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import ClassVar

from textual import on
from textual.actions import SkipAction
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.suggester import Suggester
from textual.widgets import Input

from bkd.errors import FilterError
from bkd.text import cell_width, clean
from bkd.where import Predicate, compile_filter, complete, word_start
from tui.widgets.line import Line
from tui.widgets.word_menu import WordMenu

HINT = "tab takes the word   up down another   enter keeps the filter   esc drops it"
FAULT_SIGN = "▲"
_POSITION = re.compile(r"^filter, (character (\d+)): ")


class FilterSuggester(Suggester):
    """Completes names, operators and values of the filter language."""

    def __init__(self) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self.metric_keys: tuple[str, ...] = ()

    def words(self, value: str, cursor: int) -> list[str]:
        """Return what the word before the cursor may become."""
        return complete(value, cursor, self.metric_keys)

    async def get_suggestion(self, value: str) -> str | None:
        """Return the text with its last word completed."""
        start = word_start(value, len(value))
        if start == len(value):
            return None
        found = self.words(value, len(value))
        return value[:start] + found[0] if found and found[0].startswith(value[start:]) else None


class FilterBar(Vertical):
    """An input for a filter; the last filter that was right stays in force.

    While it has the focus, a line points to what is wrong, and another one offers words.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "drop", "Drop the filter"),
        Binding("tab", "take_word", "Complete", show=False),
        Binding("down", "choose_word(1)", "Next word", show=False),
        Binding("up", "choose_word(-1)", "Previous word", show=False),
    ]

    class FilterChanged(Message):
        """Another filter is in force.

        Attributes:
            text: As it was typed.
            matches: Whether a row matches.
        """

        def __init__(self, text: str, matches: Predicate) -> None:
            super().__init__()
            self.text = text
            self.matches = matches

        def can_replace(self, message: Message) -> bool:
            """Whether a later message makes this one needless: of keys that came together only the last counts."""
            return isinstance(message, FilterBar.FilterChanged)

    class FilterLeft(Message):
        """The filter was accepted by Enter, or dropped."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._suggester = FilterSuggester()

    def compose(self) -> ComposeResult:
        """Lay out the input, the line for its error and the words."""
        yield Input(
            placeholder="kind = bayesian acc > 95%    a bare word looks in name, tags and id", id="filter",
            compact=True, suggester=self._suggester, select_on_focus=False,
        )  # fmt: skip
        yield Line(HINT, id="filter-error")
        yield WordMenu(id="filter-words")

    def on_mount(self) -> None:
        """Offer other words when the cursor moves."""
        self.watch(self.input, "selection", self._offer_words, init=False)

    def on_descendant_focus(self) -> None:
        """Show what helps while one types."""
        self.add_class("-typing")

    def on_descendant_blur(self) -> None:
        """Show the filter only."""
        self.remove_class("-typing")

    @property
    def input(self) -> Input:
        """The input."""
        return self.query_one("#filter", Input)

    @on(Input.Changed, "#filter")
    def apply(self, event: Input.Changed) -> None:
        """Put the filter into force, or say what is wrong with it."""
        event.stop()
        self._offer_words()
        try:
            matches = compile_filter(event.value)
        except FilterError as fault:
            self._say_fault(clean(str(fault)), event.value)
            return
        self._clear_fault()
        self.post_message(self.FilterChanged(event.value.strip(), matches))

    @on(Input.Submitted, "#filter")
    def accept(self, event: Input.Submitted) -> None:
        """Go back to the table."""
        event.stop()
        self.post_message(self.FilterLeft())

    @on(WordMenu.WordTaken)
    def take(self, event: WordMenu.WordTaken) -> None:
        """Put the word that was clicked in place of the one before the cursor."""
        event.stop()
        self._take(event.word)

    def action_drop(self) -> None:
        """Empty the filter and go back to the table."""
        self.put("")
        self.post_message(self.FilterLeft())

    def action_take_word(self) -> None:
        """Put the chosen word in place of the one before the cursor; without one, go on to the next widget."""
        word = self._menu.word
        if word is None:
            raise SkipAction
        self._take(word)

    def action_choose_word(self, steps: int) -> None:
        """Choose another word."""
        self._menu.move(steps)

    def open(self, metric_keys: Iterable[str]) -> None:
        """Take the focus; `metric_keys` are offered as completions."""
        self._suggester.metric_keys = tuple(metric_keys)
        self._offer_words()
        self.input.focus()

    def put(self, text: str) -> None:
        """Put a filter into force as if it was typed.

        Raises:
            FilterError: It does not parse.
        """
        text = clean(text)  # it may come from a file
        matches = compile_filter(text)
        with self.prevent(Input.Changed):
            self.input.value = text
        self.input.cursor_position = len(text)
        self._clear_fault()
        self.post_message(self.FilterChanged(text.strip(), matches))

    @property
    def _menu(self) -> WordMenu:
        return self.query_one(WordMenu)

    def _offer_words(self) -> None:
        field = self.input
        self._menu.show(self._suggester.words(field.value, field.cursor_position))

    def _take(self, word: str) -> None:
        field = self.input
        start, cursor = word_start(field.value, field.cursor_position), field.cursor_position
        gap = "" if field.value[cursor:].startswith(" ") else " "
        field.value = field.value[:start] + word + gap + field.value[cursor:]
        field.cursor_position = start + len(word) + 1
        field.focus()

    def _clear_fault(self) -> None:
        self.remove_class("-fault", "-unfinished")
        self._say(HINT)

    def _say_fault(self, text: str, typed: str) -> None:
        """Say what is wrong under the character that is at fault; one that is only missing yet is no error."""
        match = _POSITION.match(text)
        position = int(match[2]) if match else 1
        told = text[match.start(1) :] if match else text
        is_unfinished = position > len(typed.rstrip())
        if is_unfinished:  # the words under it say what may come
            told = told.partition(". ")[0]
        self.set_class(is_unfinished, "-unfinished")
        self.add_class("-fault")
        column = max(0, position - 1 - self.input.scroll_offset.x)
        self._say(f"{' ' * min(column, max(0, self.size.width - 2))}{FAULT_SIGN} {told}")

    def _say(self, text: str) -> None:
        """Say something under the filter; the screen is laid out again only where it may take more than a line."""
        line = self.query_one("#filter-error", Line)
        width = line.size.width
        line.say(text, resizes=not width or max(cell_width(text), cell_width(line.said)) > width)
