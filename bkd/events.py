"""events.jsonl: one JSON object a line, appended by the child, followed by everybody else.

A record is {"v": 1, "t": <unix s>, "kind": "step" | "epoch" | "state" | "log", "step": .., "epoch": .., metrics ...}.
Numbers that are not finite are written as null and marked by "bad": true.
"""

import math
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from bkd.files import storage_error

VERSION = 1
CHUNK_BYTES = 1 << 20
LONGEST_LINE = 1 << 20  # bytes; what goes on for longer without an end of line is no record


class EventWriter:
    """Appends records; each is on disk when `write` returns, and fsynced when asked."""

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        try:
            self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise storage_error(path, error) from error
        self._path = path
        self._clock = clock

    @property
    def offset(self) -> int:
        """Bytes written so far; a resume cuts the file here."""
        return os.fstat(self._fd).st_size

    def write(self, kind: str, *, step: int, epoch: int, values: Mapping[str, Any], sync: bool = False) -> None:
        """Append one record.

        Args:
            kind: "step", "epoch", "state" or "log".
            step: Steps taken since the run began.
            epoch: Epoch the record belongs to, from 0.
            values: Metrics; floats that are not finite become null.
            sync: Whether to fsync.

        Raises:
            StorageError: If the disk is full or the file is gone.
        """
        record: dict[str, Any] = {
            "v": VERSION,
            "t": round(self._clock(), 3),
            "kind": kind,
            "step": step,
            "epoch": epoch,
        }
        is_bad = False
        for key, value in values.items():
            if isinstance(value, float) and not math.isfinite(value):
                value, is_bad = None, True
            record[key] = value
        if is_bad:
            record["bad"] = True
        try:
            os.write(self._fd, orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE))
            if sync:
                os.fsync(self._fd)
        except OSError as error:
            raise storage_error(self._path, error) from error

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)


def truncate(path: Path, offset: int) -> None:
    """Cut a file back to what a checkpoint knows.

    Raises:
        StorageError: If the file is missing or not writable.
    """
    try:
        os.truncate(path, min(offset, path.stat().st_size))
    except OSError as error:
        raise storage_error(path, error) from error


@dataclass
class EventTail:
    """Follows an event file from a byte offset; keeps an unfinished last line back.

    Attributes:
        path: The file; it may not exist yet.
        offset: Where the next read starts.
        is_rewound: Whether the last `read` found the file cut (a resume): what was read before may no longer hold, and
            that read began again at byte 0.
    """

    path: Path
    offset: int = 0
    is_rewound: bool = False
    _inode: int = field(default=0, repr=False)
    _last_line: bytes = field(default=b"", repr=False)

    def start_at(self, offset: int) -> None:
        """Let the next read begin at the end of a whole line; what stands before it is known already."""
        try:
            with self.path.open("rb") as file:
                start = max(0, offset - CHUNK_BYTES)
                file.seek(start)
                data = file.read(offset - start)
                self._inode = os.fstat(file.fileno()).st_ino
        except OSError:
            return
        self.offset = start + len(data)
        self._last_line = data[data.rfind(b"\n", 0, max(len(data) - 1, 0)) + 1 :]

    def read(self, *, limit_bytes: int = 1 << 62) -> list[dict[str, Any]]:
        """Return the records that came since the last read; lines that are no JSON object are passed over."""
        self.is_rewound = False
        try:
            with self.path.open("rb") as file:
                return self._read(file, limit_bytes)
        except OSError:
            return []

    def _read(self, file: Any, limit_bytes: int) -> list[dict[str, Any]]:
        stat = os.fstat(file.fileno())
        if self.offset and (stat.st_ino != self._inode or stat.st_size < self.offset or not self._is_continued(file)):
            self.offset, self.is_rewound = 0, True
        self._inode = stat.st_ino
        if stat.st_size == self.offset:
            return []
        file.seek(self.offset)
        data = file.read(min(limit_bytes, stat.st_size - self.offset))
        if b"\n" not in data and len(data) < LONGEST_LINE:
            data += file.read(LONGEST_LINE - len(data))
        end = data.rfind(b"\n") + 1
        if end == 0 and len(data) >= LONGEST_LINE:
            end = len(data)  # no record is that long: its parts are passed over
        if end == 0:
            return []
        self.offset += end
        self._last_line = data[data.rfind(b"\n", 0, end - 1) + 1 : end]
        return parse(data[:end])

    def _is_continued(self, file: Any) -> bool:
        """Whether the last line that was read still stands there; a resume may have cut and outgrown it."""
        file.seek(self.offset - len(self._last_line))
        return bool(file.read(len(self._last_line)) == self._last_line)


def parse(data: bytes) -> list[dict[str, Any]]:
    """Return the records of whole lines; lines that are no JSON object are passed over."""
    try:
        found = orjson.loads(b"[" + data.rstrip().replace(b"\n", b",") + b"]")
    except orjson.JSONDecodeError:
        found = _parse_lines(data)
    return [record for record in found if isinstance(record, dict)]


def _parse_lines(data: bytes) -> Iterator[Any]:
    """Yield what each line holds, where it is JSON at all."""
    for line in data.splitlines():
        with suppress(orjson.JSONDecodeError):
            yield orjson.loads(line)


def read_events(path: Path) -> list[dict[str, Any]]:
    """Return every whole record of a file, or [] if there is none."""
    return EventTail(path).read()


def last_events(path: Path, *, tail_bytes: int = 8192) -> list[dict[str, Any]]:
    """Return the last records of a file without reading all of it."""
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(max(0, size - tail_bytes))
            data = file.read()
    except OSError:
        return []
    start = 0 if size <= tail_bytes else data.find(b"\n") + 1
    return parse(data[start : data.rfind(b"\n") + 1])
