"""A report as tables: how good the students are, how they stand against the baseline, how noisy SGD was."""

from dataclasses import dataclass

from bkd.report import Block, Entry, Report
from bkd.report_statistics import Direction, Metric, verdict
from bkd.report_words import n_text, p_text, plus_minus, signed
from bkd.text import Column, clean


@dataclass(frozen=True)
class Table:
    """A titled table.

    Attributes:
        caption: What it shows, without the section's title.
    """

    caption: str
    rows: tuple[Entry, ...]
    columns: tuple[Column, ...]

    def texts(self) -> list[list[str]]:
        """Return headings and cells as texts."""
        values = [[_text(column, row) for column in self.columns] for row in self.rows]
        return [[column.title for column in self.columns], *values]


def _text(column: Column, entry: Entry) -> str:
    assert callable(column.value), column.title
    return clean(str(column.value(entry)))


def tables_of(block: Block, report: Report) -> list[Table]:
    """Return the tables of a section; one that would say nothing is left out."""
    compared = tuple(entry for entry in block.entries if entry.comparison is not None)
    tables = [Table("Students", block.entries, tuple(_student_columns(report.metric)))]
    if compared:
        caption = f"Against {report.baseline}: {report.metric.title}"
        tables.append(Table(caption, compared, tuple(_comparison_columns(block, report.metric))))
    noise = [column for column in _noise_columns() if any(_text(column, entry) != "-" for entry in block.entries)]
    if noise:
        tables.append(Table("Noise", block.entries, (*_head(), *noise)))
    return tables


def _head() -> list[Column]:
    return [
        Column("kind", lambda entry: entry.group.kind, min_width=8),
        Column("setting", lambda entry: entry.setting, min_width=32),  # its end tells groups apart
    ]


def _number(title: str, name: str, priority: int, percent_digits: int | None = None) -> Column:
    heading = title if percent_digits is None else f"{title} %"
    return Column(
        heading, lambda entry: plus_minus(entry.figures[name], percent_digits), align="right", priority=priority
    )


def _student_columns(metric: Metric) -> list[Column]:
    columns = [*_head(), Column("n", lambda entry: n_text(entry.group), priority=1)]
    if metric.keys[0] not in ("test/acc", "test/nll", "test/ece"):
        columns.append(_number(metric.title, "metric", 0, 2 if metric.is_share else None))
    return [
        *columns,
        _number("accuracy", "acc", 0, 2),
        _number("NLL", "nll", 3),
        _number("ECE", "ece", 2, 2),
    ]


def superiority_title(metric: Metric) -> str:
    """Return whose being ahead the superiority is the probability of: A is the group, B the baseline."""
    return "P(A < B)" if metric.direction is Direction.LOWER else "P(A > B)"


def superiority(entry: Entry, metric: Metric) -> float | None:
    """Return the probability that a repetition of the group is ahead of one of the baseline in the metric's way."""
    value = entry.comparison.superiority if entry.comparison else None
    return None if value is None else 1 - value if metric.direction is Direction.LOWER else value


def _comparison_columns(block: Block, metric: Metric) -> list[Column]:
    def difference(entry: Entry) -> str:
        found = entry.comparison
        assert found is not None, "only groups with a comparison are in this table"
        return signed((found.difference, found.low, found.high), is_percent=metric.is_share)

    def ahead(entry: Entry) -> str:
        value = superiority(entry, metric)
        return "-" if value is None else f"{value:.2f}"

    columns = _head()
    if not all(_is_same_setting(entry, block) for entry in block.entries if entry.comparison):
        columns.append(Column("against", lambda entry: baseline_setting(entry, block), min_width=8, priority=4))
    return [
        *columns,
        Column("pairs", _pairs, align="right", priority=3),
        Column("difference, points" if metric.is_share else "difference", difference, align="right"),
        Column("p", lambda entry: p_text(entry.comparison.p if entry.comparison else None), align="right", priority=1),
        Column(superiority_title(metric), ahead, align="right", priority=2),
        Column("verdict", lambda entry: verdict(entry.comparison, metric) if entry.comparison else "-"),
    ]


