"""The tables of a comparison as rows of text: metrics with their differences, and settings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bkd.chart import pattern_of
from bkd.compare_config import Level
from bkd.compare_groups import MetricRow, RunGroup
from bkd.compare_words import (
    agreement_lines,
    count_agreements,
    difference_text,
    figure_text,
    meanings,
    metric_title,
    setting_lines,
    significance_text,
    size_text,
    verdict_text,
)
from bkd.runfile import Status
from bkd.text import clean, count
from tui.compare_sides import Side
from tui.widgets.chart_picture import SIGNS
from tui.widgets.compare_marks import Mark

INDENT = "  "


@dataclass(frozen=True)
class TableRow:
    """A row of a table.

    Attributes:
        label: What stands left.
        cells: A text for each column; () where the label is a title, or a note, that may take the whole width.
        tone: Component class, without prefix, that colours it.
        is_note: Whether it is wrapped where it does not fit.
    """

    label: str
    cells: tuple[str, ...] = ()
    tone: str = "text"
    is_note: bool = False


@dataclass(frozen=True)
class Table:
    """Rows under a heading.

    Attributes:
        title: Over the labels.
        heads: Over the columns.
        tones: Component class, without prefix, of each head.
    """

    title: str
    heads: tuple[str, ...]
    tones: tuple[str, ...]
    rows: tuple[TableRow, ...]


def metric_table(side: Side) -> Table:
    """Return the metrics, each with the differences to the first column and their tests."""
    rows = [row for metric in side.rows for row in _metric_rows(metric, side.groups[0].mark)]
    if rows:
        notes = meanings(side.rows) if any(len(group.members) > 1 for group in side.groups) else []
        rows += [TableRow(""), *(TableRow(note, tone="muted", is_note=True) for note in notes)]
    else:
        rows = [TableRow("No metrics yet: they come with the first epoch.", tone="muted", is_note=True)]
    return _table("metric", side, [_head(group) for group in side.groups], rows)


def _head(group: RunGroup) -> str:
    return f"{group.mark}  n = {group.n}" if len(group.members) > 1 else group.mark


def _metric_rows(metric: MetricRow, first: str) -> Iterator[TableRow]:
    columns = range(len(metric.figures))
    yield TableRow(metric_title(metric.metric), tuple(figure_text(metric, i) for i in columns), "strong")
    found = metric.comparisons
    if any(found):
        texts = tuple(difference_text(one, metric.metric) for one in found)
        yield TableRow(f"{INDENT}less {first}", texts, "text")
    if any(one is not None and one.p is not None for one in found):
        yield TableRow(f"{INDENT}p", tuple(map(significance_text, found)), "muted")
        yield TableRow(f"{INDENT}verdict", tuple(verdict_text(one, metric.metric) for one in found), "muted")


def setting_table(side: Side, *, with_agreements: bool) -> Table:
    """Return what differs, level by level down the lineage, then what agrees or how much of it there is."""
    rows = [] if any(level.different for level in side.level.walk()) else [_nothing_differs(side)]
    for line in setting_lines(side.level):
        tone = ("title", "heading", "text")[line.depth]
        rows.append(TableRow(INDENT * line.depth + line.label, line.cells, tone, is_note=not line.depth))
    rows += _agreements(side.level, len(side.groups), with_agreements)
    return _table("setting", side, [group.mark for group in side.groups], rows)


def _nothing_differs(side: Side) -> TableRow:
    if len(side.groups) == 1:
        what = "These runs repeat each other" if len(side.groups[0].members) > 1 else "There is only one run here"
        text = f"{what}: mark others on the home screen to compare with."
    else:
        text = "These runs agree in every setting."
    return TableRow(text, tone="muted", is_note=True)


def _agreements(level: Level, columns: int, with_agreements: bool) -> Iterator[TableRow]:
    yield TableRow("")
    agreed = count(count_agreements(level), "setting")
    if not with_agreements:
        yield TableRow(f"▸ {agreed} agree; a shows them.", tone="muted", is_note=True)
        return
    yield TableRow(f"▾ {agreed} agree; a hides them.", tone="muted", is_note=True)
    for line in agreement_lines(level):
        cells = line.cells + ("",) * (columns - 1) if line.cells else ()
        yield TableRow(INDENT * (line.depth + 1) + line.label, cells, "muted" if line.depth else "heading")


def _table(title: str, side: Side, heads: Sequence[str], rows: Sequence[TableRow]) -> Table:
    return Table(title, tuple(heads), tuple(tone_of(i) for i in range(len(side.groups))), tuple(rows))


def marks_of(side: Side, *, is_monochrome: bool) -> list[Mark]:
    """Return which mark stands for which column, with the sign of its curve."""
    return [
        Mark(group.mark, _mark_label(group), SIGNS[pattern_of(index, is_monochrome)], tone_of(index))
        for index, group in enumerate(side.groups)
    ]


def _mark_label(group: RunGroup) -> str:
    """Return what a column holds: "Bayesian, 3 teachers", "6ba990d0", "6ba990d0 running"."""
    if len(group.members) > 1:
        return f"{group.label}, {size_text(group)}"
    [run] = group.runs
    status = "" if run.get("status") == Status.DONE else f" {run.get('status')}"
    label = "" if group.label == run["id"] else f" {group.label}"
    return clean(f"{run['id']}{label}{status}")


def tone_of(index: int) -> str:
    """Return the component class, without prefix, of a column's mark: the colour of its curve."""
    return f"series-{index % 4 + 1}"
