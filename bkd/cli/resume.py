"""`bkd resume RUN`: go on from the last checkpoint."""

from typing import Annotated

import click
import typer

from bkd import actions
from bkd.cli.common import Json, RunRef, Save, open_store, print_json, single
from bkd.text import clean


def resume(
    ref: RunRef,
    force: Annotated[bool, typer.Option("--force", help="Even if it ran on another machine.")] = False,
    detach: Annotated[bool, typer.Option("--detach", help="Return at once.")] = False,
    as_json: Json = False,
    save: Save = None,
) -> int:
    """Go on with a stopped, failed or lost run from its last checkpoint."""
    store = open_store(save)
    folder = actions.resume(store, ref, force=force)
    if not detach:
        from bkd.cli.follow import follow

        code: int = follow(store, folder, as_json=as_json, is_owner=True)
        return code
    run = store.load(folder)
    if as_json:
        print_json({key: run[key] for key in ("id", "name", "path", "status")})
    else:
        click.echo(run["id"])
        click.echo(f"{clean(run['name'])} goes on by itself. `bkd watch {run['id']}` follows it.", err=True)
    return 0


app = single(resume)
