"""A report as text for a terminal, Markdown, LaTeX, CSV or JSON."""

import csv
import io
import re
import textwrap
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Any

import orjson

from bkd.report import Block, Entry, Report
from bkd.report_notes import block_notes
from bkd.report_statistics import verdict
from bkd.report_tables import Table, baseline_setting, legend, superiority, superiority_title, tables_of
from bkd.stats import MeanInterval
from bkd.text import clean, format_table

LEGEND_CELLS = 100
FIGURES = (
    "acc", "nll", "ece", "noise_onehot", "noise_teacher", "noise_ratio", "bias", "noise_reduction", "converge_loss",
    "converge_loss_reduction", "converge_acc", "converge_acc_reduction",
)  # fmt: skip
"""Figures beside the compared metric, as named in CSV and JSON."""


class Format(StrEnum):
    """Forms of a report."""

    TEXT = "text"
    MARKDOWN = "markdown"
    LATEX = "latex"
    CSV = "csv"
    JSON = "json"


def written(report: Report, form: Format, width: int | None = None) -> str:
    """Return the report in a form; `width` is the terminal's, in cells, None where it is none."""
    match form:
        case Format.TEXT:
            return as_text(report, width)
        case Format.MARKDOWN:
            return as_markdown(report)
        case Format.LATEX:
            return as_latex(report)
        case Format.CSV:
            return as_csv(report)
        case Format.JSON:
            return as_json(report)


# ---- for people


def as_text(report: Report, width: int | None = None) -> str:
    """Return plain tables that fit the terminal, the notes, and what the columns mean."""
    lines: list[str] = []
    for block in report.blocks:
        lines += [block.title, ""]
        for table in tables_of(block, report):
            lines += [table.caption, *format_table(table.rows, table.columns, width), ""]
        lines += _wrapped(block_notes(block, report), width)
    lines += [*_wrapped(report.notes, width), *_wrapped(legend(report), width)]
    return "\n".join(lines).rstrip() + "\n"


def _wrapped(paragraphs: Sequence[str], width: int | None) -> list[str]:
    cells = min(width or LEGEND_CELLS, LEGEND_CELLS)
    lines = [
        line
        for text in paragraphs
        for line in textwrap.wrap(text, cells, subsequent_indent="  ", break_on_hyphens=False)
    ]
    return [*lines, ""] if lines else []


def as_markdown(report: Report) -> str:
    """Return GitHub's tables, notes and meanings as lists."""
    lines: list[str] = []
    for block in report.blocks:
        lines += [f"### {_markdown(block.title)}", ""]
        for table in tables_of(block, report):
            head, *rows = table.texts()
            rules = ["---:" if column.align == "right" else "---" for column in table.columns]
            lines += [f"**{_markdown(table.caption)}**", ""]
            lines += [f"| {' | '.join(cells)} |" for cells in (map(_markdown, head), rules)]
            lines += [f"| {' | '.join(map(_markdown, cells))} |" for cells in rows]
            lines += [""]
        lines += _markdown_list(block_notes(block, report))
    lines += [*_markdown_list(report.notes), *_markdown_list(legend(report))]
    return "\n".join(lines).rstrip() + "\n"


def _markdown_list(paragraphs: Sequence[str]) -> list[str]:
    return [*(f"- {_markdown(paragraph)}" for paragraph in paragraphs), ""] if paragraphs else []


def _markdown(text: str) -> str:
    # An underscore inside a word is itself.
    return re.sub(r"([\\|*<>`~\[\]]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9]))", r"\\\1", text)


_LATEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "%": r"\%", "#": r"\#", "_": r"\_",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "±": r"$\pm$", "→": r"$\rightarrow$", "<": "$<$", ">": "$>$",
    "|": r"$|$", '"': "''",
}  # fmt: skip


def latex_text(text: str) -> str:
    """Return text in which LaTeX finds nothing of its own; minus signs before digits become minus signs in print."""
    escaped = "".join(_LATEX.get(c, c if c.isascii() or c in "äöüßéèàçñ" else "?") for c in text)
    return re.sub(r"(?<![\w.}])([-+])(?=\d)", r"$\1$", escaped)


def as_latex(report: Report) -> str:
    """Return table environments for the package booktabs, notes and meanings in a paragraph below."""
    lines = [r"% needs \usepackage{booktabs}"]
    for block in report.blocks:
        for table in tables_of(block, report):
            lines += _latex_table(table, block.title)
        lines += _latex_paragraphs(block_notes(block, report))
    lines += _latex_paragraphs([*report.notes, *legend(report)])
    return "\n".join(lines) + "\n"


