"""A table of runs of which several can be chosen at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from rich.segment import Segment
from textual.binding import Binding, BindingType
from textual.strip import Strip

from tui.widgets.run_table import RunMessage, RunTable

MARK = "◆"


class MarkTable(RunTable):
    """Marked rows bear a sign in the margin; a mark stays with its run while rows come, go and are sorted."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("space", "mark", "Mark")]
    COMPONENT_CLASSES: ClassVar[set[str]] = {"run-table--mark"}

    class MarksChanged(RunMessage):
        """A run was marked or unmarked; `run_id` is None when all marks were taken away."""

    _marked: Sequence[str] = ()

    @property
    def marked(self) -> Sequence[str]:
        """Ids of the marked runs, in the order in which they were marked."""
        return self._marked

    def action_mark(self) -> None:
        """Mark the run under the cursor, or take its mark away, and go on to the next row."""
        if self.selected is None:
            return
        kept = [run_id for run_id in self._marked if run_id != self.selected]
        self._marked = kept if len(kept) < len(self._marked) else [*kept, self.selected]
        self.post_message(self.MarksChanged(self, self.selected))
        self.repaint_changed()
        self.cursor += 1

    def set_marks(self, run_ids: Iterable[str]) -> None:
        """Mark these runs and no others."""
        self._marked = list(dict.fromkeys(run_ids))
        self.post_message(self.MarksChanged(self, None))
        self.repaint_changed()

    def _build_line(self, y: int) -> Strip:
        """Put the sign into the margin of a marked row."""
        strip = super()._build_line(y)
        row = self.scroll_offset.y + y - 1
        if y == 0 or row >= len(self.rows) or self.rows[row]["id"] not in self._marked:
            return strip
        style = next(iter(strip), Segment("")).style if row == self.cursor else self._style("mark")
        return Strip([Segment(MARK, style), *strip.crop(1)], strip.cell_length)
