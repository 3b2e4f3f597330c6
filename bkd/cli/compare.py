"""`bkd compare RUN RUN...`: runs side by side, what differs first, down to their teachers' settings."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Any

import typer

from bkd.cli.common import Json, Save, open_store, print_json, single
from bkd.cli.printing import metric_text, print_lines, status_text, terminal_width, value_text
from bkd.compare_config import Level, Part, configuration, ids_of
from bkd.compare_groups import MetricRow, RunGroup, group_runs, has_repetitions, metric_keys, metric_rows
from bkd.compare_runs import Compared, read_compared
from bkd.compare_words import (
    agreement_lines,
    comparison_json,
    difference_text,
    figure_text,
    meanings,
    metric_title,
    setting_lines,
    significance_text,
    size_text,
    verdict_text,
)
from bkd.errors import SpecError
from bkd.report_groups import Run
from bkd.spec_defaults import defaults
from bkd.text import GAP, Column, cell_width, clean, format_table

Rows = Sequence[tuple[str, Sequence[str]]]

_IDENTITY = ("role", "kind", "arch", "student_arch", "dataset", "teacher", "trial")
_INDENT = "  "
_LEAST_CELLS = 8  # of a column in a narrow terminal: an id


def compare(
    refs: Annotated[list[str], typer.Argument(metavar="RUN RUN...", help="Two runs or more.")],
    everything: Annotated[bool, typer.Option("--all", help="Show the settings that agree, too.")] = False,
    each: Annotated[bool, typer.Option("--each", help="A column for each run, also where runs repeat others.")] = False,
    as_json: Json = False,
    save: Save = None,
) -> None:
    """Set runs side by side: settings that differ first, then their teachers', then metrics.

    Runs that differ only in trial, and in which of several like teachers they came from, share a column: its mean with
    the 95 % interval, and the difference to the first column with a test.
    """
    compared = read_compared(open_store(save), refs)
    if len(compared.runs) < 2:
        only = compared.runs[0]["id"]
        raise SpecError(
            f"compare needs at least two different runs, got {only} alone. `bkd show {only}` shows one run."
        )
    groups = group_runs(compared, defaults)
    if as_json:
        print_json(_as_json(compared, groups))
    elif has_repetitions(groups) and not each:
        print_lines(_grouped(compared, groups, everything))
    else:
        print_lines(_one_by_one(compared, everything))


# ---- text


def _one_by_one(compared: Compared, everything: bool) -> Iterator[str]:
    """Yield the lines with a column for each run."""
    runs, ids = compared.runs, [str(run["id"]) for run in compared.runs]
    level = configuration([(run,) for run in runs], compared.origins, defaults)
    head = {"name": [value_text(run.get("name")) for run in runs], "status": [status_text(run) for run in runs]}
    yield from _table("setting", ids, [*head.items(), *_settings(level)])
    yield ""
    metrics = {key: [(run.get("metrics") or {}).get(key) for run in runs] for key in metric_keys(runs)}
    rows = [(clean(key), [metric_text(key, value) for value in values]) for key, values in metrics.items()]
    yield from _table("metric", ids, rows)
    yield from _agreements(level) if everything else ()


def _grouped(compared: Compared, groups: Sequence[RunGroup], everything: bool) -> Iterator[str]:
    """Yield the lines with a column for each group."""
    level = configuration([group.runs for group in groups], compared.origins, defaults)
    marks = [group.mark for group in groups]
    columns = [
        Column("", lambda group: group.mark), Column("group", lambda group: group.label, min_width=_LEAST_CELLS),
        Column("n", size_text), Column("runs", lambda group: " ".join(map(str, ids_of(group.runs))), min_width=8),
    ]  # fmt: skip
    yield from format_table(groups, columns, terminal_width())
    yield ""
    yield from _table("setting", marks, list(_settings(level)))
    yield ""
    rows = list(metric_rows(groups, metric_keys(compared.runs)))
    figures = [(metric_title(row.metric), [figure_text(row, i) for i in range(len(groups))]) for row in rows]
    yield from _table("metric", marks, figures)
    for index, group in enumerate(groups[1:], start=1):
        yield from _against_first(groups[0], group, [row for row in rows if row.comparisons[index]], index)
    yield from ("", *meanings(rows))
    yield from _agreements(level) if everything else ()


def _against_first(first: RunGroup, group: RunGroup, rows: Sequence[MetricRow], index: int) -> Iterator[str]:
    """Yield the table of a group's differences to the first one."""
    if not rows:
        return
    yield from ("", f"{group.mark} less {first.mark}: {group.label} less {first.label}")
    columns = [
        Column("metric", lambda row: metric_title(row.metric), min_width=_LEAST_CELLS),
        Column("difference", lambda row: difference_text(row.comparisons[index], row.metric), align="right"),
        Column("p", lambda row: significance_text(row.comparisons[index])),
        Column("verdict", lambda row: verdict_text(row.comparisons[index], row.metric)),
    ]
    yield from format_table(rows, columns, terminal_width())