def _latex_paragraphs(paragraphs: Sequence[str]) -> list[str]:
    texts = [rf"\noindent {latex_text(text)}\par" for text in paragraphs]
    return [r"{\footnotesize", *texts, "}"] if texts else []


def _latex_table(table: Table, title: str) -> list[str]:
    head, *rows = table.texts()
    sides = "".join("r" if column.align == "right" else "l" for column in table.columns)
    return [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{latex_text(f'{table.caption}. {title}')}}}",
        rf"\begin{{tabular}}{{{sides}}}",
        r"\toprule",
        _latex_row(head),
        r"\midrule",
        *map(_latex_row, rows),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
        "",
    ]


def _latex_row(cells: Iterable[str]) -> str:
    row = " & ".join(map(latex_text, cells))
    # A bracket at the start would be read as an option of the line before it.
    return (f"{{}}{row}" if row.startswith(("[", "*")) else row) + r" \\"


# ---- for programs


def as_csv(report: Report) -> str:
    """Return one row a group with raw numbers; shares are fractions, what is unknown is empty."""
    records = [_flat(record) for record in records_of(report)]
    names = dict.fromkeys(name for record in records for name in record)
    text = io.StringIO()
    writer = csv.DictWriter(text, [*names], restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return text.getvalue()


def as_json(report: Report) -> str:
    """Return the report as an object: metric, baseline, notes, groups."""
    value = {
        "metric": report.metric.keys[0], "direction": report.metric.direction.value, "baseline": report.baseline,
        "notes": list(report.notes), "groups": records_of(report),
    }  # fmt: skip
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()


def records_of(report: Report) -> list[dict[str, Any]]:
    """Return one object a group: what it is, its figures, its comparison, its repetitions."""
    return [_record(entry, block, report) for block in report.blocks for entry in block.entries]


def _record(entry: Entry, block: Block, report: Report) -> dict[str, Any]:
    like, group = entry.group.like, entry.group
    record: dict[str, Any] = {
        "dataset": like.dataset, "kind": like.kind, "arch": like.arch, "student_arch": like.student_arch,
        "kd_T": like.kd_T, "kd_S": like.kd_S, "alpha": like.alpha, "bnn_samples": like.num_samples,
        "train_images": block.section.images, "students": len(group.students), "teachers": group.teachers,
        "metric": report.metric.keys[0],
    }  # fmt: skip
    record |= _interval(entry.figures["metric"]) | _comparison(entry, block, report)
    record |= {name: _interval(entry.figures[name]) for name in FIGURES}
    values = group.values(report.metric)
    return record | {
        "notes": list(entry.notes),
        "repetitions": [{"trial": trial, "value": value} for trial, value in values.items()],
        "student_ids": [student.id for student in group.students],
        "settings": dict(like.settings),
        "teacher_settings": None if like.teacher_settings is None else dict(like.teacher_settings),
    }


def _interval(found: MeanInterval | None) -> dict[str, float | int | None]:
    names = ("mean", "half", "sd", "n")
    return {name: getattr(found, name) for name in names} if found else {**dict.fromkeys(names[:3]), "n": 0}


def _comparison(entry: Entry, block: Block, report: Report) -> dict[str, Any]:
    found = entry.comparison
    names = ("test", "difference", "low", "high", "p", "superiority", "pairs", "needed", "verdict")
    if found is None:
        return {"baseline": None, "baseline_setting": None, **dict.fromkeys(names), "superiority_of": None}
    values = (
        found.test, found.difference, found.low, found.high, found.p, superiority(entry, report.metric), found.n,
        found.more, verdict(found, report.metric),
    )  # fmt: skip
    head = {"baseline": report.baseline, "baseline_setting": baseline_setting(entry, block)}
    return {**head, **dict(zip(names, values, strict=True)), "superiority_of": superiority_title(report.metric)}


def _flat(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record of one level: "nll_mean", "settings.epochs"; lists as texts."""
    flat: dict[str, Any] = {}
    for name, value in record.items():
        if isinstance(value, dict):
            joint = "." if name.endswith("settings") else "_"
            flat |= {f"{name}{joint}{key}": _cell(inner) for key, inner in value.items()}
        elif name not in ("notes", "repetitions", "student_ids"):
            flat[name] = _cell(value)
    flat["notes"] = clean("; ".join(record["notes"]))
    flat["values"] = " ".join(f"{item['trial']}:{item['value']!r}" for item in record["repetitions"])
    flat["student_ids"] = " ".join(record["student_ids"])
    return flat


def _cell(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        value = ",".join(map(str, value))
    return clean(value) if isinstance(value, str) else value
