"""`bkd demo`: two teachers and three students of each on the embedded digits, from nothing to a table."""

import os
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import click

from bkd import actions
from bkd.cli.common import Json, Save, open_store, print_json, single, warn
from bkd.cli.follow import LOG_LINES, log_tail
from bkd.errors import TrainingFailed
from bkd.kinds.table import load_kind
from bkd.live_rows import UNSETTLED
from bkd.report_statistics import ratio_of_sums
from bkd.runfile import Status
from bkd.specs import DistillSpec, RunSpec, dump, load, make_spec
from bkd.stats import mean_interval
from bkd.store import Store
from bkd.text import count, duration, format_table, number, percent

from bkd.text import Column  # isort: skip

TAG = "demo"
ARCH = "wrn_16_1"
KINDS = ("Deterministic", "Bayesian")
TRIALS = (1, 2, 3)
TEACHER_EPOCHS, STUDENT_EPOCHS = 40, 40
COMMON = {"dataset": "digits", "learning_rate": 3e-3}


def demo(save: Save = None, as_json: Json = False) -> int:
    """Train a Deterministic and a Bayesian teacher and three students from each on the digits, and show the table.

    What is finished already is used again, so that a second call opens at once.
    """
    store, began = open_store(save), time.monotonic()
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # two runs at a time, a thread each: the networks are tiny
    say: Callable[[str], None] = _silent if as_json else click.echo
    say("Two teachers, then three students of each, WRN-16-1 on scikit-learn's digits.")
    teachers = run_all(store, [_teacher_spec(kind) for kind in KINDS], say)
    specs = [_student_spec(teacher["id"], trial) for trial in TRIALS for teacher in teachers]
    students = run_all(store, specs, say)
    groups = [summarise(teacher, students) for teacher in teachers]
    if as_json:
        print_json(groups)
        return 0
    say(f"Done in {duration(time.monotonic() - began)}.\n")
    print_groups(groups)
    return _open_app(store)


def _silent(text: str) -> None:
    """Say nothing: standard output is for JSON."""


def _teacher_spec(kind: str) -> RunSpec:
    extra: dict[str, Any] = {"bnn_test_samples": 8} if kind == "Bayesian" else {}
    spec: RunSpec = make_spec(load_kind(kind).spec, COMMON | {"arch": ARCH, "epochs": TEACHER_EPOCHS} | extra)
    return spec


def _student_spec(teacher: str, trial: int) -> RunSpec:
    values = {"teacher": teacher, "student": ARCH, "trial": trial, "epochs": STUDENT_EPOCHS, "bnn_samples": 4}
    spec: RunSpec = make_spec(DistillSpec, values | {"learning_rate": COMMON["learning_rate"]})
    return spec


def run_all(
    store: Store, specs: Sequence[RunSpec], say: Callable[[str], None], *, at_once: int = 2
) -> list[dict[str, Any]]:
    """Finish a run for each spec, a few at a time, and return their run.json; finished ones are used again.

    Raises:
        TrainingFailed: If a run does not end as done.
    """
    waiting = list(enumerate(specs))
    active: dict[int, Any] = {}
    done: dict[int, dict[str, Any]] = {}
    while waiting or active:
        while waiting and len(active) < at_once:
            index, spec = waiting.pop(0)
            active[index] = _start(store, spec)
        for index, folder in list(active.items()):
            run = store.load(folder)
            if run["status"] in UNSETTLED - {Status.LOST}:
                continue
            del active[index]
            if run["status"] != Status.DONE:
                for line in log_tail(folder, LOG_LINES):
                    warn(f"  {line}")
                raise TrainingFailed(
                    f"{run['id']} is {run['status']}: {run.get('message')} Mend it and call `bkd demo` again."
                )
            done[index] = run
            accuracy = percent(run["metrics"]["test/acc"])
            say(f"  {run['id']}  {run['role']:8} {run['kind']:14} trial {run['trial']}  test accuracy {accuracy}")
        time.sleep(0.1)
    return [done[index] for index in sorted(done)]


