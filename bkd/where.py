"""The language of `--where` and of the app's filter: from text to a test on rows of `bkd list --json`.

    kind = bayesian acc > 95% not (tag = debug or status = failed) "my run"

A name is a key of the row or a metric key such as `test/ece`; `acc`, `ece`, `nll` and `R` are short. Operators are
`= != < <= > >= ~` (`~`: a regular expression found anywhere, in any case). Terms side by side mean `and`, which binds
tighter than `or`. A bare word matches where it is part of the name, of a tag or of the id. Texts compare in any case.

What is missing answers neither yes nor no: `acc > .9`, `acc != .9` and `not (acc > .9)` all leave out a run without an
accuracy. (Kleene's three values, with unknown as no at the end.) So `not` is pushed down to the comparisons when the
filter is compiled: `not (acc > .9)` becomes `acc <= .9`, and no third value exists while rows are tested.
"""

import re
from collections.abc import Iterable
from typing import NoReturn

from bkd.errors import FilterError
from bkd.where_match import Columns, Either, Every, Predicate, Row
from bkd.where_terms import (
    FIELDS,
    KEYWORDS,
    SHORT_NAMES,
    Token,
    comparison,
    contains,
    fail,
    known,
    shown,
    sort_key,
    value_of,
)

__all__ = [
    "FIELDS",
    "OPERATORS",
    "SHORT_NAMES",
    "Columns",
    "Predicate",
    "Row",
    "compile_filter",
    "complete",
    "sort_rows",
    "word_start",
]

OPERATORS = ("=", "!=", "<", "<=", ">", ">=", "~")

_STATUSES = ("queued", "running", "done", "failed", "stopped", "lost", "unknown")
_KINDS = ("Deterministic", "Bayesian", "MSE", "Laplace", "MCMI", "Ensemble", "TTDA")
_ROLES = ("teacher", "student", "experiment")
_MAX_DEPTH = 50
_TOKEN = re.compile(
    r"""\s*(?:(?P<operator>==|!=|<=|>=|[=<>~]) | (?P<paren>[()]) | (?P<word>[^\s()=!<>~"']+)
    | (?P<quoted>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*') | (?P<wrong>\S) | (?P<end>\Z))""",
    re.VERBOSE | re.DOTALL,
)


def compile_filter(text: str) -> Predicate:
    """Compile a filter to a test of rows; an empty filter matches every row.

    Args:
        text: An expression in the language of this module.

    Raises:
        FilterError: It does not parse, or names a field that no row has.
    """
    tokens = _tokens(text)
    parser = _Parser(tokens)
    if tokens[0].kind == "end":
        return Every(())
    test = parser.any_of(negated=False)
    if parser.token.kind != "end":
        parser.fail("a name, a word, and, or, or the end")
    return test


def sort_rows(rows: Iterable[Row], field: str, descending: bool = False) -> list[Row]:
    """Return the rows sorted by a field, short name or metric; rows without a value come last either way.

    Args:
        rows: Rows of `bkd list --json`.
        field: A name of the filter language; with a leading "-" the order is reversed.
        descending: Largest first.

    Raises:
        FilterError: No row has such a field.
    """
    if field.startswith("-"):
        field, descending = field[1:], not descending
    got_of = value_of(known(field, "sort field"))
    keyed = [(sort_key(got_of(row)), row) for row in rows]
    present = [pair for pair in keyed if pair[0] is not None]
    present.sort(key=lambda pair: pair[0] or (), reverse=descending)
    return [row for _, row in present] + [row for key, row in keyed if key is None]


def complete(text: str, cursor: int, metric_keys: Iterable[str] = ()) -> list[str]:
    """Return what the word that ends at the cursor may become, best first.

    Args:
        text: The filter as typed so far.
        cursor: Offset in `text`, in characters; what follows it is not looked at.
        metric_keys: Metrics that rows have.

    Returns:
        Words that replace the part from `word_start(text, cursor)` to the cursor.
    """
    start = word_start(text, cursor)
    prefix = text[start:cursor].lower()
    choices = _choices(text[:start], tuple(metric_keys))
    return [choice for choice in choices if choice.lower().startswith(prefix) and choice != text[start:cursor]]