def _pairs(entry: Entry) -> str:
    found = entry.comparison
    return "unpaired" if found is None or found.test == "welch" else str(found.n)


def baseline_setting(entry: Entry, block: Block) -> str:
    """Return the setting of the baseline's group with which an entry is compared, "" if with none."""
    found = entry.comparison
    return next((other.setting for other in block.entries if found and other.group is found.baseline), "")


def _is_same_setting(entry: Entry, block: Block) -> bool:
    """Whether the baseline's group is the only one that could have been meant."""
    found = entry.comparison
    if found is None or found.baseline.like.setting != entry.group.like.setting:
        return False
    alike = [e for e in block.entries if e.is_baseline and e.group.like.setting == entry.group.like.setting]
    return len(alike) == 1


def _noise_columns() -> list[Column]:
    return [
        _number("R", "noise_ratio", 1),
        _number("bias", "bias", 0),  # never without it: R is about noise alone
        _number("noise reduction", "noise_reduction", 2, 0),
        _number("noise of loss", "converge_loss", 3),
        _number("less by", "converge_loss_reduction", 5, 0),
        _number("noise of acc", "converge_acc", 4, 2),
        _number("less by", "converge_acc_reduction", 6, 0),
    ]


# ---- what the columns mean


def legend(report: Report) -> list[str]:
    """Return what the columns of the tables mean, a paragraph each."""
    shown = {column.title for block in report.blocks for table in tables_of(block, report) for column in table.columns}
    return [text for needed, text in _legend(report) if not needed or needed & shown]


def _legend(report: Report) -> list[tuple[set[str], str]]:
    metric, baseline = report.metric, report.baseline
    unit = " in percentage points" if metric.is_share else ""
    sign = {
        Direction.HIGHER: "above 0 is better", Direction.LOWER: "below 0 is better", Direction.NEITHER: "",
    }[metric.direction]  # fmt: skip
    return [
        (
            set(),
            "setting: Tt:Ts:alpha, the teacher's and the student's temperature and the weight of the teacher's term; "
            "S draws a target.",
        ),
        (
            set(),
            "n and ±: students of one teacher are averaged first, so a repetition is a teacher; ± is half of the 95 % "
            "interval of the mean (Student's t). One teacher has no interval. Figures are of the last weights, on the "
            "test set.",
        ),
        (
            {"pairs"},
            f"difference: {metric.title} of the kind less that of {baseline}{unit}"
            f"{', ' + sign if sign else ''}, with its 95 % interval, over the trials that both have. "
            "p: paired t-test, not corrected for several groups. "
            f"{superiority_title(metric)}: chance that a repetition of the kind is "
            f"{'below' if metric.direction is Direction.LOWER else 'above'} one of {baseline}.",
        ),
        (
            {"verdict"},
            "verdict: what an interval without 0 says; else how many more trials of both would show a true difference "
            "of this size in 4 of 5 studies.",
        ),
        (
            {"R", "bias"},
            "R: variance of the last layer's gradient with the teacher's probabilities as targets, over that with "
            "labels; summed over repetitions, at temperature 1, on validation images after the last epoch. Below 1 the "
            "teacher calms SGD. R is only about noise: read it beside the bias, the squared distance of the two mean "
            "gradients relative to the labels' variance. A teacher that says nothing has a small R and a large bias.",
        ),
        (
            {"noise reduction %"},
            f"noise reduction: how much smaller that variance with the teacher's targets is than with those of "
            f"{baseline} teachers; below 0 it is larger. The students differ too, so part of it is theirs. A "
            "definition of our own, not a published one.",
        ),
        (
            {"noise of loss", "noise of acc %"},
            "noise of loss, of acc: convergence noise, the standard deviation of the changes of validation loss and "
            f"accuracy from epoch to epoch over the last 10; less by: than with {baseline} teachers.",
        ),
    ]
