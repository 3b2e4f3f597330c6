"""The filter language: examples, an independent three-valued evaluation, and errors that help."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bkd.errors import FilterError
from bkd.where import FIELDS, Columns, compile_filter, complete, sort_rows, word_start

RUN: dict[str, Any] = {
    "id": "3f2a91bc", "name": "wrn_16_1_digits_t0", "role": "student", "kind": "Bayesian", "arch": "wrn_16_1",
    "student_arch": "MobileNetV2", "dataset": "fashion-mnist", "status": "stopped (no checkpoint)", "epoch": 3,
    "epochs": 20, "created": "2026-01-31T18:05:00+00:00", "path": "students/x", "teacher": "aaaa1111", "trial": 0,
    "tags": ["Good", "paper"], "note": None,
    "metrics": {"test/acc": 0.9537, "val/acc": 0.91, "val/ece": 0.02, "grad/noise_ratio": 0.8, "test/nll": None},
}  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "", "   ", "acc > .9", "acc>0.9", "acc > 95%", "acc = 95.37%", "acc = 9537e-4", "acc == 0.9537",
        "acc >= 95.37%",
        "test/acc > .9", "val/acc < .92", "ece < 3%", "R < 1", "r < 1", "grad/noise_ratio <= 8e-1", "epoch = 3",
        "epochs != 3", "trial = 0", "kind = bayesian", "KIND = BAYESIAN", "kind != laplace", "kind ~ ^bay",
        "name ~ DIGITS",
        "arch = WRN-16-1", "student_arch = mobilenetv2", "dataset = fashion_mnist", "dataset ~ mnist$",
        "status = stopped",
        "status = 'Stopped (no checkpoint)'", "status != done", "tag = good", "tags = paper", "tag != bad", "tag ~ ^pa",
        "not tag ~ ^pe", "id = 3F2A91BC", "teacher = aaaa1111", "digits", "DIGITS", "3f2a", "pape", '"wrn_16"',
        "not cifar",
        "acc > .9 kind = bayesian", "acc > .9 and kind = bayesian", "acc > .99 or kind = bayesian",
        "acc > .99 or kind = bayesian digits", "not acc > .99", "not (acc > .99 or ece > .5)", "not not acc > .9",
        "NOT acc > .99 AND digits", "(acc > .9)(kind=bayesian)", "digits not cifar", "created = 2026-01-31",
        "created = 2026",
        "created > 2026-01-30", "created <= 2026-01-31", 'created >= "2026-01-31 18:05"', "not created < 2026-01",
        "acc > -1", "acc < +1", "kind = 'bayesian'", 'name != "and"', "tag = good tag = paper",
    ],
)  # fmt: skip
def test_matches(text: str) -> None:
    assert compile_filter(text)(RUN) is True


@pytest.mark.parametrize(
    "text",
    [
        "acc > .96", "acc != .9537", "not acc > .9", "kind = laplace", "kind = bay", "kind ~ ^ay", "status = stop",
        "status != stopped", "status = done", "tag = goo", "tag != good", "not tag = good", "tag ~ ^ood", "cifar",
        "not digits",
        "acc > .99 or kind = laplace", "acc > .9 kind = laplace", "kind = bayesian digits cifar",
        "created > 2026-01-31",
        "created < 2026-01-31", "created != 2026", "ands", "arch = MobileNetV2", "students",
        "digits and (cifar or imagenet)", '"digits and"',
    ],
)  # fmt: skip
def test_does_not_match(text: str) -> None:
    assert compile_filter(text)(RUN) is False


@pytest.mark.parametrize(
    "term", ["nll > 0", "test/brier != 3", "note = x", "note ~ x", "started > 2026", "host != here"]
)
def test_what_is_missing_matches_neither_a_term_nor_its_contrary(term: str) -> None:
    for text in (term, f"not {term}", f"not (not {term})", f"not ({term} or cifar)"):
        assert compile_filter(text)(RUN) is False
    assert compile_filter(f"{term} or digits")(RUN) is True
    assert compile_filter(f"not ({term} and cifar)")(RUN) is True


def test_a_short_name_takes_test_before_val() -> None:
    assert compile_filter("acc = .91")({"metrics": {"val/acc": 0.91}})
    assert compile_filter("acc = .91")({"metrics": {"val/acc": 0.91, "test/acc": None}})
    assert not compile_filter("acc = .91")({"metrics": {"val/acc": 0.91, "test/acc": 0.95}})


def test_rows_may_lack_everything() -> None:
    for text in ("acc > 0", "acc < 0", "kind = x", "created > 2020", "epoch != 1", "name ~ ."):
        for row in ({}, {"metrics": None, "tags": None}, {"metrics": {"test/acc": float("nan"), "val/acc": "x"}}):
            assert compile_filter(text)(row) is False
    assert compile_filter("not x tag != y")({}) is True


def test_unix_times_compare_with_dates() -> None:
    noon = 1_769_860_800.0  # 2026-01-31 12:00 UTC, the same day from UTC-12 to UTC+11
    assert compile_filter("created = 2026-01-31")({"created": noon})
    assert not compile_filter("created > 2026-01-31")({"created": noon})
    assert not compile_filter("created > 2000")({"created": 1e300})


@pytest.mark.parametrize(
    ("text", "position", "says"),
    [
        ("acc >", 6, 'a value after ">", got the end'),
        ("acc > and", 7, 'a value after ">", got "and"'),
        ("acc > high", 7, 'a number such as 0.95, 95% or 1e-3 to compare "acc" with, got "high"'),
        ("acc > nan", 7, "a number"),
        ("epoch = 1_0", 9, "a number"),
        ("x and", 6, "a name, a word or (, got the end"),
        ("or x", 1, 'a name, a word or (, got "or"'),
        ("not", 4, "got the end"),
        ("(x", 3, "and, or, or ), got the end"),
        ("x)", 2, 'got ")"'),
        ("()", 2, 'a name, a word or (, got ")"'),
        ("a = b = c", 1, "is no field"),
        ("kind = b = c", 10, 'the end, got "="'),
        ("acc ! 3", 5, '!= or not, got "!"'),
        ('name = "x', 10, 'a closing ", got the end'),
        ("tag < x", 5, "no order"),
        ("acc ~ 9", 7, "~ looks into texts"),
        ("name ~ (", 8, "got"),
        ("name ~ '('", 8, "a regular expression ("),
        ("name ~ a{99999999999}", 8, "a regular expression"),
        ("created > yesterday", 11, "a date such as"),
        ("kind = bayesian acuracy > 3", 17, "no field"),
        ("(" * 60 + "x" + ")" * 60, 51, "at most 50"),
    ],
)
def test_errors_say_where_and_what_was_expected(text: str, position: int, says: str) -> None:
    with pytest.raises(FilterError) as caught:
        compile_filter(text)
    assert f"filter, character {position}: " in str(caught.value)
    assert says in str(caught.value)


def test_unknown_names_get_the_nearest_known_one() -> None:
    for name, meant in (
        ("knid", "kind"),
        ("student-arch", "student_arch"),
        ("ac", "acc"),
        ("epch", "epoch"),
        ("datset", "dataset"),
    ):
        with pytest.raises(FilterError, match=f"Did you mean {meant}"):
            compile_filter(f"{name} = 1")
    with pytest.raises(FilterError, match=r"Known are id, .*test/acc"):
        compile_filter("zzzzzz = 1")


def test_an_error_shows_no_control_characters() -> None:
    with pytest.raises(FilterError) as caught:
        compile_filter('acc > "\x1b[31m\n' + "x" * 500 + '"')
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300


def test_a_long_filter_is_no_problem() -> None:
    assert compile_filter(" or ".join(["cifar"] * 3000 + ["digits"]))(RUN)
    assert compile_filter("not " * 3000 + "digits")(RUN)
    assert compile_filter("(" * 50 + "digits" + ")" * 50)(RUN)


# ---- any text, and any expression against a naive evaluation

PIECES = [
    *FIELDS,
    "acc",
    "R",
    "test/acc",
    "and",
    "or",
    "not",
    "(",
    ")",
    "=",
    "!=",
    "<",
    "~",
    "!",
    '"',
    "'",
    "\\",
    "95%",
    "x",
    " ",
    "[",
    "*",
]


@given(st.text(max_size=30) | st.lists(st.sampled_from(PIECES), max_size=12).map(" ".join))
def test_any_text_is_a_filter_or_a_filter_error(text: str) -> None:
    try:
        test = compile_filter(text)
    except FilterError as error:
        message = str(error)
    else:
        message = ""
        assert test(RUN) in (True, False)
        assert test({}) in (True, False)
    assert message.isprintable()


Three = bool | None
Node = tuple[str, Callable[[dict[str, Any]], Three]]


def _term(name: str, sign: str, value: int) -> Node:
    compare: dict[str, Callable[[Any], bool]] = {
        "=": lambda got: got == value, "!=": lambda got: got != value, "<": lambda got: got < value,
        "<=": lambda got: got <= value, ">": lambda got: got > value, ">=": lambda got: got >= value,
    }  # fmt: skip

    def evaluate(row: dict[str, Any]) -> Three:
        got = row["metrics"].get(name)
        return None if got is None else compare[sign](got)

    return f"{name} {sign} {value}", evaluate


def _not(node: Node) -> Node:
    def evaluate(row: dict[str, Any]) -> Three:
        got = node[1](row)
        return None if got is None else not got

    return f"not ({node[0]})", evaluate


def _joined(nodes: tuple[list[Node], str]) -> Node:
    parts, word = nodes
    decides = "or" in word

    def evaluate(row: dict[str, Any]) -> Three:
        got = [part[1](row) for part in parts]
        return decides if decides in got else None if None in got else not decides

    return word.join(f"({text})" for text, _ in parts), evaluate


TERMS = st.builds(
    _term,
    st.sampled_from(["m/a", "m/b", "m/c.d"]),
    st.sampled_from(["=", "!=", "<", "<=", ">", ">="]),
    st.integers(0, 3),
)
NODES = st.recursive(
    TERMS,
    lambda inner: (
        inner.map(_not)
        | st.tuples(st.lists(inner, min_size=1, max_size=3), st.sampled_from([" and ", " or ", " "])).map(_joined)
    ),
    max_leaves=12,
)
METRICS = st.dictionaries(st.sampled_from(["m/a", "m/b", "m/c.d"]), st.none() | st.integers(0, 3))


@given(NODES, METRICS)
def test_it_agrees_with_three_valued_logic(node: Node, metrics: dict[str, int | None]) -> None:
    text, evaluate = node
    row = {"metrics": metrics}
    assert compile_filter(text)(row) is (evaluate(row) is True)


@given(NODES, st.lists(METRICS, max_size=5))
def test_many_rows_at_once_are_those_that_match_one_by_one(node: Node, metrics: list[dict[str, int | None]]) -> None:
    rows = [{"metrics": found} for found in metrics]
    test, columns = compile_filter(node[0]), Columns(rows)
    for _ in range(2):  # the columns are filled the second time
        assert list(test.among(columns, range(len(rows)))) == [i for i, row in enumerate(rows) if test(row)]


@pytest.mark.parametrize("text", ["", "pape", "tag = good", "status != done kind ~ bay", "not (x or created > 2026)"])
def test_columns_of_texts_tags_and_times_are_kept_apart(text: str) -> None:
    rows = [RUN, {}, RUN | {"tags": [], "status": "done"}, RUN | {"name": "x", "created": None, "tags": None}]
    columns, test = Columns(rows), compile_filter(text)
    for other in ("paper", "tag ~ p", "created = 2026", "status = done"):
        compile_filter(other).among(columns, range(len(rows)))
    assert list(test.among(columns, range(len(rows)))) == [i for i, row in enumerate(rows) if test(row)]


@given(st.text(max_size=12), st.sampled_from("\"'"))
def test_a_quoted_text_is_found_again(text: str, quote: str) -> None:
    quoted = quote + text.replace("\\", "\\\\").replace(quote, "\\" + quote) + quote
    assert compile_filter(f"note = {quoted}")({"note": text})
    assert compile_filter(quoted)({"name": f"a{text}b"})
    assert not compile_filter(f"note != {quoted}")({"note": text})


# ---- sorting


def ids(rows: list[Any]) -> str:
    return "".join(row["id"] for row in rows)


class TestSort:
    ROWS = (
        {"id": "a", "created": "2026-01-02", "metrics": {"test/acc": 0.9}, "tags": ["x"]},
        {"id": "b", "created": None, "metrics": {"val/acc": 0.95}},
        {"id": "c", "created": "2026-01-01", "metrics": {}},
        {"id": "d", "created": "2026-01-02", "metrics": {"test/acc": float("nan")}, "tags": []},
    )

    @pytest.mark.parametrize(
        ("field", "order"),
        [("created", "cadb"), ("-created", "adcb"), ("acc", "abcd"), ("-acc", "bacd"), ("-test/acc", "abcd"), ("tag",
         "abcd"),
         ("-id", "dcba")],
    )  # fmt: skip
    def test_missing_ones_come_last_either_way(self, field: str, order: str) -> None:
        assert ids(sort_rows(self.ROWS, field)) == order

    def test_descending_and_a_minus_cancel(self) -> None:
        assert sort_rows(self.ROWS, "-id", descending=True) == sort_rows(self.ROWS, "id")

    def test_texts_sort_in_any_case_and_after_numbers(self) -> None:
        rows: list[dict[str, Any]] = [{"id": "1", "trial": "b"}, {"id": "2", "trial": "A"}, {"id": "3", "trial": 7}]
        assert ids(sort_rows(rows, "trial")) == "321"

    def test_an_unknown_field(self) -> None:
        with pytest.raises(FilterError, match=r"sort field: .*Did you mean created"):
            sort_rows(self.ROWS, "creatd")


# ---- completion


class TestComplete:
    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("ki", ["kind"]), ("acc > .9 stat", ["status"]), ("kind = ba", ["Bayesian"]), ("kind=ba", ["Bayesian"]),
            ("status = st", ["stopped"]), ("dataset = fa", ["fashion-mnist"]), ("(test/", ["test/acc", "test/top5"]),
            ("acc > .9 an", ["and"]), ("acc > .9 a", ["and", "acc", "arch"]), ("kind ", ["=", "!=", "<", "<=", ">",
            ">=", "~"]),
            ("name = ", []), ('"open ', []), ("zzz", []), ("kind = mse) o", ["or"]),
        ],
    )  # fmt: skip
    def test_it_knows_what_may_follow(self, text: str, words: list[str]) -> None:
        got = complete(text, len(text), ["test/top5", "test/acc"])
        assert got == words

    def test_after_a_term_it_offers_and_then_the_next_term(self) -> None:
        assert complete("acc > .9 ", 9)[:4] == ["and", "or", "not", "acc"]

    def test_an_empty_filter_offers_names(self) -> None:
        got = complete("", 0, ["grad/bias"])
        assert got[:2] == ["acc", "ece"]
        assert {"kind", "tag", "grad/bias", "not"} <= set(got)

    def test_only_what_stands_before_the_cursor_counts(self) -> None:
        assert complete("ki = bayesian", 2) == ["kind"]
        assert word_start("acc > .9 stat", 13) == 9

    @given(st.lists(st.sampled_from(PIECES), max_size=8).map(" ".join), st.integers(0, 40))
    def test_it_never_fails(self, text: str, cursor: int) -> None:
        cursor = min(cursor, len(text))
        for word in complete(text, cursor, ["m/a"]):
            assert word.lower().startswith(text[word_start(text, cursor) : cursor].lower())


def test_importing_the_language_is_light() -> None:
    code = (
        "import sys, bkd.where, bkd.text; heavy = {'pydantic', 'typer', 'rich', 'numpy', 'torch', 'orjson', 'difflib'}"
        "& {name.split('.')[0] for name in sys.modules}; sys.exit(' '.join(heavy) or 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, cwd=Path(__file__).parents[2])
