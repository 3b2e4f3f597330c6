"""From flags to a running child: `bkd train` and `bkd distill`."""

from collections.abc import Callable
from typing import Any

import click

from bkd import actions
from bkd.cli.common import open_store, print_json
from bkd.specs import RunSpec, make_spec


def launch(
    cls: type[RunSpec],
    values: dict[str, Any],
    options: dict[str, Any],
    note_id: Callable[[str], None] = lambda run_id: None,
) -> int:
    """Check the settings, launch the run, and follow it unless detached; return the exit code.

    Args:
        cls: Of the run's spec.
        values: Fields that were given.
        options: Launch options: save, tags, detach, as_json.
        note_id: Told the run's id once it is launched.
    """  # fmt: skip
    spec = make_spec(cls, values)
    store = open_store(options["save"])
    folder = actions.launch(store, spec, tags=options["tags"])
    run = store.load(folder)
    note_id(run["id"])
    if options["detach"]:
        if options["as_json"]:
            print_json({key: run[key] for key in ("id", "name", "path", "status")})
        else:
            click.echo(run["id"])
            click.echo(f"{run['name']} runs on its own. `bkd watch {run['id']}` follows it.", err=True)
        return 0
    from bkd.cli.follow import follow

    return follow(store, folder, as_json=options["as_json"], is_owner=True)
