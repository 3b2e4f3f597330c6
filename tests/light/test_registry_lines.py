"""The registry's text, one row a line: the same rows as any JSON parser finds, and only changed lines parsed."""

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry import TABLES, sound_row
from registry.lines import RowLines, encode, entries_of, read_around

Tables = dict[str, dict[str, dict[str, Any]]]

_VALUES = st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=8) | st.just('},"2":{"id":"no"}\n')
_ROWS = st.fixed_dictionaries(
    {"id": st.text(min_size=1, max_size=5)},
    optional={"created": st.floats(0, 1e9), "note": _VALUES, "metrics": st.dictionaries(st.text(max_size=4), _VALUES)},
)
_TABLES = st.dictionaries(
    st.sampled_from([*TABLES.values(), "_default"]),
    st.dictionaries(st.integers(1, 30).map(str), _ROWS, max_size=5),
    min_size=1,
)


def rows_of(lines: RowLines, text: bytes) -> dict[str, list[dict[str, Any]]] | None:
    found = lines.read(text)
    return None if found is None else {name: [entry.row for entry in table] for name, table in found.items()}


def parsed(text: bytes) -> dict[str, list[dict[str, Any]]]:
    return {name: list(map(sound_row, table.values())) for name, table in orjson.loads(text).items()}


def two_teachers() -> Tables:
    return {"teachers": {"1": {"id": "a", "epoch": 1}, "2": {"id": "b", "epoch": 1}}, "students": {}}


@settings(max_examples=50, deadline=None)
@given(st.lists(_TABLES, min_size=1, max_size=4))
def test_one_reader_finds_in_each_text_what_a_parser_finds(states: list[Tables]) -> None:
    lines = RowLines()
    for tables in states:
        text = encode(tables)
        assert orjson.loads(text) == tables
        assert rows_of(lines, text) == parsed(text)


@settings(max_examples=100, deadline=None)
@given(_TABLES, st.data())
def test_a_text_that_was_cut_or_disturbed_is_never_misread(tables: Tables, data: st.DataObject) -> None:
    text = encode(tables)
    lines = RowLines()
    lines.read(text)
    at = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.binary(max_size=3)) + data.draw(st.sampled_from([b"", text[at + 1 :], text[at:]]))
    changed = text[:at] + other
    found = rows_of(lines, changed)
    if found is not None:
        assert found == parsed(changed)


def test_a_row_is_one_line() -> None:
    assert encode(two_teachers()).splitlines() == [
        b'{"teachers":{', b'"1":{"id":"a","epoch":1},', b'"2":{"id":"b","epoch":1}', b'},"students":{', b"}}",
    ]  # fmt: skip


def test_lines_that_stayed_give_the_same_objects() -> None:
    lines, tables = RowLines(), two_teachers()
    before = rows_of(lines, encode(tables))
    tables["teachers"]["2"] = {"id": "b", "epoch": 2}
    tables["students"]["1"] = {"id": "s"}
    after = rows_of(lines, encode(tables))
    assert before is not None
    assert after is not None
    assert after["teachers"][0] is before["teachers"][0]
    assert after["teachers"][1] == {"id": "b", "epoch": 2}
    assert before["teachers"][1] == {"id": "b", "epoch": 1}
    assert after["students"] == [{"id": "s"}]


@settings(max_examples=50, deadline=None)
@given(_TABLES, st.integers(0, 30))
def test_rows_that_were_parsed_whole_are_taken_over(tables: Tables, number: int) -> None:
    text, lines = encode(tables), RowLines()
    entries = entries_of(orjson.loads(text))
    lines.learn(text, entries)
    known = {id(entry.row) for table in entries.values() for entry in table}
    tables.setdefault("teachers", {}).setdefault(str(number), {"id": "new"})
    found = lines.read(encode(tables))
    assert found is not None
    assert {name: [entry.row for entry in table] for name, table in found.items()} == parsed(encode(tables))
    rows = [entry.row for name in TABLES.values() for entry in found.get(name, ())]
    assert sum(id(row) not in known for row in rows) <= 2  # the new one, and the one that a comma now follows


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{}",
        b'{"teachers":{"1":{"id":"a"}}}',
        b'{"teachers":{\n"1":{"id":"a"},\n}}',
        b'{"teachers":{\n"1":{"id":"a"}\n"2":{"id":"b"}\n}}',
        b'{"teachers":{\n"1":{"name":"no id"}\n}}',
        b'{"teachers":{\n"1":{"id":7}\n}}',
        b'{"teachers":{\n"1":{"id":"a"}\n',
        b'{"teachers":{\n"1":{"id":"a"\n}}',
        b'{"teachers":{\n"1":3\n}}',
        b'{"teachers":{\n"one":{"id":"a"}\n}}',
    ],
)
def test_any_other_layout_is_left_to_a_parser(text: bytes) -> None:
    assert RowLines().read(text) is None


def test_a_number_that_stands_twice_counts_as_for_a_parser() -> None:
    text = b'{"teachers":{\n"1":{"id":"a"},\n"1":{"id":"b"}\n}}'
    assert rows_of(RowLines(), text) == parsed(text) == {"teachers": [{"id": "b"}]}


class TestReadAround:
    @settings(max_examples=50, deadline=None)
    @given(_TABLES, st.data())
    def test_what_was_not_touched_is_written_as_it_was(self, tables: Tables, data: st.DataObject) -> None:
        text = encode(tables)
        ids = [row["id"] for table in tables.values() for row in table.values()]
        found = read_around(text, data.draw(st.sampled_from([*ids, "nobody"])))
        assert found is not None
        assert encode(found) == text

    def test_only_the_run_s_own_rows_are_parsed(self) -> None:
        tables = two_teachers() | {"students": {"1": {"id": "s", "teacher": "a"}, "2": {"id": "a"}}}
        found = read_around(encode(tables), "a")
        assert found is not None
        assert {(name, n) for name, table in found.items() for n, row in table.items() if isinstance(row, dict)} == {
            ("teachers", "1"), ("students", "2"),
        }  # fmt: skip

    def test_any_other_layout_is_left_to_a_parser(self) -> None:
        assert read_around(orjson.dumps(two_teachers()), "a") is None
