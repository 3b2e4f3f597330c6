"""The app's colours: themes for truecolour and 16-colour terminals, and the variables that its style sheets use.

Colours carry few meanings. The accent says "has focus" or "is selected" and nothing else; states have their own
colours, always beside a word and a sign; the four series of a chart differ in brightness as well as in hue.
"""

from pathlib import Path, PurePath
from typing import ClassVar

from textual.app import App
from textual.theme import Theme

STYLES = Path(__file__).with_name("widgets.tcss")
"""The style sheet of the widgets in `tui.widgets`; the variables that it needs are in `VARIABLES`."""

VARIABLES = {
    "series-1": "#ffd166",
    "series-2": "#4ea8ff",
    "series-3": "#f4f7fa",
    "series-4": "#d1569b",
    "series-1-faint": "#5c5035",
    "series-2-faint": "#24466a",
    "series-3-faint": "#565b61",
    "series-4-faint": "#532a44",
    "chart-axis": "#5f6b78",
    "chart-level": "#b39ddb",
    "muted": "#8593a1",
    "state-running": "#6cb6ff",
    "state-done": "#7fbf6a",
    "state-failed": "#f2727c",
    "state-lost": "#e0af3f",
}
"""Defaults of our own variables, those of the dark theme: any theme of Textual can be chosen and works."""

_DARK_ACCENT, _LIGHT_ACCENT = "#2dd4bf", "#0f766e"


def _focus(accent: str, on_accent: str) -> dict[str, str]:
    """Return the variables by which Textual's own widgets show focus and selection."""
    return {
        "border": accent,
        "block-cursor-background": accent,
        "block-cursor-foreground": on_accent,
        "block-cursor-text-style": "none",
        "footer-key-foreground": accent,
    }


DARK = Theme(
    name="bkd-dark",
    primary="#7aa2c8",
    secondary="#5c7a99",
    accent=_DARK_ACCENT,
    foreground="#d6dde4",
    background="#0f1419",
    surface="#151b22",
    panel="#1c242d",
    success="#7fbf6a",
    warning="#e0af3f",
    error="#f2727c",
    variables={
        **VARIABLES,
        **_focus(_DARK_ACCENT, "#06110f"),
        "block-cursor-blurred-background": "#24303b",
        "block-cursor-blurred-foreground": "#d6dde4",
    },
)

LIGHT = Theme(
    name="bkd-light",
    dark=False,
    primary="#33658a",
    secondary="#4d6a80",
    accent=_LIGHT_ACCENT,
    foreground="#1b232b",
    background="#f7f8f9",
    surface="#eef1f3",
    panel="#e2e7eb",
    success="#2f7d32",
    warning="#9a6700",
    error="#b42335",
    variables={
        **VARIABLES,
        **_focus(_LIGHT_ACCENT, "#ffffff"),
        "block-cursor-blurred-background": "#d5dce2",
        "block-cursor-blurred-foreground": "#1b232b",
        "series-1": "#d98a00",
        "series-2": "#0b4fb3",
        "series-3": "#14181d",
        "series-4": "#c9408f",
        "series-1-faint": "#f0d6a8",
        "series-2-faint": "#b3c8e6",
        "series-3-faint": "#b9bcc0",
        "series-4-faint": "#ecc1da",
        "chart-axis": "#87929c",
        "chart-level": "#6a4bbd",
        "muted": "#5d6a75",
        "state-running": "#0b62b8",
        "state-done": "#2f7d32",
        "state-failed": "#b42335",
        "state-lost": "#9a6700",
    },
)

ANSI = Theme(
    name="bkd-ansi",
    ansi=True,
    primary="ansi_blue",
    secondary="ansi_blue",
    accent="ansi_cyan",
    foreground="ansi_default",
    background="ansi_default",
    surface="ansi_default",
    panel="ansi_default",
    boost="ansi_default",
    success="ansi_green",
    warning="ansi_yellow",
    error="ansi_red",
    variables={
        **_focus("ansi_cyan", "ansi_black"),
        "ansi-background": "ansi_black",
        "ansi-foreground": "ansi_white",
        "block-cursor-blurred-background": "ansi_bright_black",
        "block-cursor-blurred-foreground": "ansi_bright_white",
        "series-1": "ansi_yellow",
        "series-2": "ansi_bright_blue",
        "series-3": "ansi_default",
        "series-4": "ansi_magenta",
        **{f"series-{n}-faint": "ansi_bright_black" for n in (1, 2, 3, 4)},
        "chart-axis": "ansi_bright_black",
        "chart-level": "ansi_bright_magenta",
        "muted": "ansi_bright_black",
        "state-running": "ansi_bright_blue",
        "state-done": "ansi_green",
        "state-failed": "ansi_red",
        "state-lost": "ansi_yellow",
    },
)

THEMES = (DARK, LIGHT, ANSI)


class ThemedApp(App[None]):
    """An app that has the themes and the variables of this file, and starts in the one that suits its terminal."""

    CSS_PATH: ClassVar[str | PurePath | list[str | PurePath] | None] = [STYLES]

    def __init__(self) -> None:
        super().__init__()
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = suitable_theme(self.console.color_system).name

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Return our own variables, for themes that do not set them."""
        return VARIABLES


def suitable_theme(color_system: str | None) -> Theme:
    """Return the theme for a terminal: one of the terminal's own 16 colours where it has no more.

    Args:
        color_system: What Rich found: "standard", "256", "truecolor", "windows" or None.
    """
    return DARK if color_system in ("256", "truecolor") else ANSI
