"""How a comparison's figures and rows read: shared by the command and the app."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from bkd.compare_config import Level, Part, column_text, values_text
from bkd.compare_groups import MetricRow, RunGroup
from bkd.report_statistics import Comparison, Metric, verdict
from bkd.report_words import n_text, p_text, plus_minus, signed
from bkd.text import clean, count

MEANING = (
    "±: half of the 95 % interval of the mean (Student's t) over repetitions; students of one teacher are averaged "
    "first and count once."
)
DIFFERENCES = (
    "Differences are to the first column, with their 95 % interval: paired by trial where two trials have a partner, "
    "else Welch's. p is not corrected for the number of metrics and columns."
)
RATIOS = (
    "Noise ratios and biases are ratios of sums over repetitions; a difference of them is the mean of single ratios'."
)


@dataclass(frozen=True)
class Line:
    """A row of the table of settings.

    Attributes:
        label: Its name.
        depth: 0 of a level's title, 1 of a heading or of a level's runs, 2 of a setting.
        cells: Its text of each column; () of a title.
    """

    label: str
    depth: int
    cells: tuple[str, ...] = ()


# ---- settings


def setting_lines(top: Level) -> Iterator[Line]:
    """Yield what differs between the compared runs, then between the runs that they came from, level by level."""
    for level in top.walk():
        if level.path:
            yield Line(level.title, 0)
            yield Line("run", 1, tuple(map(column_text, level.columns)))
        if level.path and not level.different:
            yield Line(_why_nothing_differs(level), 1)
        yield from _part_lines(level.different)


def agreement_lines(top: Level) -> Iterator[Line]:
    """Yield what agrees, level by level, with one cell: the value of all columns."""
    for level in top.walk():
        if level.same:
            yield Line(level.title or "Runs", 0)
        for part in level.same:
            yield Line(part.title, 1)
            yield from (Line(clean(setting.name), 2, (values_text(setting.shared),)) for setting in part.settings)


def count_agreements(top: Level) -> int:
    """Return how many settings agree, on all levels."""
    return sum(len(part.settings) for level in top.walk() for part in level.same)


def _part_lines(parts: Sequence[Part]) -> Iterator[Line]:
    for part in parts:
        yield Line(part.title, 1)
        for setting in part.settings:
            yield Line(clean(setting.name), 2, tuple(values_text(values) for values in setting.values))


def _why_nothing_differs(level: Level) -> str:
    if level.is_shared:
        return "the same for all"
    return "nothing to compare it with" if sum(map(bool, level.columns)) < 2 else "alike in every setting"


# ---- figures


def meanings(rows: Sequence[MetricRow]) -> list[str]:
    """Return what the figures mean, a paragraph each."""
    return [MEANING, DIFFERENCES, *([RATIOS] if any(row.is_ratio for row in rows) else [])]


def metric_title(metric: Metric) -> str:
    """Return a metric's key, of a share with its unit: "test/acc %"."""
    key = clean(metric.keys[0])
    return f"{key} %" if metric.is_share else key


def figure_text(row: MetricRow, column: int) -> str:
    """Return a group's mean: "95.37 ± 0.12", of one repetition the mean alone, "-" without one."""
    return plus_minus(row.figures[column], 2 if row.metric.is_share else None)


def difference_text(found: Comparison | None, metric: Metric) -> str:
    """Return a difference with its interval: "+0.52 [+0.10, +0.94]", "" without one."""
    return "" if found is None else signed((found.difference, found.low, found.high), is_percent=metric.is_share)


def significance_text(found: Comparison | None) -> str:
    """Return p and what it rests on: "0.021, 5 pairs", "0.3, unpaired", "" without a test."""
    if found is None or found.p is None:
        return ""
    return f"{p_text(found.p)}, {count(found.n, 'pair') if found.test == 'paired' else 'unpaired'}"


def verdict_text(found: Comparison | None, metric: Metric) -> str:
    """Return what an interval says in a word or two, "" without one."""
    return "" if found is None or found.p is None else verdict(found, metric)


def size_text(group: RunGroup) -> str:
    """Return how many repetitions a group's figures rest on: "3 teachers", "3 trials, 1 of 4 runs not done"."""
    runs, missing = len(group.members), len(group.members) - _measured(group)
    left_out = f"{missing} of {count(runs, 'run')} not done" if missing else ""
    if group.measured is None:
        return left_out
    is_student = group.runs[0].get("role") == "student"
    size = n_text(group.measured) if is_student else count(group.n, "trial")
    return f"{size}, {left_out}" if left_out else size


def _measured(group: RunGroup) -> int:
    return len(group.measured.students) if group.measured else 0


def comparison_json(found: Comparison | None, metric: Metric) -> dict[str, Any] | None:
    """Return a comparison as JSON values."""
    if found is None:
        return None
    return {
        "difference": found.difference, "low": found.low, "high": found.high, "p": found.p, "test": found.test,
        "n": found.n, "superiority": found.superiority, "more": found.more, "verdict": verdict(found, metric),
    }  # fmt: skip
