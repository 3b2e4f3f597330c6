"""`bkd delete RUN`: remove a run's folder and its row."""

import sys
from typing import Annotated, Any

import click
import typer

from bkd import actions
from bkd.cli.common import Json, RunRef, Save, open_store, print_json, single
from bkd.cli.printing import accuracy, architectures
from bkd.errors import SpecError
from bkd.text import clean, percent


def delete(
    ref: RunRef,
    force: Annotated[
        bool,
        typer.Option(
            "--force", help="Also a teacher that students came from, or a run that may be running on another machine."
        ),
    ] = False,
    yes: Annotated[bool, typer.Option("-y", "--yes", help="Do not ask.")] = False,
    as_json: Json = False,
    save: Save = None,
) -> None:
    """Delete a run's folder: weights, metrics, log, all of it."""
    store = open_store(save)
    run = actions.deletable(store, ref, force=force)[1]
    if not yes and not _confirmed(run):
        click.echo(f"{run['id']} is kept.", err=True)
        return
    actions.delete(store, ref, force=force)
    if as_json:
        print_json({"id": run["id"], "name": run["name"], "path": run["path"], "deleted": True})
    else:
        click.echo(f"Deleted {run['id']} ({clean(str(run['name']))}).")


def _confirmed(run: dict[str, Any]) -> bool:
    if not sys.stdin.isatty():
        raise SpecError(
            f"delete {run['id']} has nobody to ask: standard input is no terminal. Give --yes to delete without asking."
        )
    what = (
        f"{run['id']}: {run.get('kind')} {run.get('role')}, {architectures(run)} on {run.get('dataset')}, "
        f"{run['status']}, epoch {run.get('epoch')} of {run.get('epochs')}, accuracy {percent(accuracy(run))}"
    )
    return click.confirm(f"{clean(what)}\nDelete its folder for good?", default=False, err=True)


app = single(delete)