def _settings(level: Level) -> Iterator[tuple[str, Sequence[str]]]:
    """Yield the rows of what differs; a title has no cells."""
    return ((_INDENT * line.depth + line.label, line.cells) for line in setting_lines(level))


def _agreements(level: Level) -> Iterator[str]:
    lines = [*agreement_lines(level)]
    width = max((cell_width(line.label) + 2 * line.depth for line in lines), default=0)
    yield from ("", "Settings that agree")
    for line in lines:
        label = _INDENT * line.depth + line.label
        yield _INDENT + GAP.join([label.ljust(width), *line.cells]).rstrip()


def _table(title: str, columns: Sequence[str], rows: Rows) -> Iterator[str]:
    """Yield a table with a column for each run or group; several below each other where a terminal is too narrow."""
    width = terminal_width()
    label = max(cell_width(text) for text in (title, *(text for text, _ in rows)))
    each = len(columns) if width is None else max(1, (width - label) // (_LEAST_CELLS + len(GAP)))
    for start in range(0, len(columns), each):
        if start:
            yield ""
        shown = range(start, min(start + each, len(columns)))
        head = Column(title, lambda row: row[0], align="left")
        yield from format_table(rows, [head, *(_column(columns[i], i) for i in shown)], width)


def _column(title: str, index: int) -> Column:
    return Column(title, lambda row: row[1][index] if row[1] else "", align="left", min_width=_LEAST_CELLS)


# ---- JSON


def _as_json(compared: Compared, groups: Sequence[RunGroup]) -> dict[str, Any]:
    runs = compared.runs
    ids = [str(run["id"]) for run in runs]
    settings = {key: [setting(run, key) for run in runs] for key in _keys(runs)}
    different = {key: values for key, values in settings.items() if any(value != values[0] for value in values)}
    metrics = {key: [(run.get("metrics") or {}).get(key) for run in runs] for key in metric_keys(runs)}
    rows = list(metric_rows(groups, metrics))
    marks = [group.mark for group in groups]
    return {
        "runs": [{key: run.get(key) for key in ("id", "name", "status", *_IDENTITY)} for run in runs],
        "different": {key: dict(zip(ids, values, strict=True)) for key, values in different.items()},
        "same": {key: values[0] for key, values in settings.items() if key not in different},
        "metrics": {key: dict(zip(ids, values, strict=True)) for key, values in metrics.items()},
        "lineage": [
            _level_json(below, ids)
            for below in configuration([(run,) for run in runs], compared.origins, defaults).below
        ],
        "groups": [
            {"mark": group.mark, "label": group.label, "runs": ids_of(group.runs), "n": group.n} for group in groups
        ],
        "means": {row.key: dict(zip(marks, map(_figure_json, row.figures), strict=True)) for row in rows},
        "differences": {
            row.key: {
                mark: comparison_json(found, row.metric)
                for mark, found in zip(marks[1:], row.comparisons[1:], strict=True)
            }
            for row in rows
        },
    }


def setting(run: Run, key: str) -> Any:
    """Return a setting of a run, or what identifies it; None where it has no such setting."""
    return run.get(key) if key in _IDENTITY else (run.get("spec") or {}).get(key)


def _keys(runs: Iterable[Run]) -> list[str]:
    names = dict.fromkeys([*_IDENTITY, *(key for run in runs for key in run.get("spec") or {})])
    return [name for name in names if name not in ("type", "student")]


def _level_json(level: Level, ids: Sequence[str]) -> dict[str, Any]:
    """Return a level of the lineage; each run has there the values of the runs that it came from, each once."""

    def parts(of: Iterable[Part]) -> dict[str, Any]:
        return {part.title: {s.name: dict(zip(ids, s.values, strict=True)) for s in part.settings} for part in of}

    return {
        "title": level.title,
        "runs": {run_id: ids_of(column) for run_id, column in zip(ids, level.columns, strict=True)},
        "shared": level.is_shared,
        "different": parts(level.different),
        "below": [_level_json(below, ids) for below in level.below],
    }


def _figure_json(figure: Any) -> dict[str, Any] | None:
    if figure is None:
        return None
    return {name: getattr(figure, name) for name in ("mean", "low", "high", "n")}


app = single(compare)
