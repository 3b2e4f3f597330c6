"""`bkd show RUN`: everything about one run."""

import time
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from bkd.cli.common import Json, RunRef, Save, open_store, print_json, single
from bkd.cli.printing import (
    accuracy,
    architectures,
    labelled,
    metric,
    metric_text,
    print_lines,
    status_text,
    terminal_width,
)
from bkd.cli.results import results_table
from bkd.command_line import command_of_run
from bkd.events import read_events
from bkd.paths import RunFolder
from bkd.runfile import UNFINISHED, Status
from bkd.spec_defaults import chosen
from bkd.store import Store
from bkd.system import describe_peaks, describe_sample, latest, peaks
from bkd.text import Column, ago, clean, duration, format_table, number, percent

LOG_LINES = 12  # of a failed run
_LOG_BYTES = 1 << 16
Run = dict[str, Any]


Command = Annotated[bool, typer.Option("--command", help="Print the command that launches such a run again.")]


def show(ref: RunRef, as_json: Json = False, as_command: Command = False, save: Save = None) -> None:
    """Show one run: status, lineage, settings, results, gradient noise; of a failed one its last output."""
    store = open_store(save)
    folder, run = store.read(ref)
    if as_command:
        print_lines([clean(command_of_run(run, store.root))])
        return
    if as_json:
        print_json(run | {"system": latest(folder)})
        return
    print_lines(describe(store, folder, run, time.time()))


def describe(store: Store, folder: RunFolder, run: Run, now: float) -> Iterator[str]:
    """Yield the lines about a run; `now` in Unix seconds."""
    yield from identity(folder, run, now)
    yield from _section("Lineage", lineage(store, run))
    own, rest = chosen(run.get("spec") or {})
    yield from _section("Settings that differ from the defaults", labelled(own))
    yield from _section("Other settings", labelled(rest))
    yield from _section("Split", labelled(run.get("split") or {}))
    yield from _section("Environment", labelled(run.get("environment") or {}))
    yield from _section("Machine", system(folder, run, now))
    if synthetic := (run.get("results") or {}).get("synthetic"):
        from bkd.synthetic.table import comparison_lines

        yield from _section("Results", list(comparison_lines(synthetic, terminal_width())))
    elif run.get("students"):
        yield from _section("Students", sweep_students(store, run))
    elif run.get("results"):
        yield from _section("Results", list(results_table(run["results"], terminal_width())))
    else:
        yield from _section("Last epoch", last_figures(run))
    yield from _section("Gradient noise (last layer)", gradient_noise(run))
    if run.get("status") == Status.FAILED:
        yield from _section("Failure", failure(folder, run))


def _section(title: str, lines: list[str]) -> list[str]:
    return ["", title, *lines] if lines else []


# ---- the sections


def identity(folder: RunFolder, run: Run, now: float) -> list[str]:
    """Return who the run is and how it stands."""
    what = f"{run.get('kind')} teacher" if run.get("role") == "teacher" else f"student of a {run.get('kind')} teacher"
    if run.get("role") not in ("teacher", "student"):
        what = f"{run.get('kind')} {run.get('role')}"
    head = {
        "run": f"{run['id']}  {run.get('name')}",
        "is": f"{what}, {architectures(run)} on {run.get('dataset')}, trial {run.get('trial')}",
        "status": status_line(run, now),
        "folder": str(folder.path),
    }
    if imported := run.get("imported"):
        head["imported"] = f"from {imported.get('from')}"
    head |= {key: value for key, value in {"tags": run.get("tags"), "note": run.get("note")}.items() if value}
    return labelled(head, indent="")


def status_line(run: Run, now: float) -> str:
    """Return status, progress, times, and what to do next with a run that stopped before its end."""
    status, started, ended = run.get("status"), run.get("started"), run.get("ended")
    parts = [status_text(run), f"epoch {run.get('epoch') or 0} of {run.get('epochs')}"]
    if started and ended:
        parts.append(f"took {duration(ended - started)}")
    if ended:
        parts.append(f"ended {ago(now - ended)}")
    elif started:
        parts.append(f"started {ago(now - started)}")
    elif run.get("created"):
        parts.append(f"created {ago(now - run['created'])}")
    if status in (Status.STOPPED, Status.LOST, Status.FAILED):
        parts.append(f"`bkd resume {run['id']}` goes on")
    elif status in UNFINISHED:
        parts.append(f"`bkd watch {run['id']}` follows it")
    return ", ".join(parts)