def _start(store: Store, spec: RunSpec) -> Any:
    """Return the folder of the run of this spec: an earlier one, resumed where need be, or a new one."""
    wanted = dump(actions.spec_of(actions.plan(store, spec)))
    for row in store.rows():
        if TAG not in (row.get("tags") or []):
            continue
        folder = store.folder(row["path"])
        run = store.load(folder)
        if _comparable(run["spec"]) != _comparable(wanted):
            continue
        if run["status"] in (Status.STOPPED, Status.FAILED, Status.LOST):
            return actions.resume(store, run["id"])
        return folder
    return actions.launch(store, spec, tags=[TAG])


def _comparable(spec: dict[str, Any]) -> dict[str, Any]:
    """Return settings with those that an earlier version did not know filled in, without the data's folder."""
    return {key: value for key, value in dump(load(spec)).items() if key != "data"}


def summarise(teacher: dict[str, Any], students: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return a teacher's figures and its students' as means with 95 % intervals."""
    own = [run for run in students if run["teacher"] == teacher["id"]]
    figures: dict[str, Any] = {}
    for key in ("test/acc", "test/ece", "test/nll"):
        values = [run["metrics"][key] for run in own if run["metrics"].get(key) is not None]
        figures[key] = vars(mean_interval(values)) if values else None
    for key in ("grad/noise_ratio", "val/grad/noise_ratio", "val/grad/bias"):
        figures[key] = _ratio(own, key)
    picked = {k: teacher["metrics"].get(k) for k in ("test/acc", "test/ece", "kl/weight", "kl/nats", "test/probs_sd")}
    return {
        "kind": teacher["kind"],
        "teacher": teacher["id"],
        "teacher_metrics": picked,
        "students": figures,
        "n": len(own),
    }


def _ratio(students: Sequence[dict[str, Any]], key: str) -> dict[str, Any] | None:
    """Return a ratio to the one-hot noise over students: a ratio of sums, as a mean of ratios is ruled by outliers."""
    below = f"{key.rpartition('/')[0]}/noise_onehot"
    pairs = [(run["metrics"].get(key), run["metrics"].get(below)) for run in students]
    found = ratio_of_sums([(ratio * v, v) for ratio, v in pairs if ratio is not None and v is not None])
    return vars(found) if found else None


def print_groups(groups: Sequence[dict[str, Any]]) -> None:
    """Print the table of `summarise`d groups."""
    rows = []
    for group in groups:
        figures = group["students"]
        rows.append(
            {
                "kind": group["kind"],
                "teacher": percent(group["teacher_metrics"]["test/acc"]),
                "acc": _interval(figures["test/acc"], percent),
                "ece": _interval(figures["test/ece"], percent),
                "r": _interval(figures["val/grad/noise_ratio"], number),
                "bias": _interval(figures["val/grad/bias"], number),
                "n": f"{count(group['n'], 'student')} of 1 teacher",
            }
        )
    columns = [
        Column("Teacher kind", "kind"), Column("its accuracy", "teacher", align="right"),
        Column("student accuracy", "acc", align="right"), Column("student ECE", "ece", align="right"),
        Column("noise ratio R", "r", align="right"), Column("bias", "bias", align="right"), Column("n", "n"),
    ]  # fmt: skip
    for line in format_table(rows, columns, None):
        click.echo(line)
    click.echo(
        "\nMeans on the test set with 95 % intervals over students. R: noise of the last layer's gradient with the"
    )
    click.echo(
        "teacher's targets over that with labels, on validation images; below 1 the teacher calms SGD. Read it beside"
    )
    click.echo("the bias, the distance of the two mean gradients: a teacher that says nothing has a small R too.\n")


def _interval(figures: dict[str, Any] | None, form: Callable[[float], str]) -> str:
    if figures is None:
        return "-"
    half = figures["half"]
    return form(figures["mean"]) + (f" ± {form(half)}" if half is not None else "")


def _open_app(store: Store) -> int:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return 0
    from bkd.cli.main import run

    return run(["--save", str(store.root), "tui"])


app = single(demo)
