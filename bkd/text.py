"""Text for a terminal: foreign text made harmless, cells counted, plain tables, short numbers and times.

Widths are in cells, the columns of a terminal: most characters take one, East Asian wide ones two, combining ones none.
"""

import math
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

Align = Literal["left", "right"]
Row = Mapping[str, Any]

GAP = "  "
"""What stands between two columns."""

_ESCAPES = re.compile(
    r"""(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]                                # CSI: colours, cursor, screen
    | (?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)   # OSC, DCS and other strings
    | \x1b[ -/]*[0-~]                                                  # the short ones""",
    re.VERBOSE,
)
_SELECTORS = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]")
_SPACES = "\t\n\v\f\r\x85\u2028\u2029"


def clean(text: str) -> str:
    """Make text from runs, logs and files harmless and one line: everything in the result is printable.

    Escape sequences and characters without a width are dropped, line ends and odd spaces become spaces, other control
    characters and the ones that turn the direction of writing become visible (`\\x07`, `\\u202e`).
    """
    if text.isprintable() and (text.isascii() or not _SELECTORS.search(text)):
        return text
    return "".join(map(_clean_character, _SELECTORS.sub("", _ESCAPES.sub("", text))))


def _clean_character(c: str) -> str:
    if c.isprintable():
        return c
    if c in _SPACES or unicodedata.category(c) == "Zs":
        return " "
    if unicodedata.category(c) == "Cs":  # half a character: from a file name that is not UTF-8
        return "�"
    if (
        unicodedata.category(c) == "Cf"
        and c not in "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
    ):
        return ""
    return c.encode("unicode_escape").decode("ascii")


def cell_width(text: str) -> int:
    """Return how many cells cleaned text takes."""
    return len(text) if text.isascii() else sum(map(_character_width, text))


@lru_cache(maxsize=4096)
def _character_width(c: str) -> int:
    # Vowels and finals of composed Hangul join the cell pair of their first letter.
    if unicodedata.category(c) in ("Mn", "Me", "Cf") or "\u1160" <= c <= "\u11ff":
        return 0
    return 2 if unicodedata.east_asian_width(c) in "WF" else 1


def fit(text: str, width: int, align: Align = "left") -> str:
    """Return cleaned text in exactly `width` cells: cut with "…" where it is longer, else filled with spaces."""
    missing = width - cell_width(text)
    if missing < 0:
        text = _cut(text, width - 1) + "…" if width > 0 else ""
        missing = max(0, width) - cell_width(text)
    return text + " " * missing if align == "left" else " " * missing + text


def _cut(text: str, width: int) -> str:
    """Return the longest beginning of `text` that takes at most `width` cells."""
    if text.isascii():
        return text[:width]
    used = 0
    for position, c in enumerate(text):
        used += _character_width(c)
        if used > width:
            return text[:position]
    return text


