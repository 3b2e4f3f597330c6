"""The line in which a filter is typed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.suggester import Suggester
from textual.widgets import Input

from bkd.errors import FilterError
from bkd.text import clean
from bkd.where import Predicate, compile_filter, complete, word_start
from tui.widgets.line import Line


class FilterSuggester(Suggester):
    """Completes names, operators and values of the filter language."""

    def __init__(self) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self.metric_keys: tuple[str, ...] = ()

    async def get_suggestion(self, value: str) -> str | None:
        """Return the text with its last word completed."""
        start = word_start(value, len(value))
        if start == len(value):
            return None
        found = complete(value, len(value), self.metric_keys)
        return value[:start] + found[0] if found and found[0].startswith(value[start:]) else None


class FilterBar(Vertical):
    """An input for a filter; errors stand under it, and the last filter that was right stays in force."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "drop", "Drop the filter")]

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

    class FilterLeft(Message):
        """The filter was accepted by Enter, or dropped."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._suggester = FilterSuggester()

    def compose(self) -> ComposeResult:
        """Lay out the input and the line for its error."""
        yield Input(
            placeholder="kind = bayesian acc > 95%    a bare word looks in name, tags and id", id="filter",
            compact=True, suggester=self._suggester,
        )  # fmt: skip
        yield Line(id="filter-error")

    @on(Input.Changed, "#filter")
    def apply(self, event: Input.Changed) -> None:
        """Put the filter into force, or say what is wrong with it."""
        event.stop()
        error = self.query_one("#filter-error", Line)
        try:
            matches = compile_filter(event.value)
        except FilterError as fault:
            error.say(clean(str(fault)), resizes=True)
            error.display = True
            return
        error.display = False
        self.post_message(self.FilterChanged(event.value.strip(), matches))

    @on(Input.Submitted, "#filter")
    def accept(self, event: Input.Submitted) -> None:
        """Go back to the table."""
        event.stop()
        self.post_message(self.FilterLeft())

    def action_drop(self) -> None:
        """Empty the filter and go back to the table."""
        self.query_one(Input).value = ""
        self.post_message(self.FilterChanged("", compile_filter("")))
        self.post_message(self.FilterLeft())

    def open(self, metric_keys: Iterable[str]) -> None:
        """Take the focus; `metric_keys` are offered as completions."""
        self._suggester.metric_keys = tuple(metric_keys)
        self.query_one(Input).focus()
