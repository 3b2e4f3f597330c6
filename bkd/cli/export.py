"""`bkd export RUN`: a run's metrics for other programs."""

import csv
import io
import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import click
import typer

from bkd.cli.common import RunRef, Save, json_text, open_store, single
from bkd.events import read_events
from bkd.files import write_bytes
from bkd.paths import RunFolder
from bkd.system import flat
from bkd.text import clean, count

HEAD = ("epoch", "step", "t")
SYSTEM_HEAD = ("t",)
_DROPPED = ("v", "kind")


class Format(StrEnum):
    """File formats."""

    CSV = "csv"
    JSON = "json"


def export(
    ref: RunRef,
    steps: Annotated[bool, typer.Option("--steps", help="Step records in place of epoch records.")] = False,
    system: Annotated[
        bool, typer.Option("--system", help="What the run took of its machine, every few seconds.")
    ] = False,
    file_format: Annotated[
        Format | None, typer.Option("--format", help="csv or json; unset: by the file's name, else csv.")
    ] = None,
    output: Annotated[
        str | None, typer.Option("-o", "--output", metavar="FILE", help="Write here in place of standard output.")
    ] = None,
    save: Save = None,
) -> None:
    """Write a run's metrics as CSV or JSON: one record an epoch (counted from 0), or one a step."""
    if steps and system:
        raise typer.BadParameter("--steps and --system are different tables. Export one after the other.")
    store = open_store(save)
    folder = store.find(ref)
    kind = "system" if system else "step" if steps else "epoch"
    records = system_records(folder) if system else event_records(folder, kind)
    is_json = _format(file_format, output) is Format.JSON
    content = as_json(records) if is_json else as_csv(records, SYSTEM_HEAD if system else HEAD)
    if not records:
        click.echo(f"{clean(folder.path.name)} has no {kind} records yet.", err=True)
    if output in (None, "-"):
        sys.stdout.write(content)
        sys.stdout.flush()
        return
    path = Path(str(output)).expanduser()
    write_bytes(path, content.encode())
    click.echo(f"{count(len(records), 'record')} in {clean(str(path))}", err=True)


def _format(given: Format | None, output: str | None) -> Format:
    if given is not None:
        return given
    return Format.JSON if output and output.lower().endswith(".json") else Format.CSV


def event_records(folder: RunFolder, kind: str) -> list[dict[str, Any]]:
    """Return a run's events of one kind."""
    return [tidy(record) for record in read_events(folder.events) if record.get("kind") == kind]


def system_records(folder: RunFolder) -> list[dict[str, Any]]:
    """Return a run's system figures, time first, each GPU's under its own names."""
    return [flat(sample) for sample in read_events(folder.system)]


def tidy(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record with its position and time (`t`, Unix seconds) first and without what all records share."""
    head = {key: record.get(key) for key in HEAD}
    return head | {key: value for key, value in record.items() if key not in HEAD and key not in _DROPPED}


def as_csv(records: list[dict[str, Any]], head: Sequence[str] = HEAD) -> str:
    """Return records as CSV: position and time, then every metric that any record has, by name; missing ones empty."""
    names = sorted({key for record in records for key in record} - set(head))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(map(clean, [*head, *names]))
    writer.writerows([_cell(record.get(name, "")) for name in (*head, *names)] for record in records)
    return text.getvalue()


def _cell(value: Any) -> Any:
    """Return a value of a record as CSV holds it: numbers as they are, the rest as harmless text."""
    return value if isinstance(value, int | float | None) else clean(str(value))


def as_json(records: list[dict[str, Any]]) -> str:
    """Return records as a JSON array."""
    return json_text(records)


app = single(export)
