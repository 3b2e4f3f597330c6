"""The registry's text: one row a line, so that whoever reads it again, or changes one row, parses only that line."""

import re
from collections.abc import Container, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from registry.rows import TABLES, Row, age_of, damage_of, sound_row

_ROW = re.compile(rb'"\d+":\{.*\},?')
_BETWEEN = re.compile(rb'(?:\{|\},)"\w+":\{|\}\}')


class Entry(NamedTuple):
    """A row and what rows are sorted by."""

    row: Row
    age: tuple[str, str]


def encode(tables: Mapping[str, Mapping[Any, Any]], option: int = 0) -> bytes:
    """Return the JSON of tables, each row on a line of its own.

    Args:
        tables: Rows by their number, by the table's name.
        option: Of `orjson.dumps`, for the rows; those from `read_around` that are still text are written as they are.

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
    """Return the rows of parsed tables with their ages; what a row holds of a wrong type is left out."""
    return {
        name: [Entry(row, age_of(row)) for row in map(sound_row, tables.get(name, {}).values())]
        for name in TABLES.values()
    }


class RowLines:
    """Reads the registry's text again and again; a line that stayed gives the same object as before."""

    def __init__(self) -> None:
        self._known: dict[bytes, Entry] = {}

    def learn(self, data: bytes, entries: Mapping[str, Sequence[Entry]]) -> None:
        """Take over the rows that were parsed from a text."""
        found = _split(data, ())
        if found is not None:
            self._known = {
                found.lines[at]: entry
                for name in found.tables.keys() & entries.keys()
                for at, entry in zip(found.tables[name].values(), entries[name], strict=True)
            }

    def read(self, data: bytes) -> dict[str, list[Entry]] | None:
        """Return the rows of each table, or None where the text is not one row a line or a row is not sound."""
        known = self._known  # once: another thread may be here too
        found = _split(data, known)
        if found is None:
            return None
        lines: dict[bytes, Entry] = {}
        for text in found.lines:
            entry = known.get(text) or _parsed(text)
            if entry is None:
                return None
            lines[text] = entry
        self._known = lines
        return {name: [lines[found.lines[at]] for at in table.values()] for name, table in found.tables.items()}


def read_around(data: bytes, run_id: str) -> dict[str, dict[str, Any]] | None:
    """Return the tables with a run's rows parsed and all others as text; None where the text is not one row a line."""
    found, rows = _split(data, ()), []
    if found is None:
        return None
    mentioned = orjson.dumps(run_id)
    for text in found.lines:
        content = _content(text)
        row = _loaded(content) if mentioned in content else {}
        rows.append(row if row.get("id") == run_id else orjson.Fragment(content))
    return {name: {number: rows[at] for number, at in table.items()} for name, table in found.tables.items()}


class _Split(NamedTuple):
    """The lines that hold rows, and for each table the place of each row among them."""

    lines: list[bytes]
    tables: dict[str, dict[str, int]]


def _split(data: bytes, known: Container[bytes]) -> _Split | None:
    """Part the text into lines, or return None where it is not one row a line; lines that are known are rows."""
    lines: list[bytes] = []
    skeleton = []  # the text with a row's place in `lines` instead of the row
    for text in data.split(b"\n"):
        if text in known or _ROW.fullmatch(text):
            number, comma = text[: text.index(b":")], b"," if text.endswith(b",") else b""
            skeleton.append(b"%b:%d%b" % (number, len(lines), comma))
            lines.append(text)
        elif _BETWEEN.fullmatch(text):
            skeleton.append(text)
        else:
            return None
    try:
        return _Split(lines, orjson.loads(b"".join(skeleton)))
    except orjson.JSONDecodeError:
        return None


def _content(text: bytes) -> bytes:
    return text[text.index(b":") + 1 :].removesuffix(b",")


def _loaded(content: bytes) -> Row:
    try:
        row: Row = orjson.loads(content)
    except orjson.JSONDecodeError:
        return {}
    return row


def _parsed(text: bytes) -> Entry | None:
    row = _loaded(_content(text))
    if damage_of(row):
        return None
    row = sound_row(row)
    return Entry(row, age_of(row))
