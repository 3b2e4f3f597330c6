"""From flags to a running child: `bkd train`, `bkd distill`, `bkd sweep`."""

from collections.abc import Callable, Sequence
from typing import Any

import click

from bkd import actions
from bkd.cli.common import open_store, print_json, warn
from bkd.errors import BkdError, SpecError
from bkd.paths import RunFolder
from bkd.presets import filled, preset_values
from bkd.specs import RunSpec
from bkd.store import Store
from bkd.text import count
from bkd.trials import launch_trials, spec_of_trials, trials_of


def launch(
    cls: type[RunSpec],
    values: dict[str, Any],
    options: dict[str, Any],
    note_id: Callable[[str], None] = lambda run_id: None,
) -> int:
    """Check the settings, launch the run or one for each trial, and follow them unless detached; return the exit code.

    Args:
        cls: Of the run's spec.
        values: Fields that were given.
        options: Launch options: save, tags, detach, as_json, dry_run, preset, trials.
        note_id: Told the run's id once it is launched.
    """  # fmt: skip
    store = open_store(options["save"])
    if options.get("preset"):
        preset = preset_values(options["preset"], cls.command(), _teacher_kind(store, values))
        values = filled(values, preset)
    trials = _trials(cls, values, options)
    if options["dry_run"]:
        from bkd.cli.dry_run import dry_run

        return dry_run(store, cls, values, trials, options)
    if not trials:
        folders = [actions.launch(store, spec_of_trials(cls, values, [values.get("trial", 1)]), tags=options["tags"])]
    else:
        folders = launch_trials(store, cls, values, trials, tags=options["tags"])
    note_id(store.load(folders[0])["id"])
    return _detached(store, folders, options) if options["detach"] else _followed(store, folders, options)


def _teacher_kind(store: Store, values: dict[str, Any]) -> str:
    """Return the kind of the teacher that was named, "" if none was or it is unknown: that is told of later."""
    try:
        return str(store.read(values["teacher"])[1]["kind"]) if values.get("teacher") else ""
    except BkdError:
        return ""


def _trials(cls: type[RunSpec], values: dict[str, Any], options: dict[str, Any]) -> list[int]:
    """Return the trials of --trials, [] where it was not given."""
    if not options.get("trials"):
        return []
    if "trial" in values:
        raise SpecError(
            f"{cls.command()}: --trial {values['trial']} and --trials {options['trials']} both say what is repeated. "
            "Give --trials alone."
        )
    return trials_of(options["trials"])


def _detached(store: Store, folders: Sequence[RunFolder], options: dict[str, Any]) -> int:
    runs = [store.load(folder) for folder in folders]
    if options["as_json"]:
        told = [{key: run[key] for key in ("id", "name", "path", "status")} for run in runs]
        print_json(told[0] if len(told) == 1 else told)
        return 0
    for run in runs:
        click.echo(run["id"])
    if len(runs) == 1:
        warn(f"{runs[0]['name']} runs on its own. `bkd watch {runs[0]['id']}` follows it.")
    else:
        warn(f"{count(len(runs), 'run')}, one after another, each on its own. `bkd watch {runs[0]['id']}` follows one.")
    return 0


def _followed(store: Store, folders: Sequence[RunFolder], options: dict[str, Any]) -> int:
    """Follow runs one after another; whoever interrupts stops the one at work and those that wait."""
    from bkd.cli.follow import follow

    codes = []
    for index, folder in enumerate(folders):
        codes.append(follow(store, folder, as_json=options["as_json"], is_owner=True))
        if codes[-1] == 130:
            _stop_waiting(store, folders[index + 1 :])
            break
    return codes[-1] if codes[-1] == 130 else max(codes)


def _stop_waiting(store: Store, folders: Sequence[RunFolder]) -> None:
    for folder in folders:
        run = store.load(folder)
        try:
            warn(f"{run['id']} is {actions.stop_run(store, run['id'])}.")
        except BkdError as error:
            warn(str(error))
