"""What the panel beside the table says of a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.text import Text

from bkd.text import cell_width, clean, duration, number, percent
from tui.lineage import lineage_lines, students_of_sweep
from tui.plots import is_trained
from tui.run_columns import is_sweep, metric, progress, when
from tui.widgets.status import is_going_on, status_text

LABEL_CELLS, INDENTED_CELLS = 17, 12
MOST_STUDENTS = 24  # of a sweep that are listed
Run = Mapping[str, Any]
Line = tuple[str, str]

_SHARES = ("acc", "acc5", "ece")
_HIDDEN = ("type", "kind", "teacher", "members")
_OF_GRID = ("alpha", "kd_T", "kd_S")  # a sweep with a grid takes them from there
_USUAL = (
    "train",
    "val",
    "test",
    "grad",
    "converge",
    "time",
    "lr",
    "students",
    "synthetic",
)  # other figures are a kind's own
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


def detail_text(run: Run, rows: Sequence[Run] = ()) -> Text:
    """Return status, results, lineage and configuration of a run.

    Args:
        run: run.json with tags and note.
        rows: All runs, among which its relatives are.
    """
    text = Text()
    text.append(clean(str(run.get("name"))) + "\n", "bold")
    sections = {
        "": _identity(run),
        "Results": _results(run),
        "Gradient noise": _noise(run.get("metrics") or {}),
        str(run.get("kind")): of_kind(run.get("metrics") or {}),
        "Arms": _arms(run),
        "Students": _students(run, rows),
        "Lineage": lineage_lines(run, rows),
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
        text.append(f"\n{clean(title)}\n", "bold")
    for label, value in lines:
        label = clean(label)
        cells = INDENTED_CELLS if label.startswith(" ") else LABEL_CELLS
        text.append(label + " " * max(1, cells - cell_width(label)), "dim")
        text.append(clean(value) + "\n")


def _identity(run: Run) -> Iterator[Line]:
    yield "id", str(run.get("id"))
    yield "status", status_text(run.get("status"))
    if run.get("message"):
        yield "message", str(run["message"])
    if is_trained(run) and not is_sweep(run) and not is_going_on(run.get("status")):  # else it stands above
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


def of_kind(metrics: Run) -> Iterator[Line]:
    """Yield the figures that only this kind of teacher has, as the prior of a Laplace teacher."""
    for key, value in metrics.items():
        prefix, _, name = key.partition("/")
        if prefix not in _USUAL and name and value is not None:
            yield ("KL" if key == "kl/nats" else f"KL {name}" if prefix == "kl" else name), number(value)


def _students(run: Run, rows: Sequence[Run]) -> Iterator[Line]:
    students = students_of_sweep(run, rows)
    if students:
        yield "done", f"{sum(row.get('status') == 'done' for row in students)} of {len(students)}"
    for row in students[:MOST_STUDENTS]:
        accuracy = metric("acc")(row) if row.get("status") == "done" else None
        standing = f"✓ {percent(accuracy)}" if accuracy is not None else status_text(row.get("status"))
        yield f"  {row['id']}", f"{standing:<10} {setting_text(row)}"
    if len(students) > MOST_STUDENTS:
        yield "  ...", f"{len(students) - MOST_STUDENTS} more; enter shows all"


def setting_text(row: Run) -> str:
    """Return what tells a student from the others of its sweep."""
    spec = row.get("setting") or {}
    few = f" {spec['fewshot_percent']:g}%" if spec.get("fewshot_percent") else ""
    return f"{':'.join(number(spec.get(key)) for key in ('kd_T', 'kd_S', 'alpha'))}{few} t{spec.get('trial')}"


def _arms(run: Run) -> Iterator[Line]:
    result = (run.get("results") or {}).get("synthetic") or {}
    if result:
        yield "Bayes loss", number(result.get("bayes_loss"))
    for arm in (result.get("arms") or {}).values():
        yield str(arm.get("title")), f"gap {number(arm.get('gap'))}  V {number(arm.get('noise_ratio'))}"


def _configuration(spec: Run) -> Iterator[Line]:
    hidden = (*_HIDDEN, *(_OF_GRID if spec.get("grid") else ()))
    names = [name for name in _FIRST if name in spec and name not in hidden]
    for name in [*names, *(name for name in spec if name not in names and name not in hidden)]:
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
