"""What happened in a run, line by line, the newest last."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.message import Message
from textual.worker import get_current_worker

from bkd.text import count
from tui.cells import words
from tui.history import History
from tui.messages import Row
from tui.milestones import Milestones, Record, milestone_text
from tui.widgets.key_bar import Key
from tui.widgets.lines_pane import LinesPane
from tui.widgets.lines_view import Pieces
from tui.widgets.status import status_tone

TIME_CELLS, KIND_CELLS, LEAST_CELLS = 16, 6, 50


class EventsPane(LinesPane):
    """State, log and epoch records of events.jsonl; single steps are in the charts."""

    FOLLOWS = True
    KEYS: ClassVar[Sequence[Key]] = (
        Key("/", "filter", "pane('filter')"), Key("g", "first", "pane('go(0)')"), Key("G", "last", "pane('go(-1)')"),
    )  # fmt: skip

    class MilestonesRead(Message, bubble=False):
        """Something has happened."""

        def __init__(self, records: Sequence[Record], left_out: int) -> None:
            super().__init__()
            self.records, self.left_out = records, left_out

    def __init__(self, path: Path) -> None:
        super().__init__(id="events")
        self._milestones = Milestones(path)
        self._read: EventsPane.MilestonesRead | None = None

    def wake(self, run: Row, history: History) -> None:
        """Read the file, and follow it."""
        self.follow_events()

    def sleep(self) -> None:
        """Read nothing any more."""
        self.workers.cancel_group(self, "events")

    @work(thread=True, group="events", exclusive=True)
    def follow_events(self) -> None:
        """Post what has happened whenever there is more."""
        worker, milestones = get_current_worker(), self._milestones
        for _ in milestones.changes(lambda: worker.is_cancelled):
            self.post_message(self.MilestonesRead(tuple(milestones.records), milestones.left_out))

    @on(MilestonesRead)
    def show_milestones(self, event: MilestonesRead) -> None:
        """Show them; the first time their end."""
        blocks: list[list[Pieces]] = []
        if event.left_out:
            blocks.append([[(f"{count(event.left_out, 'record')} before these", "muted")]])
        blocks += [_lines(record, max(LEAST_CELLS, self.view.text_width)) for record in event.records]
        self.set_blocks(blocks or [[[("Nothing has happened yet.", "muted")]]])
        if self._read is None:
            self.view.call_after_refresh(self.view.scroll_end, animate=False)
        self._read = event

    def on_resize(self) -> None:
        """Fill the width."""
        if self._read is not None:
            self.call_after_refresh(self.show_milestones, self._read)


def _lines(record: Record, width: int) -> list[Pieces]:
    """Return a record in lines of a width: time and kind stand in columns, what it says goes on under itself."""
    when, kind, text = milestone_text(record)
    tone = status_tone(str(record.get("status"))) if kind == "state" else "strong" if kind == "log" else ""
    first, *rest = words(text, width - TIME_CELLS - KIND_CELLS)
    head = [(f"{when:<{TIME_CELLS}}", "muted"), (f"{kind:<{KIND_CELLS}}", "muted"), (first, tone)]
    return [head, *([(" " * (TIME_CELLS + KIND_CELLS), ""), (line, tone)] for line in rest)]
