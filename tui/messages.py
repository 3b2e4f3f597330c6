"""What the app's workers tell its screens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from textual.message import Message

if TYPE_CHECKING:
    from bkd.specs import RunSpec
    from tui.history import History
    from tui.plan_check import PlanCheck

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


class RunsEnded(Message):
    """Runs that were at work are done, failed, stopped or lost.

    Attributes:
        rows: As they are now.
    """

    def __init__(self, rows: Sequence[Row]) -> None:
        super().__init__()
        self.rows = rows


class RunRead(Message):
    """One run's run.json was read.

    Attributes:
        run: With its status as it is now, tags and note.
    """

    def __init__(self, run: Row) -> None:
        super().__init__()
        self.run = run


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


class HistoryRead(Message):
    """The watched run's events.jsonl was read as a whole: a sample of a long one, or at last every record.

    Attributes:
        history: To be taken over in place of what was known (`History.become`).
    """

    def __init__(self, history: History) -> None:
        super().__init__()
        self.history = history


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


class LaunchRefused(Message):
    """A run was not launched.

    Attributes:
        text: Why.
        field: The field at fault, "" if none is in particular.
    """

    def __init__(self, text: str, field: str) -> None:
        super().__init__()
        self.text = text
        self.field = field


class PlanChecked(Message):
    """What a launch would come to was found out.

    Attributes:
        spec: Of the run.
        values: Fields that were given.
        found: What was found.
    """

    def __init__(self, spec: type[RunSpec], values: Row, found: PlanCheck) -> None:
        super().__init__()
        self.spec = spec
        self.values = values
        self.found = found


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
