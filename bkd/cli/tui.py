"""`bkd tui`: open the app."""

import gc
import os
import sys
from typing import Annotated

import typer

from bkd.cli.common import Save, single
from bkd.errors import BkdError
from tui.alerts import Alert
from tui.terminal_mode import Colours

REMOTE_FRAMES_PER_S = "20"
UNABLE_TERMS = ("", "dumb", "unknown")
ANYWHERE = "`bkd list`, `bkd show` and `bkd watch` print plain text anywhere."


def tui(
    save: Save = None,
    colours: Annotated[
        Colours, typer.Option("--colours", "--colors", help="How many; over SSH 16 unless a theme was chosen.")
    ] = Colours.AUTO,
    notify: Annotated[
        Alert | None, typer.Option(help="How the terminal is told that runs have ended. Unset: as chosen in the app.")
    ] = None,
) -> None:
    """Open the app: teachers and students live, forms to launch more. Quitting leaves runs running."""
    need_terminal()
    if os.environ.get("SSH_CONNECTION") or os.environ.get("SSH_TTY"):
        os.environ.setdefault("TEXTUAL_FPS", REMOTE_FRAMES_PER_S)  # read when textual is imported
    gc.disable()  # until the app is ready: what is loaded for its first screen stays
    from tui.app import BkdApp

    BkdApp(save, colours=colours, alert=notify).run()


def need_terminal() -> None:
    """Refuse to start where nothing can be drawn.

    Raises:
        BkdError: If there is no terminal, or one that cannot place text.
    """
    if not all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)):  # it draws on standard error
        raise BkdError(f"bkd tui needs a terminal, and standard input, output or error is none. {ANYWHERE}")
    term = os.environ.get("TERM", "")
    if term in UNABLE_TERMS:
        raise BkdError(f"bkd tui needs a terminal that can place text, and TERM is {term or 'not set'}. {ANYWHERE}")


app = single(tui)
