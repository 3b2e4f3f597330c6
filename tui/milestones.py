"""What happened in a run, without its single steps: changes of its state, lines that it logged, epochs."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from bkd.text import clean, number, percent

MOST = 5000
"""Records that are held; of longer files the last ones."""

CHUNK_BYTES = 1 << 20
LOOK_EVERY_S = 1.0
CANCELLED_S = 0.1
_STEP = b'"kind":"step"'
_SHARES = ("acc", "acc5", "ece")
_FIGURES = (
    ("train/loss", "loss"), ("train/acc", "acc"), ("val/loss", "val loss"), ("val/acc", "val acc"),
    ("test/acc", "test acc"), ("val/nll", "val NLL"), ("val/ece", "val ECE"), ("grad/noise_ratio", "R"),
)  # fmt: skip
Record = Mapping[str, Any]


class Milestones:
    """Follows an event file past its steps.

    Attributes:
        records: The last MOST of them.
        left_out: How many came before those.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = self._inode = 0
        self._last_line = b""
        self.records: deque[Record] = deque(maxlen=MOST)
        self.left_out = 0

    def changes(self, is_cancelled: Callable[[], bool]) -> Iterator[None]:
        """Yield whenever `records` has changed, until cancelled."""
        look_at, is_first = 0.0, True
        while not is_cancelled():
            if time.monotonic() < look_at:
                time.sleep(CANCELLED_S)
                continue
            look_at = time.monotonic() + LOOK_EVERY_S
            if sum(self._chunks(is_cancelled)) or is_first:
                is_first = False
                yield

    def _chunks(self, is_cancelled: Callable[[], bool]) -> Iterator[bool]:
        """Read to the file's end; yield for each chunk whether it changed the records."""
        try:
            with self._path.open("rb") as file:
                stat = os.fstat(file.fileno())
                if not self._is_continued(file, stat.st_ino, stat.st_size):
                    self._offset, self.left_out = 0, 0
                    self.records.clear()
                    yield True
                self._inode = stat.st_ino
                file.seek(self._offset)
                rest = b""
                while not is_cancelled() and (data := file.read(CHUNK_BYTES)):
                    *lines, rest = (rest + data).split(b"\n")
                    yield self._take(lines)
        except OSError:
            return  # there is none yet, or it is gone: what was read stays

    def _is_continued(self, file: BinaryIO, inode: int, size: int) -> bool:
        """Whether the last line that was read still stands where it stood; a resume cuts the file."""
        if not self._offset:
            return True
        if inode != self._inode or size < self._offset:
            return False
        file.seek(self._offset - len(self._last_line) - 1)
        return file.read(len(self._last_line)) == self._last_line

    def _take(self, lines: Sequence[bytes]) -> bool:
        self._offset += sum(map(len, lines)) + len(lines)
        self._last_line = lines[-1] if lines else self._last_line
        found = [record for line in lines if _STEP not in line and (record := _parsed(line)) is not None]
        self.left_out += max(0, len(self.records) + len(found) - MOST)
        self.records.extend(found)
        return bool(found)


def _parsed(line: bytes) -> Record | None:
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return record if isinstance(record, dict) and record.get("kind") in ("state", "log", "epoch") else None


def milestone_text(record: Record) -> tuple[str, str, str]:
    """Return a record's time, its kind and what it says, as harmless text."""
    when = _when(record.get("t"))
    kind = str(record.get("kind"))
    if kind == "epoch":
        return when, kind, _epoch(record)
    if kind == "state":
        parts = [str(record.get("status") or "-"), str(record.get("message") or "")]
        return when, kind, clean("  ".join(filter(None, parts)))
    return when, kind, clean(str(record.get("message") or ""))


def _when(t: object) -> str:
    try:
        return time.strftime("%m-%d %H:%M:%S", time.localtime(t)) if isinstance(t, int | float) else "-"
    except (OverflowError, OSError, ValueError):  # of a number that is no time
        return "-"


def _epoch(record: Record) -> str:
    """Return an epoch's number and figures; a figure that was no number is told as such."""
    epoch, step = record.get("epoch"), record.get("step")
    parts = [f"{epoch + 1 if isinstance(epoch, int) else '?'}", f"step {step:,}" if isinstance(step, int) else ""]
    for key, name in _FIGURES:
        if key in record:
            value = record[key]
            is_share = key.partition("/")[2] in _SHARES
            shown = value if isinstance(value, int | float) and not isinstance(value, bool) else None
            parts.append(f"{name} {percent(shown) if is_share else number(shown)}")
    return clean(", ".join(filter(None, parts)))
