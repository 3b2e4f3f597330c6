"""One line that says which keys do what; a click on a key does it too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from rich.segment import Segment
from textual import events
from textual.strip import Strip
from textual.widget import Widget

from bkd.text import cell_width

GAP = 2


class Key(NamedTuple):
    """A key as it is written, what it does in a word, and the screen's action."""

    key: str
    label: str
    action: str


class KeyBar(Widget):
    """Keys of a screen; where room is short the ones before the last two go first, from the right."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"key-bar--key", "key-bar--label"}

    def __init__(self, keys: Sequence[Key], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._keys = tuple(keys)

    def render_line(self, y: int) -> Strip:
        """Return the line."""
        key_style = self.get_component_rich_style("key-bar--key")
        label_style = self.get_component_rich_style("key-bar--label")
        segments = []
        for key in self._fitting():
            segments += [Segment(f" {key.key}", key_style), Segment(f" {key.label} ", label_style)]
        return Strip(segments).adjust_cell_length(self.size.width, self.rich_style)

    def on_click(self, event: events.Click) -> None:
        """Do what the key under the pointer does."""
        end = 0
        for key in self._fitting():
            end += _width(key)
            if event.x < end:
                self.call_later(self.screen.run_action, key.action)
                return

    def set_keys(self, keys: Sequence[Key]) -> None:
        """Replace the keys."""
        if tuple(keys) != self._keys:
            self._keys = tuple(keys)
            self.refresh()

    @property
    def keys(self) -> Sequence[Key]:
        """All keys, also those for which there is no room."""
        return self._keys

    def key_of(self, action: str) -> str | None:
        """Return the key that is shown for an action."""
        return next((key.key for key in self._keys if key.action == action), None)

    def _fitting(self) -> list[Key]:
        kept = list(self._keys)
        while len(kept) > 2 and sum(map(_width, kept)) > self.size.width:
            del kept[-3]
        return kept


def _width(key: Key) -> int:
    return cell_width(key.key) + cell_width(key.label) + GAP + 1
