"""`bkd data`: which data sets are here, and how to get the others."""

from pathlib import Path
from typing import Annotated, Any

import click
import typer

from bkd.catalog import DATASETS, DatasetInfo
from bkd.cli.common import Json, Save, open_store, print_json
from bkd.cli.printing import print_table
from bkd.data.files import download as fetch
from bkd.data.files import find_info, status
from bkd.paths import data_root
from bkd.text import Column, clean

Data = Annotated[
    str | None,
    typer.Option("--data", metavar="DIR", help="Folder of the data sets; else DATASETS_PATH, else <save>/data."),
]

app = typer.Typer(
    pretty_exceptions_enable=False, add_completion=False, no_args_is_help=True, help="List or download data sets."
)


def data_rows(root: Path) -> list[dict[str, Any]]:
    """Return one row per data set: what it is, and where it was found or looked for."""
    return [_row(info, root) for info in DATASETS.values()]


def _row(info: DatasetInfo, root: Path) -> dict[str, Any]:
    found = status(info.name, root)
    return {
        "name": info.name, "title": info.title, "classes": info.classes, "channels": info.channels, "side": info.side,
        "train_images": info.train_images, "test_images": info.test_images, "found": found.found, "where": found.where,
        "looked_in": found.looked_in,
    }  # fmt: skip


@app.command("list")
def list_data(data: Data = None, as_json: Json = False, save: Save = None) -> None:
    """List the data sets, and for each where it is or how to get it."""
    rows = data_rows(data_root(data, open_store(save).root))
    if as_json:
        print_json(rows)
        return
    columns = [
        Column("name", "name"),
        Column("title", "title", priority=2),
        Column("images", lambda row: f"{row['train_images']:,} + {row['test_images']:,}", align="right", priority=1),
        Column("classes", "classes", priority=3),
        Column("pixels", lambda row: f"{row['channels']}x{row['side']}x{row['side']}", align="right", priority=3),
        Column("where", lambda row: row["where"] if row["found"] else f"missing: bkd data download {row['name']}"),
    ]
    print_table(rows, columns)


@app.command("download")
def download(
    name: Annotated[str, typer.Argument(metavar="NAME", help=", ".join(DATASETS) + ".")],
    data: Data = None,
    as_json: Json = False,
    save: Save = None,
) -> None:
    """Download a data set; what is there already is kept."""
    root = data_root(data, open_store(save).root)
    info = find_info(name)
    found = status(info.name, root)
    if found.found and root not in Path(found.where).parents:
        message = f"{info.title} is here already: {found.where}. There is nothing to download."
    else:
        click.echo(f"Downloading {info.title} into {clean(str(root))}.", err=True)
        found = fetch(info.name, root)
        message = f"{info.title} is in {found.where}."
    if as_json:
        print_json({"name": info.name, "found": found.found, "where": found.where})
    else:
        click.echo(clean(message))
