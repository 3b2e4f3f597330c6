"""`bkd data`: which data sets are here, and how to get the others."""

import time
from pathlib import Path
from typing import Annotated, Any, ClassVar

import click
import typer

from bkd.catalog import DATASETS, DatasetInfo
from bkd.cli.common import Json, Save, open_store, print_json
from bkd.cli.printing import print_table
from bkd.data.download import download as fetch
from bkd.data.files import find_info, status
from bkd.errors import SpecError
from bkd.paths import data_root
from bkd.text import Column, ago, clean, count

Data = Annotated[
    str | None,
    typer.Option("--data", metavar="DIR", help="Folder of the data sets; else DATASETS_PATH, else <save>/data."),
]

app = typer.Typer(
    pretty_exceptions_enable=False,
    add_completion=False,
    no_args_is_help=True,
    help="List or download data sets, make few-shot subsets.",
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


@app.command("subset")
def subset(
    name: Annotated[str, typer.Argument(metavar="NAME", help=", ".join(DATASETS) + ".")] = "cifar100",
    percents: Annotated[str, typer.Option(help="Percents of each class, as 5,10.")] = "5,10,15,25,35,50",
    seed: Annotated[int, typer.Option(min=0, help="Chooses the images.")] = 0,
    train_limit: Annotated[int | None, typer.Option(min=1, help="Percents of this many images; unset: of all.")] = None,
    val_fraction: Annotated[float, typer.Option(help="Part held out for validation, as the runs have it.")] = 0.1,
    split_seed: Annotated[int, typer.Option(min=0, help="Seed of the validation split.")] = 0,
    protocol: Annotated[str, typer.Option(help="heldout, or paper: no validation split.")] = "heldout",
    fewshot_root: Annotated[
        str | None, typer.Option(metavar="DIR", help="Folder of the subsets; unset: fewshot/ beside the data sets.")
    ] = None,
    data: Data = None,
    as_json: Json = False,
    save: Save = None,
) -> None:
    """Choose the images of few-shot runs: nested subsets, by seed and class, written down once for all runs."""
    given = {
        "dataset": name, "train_limit": train_limit, "val_fraction": val_fraction, "split_seed": split_seed,
        "protocol": protocol, "fewshot_seed": seed, "fewshot_root": fewshot_root,
    }  # fmt: skip
    path, train, counts = _make_subsets(given, _percents(percents), data_root(data, open_store(save).root))
    if as_json:
        print_json({"path": str(path), "train": train, "subsets": counts})
        return
    click.echo(f"{clean(str(path))} lists the few-shot subsets of {train:,} training images:")
    print_table(
        [{"percent": percent, "images": f"{images:,}"} for percent, images in counts.items()],
        [Column("percent", "percent", align="right"), Column("images", "images", align="right")],
    )


def _make_subsets(given: dict[str, Any], percents: list[float], root: Path) -> tuple[Path, int, dict[str, int]]:
    """Write the subsets and return their list's file, the training images they are of, and the images of each."""
    # imported here: `bkd data list` must not wait for torch
    from bkd.data.datasets import load_dataset
    from bkd.data.splits import make_split
    from bkd.data.subsets import make_subsets
    from bkd.specs import LoopSpec, make_spec
    from bkd.subsets import SubsetSource

    class SubsetSpec(LoopSpec):
        """What subsets are taken from, as runs say it."""

        type: ClassVar[str] = "data subset"

    spec = make_spec(SubsetSpec, given)
    labels = load_dataset(spec.dataset, root).train_labels
    split = make_split(
        labels, val_fraction=spec.val_fraction, split_seed=spec.split_seed, train_limit=spec.train_limit,
        protocol=spec.protocol.value,
    )  # fmt: skip
    path, counts = make_subsets(labels, split, percents, SubsetSource.of(spec, root))
    return path, len(split.train), counts


def _percents(text: str) -> list[float]:
    try:
        percents = [float(part) for part in text.replace(",", " ").split()]
    except ValueError:
        percents = []
    if not percents:
        raise SpecError(f"percents must be numbers, got {clean(text)!r}. Give some, as 5,10,15.")
    return percents


@app.command("cache")
def cache(
    delete: Annotated[
        list[str] | None, typer.Option(metavar="KEY", help="Delete this cache, by the beginning of its key.")
    ] = None,
    everything: Annotated[bool, typer.Option("--delete-all", help="Delete all of them.")] = False,
    folder: Annotated[
        str | None, typer.Option(metavar="DIR", help="Folder of the caches; unset: <save>/cache.")
    ] = None,
    as_json: Json = False,
    save: Save = None,
) -> None:
    """List the kept answers of teachers and what they take on disk, or delete them; runs make them anew."""
    from bkd.teacher_cache_folder import CacheInfo, delete_cache, list_caches

    root = Path(folder).expanduser().absolute() if folder else open_store(save).root / "cache"
    caches = list_caches(root)
    doomed: list[CacheInfo] = caches if everything else [_cache(caches, key) for key in delete or ()]
    freed = sum(delete_cache(info.path) for info in doomed)
    kept = [info for info in caches if info not in doomed]
    if as_json:
        print_json({"freed_bytes": freed, "caches": [_cache_row(info) for info in kept]})
        return
    if doomed:
        click.echo(f"Deleted {count(len(doomed), 'cache')}: {_size(freed)} are free again.")
    if not kept:
        click.echo(f"No answers are kept in {clean(str(root))}. Students of a much larger teacher keep them there.")
        return
    columns = [
        Column("key", lambda row: row["key"][:12]), Column("teacher", "kind"), Column("dataset", "dataset"),
        Column("batch size", "batch_size", align="right", priority=1),
        Column("size", lambda row: _size(row['bytes']), align="right"),
        Column("last used", lambda row: ago(time.time() - row["last_used"])),
    ]  # fmt: skip
    print_table([_cache_row(info) for info in kept], columns)


def _size(size_bytes: int) -> str:
    """Return a size on disk in MiB or GiB."""
    mib = size_bytes / 2**20
    return f"{mib:.1f} MiB" if mib < 1024 else f"{mib / 1024:.1f} GiB"


def _cache(caches: list[Any], key: str) -> Any:
    found = [info for info in caches if info.path.name.startswith(key)]
    if len(found) != 1:
        raise SpecError(
            f"delete {clean(key)!r} names {count(len(found), 'cache')}, one is needed. `bkd data cache` lists them."
        )
    return found[0]


def _cache_row(info: Any) -> dict[str, Any]:
    parts = info.key or {}
    return {
        "key": info.path.name, "kind": parts.get("kind"), "dataset": parts.get("dataset"),
        "batch_size": parts.get("batch_size"), "bytes": info.size_bytes, "last_used": info.last_used,
    }  # fmt: skip
