"""The `bkd` command: a group that loads a command's module when the command is called."""

import os
import sys
from importlib import import_module
from typing import Annotated

import click
import typer
from typer.core import TyperGroup
from typer.main import get_command

from bkd import __version__
from bkd.errors import BkdError

COMMANDS: dict[str, tuple[str, str, str]] = {
    # name: (module with `app` or `command`, panel, one line of help)
    "train": ("bkd.cli.train", "Run", "Train a teacher."),
    "distill": ("bkd.cli.distill", "Run", "Distil a student from a teacher."),
    "sweep": ("bkd.cli.sweep", "Run", "Distil many students: few-shot, samples, grid, seeds."),
    "synthetic": ("bkd.cli.synthetic", "Run", "Compare exact, noisy and one-hot targets where the truth is known."),
    "demo": ("bkd.cli.demo", "Run", "Train teachers and students on the embedded digits and show them."),
    "evaluate": ("bkd.cli.evaluate", "Run", "Evaluate a trained run on held-out images."),
    "tui": ("bkd.cli.tui", "Look", "Open the app."),
    "list": ("bkd.cli.list", "Look", "List runs."),
    "show": ("bkd.cli.show", "Look", "Show one run: settings, lineage, results."),
    "watch": ("bkd.cli.watch", "Look", "Follow a run's curves; one line an epoch when piped."),
    "logs": ("bkd.cli.logs", "Look", "Print what a run's process printed."),
    "compare": ("bkd.cli.compare", "Look", "Set runs side by side, what differs first."),
    "tree": ("bkd.cli.tree", "Look", "Show teachers with their students under them."),
    "report": ("bkd.cli.report", "Look", "Compare the students of different kinds of teachers."),
    "export": ("bkd.cli.export", "Look", "Write a run's metrics as CSV or JSON."),
    "stop": ("bkd.cli.stop", "Manage", "Stop a run after its step, with a checkpoint."),
    "resume": ("bkd.cli.resume", "Manage", "Go on with a stopped, failed or lost run."),
    "delete": ("bkd.cli.delete", "Manage", "Delete a run's folder."),
    "tag": ("bkd.cli.tag", "Manage", "Add or remove a run's tags."),
    "note": ("bkd.cli.note", "Manage", "Read or write a run's note."),
    "import": ("bkd.cli.import_", "Set up", "Import runs of the paper's own scripts."),
    "data": ("bkd.cli.data", "Set up", "List or download data sets."),
    "registry": ("bkd.cli.registry", "Set up", "Check or rebuild the registry of runs."),
    "doctor": ("bkd.cli.doctor", "Set up", "Say what is installed, found and in order."),
}


class LazyGroup(TyperGroup):
    """The root group: its commands are known by name and help, and imported when resolved."""

    def __init__(self, **attributes: object) -> None:
        super().__init__(**attributes)  # type: ignore[arg-type]
        for name, (_, panel, help_text) in COMMANDS.items():
            self.commands[name] = typer.core.TyperCommand(name, help=help_text, rich_help_panel=panel)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command itself in place of its stand-in."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, load_command(name) if name in COMMANDS else command, rest


def load_command(name: str) -> click.Command:
    """Import the module of a command and return the command."""
    module = import_module(COMMANDS[name][0])
    command: click.Command = module.command if hasattr(module, "command") else get_command(module.app)
    command.name = name
    return command


app = typer.Typer(
    cls=LazyGroup, no_args_is_help=True, rich_markup_mode="rich", pretty_exceptions_enable=False,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "token_normalize_func": lambda token: token.replace("_", "-"),
    },
)  # fmt: skip


def _version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"bkd {__version__}")
        raise typer.Exit


@app.callback()
def root(
    save: Annotated[
        str | None, typer.Option("--save", help="Save root; else BKD_SAVE, else ./save.", metavar="DIR")
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Train Bayesian and other teachers, distil students from them, and watch it all from a terminal."""
    if save is not None:
        os.environ["BKD_SAVE"] = save


def main() -> None:
    """Run the command line and exit: 0 good, 2 the user's mistake, 1 ours, 130 interrupted."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run the command line and return the exit code."""
    try:
        code = get_command(app).main(arguments, prog_name="bkd", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return 2
    except click.ClickException as error:
        path = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "bkd"
        return _complain(
            f"{path}: {error.format_message()}", error.exit_code, hint=f"`{path} --help` lists what it takes."
        )
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        return 130
    except BkdError as error:
        return _complain(str(error), error.exit_code)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # whoever read us has gone: nothing to say
        return 0


def _complain(message: str, code: int, hint: str = "") -> int:
    from bkd.text import clean

    lines = [clean(line) for line in message.splitlines()]
    for line in [*lines, *([hint] if hint else [])]:
        click.echo(line, err=True)
    return code
