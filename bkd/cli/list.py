"""`bkd list`: teachers and students, the newest last."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Any

import click
import typer

from bkd.catalog import ARCHITECTURES, DATASETS, canonical, nearest
from bkd.cli.common import Json, Save, open_store, print_json, single
from bkd.cli.printing import accuracy, architectures, metric, print_table
from bkd.errors import SpecError
from bkd.kinds.table import KINDS
from bkd.runfile import Status
from bkd.store import Store
from bkd.text import Column, ago, clean, number, percent
from bkd.where import compile_filter, sort_rows
from registry import LISTED_FIELDS, TABLES

Row = dict[str, Any]
STATUSES = (*(status.value for status in Status), "unknown")


@dataclass(frozen=True)
class Choice:
    """What rows are asked for; None asks for nothing."""

    role: str | None = None
    kind: str | None = None
    arch: str | None = None
    dataset: str | None = None
    status: str | None = None
    tag: str | None = None
    where: str | None = None

    @property
    def is_everything(self) -> bool:
        """Whether every row is asked for."""
        return self == Choice()


def choose(rows: list[Row], choice: Choice) -> list[Row]:
    """Return the rows that are asked for.

    Raises:
        SpecError: A role, kind, architecture, data set or status is neither known nor in a row.
        FilterError: `where` does not parse.
    """
    if choice.role is not None:
        role = _known("role", choice.role, TABLES, rows, "role")
        rows = [row for row in rows if row.get("role") == role]
    if choice.kind is not None:
        kind = _known("kind", choice.kind, KINDS, rows, "kind")
        rows = [row for row in rows if row.get("kind") == kind]
    if choice.arch is not None:
        arch = _known("arch", choice.arch, ARCHITECTURES, rows, "arch", "student_arch")
        rows = [row for row in rows if arch in (row.get("arch"), row.get("student_arch"))]
    if choice.dataset is not None:
        dataset = _known("dataset", choice.dataset, DATASETS, rows, "dataset")
        rows = [row for row in rows if row.get("dataset") == dataset]
    if choice.status is not None:
        status = _known("status", choice.status, STATUSES, [])
        rows = [row for row in rows if str(row.get("status")).split(" (")[0] == status]
    if choice.tag is not None:
        tag = choice.tag.casefold()
        rows = [row for row in rows if any(str(mine).casefold() == tag for mine in row.get("tags") or ())]
    if choice.where is not None:
        test = compile_filter(choice.where)
        rows = [row for row in rows if test(row)]
    return rows


def _known(option: str, text: str, known: Iterable[str], rows: list[Row], *fields: str) -> str:
    """Return the own spelling of what a person typed; what rows hold counts as known."""
    names = tuple(dict.fromkeys([*known, *(str(row[f]) for row in rows for f in fields if row.get(f))]))
    found = canonical(text, names)
    if found is None:
        near = nearest(text, names)
        hint = f"Did you mean {near}?" if near else "Use one of these names."
        raise SpecError(f"--{option} {clean(text)!r} is unknown; known: {', '.join(map(clean, names))}. {hint}")
    return found


# ---- the table


def columns(now: float) -> list[Column]:
    """Return the columns of the table; `now` in Unix seconds."""
    return [
        Column("id", "id"),
        Column("role", "role", priority=5),
        Column("kind", "kind", priority=1),
        Column("arch", architectures, min_width=10),
        Column("dataset", "dataset", priority=2),
        Column("status", "status", min_width=7),
        Column("epoch", _epochs, align="right", priority=3),
        Column("acc", lambda row: percent(accuracy(row)), align="right"),
        Column("ece", lambda row: percent(metric(row, "test/ece", "val/ece")), align="right", priority=4),
        Column("R", lambda row: number(metric(row, "grad/noise_ratio")), align="right", priority=4),
        Column("age", lambda row: _age(row, now), align="right", priority=6),
        Column("tags", lambda row: ", ".join(map(str, row.get("tags") or ())), min_width=6, priority=7),
    ]


def _epochs(row: Row) -> str:
    epoch, epochs = row.get("epoch"), row.get("epochs")
    return f"{epoch or 0}/{epochs}" if epochs is not None else "-"


def _age(row: Row, now: float) -> str:
    created = row.get("created")
    return ago(now - created) if isinstance(created, (int, float)) else "-"


# ---- the command


def _complete(names: Callable[[], Iterable[str]]) -> Callable[[str], list[str]]:
    return lambda incomplete: [name for name in names() if name.lower().startswith(incomplete.lower())]


def list_runs(
    role: Annotated[
        str | None, typer.Option(help="teacher, student or experiment.", autocompletion=_complete(lambda: TABLES))
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option(
            help="Kind of teacher, as Bayesian: those teachers and the students that came from them.",
            autocompletion=_complete(lambda: KINDS),
        ),
    ] = None,
    arch: Annotated[
        str | None,
        typer.Option(
            help="Architecture; a student's own and its teacher's both count.",
            autocompletion=_complete(lambda: ARCHITECTURES),
        ),
    ] = None,
    dataset: Annotated[str | None, typer.Option(help="Data set.", autocompletion=_complete(lambda: DATASETS))] = None,
    status: Annotated[
        str | None, typer.Option(help=", ".join(STATUSES) + ".", autocompletion=_complete(lambda: STATUSES))
    ] = None,
    tag: Annotated[str | None, typer.Option(help="Only runs with this tag.")] = None,
    where: Annotated[
        str | None,
        typer.Option(
            metavar="EXPR", help="Filter, as 'acc > 95% kind = bayesian not tag = debug'; operators = != < <= > >= ~."
        ),
    ] = None,
    sort: Annotated[
        str | None,
        typer.Option(metavar="FIELD", help="Sort by a field or metric, as acc or test/ece; -acc: largest first."),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Show at most this many: the newest, or with --sort the first.")
    ] = None,
    as_json: Json = False,
    save: Save = None,
) -> None:
    """List teachers and students, the newest last."""
    store = open_store(save)
    everything = store.rows()
    choice = Choice(role, kind, arch, dataset, status, tag, where)
    rows = choose(everything, choice)
    if sort is not None:
        rows = [dict(row) for row in sort_rows(rows, sort)]
    if limit is not None:
        rows = rows[:limit] if sort is not None else rows[-limit:]
    if as_json:
        print_json([{field: row.get(field) for field in LISTED_FIELDS} for row in rows])
    elif rows:
        print_table(rows, columns(time.time()))
    else:
        click.echo(_nothing(store, len(everything)), err=True)


def _nothing(store: Store, total: int) -> str:
    if total:
        return f"None of {total} runs matches. `bkd list` shows all of them."
    return (
        f"There are no runs in {clean(str(store.root))} yet. Train a teacher with "
        "`bkd train deterministic --arch wrn_16_1 --dataset digits --epochs 20`, or see it all with `bkd demo`."
    )


app = single(list_runs)
