"""The look of an app: its themes, and which of them suits a terminal."""

from __future__ import annotations

import os
from pathlib import Path, PurePath
from typing import ClassVar

from rich.color import ColorSystem
from textual import events
from textual.theme import Theme
from textual.widgets import Input

from tui.painted_app import PaintedApp
from tui.palettes import ANSI, DARK, LIGHT, MONO, SAFE, THEMES, VARIABLES
from tui.terminal_mode import Colours, TerminalMode, terminal_mode

__all__ = ["ANSI", "DARK", "LIGHT", "MONO", "SAFE", "STYLES", "THEMES", "VARIABLES", "ThemedApp", "suitable_theme"]

STYLES = Path(__file__).with_name("widgets.tcss")
"""The style sheet of the widgets in `tui.widgets`; the variables that it needs are in `VARIABLES`."""


class ThemedApp(PaintedApp):
    """An app that has the themes and the variables of this package, and starts in the one that suits its terminal.

    Args:
        colours: How many colours to use.
        wanted: Name of the theme that the user chose before.
    """

    CSS_PATH: ClassVar[str | PurePath | list[str | PurePath] | None] = [STYLES]

    def __init__(self, colours: Colours = Colours.AUTO, wanted: str = "") -> None:
        self.terminal = terminal_mode(os.environ, colours)
        super().__init__(self.terminal.colours, is_remote=self.terminal.is_remote)
        self.no_color = self.terminal.colours is None
        for theme in (MONO,) if self.no_color else THEMES:
            self.register_theme(theme)
        self.theme = suitable_theme(self.terminal, self.get_theme(wanted)).name
        self._first_variables: dict[str, str] | None = self.get_css_variables()
        self.stylesheet.set_variables(self._first_variables)
        if self.terminal.is_remote:
            self.animation_level = "none"

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Return our own variables, for themes that do not set them."""
        return VARIABLES

    def refresh_css(self, animate: bool = True) -> None:
        """Put other variables into force; at the start, which Textual takes for a change of the theme, none has."""
        first, self._first_variables = self._first_variables, None
        if first is not None and first == self.get_css_variables():
            self.stylesheet.update(self, animate=animate)
        else:
            super().refresh_css(animate)

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """Let no cursor blink where each blink is sent over a network."""
        if self.terminal.is_remote and isinstance(event.widget, Input):
            event.widget.cursor_blink = False


def suitable_theme(mode: TerminalMode, wanted: Theme | None = None) -> Theme:
    """Return the theme for a terminal.

    Args:
        mode: What it shows.
        wanted: What the user chose before; taken unless the terminal has too few colours for it.
    """
    if mode.colours is None:
        return MONO
    if mode.colours is ColorSystem.STANDARD:
        return wanted if wanted is not None and wanted.ansi else ANSI
    is_sparing = mode.is_remote and not mode.is_asked
    return wanted or (ANSI if is_sparing else DARK)
