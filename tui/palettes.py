"""The colours of each theme, and the variables that the style sheets use.

Colours carry few meanings. The accent says "has focus" or "is selected" and nothing else; states have their own
colours, always beside a word and a sign; the four series of a chart differ in brightness as well as in hue.
"""

from textual.theme import Theme

VARIABLES = {
    "series-1": "#ffd166",
    "series-2": "#4ea8ff",
    "series-3": "#f4f7fa",
    "series-4": "#d55fa2",
    "series-1-faint": "#5c5035",
    "series-2-faint": "#24466a",
    "series-3-faint": "#565b61",
    "series-4-faint": "#532a44",
    "chart-axis": "#66737f",
    "chart-level": "#b39ddb",
    "muted": "#8593a1",
    "state-running": "#6cb6ff",
    "state-done": "#7fbf6a",
    "state-failed": "#f2727c",
    "state-lost": "#e0af3f",
}
"""Defaults of our own variables, those of the dark theme: any theme of Textual can be chosen and works."""

_DARK_ACCENT, _LIGHT_ACCENT, _SAFE_ACCENT = "#2dd4bf", "#0a5c55", "#1a8cff"


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
    secondary="#6f8fb0",
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
    secondary="#465f73",
    accent=_LIGHT_ACCENT,
    foreground="#1b232b",
    background="#f7f8f9",
    surface="#eef1f3",
    panel="#e2e7eb",
    success="#276b2a",
    warning="#835700",
    error="#b42335",
    variables={
        **VARIABLES,
        **_focus(_LIGHT_ACCENT, "#ffffff"),
        "block-cursor-blurred-background": "#d5dce2",
        "block-cursor-blurred-foreground": "#1b232b",
        "series-1": "#b37200",
        "series-2": "#0b4fb3",
        "series-3": "#14181d",
        "series-4": "#c03c88",
        "series-1-faint": "#f0d6a8",
        "series-2-faint": "#b3c8e6",
        "series-3-faint": "#b9bcc0",
        "series-4-faint": "#ecc1da",
        "chart-axis": "#7d8892",
        "chart-level": "#6a4bbd",
        "muted": "#56636e",
        "state-running": "#0b5cad",
        "state-done": "#276b2a",
        "state-failed": "#b42335",
        "state-lost": "#835700",
    },
)

SAFE = Theme(
    name="bkd-safe",
    primary="#9cc4e4",
    secondary="#6f8fb0",
    accent=_SAFE_ACCENT,
    foreground="#e6ebf0",
    background="#0d1117",
    surface="#131922",
    panel="#1b2430",
    success="#2fc89b",
    warning="#f0e442",
    error="#ff7a3d",
    variables={
        **VARIABLES,
        **_focus(_SAFE_ACCENT, "#03101d"),
        "block-cursor-blurred-background": "#2b3a4c",
        "block-cursor-blurred-foreground": "#e6ebf0",
        "series-1": "#f2c14e",
        "series-2": "#56b4e9",
        "series-3": "#f4f7fa",
        "series-4": "#c4562c",
        "series-1-faint": "#5a4b26",
        "series-2-faint": "#27485d",
        "series-3-faint": "#565b61",
        "series-4-faint": "#4d2b1e",
        "chart-axis": "#66737f",
        "muted": "#93a1af",
        "state-running": "#56b4e9",
        "state-done": "#2fc89b",
        "state-failed": "#ff7a3d",
        "state-lost": "#f0e442",
    },
)
"""Of colours that people who see red and green alike tell apart, after Okabe and Ito (2008), Color Universal Design."""

ANSI = Theme(
    name="bkd-ansi",
    ansi=True,
    primary="ansi_default",
    secondary="ansi_default",
    accent="ansi_cyan",
    foreground="ansi_default",
    background="ansi_default",
    surface="ansi_default",
    panel="ansi_default",
    boost="ansi_default",
    success="ansi_green",
    warning="ansi_yellow",
    error="ansi_bright_red",
    variables={
        **_focus("ansi_cyan", "ansi_black"),
        "ansi-background": "ansi_black",
        "ansi-foreground": "ansi_white",
        **dict.fromkeys(("scrollbar", "scrollbar-hover", "scrollbar-active"), "ansi_bright_black"),
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
        "state-failed": "ansi_bright_red",
        "state-lost": "ansi_yellow",
    },
)

MONO = Theme(
    name="bkd-mono",
    ansi=True,
    primary="ansi_default",
    secondary="ansi_default",
    accent="ansi_default",
    foreground="ansi_default",
    background="ansi_default",
    surface="ansi_default",
    panel="ansi_default",
    boost="ansi_default",
    success="ansi_default",
    warning="ansi_default",
    error="ansi_default",
    variables={
        **dict.fromkeys(VARIABLES, "ansi_default"),
        "muted": "ansi_bright_black",
        **_focus("ansi_default", "ansi_default"),
        "ansi-background": "ansi_black",
        "ansi-foreground": "ansi_white",
        "block-cursor-text-style": "reverse",
        "block-cursor-blurred-background": "ansi_default",
        "block-cursor-blurred-foreground": "ansi_default",
        "block-cursor-blurred-text-style": "bold",
        "input-cursor-text-style": "reverse",
        "input-selection-background": "ansi_default",
    },
)
"""Without colours: the cursor is reversed, states are told by sign and word, curves by their pattern."""

THEMES = (DARK, LIGHT, SAFE, ANSI)
"""The themes to choose from where there are colours."""
