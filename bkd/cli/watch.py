"""`bkd watch`: live curves of a run without the app."""

import typer

from bkd.cli.common import Json, RunRef, Save, open_store, single
from bkd.cli.follow import follow


def watch(run: RunRef, save: Save = None, as_json: Json = False) -> None:
    """Follow a run's curves; one line an epoch when piped. Ctrl-C ends the watching, not the run."""
    store = open_store(save)
    raise typer.Exit(follow(store, store.find(run), as_json=as_json))


app = single(watch)
