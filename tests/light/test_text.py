"""Foreign text is harmless, columns line up, short forms read well."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bkd.text import Column, ago, cell_width, clean, count, duration, fit, format_table, listed, number, percent

ANY_TEXT = st.text(alphabet=st.characters(exclude_categories=()), max_size=40)


class TestClean:
    @pytest.mark.parametrize(
        ("raw", "harmless"),
        [
            ("plain ü 漢", "plain ü 漢"),
            ("\x1b[31;1mred\x1b[0m", "red"),
            ("\x9b31mred", "red"),
            ("\x1b]0;a title\x07rest", "rest"),
            ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
            ("\x1b]0;never ends", "0;never ends"),
            ("\x1b(Bascii \x1b7", "ascii "),
            ("\x1b\x1b[31m[0m", "\\x1b[0m"),
            ("one\ntwo\tthree\r", "one two three "),
            ("bell \x07 null \x00", "bell \\x07 null \\x00"),
            ("abc\u202egpj.exe", "abc\\u202egpj.exe"),
            ("zero\u200bwidth\ufeff\u00ad", "zerowidth"),
            ("no\u00a0break", "no break"),
            ("half \udcff", "half �"),
            ("heart \u2764\ufe0f", "heart \u2764"),
            ("private \ue000", "private \\ue000"),
        ],
    )
    def test_examples(self, raw: str, harmless: str) -> None:
        assert clean(raw) == harmless

    @given(ANY_TEXT | st.lists(st.sampled_from(["\x1b", "[", "]", "31m", "\x07", "a", "\x9b", "\u202e"])).map("".join))
    def test_the_result_is_printable_and_stays_as_it_is(self, text: str) -> None:
        cleaned = clean(text)
        assert cleaned.isprintable()
        assert clean(cleaned) == cleaned
        cleaned.encode()

    @given(st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126)))
    def test_plain_text_is_untouched(self, text: str) -> None:
        assert clean(text) == text

    def test_many_unfinished_sequences_take_linear_time(self) -> None:
        assert "\x1b" not in clean("\x1b]" * 100_000 + "\x1b[" * 100_000)


class TestFit:
    @pytest.mark.parametrize(
        ("text", "width"),
        [
            ("abc", 3),
            ("漢字", 4),
            ("e\u0301", 1),
            ("ｱ", 1),
            ("\uff21", 2),
            ("", 0),
            ("한", 2),
            ("\u1112\u1161\u11ab", 2),
            ("🙂", 2),
        ],
    )
    def test_cells(self, text: str, width: int) -> None:
        assert cell_width(text) == width

    def test_examples(self) -> None:
        assert fit("abc", 5) == "abc  "
        assert fit("abc", 5, "right") == "  abc"
        assert fit("abcdef", 4) == "abc…"
        assert fit("abcdef", 1) == "…"
        assert fit("abcdef", 0) == fit("abcdef", -1) == ""
        assert fit("漢字漢字", 6) == "漢字… "
        assert fit("漢字漢字", 6, "right") == " 漢字…"

    @given(ANY_TEXT, st.integers(min_value=-2, max_value=30), st.sampled_from(["left", "right"]))
    @example("漢", 1, "left")
    def test_it_takes_exactly_the_width(self, text: str, width: int, align: str) -> None:
        fitted = fit(clean(text), width, "right" if align == "right" else "left")
        assert cell_width(fitted) == max(0, width)

    @given(ANY_TEXT)
    def test_what_is_narrow_enough_is_kept(self, text: str) -> None:
        text = clean(text)
        assert fit(text, cell_width(text)) == text


ROWS = [
    {"name": "a_run", "acc": 0.95, "epoch": 3, "note": None},
    {"name": "another_run", "acc": None, "epoch": 120, "note": "two\nlines"},
]
COLUMNS = [
    Column("NAME", "name", min_width=6),
    Column("ACC", lambda row: percent(row["acc"]), align="right", priority=1),
    Column("EPOCH", "epoch", priority=2),
    Column("NOTE", "note", priority=3),
]


class TestTable:
    def test_full_width(self) -> None:
        assert list(format_table(ROWS, COLUMNS)) == [
            "NAME            ACC  EPOCH  NOTE",
            "───────────  ──────  ─────  ─────────",
            "a_run        95.00%      3  -",
            "another_run       -    120  two lines",
        ]

    def test_a_narrow_terminal_shrinks_what_may_shrink(self) -> None:
        lines = list(format_table(ROWS, COLUMNS, 34))
        assert lines[0] == "NAME         ACC  EPOCH  NOTE"
        assert lines[3] == "another…       -    120  two lines"

    def test_a_narrower_one_loses_the_least_important_columns_first(self) -> None:
        assert next(format_table(ROWS, COLUMNS, 25)).split() == ["NAME", "ACC", "EPOCH"]
        assert next(format_table(ROWS, COLUMNS, 16)).split() == ["NAME", "ACC"]
        assert list(format_table(ROWS, COLUMNS, 4)) == ["NAME", "────", "a_r…", "ano…"]

    def test_no_rows(self) -> None:
        assert list(format_table([], COLUMNS[:1])) == ["NAME", "────"]

    def test_wide_characters_line_up(self) -> None:
        rows = [{"a": "漢字", "b": 1}, {"a": "x", "b": 22}]
        lines = list(format_table(rows, [Column("A", "a"), Column("B", "b")]))
        assert lines[2:] == ["漢字   1", "x     22"]

    def test_foreign_text_is_cleaned(self) -> None:
        lines = list(format_table([{"a": "\x1b[2Jx\n", "b": ["p", "\x07"]}], [Column("A", "a"), Column("B", "b")]))
        assert lines[2] == "x   p, \\x07"

    def test_values(self) -> None:
        rows = [{"v": value} for value in (True, None, 0.012345, 7, ["a", "b"], "text")]
        assert [line.strip() for line in format_table(rows, [Column("V", "v")])][2:] == [
            "yes", "-", "0.01235", "7", "a, b", "text",
        ]  # fmt: skip

    @given(
        rows=st.lists(
            st.fixed_dictionaries({"a": ANY_TEXT, "b": st.none() | st.integers() | st.floats(), "c": ANY_TEXT})
        ),
        width=st.integers(min_value=1, max_value=60),
        least=st.lists(st.none() | st.integers(min_value=0, max_value=9), min_size=3, max_size=3),
        priority=st.lists(st.integers(min_value=0, max_value=3), min_size=3, max_size=3),
    )
    def test_no_line_exceeds_the_width_and_none_wastes_it(
        self, rows: list[dict[str, object]], width: int, least: list[int | None], priority: list[int]
    ) -> None:
        columns = [
            Column(key.upper(), key, min_width=m, priority=p) for key, m, p in zip("abc", least, priority, strict=True)
        ]
        lines = list(format_table(rows, columns, width))
        assert len(lines) == 2 + len(rows)
        assert all(cell_width(line) <= width and line.isprintable() and line == line.rstrip() for line in lines)
        full = list(format_table(rows, columns))
        if cell_width(full[1]) <= width:
            assert lines == full
        elif len(lines[1].split()) == 3:
            assert cell_width(lines[1]) == width

    def test_a_very_long_text_shrinks_at_once(self) -> None:
        lines = list(format_table([{"a": "x" * 3_000_000}], [Column("A", "a", min_width=3)], 20))
        assert lines[2] == "x" * 19 + "…"


class TestShortForms:
    @pytest.mark.parametrize(
        ("seconds", "text"),
        [
            (0, "0.0s"), (0.42, "0.4s"), (9.94, "9.9s"), (9.96, "10s"), (59.4, "59s"), (59.6, "1m 00s"),
            (200, "3m 20s"),
            (3599.7, "1h 00m"), (7500, "2h 05m"), (86399.9, "1d 00h"), (273600, "3d 04h"), (-1, "0s"), (None, "-"),
            (float("nan"), "-"), (float("inf"), "-"),
        ],
    )  # fmt: skip
    def test_duration(self, seconds: float | None, text: str) -> None:
        assert duration(seconds) == text

    @pytest.mark.parametrize(
        ("seconds", "text"),
        [
            (-3, "0.0 s ago"), (0.2, "0.2 s ago"), (9.97, "10 s ago"), (42, "42 s ago"), (59.7, "1 min ago"),
            (200, "3 min ago"), (7300, "2 h ago"), (90000, "1 day ago"), (5 * 86400, "5 days ago"), (None, "never"),
        ],
    )  # fmt: skip
    def test_ago(self, seconds: float | None, text: str) -> None:
        assert ago(seconds) == text

    def test_percent(self) -> None:
        assert (percent(0.9537), percent(1, 0), percent(None), percent(float("nan"))) == ("95.37%", "100%", "-", "-")

    def test_number(self) -> None:
        values = (0.0237, 1.23456e-5, 12345.6, 123456789, 0.0, None, float("nan"), -2.5)
        assert [number(v) for v in values] == [
            "0.0237", "1.235e-05", "12346", "123456789", "0", "-", "nan", "-2.5",
        ]  # fmt: skip

    def test_count(self) -> None:
        assert [count(n, "student") for n in (0, 1, 3, 1200)] == [
            "0 students",
            "1 student",
            "3 students",
            "1,200 students",
        ]
        assert [count(2, noun) for noun in ("class", "entry", "day", "batch")] == [
            "2 classes",
            "2 entries",
            "2 days",
            "2 batches",
        ]
        assert count(2, "datum", "data") == "2 data"


def test_words_are_listed_as_one_phrase() -> None:
    assert [listed(words) for words in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == ["", "a", "a and b", "a, b and c"]
