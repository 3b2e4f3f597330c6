"""The registry's text: one row a line, so that whoever reads it again parses only the lines that changed."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from registry.rows import TABLES, Row, age_of

_ROW = re.compile(rb'"\d+":(\{.*\}),?')
_BETWEEN = re.compile(rb'(?:\{|\},)"\w+":\{|\}\}')


class Entry(NamedTuple):
    """A row and what rows are sorted by."""

    row: Row
    age: tuple[str, str]


def encode(tables: Mapping[str, Mapping[Any, Any]], option: int = 0) -> bytes:
    """Return the JSON of tables, each row on a line of its own.

    Args:
        tables: Rows by their number, by the table's name.
        option: Of `orjson.dumps`, for the rows.

    Raises:
        TypeError: A value is not JSON.
    """
    dumps = orjson.dumps
    parts = []
    for name, table in tables.items():
        rows = [b"%b:%b" % (dumps(str(number)), dumps(row, option=option)) for number, row in table.items()]
        parts.append(dumps(name) + b":{\n" + b"".join([b",\n".join(rows), b"\n" if rows else b"", b"}"]))
    return b"{" + b",".join(parts) + b"}"


def entries_of(tables: Mapping[str, Mapping[str, Row]]) -> dict[str, list[Entry]]:
    """Return the rows of parsed tables with their ages."""
    return {name: [Entry(row, age_of(row)) for row in tables.get(name, {}).values()] for name in TABLES.values()}


class RowLines:
    """Reads the registry's text again and again; a line that stayed gives the same object as before."""

    def __init__(self) -> None:
        self._known: dict[bytes, Entry] = {}

    def read(self, data: bytes) -> dict[str, list[Entry]] | None:
        """Return the rows of each table, or None where the text is not one row a line or a row is not sound."""
        known = self._known  # once: another thread may be here too
        lines: dict[bytes, Entry] = {}
        entries: list[Entry] = []
        skeleton = []  # the text with a row's place in `entries` instead of the row
        for text in data.split(b"\n"):
            entry = known.get(text) or _parsed(text)
            if entry is not None:
                lines[text] = entry
                number, comma = text[: text.index(b":")], b"," if text.endswith(b",") else b""
                skeleton.append(b"%b:%d%b" % (number, len(entries), comma))
                entries.append(entry)
            elif _BETWEEN.fullmatch(text):
                skeleton.append(text)
            else:
                return None
        try:
            tables = orjson.loads(b"".join(skeleton))
        except orjson.JSONDecodeError:
            return None
        self._known = lines
        return {name: [entries[place] for place in table.values()] for name, table in tables.items()}


def _parsed(text: bytes) -> Entry | None:
    match = _ROW.fullmatch(text)
    if match is None:
        return None
    try:
        row = orjson.loads(match[1])
    except orjson.JSONDecodeError:
        return None
    return Entry(row, age_of(row)) if type(row.get("id")) is str else None
