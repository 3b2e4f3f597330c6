"""Reading any part of a log, however big it is and however long its lines are."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO, NamedTuple

from bkd.text import clean

BLOCK = 1 << 16
PAGE_BYTES = 1 << 19
"""A page ends with the line that passes this: lines may be long."""

_LINE_ENDS = re.compile(rb"\r\n|\n|\r")
_UNSEEN = re.compile(  # UTF-8 of what may stand between letters and is not shown
    rb"\xc2[\x80-\x9f\xad]|\xe2\x80[\x8b-\x8f\xaa-\xae]|\xe2\x81[\xa0-\xaf]|\xef\xb8|\xef\xbb\xbf|\xf3\xa0|\xd8\x9c"
)
_COLOURS = re.compile(rb"\x1b\[[0-?]*[ -/]*[@-~]")


class LogLine(NamedTuple):
    """A line: where it starts, where the next one does, its harmless text."""

    start: int
    end: int
    text: str


class LogFile:
    """Lines by their place in the file; nothing is kept of it in memory.

    A line ends with LF, CR LF or CR. A block (BLOCK bytes) without a line end is cut at its end, so that no line is
    longer than two blocks and every line is found by looking at no more than those.

    Args:
        path: The file; it may not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def size(self) -> int:
        """Bytes in the file.

        Raises:
            OSError: If it is not there or must not be read.
        """
        return os.stat(self.path).st_size

    def after(self, start: int, most: int) -> list[LogLine]:
        """Return up to `most` lines from one that starts at `start`.

        Raises:
            OSError: If the file cannot be read.
        """
        with self.path.open("rb") as file:
            size = _size(file)
            ends: list[int] = []
            for block in range(start // BLOCK, -(-size // BLOCK)):
                ends += [cut for cut in _cuts(file, block, size) if cut > start]
                if len(ends) >= most or (ends and ends[-1] - start >= PAGE_BYTES):
                    break
            else:
                if size > (ends[-1] if ends else start):
                    ends.append(size)
            return _lines(file, [start, *ends[:most]])

    def before(self, end: int, most: int) -> list[LogLine]:
        """Return up to `most` lines up to one that ends at `end`, which may be the end of the file.

        Raises:
            OSError: If the file cannot be read.
        """
        with self.path.open("rb") as file:
            size = _size(file)
            starts: list[int] = []
            for block in range((min(end, size) - 1) // BLOCK, -1, -1):
                starts[:0] = [cut for cut in _cuts(file, block, size) if cut < end]
                if len(starts) >= most or (starts and end - starts[0] >= PAGE_BYTES):
                    break
            else:
                starts[:0] = [0] if end > 0 else []
            return _lines(file, [*starts[-most:], min(end, size)])

    def around(self, offset: int, most: int) -> list[LogLine]:
        """Return lines before and after the one that holds a byte.

        Raises:
            OSError: If the file cannot be read.
        """
        with self.path.open("rb") as file:
            start = _start_of(file, min(offset, _size(file)))
        found = self.before(start, most // 2)
        return [*found, *self.after(start, most - len(found))]

    def count(self, start: int, end: int) -> int:
        """Count the line ends in a part of the file.

        Raises:
            OSError: If the file cannot be read.
        """
        with self.path.open("rb") as file:
            size = _size(file)
            blocks = range(start // BLOCK, -(-min(end, size) // BLOCK))
            return sum(start < cut <= end for block in blocks for cut in _cuts(file, block, size))

    def may_hold(self, blocks: range, needle: str) -> bool:
        """Whether lines that start in a run of blocks can hold a text: much quicker than to look for them.

        Raises:
            OSError: If the file cannot be read.
        """
        if not blocks:
            return False
        with self.path.open("rb") as file:
            return _may_hold(_read(file, blocks[0] * BLOCK, (blocks[-1] + 3) * BLOCK), needle)

    def matching(self, block: int, needle: str) -> list[int]:
        """Return the starts of the lines that hold a text and start in a block, or at its end.

        Args:
            block: Number of the block.
            needle: The text; without a capital the case of letters does not matter.

        Raises:
            OSError: If the file cannot be read.
        """
        with self.path.open("rb") as file:
            size = _size(file)
            starts = [*([0] if block == 0 else []), *(cut for cut in _cuts(file, block, size) if cut < size)]
            if not starts:
                return []
            following = _cuts(file, block + 1, size)
            data = _read(file, starts[0], following[0] if following else size)
        if not _may_hold(data, needle):
            return []
        ends = [*starts[1:], starts[0] + len(data)]
        texts = (_text(data[s - starts[0] : e - starts[0]]) for s, e in zip(starts, ends, strict=True))
        return [start for start, text in zip(starts, texts, strict=True) if holds(text, needle)]


def holds(text: str, needle: str) -> bool:
    """Whether a line holds a text; without a capital in it the case of letters does not matter."""
    return next(spans(text, needle), None) is not None


def spans(text: str, needle: str) -> Iterator[tuple[int, int]]:
    """Yield where a text stands in a line, as first and next character."""
    if not needle:
        return
    searched = text if any(map(str.isupper, needle)) else _lowered(text)
    at = searched.find(needle)
    while at >= 0:
        yield at, at + len(needle)
        at = searched.find(needle, at + len(needle))


def _lowered(text: str) -> str:
    """Return a text in small letters, each where its capital was."""
    lowered = text.lower()
    return lowered if len(lowered) == len(text) else "".join(c.lower() if len(c.lower()) == 1 else c for c in text)


def _may_hold(data: bytes, needle: str) -> bool:
    """Whether lines with a text can be among raw bytes: far quicker than to make lines of them."""
    if not needle.isascii() or "\\" in needle or (" " in needle and b"\t" in data):
        return True
    plain = _COLOURS.sub(b"", data) if b"\x1b" in data else data
    if b"\x1b" in plain or (not plain.isascii() and _UNSEEN.search(plain)):
        return True
    wanted = needle.encode()
    return wanted in plain or (not any(map(str.isupper, needle)) and wanted in plain.lower())


def _cuts(file: BinaryIO, block: int, size: int) -> list[int]:
    """Return where lines start in a block but for its first byte, and right behind it."""
    low = block * BLOCK
    if low >= size:
        return []
    data = _read(file, low, low + BLOCK + 1)  # one more: a CR at the end may go with a LF
    cuts = [low + match.end() for match in _LINE_ENDS.finditer(data) if match.end() <= BLOCK]
    return [low + BLOCK] if not cuts and len(data) >= BLOCK else cuts


def _start_of(file: BinaryIO, offset: int) -> int:
    """Return where the line that holds a byte starts."""
    size = _size(file)
    for block in range(offset // BLOCK, -1, -1):
        cuts = [cut for cut in _cuts(file, block, size) if cut <= offset]
        if cuts:
            return cuts[-1]
    return 0


def _lines(file: BinaryIO, cuts: Sequence[int]) -> list[LogLine]:
    """Return the lines between places at which lines start."""
    data = _read(file, cuts[0], cuts[-1])
    base = cuts[0]
    return [LogLine(start, end, _text(data[start - base : end - base])) for start, end in pairwise(cuts)]


def _text(line: bytes) -> str:
    return clean(line.decode("utf-8", "replace").rstrip("\r\n").expandtabs()).rstrip()


def _read(file: BinaryIO, start: int, end: int) -> bytes:
    file.seek(start)
    return file.read(max(0, end - start))


def _size(file: BinaryIO) -> int:
    return os.fstat(file.fileno()).st_size