def lineage(store: Store, run: Run) -> list[str]:
    """Return what a run came from, or else what came from it."""
    if run.get("members"):
        rows = store.rows()
        return _family([row for row in rows if row["id"] in run["members"]], "member") + heirs(store, run)
    if run.get("teacher"):
        teacher = next((row for row in store.rows() if row["id"] == run["teacher"]), None)
        told = run.get("lineage") or {}
        if teacher is None:
            name = clean(str(told.get("teacher_name") or ""))
            return [f"  teacher {run['teacher']} {name} is not in this save root any more"]
        return _family([teacher], "teacher") + heirs(store, run)
    return heirs(store, run)


def heirs(store: Store, run: Run) -> list[str]:
    """Return the runs that came from a teacher: teachers made from it, students."""
    found = store.heirs_of(run["id"]) if run.get("role") == "teacher" else []
    teachers, students = ([row for row in found if row["role"] == role] for role in ("teacher", "student"))
    return (_family(teachers, "made from it") if teachers else []) + (_family(students, "student") if students else [])


def system(folder: RunFolder, run: Run, now: float) -> list[str]:
    """Return what a run takes of its machine, or took of it when last seen, and the most memory that it held."""
    samples = read_events(folder.system)
    if not samples:
        return []
    t = samples[-1].get("t")
    age = f", {ago(now - t)}" if isinstance(t, (int, float)) else ""
    title = "now" if run.get("status") in UNFINISHED else "last"
    return labelled({title: describe_sample(samples[-1]) + age, "peak": describe_peaks(peaks(samples))})


def sweep_students(store: Store, run: Run) -> list[str]:
    """Return the students of a sweep: what tells them apart, how they stand."""
    rows = {row["id"]: row for row in store.rows()}
    found = [{**student["spec"], **(rows.get(student["id"]) or {"id": student["id"]})} for student in run["students"]]
    columns = [
        Column("student", lambda row: row["id"] or "-"), Column("arch", "student"), Column("trial", "trial"),
        Column("Tt", "kd_T"), Column("Ts", "kd_S"), Column("alpha", "alpha"),
        Column("S", "bnn_samples", priority=1), Column("percent", lambda row: row.get("fewshot_percent") or "-"),
        Column("status", lambda row: row.get("status") or ("deleted" if row["id"] else "not launched")),
        Column("acc", lambda row: percent(accuracy(row)), align="right"),
    ]  # fmt: skip
    return list(format_table(found, columns, terminal_width()))


def _family(rows: list[Run], title: str) -> list[str]:
    columns = [
        Column(title, "id"), Column("name", "name", min_width=12), Column("kind", "kind", priority=2),
        Column("arch", architectures, priority=1), Column("status", "status"),
        Column("acc", lambda row: percent(accuracy(row)), align="right"),
    ]  # fmt: skip
    return list(format_table(rows, columns, terminal_width()))


def last_figures(run: Run) -> list[str]:
    """Return the last epoch's figures of a run that was not evaluated yet."""
    metrics = run.get("metrics") or {}
    shown = [key for key in metrics if key.startswith(("train/", "val/", "test/")) and "/grad" not in key]
    return labelled({key: metric_text(key, metrics[key]) for key in shown})


def gradient_noise(run: Run) -> list[str]:
    """Return the noise of one-hot labels and teacher and their ratio; the ratio never without the bias."""
    ratio = metric(run, "grad/noise_ratio")
    if ratio is None:
        own = metric(run, "grad/noise")
        return [] if own is None else [f"  {number(own)} with the loss in use"]
    line = (
        f"  one-hot {number(metric(run, 'grad/noise_onehot'))}, teacher {number(metric(run, 'grad/noise_teacher'))}"
        f"{_shared(run)}, R = {number(ratio)} with bias {number(metric(run, 'grad/bias'))}"
    )
    star = metric(run, "grad/alpha_star")
    return [line] if star is None else [f"{line}, least noise at alpha {number(star)}"]


def _shared(run: Run) -> str:
    shared = metric(run, "grad/noise_shared")
    return "" if shared is None else f" + {number(shared)} shared by the batch"


def failure(folder: RunFolder, run: Run) -> list[str]:
    """Return why a run failed and the last lines that it printed."""
    lines = [f"  {clean(line)}" for line in str(run.get("message") or "").splitlines()]
    return [
        *lines,
        f"  Last lines of {clean(str(folder.log))}:",
        *(f"  | {line}" for line in last_lines(folder, LOG_LINES)),
    ]


def last_lines(folder: RunFolder, count: int) -> list[str]:
    """Return the last lines of a run's output, cleaned; none where there is no output."""
    try:
        with folder.log.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - _LOG_BYTES))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return []
    return [clean(line) for line in text.removesuffix("\n").split("\n")[-count:]] if text else []


app = single(show)
