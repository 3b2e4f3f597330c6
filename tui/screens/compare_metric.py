"""A list of metrics to choose from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from bkd.text import clean
from tui.widgets.line import Line


class MetricScreen(ModalScreen[str | None]):
    """Ends with the chosen metric's key; what is typed narrows the list."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "Back"),
        Binding("down", "move(1)", "Down", show=False),
        Binding("up", "move(-1)", "Up", show=False),
    ]
    AUTO_FOCUS = "Input"

    def __init__(self, keys: Sequence[str], current: str) -> None:
        """Create the list.

        Args:
            keys: Of the metrics.
            current: The one that is shown now.
        """
        super().__init__()
        self._keys, self._current = tuple(keys), current

    def compose(self) -> ComposeResult:
        """Lay out what is typed over the list."""
        with Vertical(classes="dialog"):
            yield Line("Whose curves?", classes="title")
            yield Input(placeholder="part of a metric's name", compact=True)
            yield OptionList(id="metrics", compact=True, markup=False)
            yield Line("↑ ↓ and enter choose, esc goes back")

    def on_mount(self) -> None:
        """Fill the list."""
        self._fill("")

    @on(Input.Changed)
    def narrow(self, event: Input.Changed) -> None:
        """Keep the metrics that hold what was typed."""
        self._fill(event.value)

    @on(Input.Submitted)
    def take(self) -> None:
        """End with the metric under the cursor."""
        options = self.query_one(OptionList)
        if options.highlighted is not None:
            self.dismiss(options.get_option_at_index(options.highlighted).id)

    @on(OptionList.OptionSelected)
    def take_clicked(self, event: OptionList.OptionSelected) -> None:
        """End with the metric that was clicked."""
        self.dismiss(event.option.id)

    def on_key(self, event: events.Key) -> None:
        """Keep the focus where typing narrows the list."""
        if event.key in ("tab", "shift+tab"):
            event.stop()

    def action_move(self, rows: int) -> None:
        """Move the cursor of the list."""
        options = self.query_one(OptionList)
        if options.option_count:
            options.highlighted = ((options.highlighted or 0) + rows) % options.option_count

    def _fill(self, typed: str) -> None:
        wanted = [key for key in self._keys if all(part in key.casefold() for part in typed.casefold().split())]
        options = self.query_one(OptionList)
        options.clear_options()
        options.add_options(Option(clean(key), id=key) for key in wanted)
        if wanted:
            options.highlighted = wanted.index(self._current) if self._current in wanted else 0
