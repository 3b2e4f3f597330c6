"""What commands print: tables as wide as the terminal, labelled values, trees of lines."""

import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bkd.text import Column, cell_width, clean, fit, format_table, number, percent

_SHARES = ("acc", "acc5", "ece")  # shown as percent


def terminal_width() -> int | None:
    """Return the terminal's width in cells, None where standard output is no terminal."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def print_lines(lines: Iterable[str]) -> None:
    """Print lines that are clean already."""
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()  # a reader that has gone is noticed here, not at exit


def print_table(rows: Iterable[Any], columns: Sequence[Column]) -> None:
    """Print a table that fits the terminal."""
    print_lines(format_table(rows, columns, terminal_width()))


def labelled(values: Mapping[str, Any], indent: str = "  ") -> list[str]:
    """Return one line a value, the values in one column."""
    width = max(map(cell_width, values), default=0)
    return [f"{indent}{fit(clean(name), width)}  {value_text(value)}".rstrip() for name, value in values.items()]


def value_text(value: Any) -> str:
    """Return a JSON value as clean text: yes and no, "100,150", "-" for nothing."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (int, float)):
        return number(value)
    if isinstance(value, list):
        return clean(",".join(map(str, value)))
    return clean(str(value))


def metric_text(key: str, value: Any) -> str:
    """Return a metric as text; accuracies and calibration errors, and their spread, as percent."""
    is_share = key.partition("/")[2].removesuffix("_sd") in _SHARES
    return percent(value) if is_share and isinstance(value, (int, float)) else value_text(value)


def status_text(row: Mapping[str, Any]) -> str:
    """Return the status with its remark: "stopped (no checkpoint)"."""
    status, message = str(row.get("status")), row.get("message")
    return str(message) if isinstance(message, str) and message.startswith(f"{status} (") else status


def architectures(row: Mapping[str, Any]) -> str:
    """Return a teacher's architecture, or a student's with its teacher's behind an arrow."""
    student, arch = row.get("student_arch"), row.get("arch")
    return f"{student} ← {arch}" if student else str(arch or "-")


def metric(row: Mapping[str, Any], *keys: str) -> float | None:
    """Return the first of these metrics that a row has as a number."""
    metrics = row.get("metrics") or {}
    for key in keys:
        value = metrics.get(key)
        if isinstance(value, (int, float)):
            return value
    return None


def accuracy(row: Mapping[str, Any]) -> float | None:
    """Return the test accuracy, else the validation accuracy, as a fraction."""
    return metric(row, "test/acc", "val/acc")
