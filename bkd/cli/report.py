"""`bkd report`: do other teachers' students beat those of Deterministic ones, and is SGD calmer with them?"""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import click
import typer

from bkd.catalog import ARCHITECTURES, DATASETS, canonical, nearest
from bkd.cli.common import Json, Save, open_store, single
from bkd.cli.printing import terminal_width
from bkd.errors import SpecError, StorageError
from bkd.files import storage_error, write_bytes
from bkd.kinds.table import KINDS
from bkd.report import BASELINE, Question, Report, gather, is_finished_student, make_report
from bkd.report_formats import Format, written
from bkd.spec_defaults import defaults
from bkd.store import Store
from bkd.text import clean, count
from bkd.where import compile_filter

Row = dict[str, Any]

_ENDINGS = {
    ".md": Format.MARKDOWN, ".markdown": Format.MARKDOWN, ".tex": Format.LATEX, ".csv": Format.CSV,
    ".json": Format.JSON,
}  # fmt: skip


def report(
    where: Annotated[
        str | None, typer.Option(metavar="EXPR", help="Only these students, as 'tag = paper and epochs = 30'.")
    ] = None,
    kind: Annotated[
        list[str] | None, typer.Option(help="Only students of this kind of teacher, and the baseline's; repeatable.")
    ] = None,
    arch: Annotated[str | None, typer.Option(help="Only this architecture of the teacher.")] = None,
    student_arch: Annotated[str | None, typer.Option(help="Only this architecture of the student.")] = None,
    dataset: Annotated[str | None, typer.Option(help="Only this data set.")] = None,
    metric: Annotated[
        str, typer.Option(metavar="KEY", help="What is compared: acc, nll, ece, brier (on test), R, or a metric's key.")
    ] = "test/acc",
    baseline: Annotated[str, typer.Option(help="Kind of teacher that the others are compared with.")] = BASELINE,
    across_settings: Annotated[
        bool,
        typer.Option(
            "--across-settings",
            help="Of each kind only the temperatures and alpha that are best on validation accuracy.",
        ),
    ] = False,
    form: Annotated[
        Format | None, typer.Option("--format", help="How it is written; unset: by the file's name, else text.")
    ] = None,
    as_json: Json = False,
    out: Annotated[
        str | None, typer.Option("-o", "--out", "--output", metavar="FILE", help="Write here, not on standard output.")
    ] = None,
    figures: Annotated[
        str | None,
        typer.Option(
            metavar="DIR", help="Also draw accuracy, noise and reliability, as PNG and SVG, into this folder."
        ),
    ] = None,
    save: Save = None,
) -> None:
    """Compare the students of different kinds of teachers: mean, 95 % interval, n; difference to the Deterministic
    ones, paired by trial, with a test; gradient noise beside its bias; convergence noise.

    Repetitions are teachers: students of one teacher are averaged first.
    """
    store = open_store(save)
    everyone = [row for row in store.rows() if row.get("role") == "student"]
    known_kinds = [*KINDS, *(str(row.get("kind")) for row in everyone)]
    baseline = _known("baseline", baseline, known_kinds)
    kinds = [_known("kind", name, known_kinds) for name in kind or []]
    fields = {"arch": arch, "student_arch": student_arch, "dataset": dataset}
    chosen = _choose(everyone, {name: text for name, text in fields.items() if text is not None}, where)
    if kinds:
        chosen = [row for row in chosen if row.get("kind") in (*kinds, baseline)]
    students = gather(store, chosen, defaults)
    found = make_report(students, Question(metric, baseline, across_settings))
    form = Format.JSON if as_json else form or _ENDINGS.get(Path(out or "").suffix.lower(), Format.TEXT)
    if remark := _remark(store, len(everyone), chosen):
        click.echo(remark, err=True)
    if students or form in (Format.JSON, Format.CSV):
        _deliver(found, form, out)
    if figures is not None and students:
        _draw(found, figures)


def _choose(rows: list[Row], fields: dict[str, str], where: str | None) -> list[Row]:
    for name, text in fields.items():
        names = DATASETS if name == "dataset" else ARCHITECTURES
        wanted = _known(name.replace("_", "-"), text, [*names, *(str(row.get(name)) for row in rows)])
        rows = [row for row in rows if row.get(name) == wanted]
    if where is not None:
        test = compile_filter(where)
        rows = [row for row in rows if test(row)]
    return rows


def _known(option: str, text: str, names: Iterable[str]) -> str:
    """Return the own spelling of what a person typed."""
    known = tuple(dict.fromkeys(names))
    found = canonical(text, known)
    if found is None:
        near = nearest(text, known)
        hint = f"Did you mean {near}?" if near else "Use one of these names."
        raise SpecError(f"--{option} {clean(text)!r} is unknown; known: {', '.join(map(clean, known))}. {hint}")
    return found


def _remark(store: Store, everyone: int, chosen: list[Row]) -> str:
    """Return what is to be said of students that are not in the report; "" if there is nothing to say."""
    if not everyone:
        return (
            f"There are no students in {clean(str(store.root))} yet. Train a teacher with `bkd train deterministic`, "
            "distil from it with `bkd distill --teacher RUN --student wrn_16_1`, or run `bkd demo`."
        )
    if not chosen:
        return f"None of {count(everyone, 'student')} matches. `bkd report` alone takes all that are finished."
    unfinished = sum(not is_finished_student(row) for row in chosen)
    if unfinished == len(chosen):
        return (
            f"None of {count(unfinished, 'student')} is finished yet. `bkd list --role student` shows how they stand; "
            "`bkd resume RUN` goes on with one that stopped."
        )
    return f"{count(unfinished, 'student')} not finished and left out." if unfinished else ""


def _deliver(found: Report, form: Format, out: str | None) -> None:
    if out in (None, "-"):
        sys.stdout.write(written(found, form, terminal_width()))
        sys.stdout.flush()
        return
    path = Path(str(out)).expanduser()
    write_bytes(path, written(found, form).encode())
    click.echo(f"Report on {count(len(found.entries), 'group')} in {clean(str(path))}", err=True)


def _draw(found: Report, folder: str) -> None:
    from bkd.figures import draw

    path = Path(folder).expanduser()
    try:
        path.mkdir(parents=True, exist_ok=True)
        files = draw(found, path)
    except OSError as error:
        raise _told(path, error) from error
    for file in files:
        click.echo(f"Figure in {clean(str(file))}", err=True)


def _told(path: Path, error: OSError) -> StorageError:
    return storage_error(Path(error.filename or path), error)


app = single(report)
