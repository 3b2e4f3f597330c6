"""`bkd note RUN [TEXT]`: a sentence about a run."""

from typing import Annotated

import click
import typer

from bkd import actions
from bkd.cli.common import Json, RunRef, Save, open_store, print_json, single
from bkd.text import clean


def note(
    ref: RunRef,
    text: Annotated[
        list[str] | None, typer.Argument(metavar="[TEXT...]", help="The note; '' removes it; none: print it.")
    ] = None,
    as_json: Json = False,
    save: Save = None,
) -> None:
    """Read or write a run's note."""
    store = open_store(save)
    folder, run = store.read(ref)
    if text:
        run = actions.describe(store, str(folder.path), note=" ".join(text).strip())
    if as_json:
        print_json({"id": run["id"], "note": run["note"]})
        return
    for line in run["note"].split("\n") if run["note"] else [f"{run['id']} has no note."]:
        click.echo(clean(line))


app = single(note)