# ---- tables


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        title: Its heading.
        value: A key of the row, or a function of the row; None is shown as "-", a number by `number`.
        align: Side of the values and the title; where None, numbers stand right and the rest left.
        min_width: Cells to which it may shrink in a narrow terminal; None: it keeps its full width.
        priority: Which columns a narrow terminal loses first: the largest number. Of equal ones the rightmost. The
            first column always stays.
    """

    title: str
    value: str | Callable[[Any], Any]
    align: Align | None = None
    min_width: int | None = None
    priority: int = 0


@dataclass
class _Cells:
    """A column's texts, the widest one's cells, and what may be done about it."""

    column: Column
    texts: list[str]
    align: Align
    full: int
    least: int
    is_ascii: bool

    def lines(self, width: int) -> list[str]:
        texts = [self.column.title, *self.texts]
        if not self.is_ascii or width < self.full:
            return [fit(text, width, self.align) for text in texts]
        pad = str.ljust if self.align == "left" else str.rjust
        return [pad(text, width) for text in texts]


def format_table(rows: Iterable[Any], columns: Sequence[Column], width: int | None = None) -> Iterator[str]:
    """Format rows as a plain table: a heading, a rule, one line a row.

    Args:
        rows: Mappings, or anything that the columns' functions take.
        columns: From left to right.
        width: Cells of the terminal: columns shrink and are dropped until a line fits. None (not a terminal): every
            column at its full width.

    Yields:
        Lines without line ends and without spaces at their ends.
    """
    rows = list(rows)
    cells = [_cells(column, rows) for column in columns]
    widths = [cell.full for cell in cells]
    if width is not None:
        cells = _kept(cells, width)
        widths = _shrunk(cells, width)
    lines = [cell.lines(cells_wide) for cell, cells_wide in zip(cells, widths, strict=True)]
    texts = map(GAP.join, zip(*lines, strict=True))
    yield next(texts, "").rstrip()
    yield GAP.join("─" * cells_wide for cells_wide in widths)
    for text in texts:
        yield text.rstrip()


def _cells(column: Column, rows: list[Any]) -> _Cells:
    key = column.value
    values = [row.get(key) for row in rows] if isinstance(key, str) else [key(row) for row in rows]
    texts = [value if type(value) is str else _shown(value) for value in values]
    # One look at all texts instead of one at each: the usual column is plain ASCII.
    joined = "".join(texts)
    if not (joined.isascii() and joined.isprintable()):
        texts = [clean(text) for text in texts]
    is_ascii = joined.isascii() and column.title.isascii()
    full = max(map(len if is_ascii else cell_width, [column.title, *texts]))
    least = full if column.min_width is None else min(full, max(1, column.min_width))
    align = column.align or ("right" if _are_numbers(values) else "left")
    return _Cells(column, texts, align, full, least, is_ascii)


def _are_numbers(values: list[Any]) -> bool:
    kinds = set(map(type, values)) - {type(None)}
    return bool(kinds) and kinds <= {int, float}


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (int, float)):
        return number(value)
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    return str(value)


def _kept(cells: list[_Cells], width: int) -> list[_Cells]:
    """Drop columns until the least widths of the rest fit."""
    kept = list(cells)
    while len(kept) > 1 and _total([cell.least for cell in kept]) > width:
        dropped = max(range(1, len(kept)), key=lambda i: (kept[i].column.priority, i))
        del kept[dropped]
    return kept


def _shrunk(cells: list[_Cells], width: int) -> list[int]:
    """Return the widths at which a line fits, taking from the widest column that can give."""
    widths = [cell.full for cell in cells]
    while (excess := _total(widths) - width) > 0:
        can_give = [i for i, cell in enumerate(cells) if widths[i] > cell.least]
        if not can_give:
            return [max(1, width)] if len(cells) == 1 else widths
        most = max(widths[i] for i in can_give)
        widest = [i for i in can_give if widths[i] == most]
        # At once down to the next widest: a column may be thousands of cells too wide.
        step = max(1, excess // len(widest))
        if len(widest) < len(can_give):
            step = min(step, most - max(widths[i] for i in can_give if widths[i] < most))
        for i in widest[: max(1, excess // step)]:
            widths[i] = max(cells[i].least, most - step)
    return widths


def _total(widths: list[int]) -> int:
    return sum(widths) + len(GAP) * (len(widths) - 1)


# ---- numbers and times


def number(x: float | None) -> str:
    """Return a number with four significant digits, a whole one with all of its digits, None as "-"."""
    if x is None:
        return "-"
    if isinstance(x, int) or not math.isfinite(x):
        return str(x)
    return f"{x:.0f}" if 1e4 <= abs(x) < 1e7 else f"{x:.4g}"


def exact(x: float) -> str:
    """Return a number as short as it can be written without changing it: "10", "0.5", "0.1234567"."""
    short = f"{x:g}"
    return short if float(short) == x else repr(x)


def percent(x: float | None, digits: int = 2) -> str:
    """Return a share as percent: 0.9537 as "95.37%", None and NaN as "-"."""
    return "-" if x is None or math.isnan(x) else f"{100 * x:.{digits}f}%"


def listed(words: Sequence[str]) -> str:
    """Return words as one phrase: "a", "a and b", "a, b and c"; "" of none."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def count(n: int, noun: str, plural: str | None = None) -> str:
    """Return a number of things: "1 student", "3 students", "2 classes", "2 entries".

    Args:
        n: How many.
        noun: One of them.
        plural: Several of them, where the noun's own is irregular.
    """
    if n == 1:
        return f"1 {noun}"
    if plural is None:
        if noun.endswith(("s", "x", "ch", "sh")):
            plural = noun + "es"
        elif noun.endswith("y") and noun[-2:-1] not in "aeiou":
            plural = noun[:-1] + "ies"
        else:
            plural = noun + "s"
    return f"{n:,} {plural}"


def duration(seconds: float | None) -> str:
    """Return a time span in its two largest units: "0.4s", "42s", "3m 20s", "2h 05m", "3d 04h"; None as "-"."""
    if seconds is None or not math.isfinite(seconds):
        return "-"
    if seconds < 0:
        return "0s"
    if seconds < 9.95:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    for size, large, part, small in ((86400, "d", 3600, "h"), (3600, "h", 60, "m"), (60, "m", 1, "s")):
        if whole >= size:
            return f"{whole // size}{large} {whole % size // part:02d}{small}"
    return f"{whole}s"


def bar(share: float, cells: int) -> str:
    """Return a progress bar of a width."""
    full = round(max(0.0, min(1.0, share)) * cells)
    return "━" * full + "─" * (cells - full)


def forecast(seconds: float | None) -> str:
    """Return a time span that is no more than expected, so that it does not change with every look: "2m 05s", "4h 10m".

    Rounded to five seconds below ten minutes, to a minute below two hours, else to ten minutes.
    """
    if seconds is None or not math.isfinite(seconds):
        return "-"
    unit = 5 if seconds < 600 else 60 if seconds < 7200 else 600
    if seconds < unit:
        return "< 5s"
    rounded = round(seconds / unit) * unit
    return f"{rounded}s" if rounded < 60 else duration(rounded)


def age_text(seconds: float | None) -> str:
    """Return an age in at most four cells, coarser the older: "now", "5s", "40s", "3m", "2h", "4d"; None as "-"."""
    if seconds is None or not math.isfinite(seconds):
        return "-"
    if seconds < 5:
        return "now"
    for limit, step, part, unit in ((60, 5, 1, "s"), (3600, 60, 60, "m"), (172800, 3600, 3600, "h")):
        if seconds < limit:
            return f"{int(seconds // step * step // part)}{unit}"
    return f"{int(seconds // 86400)}d"


def ago(seconds: float | None) -> str:
    """Return how long ago something was: "0.2 s ago", "42 s ago", "3 min ago", "5 days ago"; None as "never"."""
    if seconds is None or not math.isfinite(seconds):
        return "never"
    if seconds < 9.95:
        return f"{max(0.0, seconds):.1f} s ago"
    if seconds < 59.5:
        return f"{seconds:.0f} s ago"
    if seconds < 3600:
        return f"{max(1, int(seconds // 60))} min ago"
    if seconds < 86400:
        return f"{int(seconds // 3600)} h ago"
    return f"{count(int(seconds // 86400), 'day')} ago"
