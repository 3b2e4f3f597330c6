"""One term of the filter language: what a name stands for, and the test that a comparison becomes."""

import math
import operator
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NoReturn

from bkd.errors import FilterError
from bkd.where_match import Getter, Predicate, Row, Term

SHORT_NAMES: dict[str, tuple[str, ...]] = {
    "acc": ("test/acc", "val/acc"),
    "ece": ("test/ece", "val/ece"),
    "nll": ("test/nll", "val/nll"),
    "R": ("grad/noise_ratio",),
}
"""Metrics that a short name stands for; the first one that a row has counts."""

TEXT_FIELDS = (
    "id", "name", "role", "kind", "arch", "student_arch", "dataset", "status", "path", "teacher", "note", "host",
)  # fmt: skip
NUMBER_FIELDS = ("epoch", "epochs", "trial")
TIME_FIELDS = ("created", "started", "ended")
FIELDS = (*TEXT_FIELDS, *NUMBER_FIELDS, *TIME_FIELDS, "tags", "tag")

KEYWORDS = ("and", "or", "not")
_NEGATED = {"=": "!=", "!=": "=", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}
_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
_NUMBER = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:[eE]([+-]?\d{1,4}))?(%?)", re.ASCII)
_TIME = re.compile(r"\d{4}(-\d\d(-\d\d(T\d\d(:\d\d(:\d\d)?)?)?)?)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Token:
    """A word, a quoted text, an operator, a parenthesis or the end of a filter."""

    kind: str
    text: str
    position: int  # 1 for the first character

    @property
    def keyword(self) -> str:
        """Return and, or, not, or an empty string; a quoted "and" is a word."""
        return self.text.lower() if self.kind == "word" and self.text.lower() in KEYWORDS else ""

    @property
    def is_word(self) -> bool:
        """Whether it can be a name or a value."""
        return self.kind in ("word", "quoted") and not self.keyword


# ---- one comparison


def contains(word: str, negated: bool) -> Predicate:
    """Return the test whether a bare word is part of the name, the id or a tag."""
    part, is_wanted = word.casefold(), not negated
    return Term("words", _words, lambda words: (part in words) is is_wanted)


def _words(row: Row) -> str:
    """Return what bare words are looked for in, apart by what nobody types."""
    texts = (row.get("name") or "", row.get("id") or "", *(row.get("tags") or ()))
    return "\0".join(map(str, texts)).casefold()


def comparison(name: Token, sign: Token, value: Token, negated: bool) -> Predicate:
    """Return the test for `name sign value`, or for its contrary if `negated`."""
    key = known(name.text, f"filter, character {name.position}")
    got_of = value_of(key)
    if sign.text == "~":
        return _regex(key, got_of, value, negated)
    effective = "=" if sign.text == "==" else sign.text
    effective = _NEGATED[effective] if negated else effective
    if key == "tags":
        return _tag(sign, value, effective)
    if key in TIME_FIELDS:
        return _time(key, got_of, value, _ORDER[effective])
    if key in TEXT_FIELDS:
        return _text(key, got_of, value.text, effective)
    return Term(key, got_of, _number(name, value, _ORDER[effective]))


def _number(name: Token, value: Token, compare: Callable[[Any, Any], bool]) -> Callable[[Any], bool]:
    match = _NUMBER.fullmatch(value.text)
    if not match:
        fail(f"a number such as 0.95, 95% or 1e-3 to compare {shown(name.text)} with", value)
    digits, exponent, percent = match.groups()
    # By the exponent, not by division, so that 95.37% is the same number as 0.9537.
    limit = float(f"{digits}e{int(exponent or 0) - (2 if percent else 0)}")

    def test(got: Any) -> bool:
        return (type(got) is float or type(got) is int) and got == got and compare(got, limit)

    return test


def _text(key: str, got_of: Getter, value: str, sign: str) -> Predicate:
    fold = _folded if key in ("kind", "status", "role", "arch", "student_arch", "dataset") else str.casefold
    wanted, compare = fold(value), _ORDER[sign]

    def test(got: Any) -> bool:
        return type(got) is str and compare(fold(got), wanted)

    def test_status(got: Any) -> bool:
        # "stopped (no checkpoint)" and "unknown (on HOST)" are a status and a remark.
        return type(got) is str and (fold(got) == wanted or fold(got).startswith(wanted + " (")) is (sign == "=")

    return Term(key, got_of, test_status if key == "status" and sign in ("=", "!=") else test)


def _tag(sign: Token, value: Token, effective: str) -> Predicate:
    if effective not in ("=", "!="):
        fail("=, != or ~ for tags, which have no order", sign)
    wanted, is_wanted = value.text.casefold(), effective == "="
    return _of_tags(lambda tags: any(str(tag).casefold() == wanted for tag in tags or ()) is is_wanted)


def _of_tags(test: Callable[[Any], bool]) -> Predicate:
    return Term("tags", value_of("tags"), test)


def _time(key: str, got_of: Getter, value: Token, compare: Callable[[Any, Any], bool]) -> Predicate:
    wanted = value.text.upper().replace(" ", "T")
    if not _TIME.fullmatch(wanted):
        fail(f'a date such as 2026-01-31 or "2026-01-31 18:00" to compare {key} with', value)
    length = len(wanted)

    def test(got: Any) -> bool:
        # Compared as far as the filter is precise: created = 2026-01 is that month, created > 2026-01 is after it.
        stamp = _stamp(got)
        return stamp is not None and compare(stamp[:length], wanted)

    return Term(key, got_of, test)


def _regex(key: str, got_of: Getter, value: Token, negated: bool) -> Predicate:
    if key not in TEXT_FIELDS and key != "tags":
        raise FilterError(
            f"filter, character {value.position}: ~ looks into texts, and {key} is none. Use = != < <= > >=."
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            search = re.compile(value.text, re.IGNORECASE).search
    except (re.error, OverflowError, RecursionError) as error:
        fail(f"a regular expression ({error})", value)
    if key == "tags":
        return _of_tags(lambda tags: any(search(str(tag)) for tag in tags or ()) is not negated)
    return Term(key, got_of, lambda got: type(got) is str and (search(got) is None) is negated)


# ---- names and values


def known(name: str, where: str) -> str:
    """Return the field, short name or metric key that a person means by `name`."""
    if "/" in name:
        return name
    if name in ("R", "r"):
        return "R"
    lowered = name.lower()
    if lowered in FIELDS or lowered in SHORT_NAMES:
        return "tags" if lowered == "tag" else lowered
    from bkd.catalog import nearest

    near = nearest(name, [*FIELDS, *SHORT_NAMES])
    hint = (
        f"Did you mean {near}?"
        if near
        else f"Known are {', '.join((*FIELDS, *SHORT_NAMES))} and metrics like test/acc."
    )
    raise FilterError(f"{where}: {shown(name)} is no field of a run. {hint}")


def value_of(key: str) -> Getter:
    """Return the function that takes from a row what a known name stands for, None where it is missing."""
    if key in SHORT_NAMES:
        return _first_metric(SHORT_NAMES[key])
    if "/" in key:
        return _first_metric((key,))
    return lambda row: row.get(key)


def _first_metric(keys: tuple[str, ...]) -> Getter:
    first, rest = keys[0], keys[1:]

    def got_of(row: Row) -> Any:
        metrics = row.get("metrics")
        if not metrics:
            return None
        got = metrics.get(first)
        if got is None:
            for key in rest:
                got = metrics.get(key)
        return got

    return got_of


def _folded(text: str) -> str:
    return text.casefold().replace("-", "_")


def _stamp(value: object) -> str | None:
    """Return a time as ISO text; Unix seconds in local time."""
    if isinstance(value, str):
        return value.replace(" ", "T")
    if isinstance(value, (int, float)):
        try:
            return datetime.fromtimestamp(value).isoformat()
        except (ValueError, OverflowError, OSError):
            return None
    return None


def sort_key(value: Any) -> tuple[int, Any] | None:
    """Return what to sort a value by, numbers before texts, or None where it is missing."""
    if value is None or value == [] or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, (int, float)):
        return 0, value
    return 1, ", ".join(map(str, value)).casefold() if isinstance(value, list) else str(value).casefold()


def fail(wanted: str, got: Token) -> NoReturn:
    """Raise the FilterError that says where what was expected and what is there instead."""
    found = "the end" if got.kind == "end" else shown(got.text)
    raise FilterError(
        f"filter, character {got.position}: expected {wanted}, got {found}. "
        "Write terms such as acc > 95% kind = bayesian, joined by and, or, not."
    )


def shown(text: str) -> str:
    """Quote what was typed, harmless to a terminal and not too long."""
    text = text if len(text) <= 40 else text[:39] + "…"
    return '"' + "".join(c if c.isprintable() else "�" for c in text) + '"'
