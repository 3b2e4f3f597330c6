"""What the panel beside the table says of a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.text import Text

from bkd.text import cell_width, clean, duration, number, percent
from tui.run_columns import metric, progress, when
from tui.widgets.status import status_text

LABEL_CELLS = 17
Run = Mapping[str, Any]
Line = tuple[str, str]

_SHARES = ("acc", "acc5", "ece")
_HIDDEN = ("type", "kind", "teacher")
_FIRST = (
    "arch",
    "student",
    "dataset",
    "train_limit",
    "epochs",
    "batch_size",
    "learning_rate",
    "alpha",
    "kd_T",
    "kd_S",
    "trial",
)


def detail_text(run: Run, students: Sequence[Run] = ()) -> Text:
    """Return status, results, lineage and configuration of a run.

    Args:
        run: run.json with tags and note.
        students: Rows of the runs that came from it.
    """
    text = Text()
    text.append(clean(str(run.get("name"))) + "\n", "bold")
    sections = {
        "": _identity(run),
        "Results": _results(run),
        "Gradient noise": _noise(run.get("metrics") or {}),
        "Lineage": _lineage(run, students),
        "Configuration": _configuration(run.get("spec") or {}),
        "Ran on": _environment(run),
    }
    for title, lines in sections.items():
        _append(text, title, list(lines))
    text.rstrip()
    return text


def _append(text: Text, title: str, lines: Sequence[Line]) -> None:
    if not lines:
        return
    if title:
        text.append(f"\n{title}\n", "bold")
    for label, value in lines:
        label = clean(label)
        text.append(label + " " * max(1, LABEL_CELLS - cell_width(label)), "dim")
        text.append(clean(value) + "\n")


def _identity(run: Run) -> Iterator[Line]:
    yield "id", str(run.get("id"))
    yield "status", status_text(run.get("status"))
    if run.get("message"):
        yield "message", str(run["message"])
    yield "epoch", str(progress(run))
    if run.get("started") and run.get("ended"):
        yield "took", duration(run["ended"] - run["started"])
    yield "created", when(run.get("created"))
    if run.get("tags"):
        yield "tags", ", ".join(map(str, run["tags"]))
    if run.get("note"):
        yield "note", str(run["note"])


def _results(run: Run) -> Iterator[Line]:
    for name, title in (("acc", "accuracy"), ("acc5", "top 5"), ("nll", "NLL"), ("ece", "ECE"), ("brier", "Brier")):
        value = metric(name)(run)
        if value is not None:
            split = "test" if (run.get("metrics") or {}).get(f"test/{name}") is not None else "val"
            yield title, f"{percent(value) if name in _SHARES else number(value)} {split}"


def _noise(metrics: Run) -> Iterator[Line]:
    names = {"noise_onehot": "one-hot", "noise_teacher": "teacher", "noise_ratio": "ratio R", "bias": "bias"}
    for name, title in names.items():
        value = metrics.get(f"grad/{name}")
        if value is not None:
            yield title, number(value)


def _lineage(run: Run, students: Sequence[Run]) -> Iterator[Line]:
    if run.get("teacher"):
        told = run.get("lineage") or {}
        yield "teacher", f"{run['teacher']} {told.get('teacher_kind') or run.get('kind')} {run.get('arch')}"
    if students:
        yield "students", str(len(students))
    for row in students[:12]:
        yield f"  {row['id']}", f"{row.get('student_arch')} {row.get('status')} {percent(metric('acc')(row))}"


def _configuration(spec: Run) -> Iterator[Line]:
    names = [name for name in _FIRST if name in spec]
    for name in [*names, *(name for name in spec if name not in names and name not in _HIDDEN)]:
        value = spec[name]
        if value is not None and value is not False:
            yield (
                name,
                ", ".join(map(str, value)) if isinstance(value, list) else "yes" if value is True else str(value),
            )


def _environment(run: Run) -> Iterator[Line]:
    for name in ("device", "device_name", "precision", "parameters", "torch"):
        value = (run.get("environment") or {}).get(name)
        if value is not None:
            yield name, f"{value:,}" if isinstance(value, int) else str(value)
    if run.get("host"):
        yield "host", str(run["host"])
