"""`bkd registry`: does the index agree with the run folders, and make it anew."""

from typing import Any

import click
import typer

from bkd.cli.common import Json, Save, open_store, print_json
from bkd.cli.printing import print_lines, value_text
from bkd.errors import StorageError
from bkd.text import clean, count
from registry import CheckReport, RegistryError

app = typer.Typer(
    pretty_exceptions_enable=False, add_completion=False, no_args_is_help=True,
    help="Check or rebuild the registry of runs, which is an index of the run folders.",
)  # fmt: skip


@app.command("check")
def check(as_json: Json = False, save: Save = None) -> int:
    """Compare the registry with the run folders; exit code 1 if they disagree."""
    store = open_store(save)
    try:
        report = store.registry.check(store.runs(), store.is_alive)
    except RegistryError as error:
        raise StorageError(str(error)) from error
    if as_json:
        print_json(as_dict(report))
    else:
        print_lines(map(clean, lines_of(report)))
        if not report.is_good:
            click.echo("`bkd registry rebuild` remakes the registry from the run folders.", err=True)
    return 0 if report.is_good else 1


def lines_of(report: CheckReport) -> list[str]:
    """Return what a check found, one line a finding."""
    if report.is_good:
        return [f"The registry agrees with {count(report.rows, 'run folder')}."]
    return [
        *(f"{row['id']}: in the registry, but {row.get('path')} is gone." for row in report.rows_without_folder),
        *(f"{row['id']}: {row['path']} is not in the registry." for row in report.folders_without_row),
        *(
            f"{d.id}: {d.field} is {value_text(d.in_registry)} in the registry, {value_text(d.in_run)} in {d.path}."
            for d in report.disagreements
        ),
        *(f"{reason}." for reason in report.skipped),
    ]


def as_dict(report: CheckReport) -> dict[str, Any]:
    """Return a check's findings as JSON values."""
    return {
        "agrees": report.is_good,
        "rows": report.rows,
        "rows_without_folder": [{"id": row["id"], "path": row.get("path")} for row in report.rows_without_folder],
        "folders_without_row": [{"id": row["id"], "path": row["path"]} for row in report.folders_without_row],
        "disagreements": [vars(disagreement) for disagreement in report.disagreements],
        "skipped": report.skipped,
    }


@app.command("rebuild")
def rebuild(as_json: Json = False, save: Save = None) -> None:
    """Remake the registry from the run folders; a damaged one is set aside first."""
    report = open_store(save).rebuild()
    aside = str(report.quarantined) if report.quarantined else None
    if as_json:
        print_json({"rows": report.count, "quarantined": aside, "skipped": report.skipped})
        return
    lines = [f"The registry has {count(report.count, 'run')} now."]
    lines += [f"The damaged one is {aside}."] if aside else []
    lines += [f"Left out: {reason}." for reason in report.skipped]
    print_lines(map(clean, lines))
