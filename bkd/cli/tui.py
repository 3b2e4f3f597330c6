"""`bkd tui`: open the app."""

import sys

from bkd.cli.common import Save, single
from bkd.errors import BkdError


def tui(save: Save = None) -> None:
    """Open the app: teachers and students live, forms to launch more. Quitting leaves runs running."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise BkdError(
            "bkd tui needs a terminal, and standard input or output is none. `bkd list` prints the runs anywhere."
        )
    from tui.app import BkdApp

    BkdApp(save).run()


app = single(tui)
