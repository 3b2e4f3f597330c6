"""`bkd import PATH`: runs of the paper's own scripts become runs of this save root."""

from pathlib import Path
from typing import Annotated, Any

import click
import typer

from bkd.cli.common import Json, Save, open_store, print_json, single, warn
from bkd.cli.printing import architectures
from bkd.text import clean, count


def import_runs(
    path: Annotated[
        Path,
        typer.Argument(metavar="PATH", help="The save/ folder that the paper's scripts wrote, or any folder in it."),
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read and check everything, write nothing.")] = False,
    as_json: Json = False,
    save: Save = None,
) -> None:
    """Import teachers and students that the paper's own scripts trained: weights, settings, logged figures.

    Nothing in their files is run: weights are read as tensors only, pickled figures as numbers only. Every tensor must
    fit by name and shape, or the folder is refused. A folder that was imported before is recognised by its content.
    """
    store = open_store(save)
    # Imported here: --help must not wait for torch.
    from bkd.foreign.importer import Fate, Importer, Outcome

    told: dict[Fate, list[Outcome]] = {fate: [] for fate in Fate}
    for outcome in Importer(store, is_dry_run=dry_run).run(path.expanduser().absolute()):
        told[outcome.fate].append(outcome)
        for line in ([outcome.reason] if outcome.reason else []) + list(outcome.notes):
            warn(line)
        if not as_json and outcome.run is not None:
            click.echo(clean(_line(outcome.run, outcome.fate.value, outcome.folder, dry_run)))
    if as_json:
        print_json(_as_json(told, dry_run))
    else:
        click.echo(_summary(told, dry_run))


def _line(run: dict[str, Any], fate: str, folder: Path, is_dry_run: bool) -> str:
    """Return what became of one folder; a run that is only thought of has no id to tell."""
    what = f"{run['kind']} teacher" if run["role"] == "teacher" else f"student of a {run['kind']} teacher"
    who = f"{what}, {architectures(run)} on {run['dataset']}, trial {run['trial']}"
    if fate == "known":
        return f"already imported as {run['id']}: {who}"
    return f"would import {who}, from {folder}" if is_dry_run else f"imported {run['id']}: {who}"


def _summary(told: dict[Any, list[Any]], is_dry_run: bool) -> str:
    imported, known, refused = (len(told[fate]) for fate in ("imported", "known", "refused"))
    verb = "Would import" if is_dry_run else "Imported"
    return f"{verb} {count(imported, 'run')}, {known} already there, {refused} refused."


def _as_json(told: dict[Any, list[Any]], is_dry_run: bool) -> dict[str, Any]:
    fields: tuple[str, ...] = ("name", "role", "kind", "arch", "student_arch", "dataset", "trial", "teacher", "path")
    if is_dry_run:  # ids and what holds them are drawn anew each time
        fields = tuple(field for field in fields if field not in ("name", "teacher", "path"))
    imported = [
        {"id": None if is_dry_run else one.run["id"], **{field: one.run[field] for field in fields},
         "from": clean(str(one.folder)), "notes": [clean(note) for note in one.notes]}
        for one in told["imported"]
    ]  # fmt: skip
    return {
        "dry_run": is_dry_run,
        "imported": imported,
        "known": [{"id": one.run["id"], "from": clean(str(one.folder))} for one in told["known"]],
        "refused": [{"from": clean(str(one.folder)), "reason": clean(one.reason)} for one in told["refused"]],
    }


app = single(import_runs)
