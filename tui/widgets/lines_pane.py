"""A pane of lines that can be filtered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from tui.widgets.filter_line import FilterLine
from tui.widgets.lines_view import LinesView, Pieces, plain
from tui.widgets.pane import Pane


class LinesPane(Pane):
    """Shows lines in blocks; a filter leaves the blocks that hold all of its words, under their headings."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("slash", "filter", "Filter", key_display="/")]
    MAIN = "LinesView"
    FOLLOWS: ClassVar[bool] = False
    """Whether the last lines stay in view as more come."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._blocks: Sequence[Sequence[Pieces]] = ()
        self._words: Sequence[str] = ()

    def compose(self) -> ComposeResult:
        """Lay out the lines and the filter."""
        yield LinesView()
        yield FilterLine("words that a line must hold")

    @property
    def view(self) -> LinesView:
        """The lines."""
        return self.query_one(LinesView)

    def set_blocks(self, blocks: Sequence[Sequence[Pieces]]) -> None:
        """Replace what there is to see.

        Args:
            blocks: Lines that belong together; blocks of none part them.
        """
        self._blocks = blocks
        self._show()

    def _show(self) -> None:
        kept = [block for block in self._blocks if self._matches(block)]
        self.view.set_lines([line for block in kept for line in block], follows=self.FOLLOWS)
        self.query_one(FilterLine).say(f"{len(kept):,} of {len(self._blocks):,}" if self._words else "")

    def _matches(self, block: Sequence[Pieces]) -> bool:
        text = " ".join(map(plain, block)).casefold() if self._words else ""
        return all(word in text for word in self._words)

    @on(FilterLine.Typed)
    def apply(self, event: FilterLine.Typed) -> None:
        """Show what matches."""
        event.stop()
        self._words = event.text.casefold().split()
        self._show()

    @on(FilterLine.Left)
    def leave_filter(self, event: FilterLine.Left) -> None:
        """Go back to the lines."""
        event.stop()
        self.view.focus()

    def action_filter(self) -> None:
        """Type a filter."""
        self.query_one(FilterLine).open()

    def action_go(self, index: int) -> None:
        """Go to the first or the last line."""
        self.view.action_go(index)