def word_start(text: str, cursor: int) -> int:
    """Return where the word begins that ends at the cursor: the cursor itself after a space or an operator."""
    start = cursor
    while start > 0 and not re.match(r"[\s()=!<>~\"']", text[start - 1]):
        start -= 1
    return start


def _tokens(text: str) -> list[Token]:
    tokens = []
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup or "end"
        token = Token(kind, match[kind], match.start(kind) + 1)
        if kind == "wrong":
            if token.text == "!":
                fail("!= or not", token)
            fail(f"a closing {token.text}", Token("end", "", len(text) + 1))
        if kind == "quoted":
            token = Token(kind, re.sub(r"\\(.)", r"\1", token.text[1:-1], flags=re.DOTALL), token.position)
        tokens.append(token)
        if kind == "end":
            break
    return tokens


class _Parser:
    """Recursive descent; each rule returns the test for what it read, or for its contrary if `negated`."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._next = 0
        self._depth = 0

    @property
    def token(self) -> Token:
        return self._tokens[self._next]

    def take(self) -> Token:
        token = self.token
        self._next += 1
        return token

    def fail(self, wanted: str) -> NoReturn:
        fail(wanted, self.token)

    def any_of(self, negated: bool) -> Predicate:
        tests = [self.all_of(negated)]
        while self.token.keyword == "or":
            self.take()
            tests.append(self.all_of(negated))
        return _joined(tests, every=negated)

    def all_of(self, negated: bool) -> Predicate:
        tests = [self.term(negated)]
        while self.token.keyword in ("and", "not") or self.token.is_word or self.token.text == "(":
            if self.token.keyword == "and":
                self.take()
            tests.append(self.term(negated))
        return _joined(tests, every=not negated)

    def term(self, negated: bool) -> Predicate:
        while self.token.keyword == "not":
            self.take()
            negated = not negated
        if self.token.kind == "paren" and self.token.text == "(":
            return self.group(negated)
        if not self.token.is_word:
            self.fail("a name, a word or (")
        word = self.take()
        if self.token.kind != "operator":
            return contains(word.text, negated)
        sign = self.take()
        if not self.token.is_word:
            self.fail(f"a value after {shown(sign.text)}")
        return comparison(word, sign, self.take(), negated)

    def group(self, negated: bool) -> Predicate:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            self.fail(f"at most {_MAX_DEPTH} parentheses inside each other")
        self.take()
        test = self.any_of(negated)
        if not (self.token.kind == "paren" and self.token.text == ")"):
            self.fail("and, or, or )")
        self.take()
        self._depth -= 1
        return test


def _joined(tests: list[Predicate], every: bool) -> Predicate:
    if len(tests) == 1:
        return tests[0]
    return Every(tests) if every else Either(tests)


# ---- completion and messages


def _choices(before: str, metric_keys: tuple[str, ...]) -> tuple[str, ...]:
    """Return what may follow `before`."""
    try:
        tokens = _tokens(before)[:-1]
    except FilterError:  # inside quotes
        return ()
    last = tokens[-1] if tokens else Token("end", "", 0)
    if last.kind == "operator":
        return _values(tokens[-2].text if len(tokens) > 1 else "")
    names = (*SHORT_NAMES, *(field for field in FIELDS if field != "tags"), *sorted(metric_keys))
    if not (last.is_word or last.text == ")"):
        return (*names, "not")
    is_value = len(tokens) > 1 and tokens[-2].kind == "operator"
    is_name = last.kind == "word" and ("/" in last.text or last.text.lower() in FIELDS or last.text in SHORT_NAMES)
    # After a term the next one may follow at once, which means and.
    return OPERATORS if is_name and not is_value else (*KEYWORDS, *names)


def _values(name: str) -> tuple[str, ...]:
    from bkd.catalog import ARCHITECTURES, DATASETS

    known = {
        "kind": _KINDS, "status": _STATUSES, "role": _ROLES, "dataset": tuple(DATASETS),
        "arch": ARCHITECTURES, "student_arch": ARCHITECTURES,
    }  # fmt: skip
    return known.get(name.lower(), ())
