"""`bkd tag RUN TAG...`: add or remove tags."""

from typing import Annotated

import click
import typer

from bkd import actions
from bkd.cli.common import Json, RunRef, Save, open_store, print_json, single, warn
from bkd.errors import SpecError
from bkd.text import clean


def tag(
    ref: RunRef,
    tags: Annotated[
        list[str] | None, typer.Argument(metavar="TAG...", help="Tags to add; none: print the run's tags.")
    ] = None,
    remove: Annotated[
        list[str] | None, typer.Option("--remove", metavar="TAG", help="Remove a tag; may be repeated.")
    ] = None,
    as_json: Json = False,
    save: Save = None,
) -> None:
    """Add or remove a run's tags, and print what it has then."""
    store = open_store(save)
    add, drop = [_checked(one) for one in tags or []], remove or []
    folder, run = store.read(ref)
    for one in drop:
        if one not in run["tags"]:
            warn(f"{run['id']} has no tag {one!r}.")
    if add or drop:
        run = actions.describe(store, str(folder.path), add=add, drop=drop)
    if as_json:
        print_json({"id": run["id"], "tags": run["tags"]})
    else:
        click.echo(clean(", ".join(run["tags"])) or f"{run['id']} has no tags.")


def _checked(text: str) -> str:
    stripped = text.strip()
    if not stripped or clean(stripped) != stripped:
        raise SpecError(
            f"tag must be text without control characters, got {clean(text)!r}. Use a word such as baseline."
        )
    return stripped


app = single(tag)
