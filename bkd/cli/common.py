"""What commands share: where to look, how to print."""

import json
import sys
from collections.abc import Callable
from typing import Annotated, Any

import click
import orjson
import typer

from bkd.store import Store
from bkd.text import clean


def complete_runs(incomplete: str) -> list[str]:
    """Return the ids of runs that start with what was typed, for shell completion."""
    return [row["id"] for row in Store().registry.rows() if row["id"].startswith(incomplete)]


def complete_teachers(incomplete: str) -> list[str]:
    """Return the ids of teachers that start with what was typed, for shell completion."""
    return [row["id"] for row in Store().registry.rows("teacher") if row["id"].startswith(incomplete)]


Save = Annotated[str | None, typer.Option("--save", help="Save root; else BKD_SAVE, else ./save.", metavar="DIR")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
RunRef = Annotated[
    str,
    typer.Argument(
        help="Id, unambiguous prefix of an id, name, or path of the run's folder.",
        metavar="RUN",
        autocompletion=complete_runs,
    ),
]


def warn(text: str) -> None:
    """Print one line on standard error."""
    click.echo(clean(text), err=True)


def open_store(save: str | None) -> Store:
    """Return the store of a save root; its warnings go to standard error."""
    return Store(save, warn=warn)


def print_json(value: Any) -> None:
    """Print a value as JSON on standard output."""
    sys.stdout.write(json_text(value))


def json_text(value: Any) -> str:
    """Return a value as JSON in which what a terminal might act on is escaped; JSON itself asks that of C0 only."""
    text = orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()
    lines = text.split("\n")
    return text if all(map(str.isprintable, lines)) else "\n".join("".join(map(_escaped, line)) for line in lines)


def _escaped(c: str) -> str:
    return c if c.isprintable() else json.dumps(c)[1:-1]


def single(function: Callable[..., Any]) -> typer.Typer:
    """Return an app whose only command is `function`."""
    app = typer.Typer(pretty_exceptions_enable=False, add_completion=False)
    app.command()(function)
    return app
