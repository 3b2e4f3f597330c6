"""What the app's workers tell its screens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from textual.message import Message

Row = Mapping[str, Any]


class RowsRead(Message):
    """The runs of the save root were read and differ from before.

    Attributes:
        rows: One per run, oldest first.
        error: Why they could not be read; the rows are those of before then.
    """

    def __init__(self, rows: Sequence[Row], error: str = "") -> None:
        super().__init__()
        self.rows = rows
        self.error = error


class RunRead(Message):
    """One run's run.json was read.

    Attributes:
        run: With its status as it is now, tags and note.
        students: Rows of the runs that came from it.
    """

    def __init__(self, run: Row, students: Sequence[Row] = ()) -> None:
        super().__init__()
        self.run = run
        self.students = students


class EventsRead(Message):
    """New records of the watched run's events.jsonl were read.

    Attributes:
        records: In the file's order.
        is_rewound: Whether what was read before no longer holds.
    """

    def __init__(self, records: Sequence[Row], is_rewound: bool) -> None:
        super().__init__()
        self.records = records
        self.is_rewound = is_rewound


class LogRead(Message):
    """The end of the watched run's output.log was read anew.

    Attributes:
        lines: Harmless text, oldest first.
    """

    def __init__(self, lines: Sequence[str]) -> None:
        super().__init__()
        self.lines = lines


class RunLaunched(Message):
    """A run was launched from a form."""

    def __init__(self, run_id: str) -> None:
        super().__init__()
        self.run_id = run_id


class TaskDone(Message):
    """Stop, resume, delete, tag or launch ended.

    Attributes:
        text: One sentence about what happened, or went wrong.
        is_error: Whether it went wrong.
    """

    def __init__(self, text: str, *, is_error: bool = False) -> None:
        super().__init__()
        self.text = text
        self.is_error = is_error


class Warned(Message):
    """The store had to mend something, or could not write its index."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text
