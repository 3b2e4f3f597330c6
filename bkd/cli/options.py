"""Flags from a spec: the same fields that make the checks and the forms."""

from collections.abc import Callable
from enum import Enum
from types import UnionType
from typing import Any, Union, get_args, get_origin

import click
from typer.core import TyperCommand, TyperOption

from bkd.cli.common import complete_teachers
from bkd.presets import PAPER, QUICK, presets_for
from bkd.specs import DataSpec, RunSpec

WITHOUT_EFFECT = {
    # flags of the paper's scripts that have nothing to act on here: (takes a value, why)
    "--num-workers": (True, "batches are made on the training device, there are no workers"),
    "--CentroidSampleSize": (True, "centroids are means over all training images"),
    "--progress-bar": (False, "progress is always shown; use --detach to launch silently"),
}


def spec_command(
    name: str, spec: type[RunSpec], launch: Callable[[dict[str, Any], dict[str, Any]], Any], help_text: str
) -> click.Command:
    """Return a command whose flags are the fields of a spec.

    Args:
        name: Of the command.
        spec: Its fields become flags.
        launch: Called with (fields that were given, launch options).
        help_text: Shown by --help.
    """
    fields = list(spec.model_fields)

    def callback(**given: Any) -> Any:
        for flag in WITHOUT_EFFECT:
            if given.pop(_dest(flag), None):
                click.echo(f"{flag} has no effect: {WITHOUT_EFFECT[flag][1]}.", err=True)
        values = {field: given.pop(field) for field in fields}
        return launch({key: value for key, value in values.items() if value is not None}, given)

    params = [_option(field, info) for field, info in spec.model_fields.items()]
    return TyperCommand(
        name, params=[*params, *_launch_options(), *_start_options(spec), *_ignored()], callback=callback,
        help=help_text, rich_markup_mode="rich",
    )  # fmt: skip


def flag_of(field: str) -> str:
    """Return the flag of a field."""
    return "--" + field.replace("_", "-")


def _dest(flag: str) -> str:
    return flag.lstrip("-").replace("-", "_").lower()


def _option(field: str, info: Any) -> click.Option:
    extra = info.json_schema_extra
    flag = flag_of(field)
    short = [alias for alias in extra["flags"] if not alias.startswith("--")]
    long = [alias for alias in extra["flags"] if alias.startswith("--")]
    names = [field, *short, flag, *long]
    is_flag = info.annotation is bool
    if is_flag:
        names = [field, f"{flag}/--no-{flag[2:]}"]
    return TyperOption(
        param_decls=names, default=None, type=bool if is_flag else str, is_flag=is_flag or None,
        help=info.description + _default_text(info), rich_help_panel=extra["group"], show_default=False,
        metavar=None if is_flag else metavar(info), autocompletion=_completer(field, info),
    )  # fmt: skip


def _default_text(info: Any) -> str:
    if info.is_required():
        return " [bold]required[/bold]"
    value = getattr(info.default, "value", info.default)
    return "" if value is None or value is False else f" [dim](default: {'on' if value is True else value})[/dim]"


def choices_of(info: Any) -> tuple[str, ...]:
    """Return the values that an enum field may have, () for others."""
    return next(
        (tuple(str(m.value) for m in t) for t in _types(info) if isinstance(t, type) and issubclass(t, Enum)), ()
    )


def _types(info: Any) -> tuple[Any, ...]:
    if get_origin(info.annotation) in (Union, UnionType):
        return get_args(info.annotation)
    return (info.annotation,)


def metavar(info: Any) -> str:
    """Return what stands for a field's value in help: its unit, its choices, or its type."""
    if choices := choices_of(info):
        return "|".join(choices)
    unit = info.json_schema_extra["unit"]
    names = {int: "INT", float: "FLOAT", str: "TEXT"}
    return unit.upper() if unit else next((names[t] for t in _types(info) if t in names), "TEXT")


def _completer(field: str, info: Any) -> Callable[..., list[str]] | None:
    from bkd.catalog import ARCHITECTURES, DATASETS

    known = {"arch": ARCHITECTURES, "student": ARCHITECTURES, "dataset": tuple(DATASETS)}.get(field, choices_of(info))
    if field == "teacher":
        return lambda ctx, args, incomplete: complete_teachers(incomplete)
    if not known:
        return None
    return lambda ctx, args, incomplete: [name for name in known if name.startswith(incomplete)]


def _launch_options() -> list[click.Option]:
    panel = "Launch"
    return [
        TyperOption(param_decls=["save", "--save"], type=str, default=None, metavar="DIR", rich_help_panel=panel,
                    help="Save root; else BKD_SAVE, else ./save.", show_default=False),
        TyperOption(param_decls=["tags", "--tag"], type=str, multiple=True, metavar="TAG", rich_help_panel=panel,
                    help="Tag the run; may be given several times.", show_default=False),
        TyperOption(param_decls=["detach", "--detach"], type=bool, is_flag=True, default=False, rich_help_panel=panel,
                    help="Return at once with the run's id.", show_default=False),
        TyperOption(param_decls=["dry_run", "--dry-run"], type=bool, is_flag=True, default=False,
                    rich_help_panel=panel, show_default=False,
                    help="Say what would be launched, how long it would take, and the whole command; write nothing."),
        TyperOption(param_decls=["as_json", "--json"], type=bool, is_flag=True, default=False, rich_help_panel=panel,
                    help="Print JSON for scripts.", show_default=False),
    ]  # fmt: skip


def _start_options(spec: type[RunSpec]) -> list[click.Option]:
    """Return the flags that stand for others: a preset, where the run type has one, and several trials."""
    panel, presets = "Launch", presets_for(spec.command())
    found: list[click.Option] = []
    if presets:
        found.append(TyperOption(
            param_decls=["preset", "--preset"], type=click.Choice(presets, case_sensitive=False), default=None,
            metavar="|".join(presets), rich_help_panel=panel, show_default=False, help=_preset_help(presets),
        ))  # fmt: skip
    if issubclass(spec, DataSpec) and "trials" not in spec.model_fields:
        found.append(TyperOption(
            param_decls=["trials", "--trials"], type=str, default=None, metavar="TRIALS", rich_help_panel=panel,
            show_default=False, help="Launch a run for each trial, as 1-5 or 1,3, one after another.",
        ))  # fmt: skip
    return found


def _preset_help(presets: tuple[str, ...]) -> str:
    about = {
        PAPER: "paper is the paper's recipe for CIFAR-100",
        QUICK: "quick takes minutes on a CPU",
    }
    return f"Settings to start from: {'; '.join(about[name] for name in presets)}. Flags that are given win."


def _ignored() -> list[click.Option]:
    return [
        TyperOption(
            param_decls=[_dest(flag), flag], type=str if takes_value else bool, is_flag=not takes_value or None,
            default=None, hidden=True,
        )
        for flag, (takes_value, _) in WITHOUT_EFFECT.items()
    ]  # fmt: skip
