"""`--dry-run`: what a launch would come to, without a folder."""

from collections.abc import Sequence
from typing import Any

import click

from bkd import actions
from bkd.cli.common import print_json
from bkd.cli.printing import architectures, labelled, print_lines
from bkd.command_line import command_for, command_of_run
from bkd.estimate import estimate
from bkd.spec_defaults import chosen
from bkd.specs import RunSpec
from bkd.store import Store
from bkd.text import clean
from bkd.trials import spec_of_trials


def dry_run(
    store: Store, cls: type[RunSpec], values: dict[str, Any], trials: Sequence[int], options: dict[str, Any]
) -> int:
    """Print what would be launched, how long it would take, and the command; return the exit code.

    Raises:
        SpecError, RunNotFound: As `actions.plan`.
    """
    run = actions.plan(store, spec_of_trials(cls, values, trials or [values.get("trial", 1)])).run
    repeated = 1 if run.get("students") else max(1, len(trials))
    found = estimate(store, run, store.rows(), trials=repeated)
    command = command_of_run(run, store.root)
    if len(trials) > 1:
        given = {**values, "trials": list(trials)}
        command = command_for(cls.command(), given, store.root)
    if options["as_json"]:
        seconds = None if found is None else round(found.seconds, 1)
        print_json({"spec": run["spec"], "runs": repeated, "estimate_s": seconds, "command": command})
        return 0
    own, _ = chosen(run["spec"])
    what = f"{run['kind']} {run['role']}, {architectures(run)} on {run['dataset']}"
    head = {
        "would launch": what + _how_many(run, trials),
        "would take": "unknown, no similar run has ended on this machine" if found is None else found.text(),
    }
    print_lines([*labelled(head, indent=""), "", "Settings that differ from the defaults", *labelled(own), ""])
    click.echo(clean(command))
    return 0


def _how_many(run: dict[str, Any], trials: Sequence[int]) -> str:
    if run.get("students"):
        return f", {len(run['students'])} students"
    listed = ", ".join(map(str, trials))
    return f", trials {listed}, one after another" if len(trials) > 1 else f", trial {run['trial']}"
