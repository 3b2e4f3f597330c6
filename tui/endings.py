"""Which runs have ended, and how that is said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from bkd.runfile import Status
from bkd.text import clean, count, listed, percent
from tui.messages import Row
from tui.run_columns import metric

TOLD = frozenset({Status.DONE, Status.FAILED, Status.LOST})
"""Ends that are told; whoever stopped a run knows."""

ENDS = TOLD | {Status.STOPPED}

MOST_NAMES = 3


class Endings:
    """Compares what was known of runs with what is; each end is told once, whoever reports it."""

    def __init__(self) -> None:
        self._at_work: set[str] = set()
        self._waiting: dict[str, Row] = {}  # by id: not told yet

    def know(self, rows: Iterable[Row]) -> list[Row]:
        """Take note of all runs as they are now; return those that have ended since."""
        ended = []
        for row in rows:
            run_id = str(row["id"])
            if row.get("status") not in ENDS:
                self._at_work.add(run_id)
            elif run_id in self._at_work:
                ended.append(row)
        return ended

    def add(self, rows: Iterable[Row]) -> None:
        """Take note of runs that have ended."""
        for row in rows:
            run_id = str(row["id"])
            if run_id in self._at_work:
                self._at_work.discard(run_id)
                self._waiting[run_id] = row

    def take(self) -> list[Row]:
        """Return the runs that ended and are to be told of, once."""
        told = [row for row in self._waiting.values() if row.get("status") in TOLD]
        self._waiting.clear()
        return told


def ending_text(rows: Sequence[Row]) -> str:
    """Return a sentence about runs that have ended.

    Args:
        rows: At least one.
    """
    if len(rows) == 1:
        return _one(rows[0])
    counts = Counter(str(row.get("status")) for row in rows)
    text = f"{count(len(rows), 'run')} ended: {listed([f'{n} {status}' for status, n in counts.most_common()])}."
    names = [clean(str(row.get("name"))) for row in rows if row.get("status") != Status.DONE]
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return f"{text} Not done: {', '.join(names[:MOST_NAMES])}{more}." if names else text


def _one(row: Row) -> str:
    name, status = clean(str(row.get("name"))), row.get("status")
    if status != Status.DONE:
        lost = f"{name} is lost: its process is gone. r resumes it."
        return lost if status == Status.LOST else f"{name} has failed; its view tells why."
    accuracy = metric("acc")(row)
    return f"{name} is done." if accuracy is None else f"{name} is done, acc {percent(accuracy)}."
