"""`bkd train KIND`: one subcommand per line of the table of kinds."""

import click
from typer.core import TyperGroup

from bkd.cli.launching import launch
from bkd.cli.options import spec_command
from bkd.kinds.table import KINDS, load_kind

DEFAULT_KIND = "Deterministic"


class TrainGroup(TyperGroup):
    """Subcommands by kind; without one, the kind is chosen by flag as the paper's training script does."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the kind in front where it was given by flag, or not at all."""
        if args and args[0].startswith("-") and args[0] not in ctx.help_option_names:
            args = [*_kind_by_flag(args)]
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Take a kind in any case."""
        return super().resolve_command(ctx, [args[0].lower(), *args[1:]])


def _kind_by_flag(args: list[str]) -> list[str]:
    for name in KINDS:
        flag = load_kind(name).reference_flag
        if flag and flag in args:
            return [name.lower(), *(arg for arg in args if arg != flag)]
    return [DEFAULT_KIND.lower(), *args]


def _command(name: str) -> click.Command:
    kind = load_kind(name)
    return spec_command(
        name.lower(), kind.spec, lambda values, options: launch(kind.spec, values, options),
        f"Train a {name} teacher. {kind.summary}",
    )  # fmt: skip


command = TrainGroup(
    name="train",
    help="Train a teacher. Without a kind: Deterministic, or by the flags "
    + ", ".join(f"{load_kind(name).reference_flag} ({name})" for name in KINDS if load_kind(name).reference_flag)
    + ".",
    commands=[_command(name) for name in KINDS],
    no_args_is_help=True,
    rich_markup_mode="rich",
)
