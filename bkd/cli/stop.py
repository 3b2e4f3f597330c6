"""`bkd stop RUN...`: finish the step, write a checkpoint, stop."""

from contextlib import suppress
from typing import Annotated, Any

import click
import typer

from bkd import actions
from bkd.cli.common import Json, Save, open_store, print_json, single
from bkd.errors import RunBusy, SpecError
from bkd.paths import SYNTHETIC
from bkd.runfile import UNFINISHED
from bkd.store import Store
from bkd.text import clean, count


def stop(
    refs: Annotated[
        list[str] | None, typer.Argument(metavar="RUN...", help="Ids, prefixes of ids, names or folders.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Stop every run that is running on this machine.")] = False,
    as_json: Json = False,
    save: Save = None,
) -> None:
    """Stop runs after their step, with a checkpoint; one that does not answer is killed."""
    store = open_store(save)
    if everything == bool(refs):
        raise SpecError("stop takes either runs or --all. `bkd list --status running` shows what runs.")
    targets = _running(store) if everything else [store.read(ref)[1] for ref in refs or []]
    if len(targets) > 1:
        for run in targets:  # asked all at once, waited for one by one
            with suppress(RunBusy):
                actions.stop_run(store, run["id"], wait=False)
    stopped = [_stop(store, run["id"], is_asked=len(targets) > 1) for run in targets]
    if as_json:
        print_json(stopped)
    elif not stopped:
        click.echo("No run is running on this machine.", err=True)
    else:
        for one in stopped:
            click.echo(_sentence(one))


def _running(store: Store) -> list[dict[str, Any]]:
    """Return the unfinished runs, sweeps before their students: a stopped sweep stops its students itself."""
    running = [row for row in store.rows() if row.get("status") in UNFINISHED]
    return sorted(running, key=lambda row: row.get("role") != "experiment")


def _stop(store: Store, run_id: str, *, is_asked: bool) -> dict[str, Any]:
    try:
        actions.stop_run(store, run_id)
    except RunBusy:
        if not is_asked:
            raise
    run = store.read(run_id)[1]
    return {key: run.get(key) for key in ("id", "name", "role", "kind", "status", "epoch", "epochs", "message")}


def _sentence(run: dict[str, Any]) -> str:
    status = str(run["message"] or run["status"]) if run["status"] == "stopped" else str(run["status"])
    is_sweep = run["role"] == "experiment" and run["kind"] != SYNTHETIC
    unit = ("student", "students") if is_sweep else ("epoch", "epochs")
    hint = f" `bkd resume {run['id']}` goes on." if run["status"] == "stopped" else ""
    return f"{run['id']} is {clean(status)} after {run['epoch']} of {count(run['epochs'], *unit)}.{hint}"


app = single(stop)
