"""The themes: what is read stands out, states and curves are told apart, by people who see red and green alike too."""

from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray
from pilot_save import SaveRoot
from rich.color import ColorSystem
from rich.terminal_theme import TerminalTheme
from textual.color import Color
from textual.theme import Theme

from tui.app import BkdApp
from tui.memory import Memory
from tui.palettes import ANSI, DARK, LIGHT, MONO, SAFE, THEMES
from tui.terminal_mode import Colours, TerminalMode, terminal_mode
from tui.theme import suitable_theme

READABLE, VISIBLE = 4.5, 3.0  # WCAG 2.1: contrast of text, of what is drawn
DISTINCT, ABLE = 20.0, 1.25  # distance in CIELAB between colours; ratio of brightness between series

# Of linear RGB. Source: Machado, Oliveira, Fernandes (2009), "A physiologically-based model for simulation of color
# vision deficiency", severity 1.0.
VISIONS = {
    "usual": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
}
LUMINANCE = np.array([0.2126, 0.7152, 0.0722])
TO_XYZ = np.array([[0.4124564, 0.3575761, 0.1804375], LUMINANCE, [0.0193339, 0.1191920, 0.9503041]])
WHITE = np.array([0.95047, 1.0, 1.08883])

# xterm's own 16 colours on black
XTERM = TerminalTheme(
    (0, 0, 0), (229, 229, 229),
    [(0, 0, 0), (205, 0, 0), (0, 205, 0), (205, 205, 0), (0, 0, 238), (205, 0, 205), (0, 205, 205), (229, 229, 229)],
    [(127, 127, 127), (255, 0, 0), (0, 255, 0), (255, 255, 0), (92, 92, 255), (255, 0, 255), (0, 255, 255),
     (255, 255, 255)],
)  # fmt: skip
STATES = ("state-running", "state-done", "state-failed", "state-lost")
SERIES = tuple(f"series-{n}" for n in (1, 2, 3, 4))


def linear(colour: str) -> NDArray[np.float64]:
    if colour.startswith("ansi_"):
        rich = Color.parse(colour).rich_color
        part = np.array(rich.get_truecolor(XTERM)) / 255
    else:
        part = np.array(Color.parse(colour).rgb) / 255
    return np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)


def contrast(one: str, other: str) -> float:
    dark, bright = sorted(float(linear(colour) @ LUMINANCE) for colour in (one, other))
    return (bright + 0.05) / (dark + 0.05)


def lab(colour: str, vision: str) -> NDArray[np.float64]:
    xyz = TO_XYZ @ np.clip(VISIONS[vision] @ linear(colour), 0, 1) / WHITE
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def distance(one: str, other: str, vision: str) -> float:
    return float(np.linalg.norm(lab(one, vision) - lab(other, vision)))


def read(theme: Theme) -> dict[str, str]:
    """Return the colours that text may have."""
    own = {name: getattr(theme, name) for name in ("foreground", "primary", "accent", "success", "warning", "error")}
    return own | {name: theme.variables[name] for name in ("muted", *STATES)}


@pytest.mark.parametrize("theme", [DARK, LIGHT, SAFE], ids=lambda theme: theme.name)
def test_text_is_readable_on_every_background(theme: Theme) -> None:
    for ground in (theme.background, theme.surface, theme.panel):
        found = {name: round(contrast(colour, ground), 2) for name, colour in read(theme).items()}
        assert min(found.values()) >= READABLE, found
    for kind in ("block-cursor", "block-cursor-blurred"):
        cursor = (theme.variables[f"{kind}-foreground"], theme.variables[f"{kind}-background"])
        assert contrast(*cursor) >= READABLE


def test_text_in_16_colours_is_readable_in_xterms_palette() -> None:
    colours = {name: colour for name, colour in read(ANSI).items() if colour != "ansi_default"}
    found = {name: round(contrast(colour, "#000000"), 2) for name, colour in colours.items()}
    assert min(found.values()) >= 4.4, found  # bright blue is 4.42 there, and more in most other palettes


@pytest.mark.parametrize("theme", [DARK, LIGHT, SAFE], ids=lambda theme: theme.name)
def test_curves_are_visible_and_differ_in_brightness(theme: Theme) -> None:
    series = [theme.variables[name] for name in SERIES]
    assert (
        min(contrast(colour, str(theme.background)) for colour in (*series, theme.variables["chart-axis"])) >= VISIBLE
    )
    assert min(contrast(*pair) for pair in combinations(series, 2)) >= ABLE


@pytest.mark.parametrize("vision", VISIONS)
def test_safe_theme_tells_states_curves_and_focus_apart(vision: str) -> None:
    for group in ((*STATES, "block-cursor-background"), SERIES):
        pairs = combinations([SAFE.variables[name] for name in group], 2)
        found = {pair: round(distance(*pair, vision)) for pair in pairs}
        assert min(found.values()) >= DISTINCT, found


def test_simulation_makes_red_and_green_alike() -> None:
    """The measure that the other tests use can fail."""
    red, green = "#b05a2a", "#7a7a2a"
    assert distance(red, green, "usual") > 2 * distance(red, green, "protanopia")


@pytest.mark.parametrize("theme", [*THEMES, MONO], ids=lambda theme: theme.name)
def test_accent_means_focus_only(theme: Theme) -> None:
    if theme is not MONO:
        others = [theme.variables[name] for name in (*STATES, *SERIES)] + [theme.primary, theme.error, theme.warning]
        assert theme.accent not in others


@pytest.mark.parametrize(
    ("environment", "asked", "mode"),
    [
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor"}, "auto", TerminalMode(ColorSystem.TRUECOLOR)),
        ({"TERM": "xterm-256color"}, "auto", TerminalMode(ColorSystem.EIGHT_BIT)),
        ({"TERM": "xterm"}, "auto", TerminalMode(ColorSystem.STANDARD)),
        ({"TERM": "linux", "NO_COLOR": ""}, "auto", TerminalMode(ColorSystem.STANDARD)),
        ({"TERM": "xterm-256color", "NO_COLOR": "1"}, "auto", TerminalMode(None, is_asked=True)),
        ({"TERM": "xterm-256color", "NO_COLOR": "1"}, "16", TerminalMode(ColorSystem.STANDARD, is_asked=True)),
        ({"TERM": "xterm", "SSH_CONNECTION": "a b"}, "true", TerminalMode(ColorSystem.TRUECOLOR, True, True)),
        ({"TERM": "xterm", "SSH_TTY": "/dev/pts/1"}, "none", TerminalMode(None, True, True)),
    ],
)
def test_mode_of_a_terminal(environment: dict[str, str], asked: str, mode: TerminalMode) -> None:
    assert terminal_mode(environment, Colours(asked)) == mode


@pytest.mark.parametrize(
    ("mode", "wanted", "theme"),
    [
        (TerminalMode(ColorSystem.TRUECOLOR), None, DARK),
        (TerminalMode(ColorSystem.TRUECOLOR), LIGHT, LIGHT),
        (TerminalMode(ColorSystem.TRUECOLOR, is_remote=True), None, ANSI),
        (TerminalMode(ColorSystem.TRUECOLOR, is_remote=True), SAFE, SAFE),
        (TerminalMode(ColorSystem.TRUECOLOR, is_asked=True, is_remote=True), None, DARK),
        (TerminalMode(ColorSystem.STANDARD), SAFE, ANSI),
        (TerminalMode(None), SAFE, MONO),
    ],
)
def test_theme_for_a_terminal(mode: TerminalMode, wanted: Theme | None, theme: Theme) -> None:
    assert suitable_theme(mode, wanted) is theme


@pytest.fixture
def _true_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLORTERM", "truecolor")
    for name in ("NO_COLOR", "SSH_CONNECTION", "SSH_TTY"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("_true_colour")
async def test_chosen_theme_is_remembered(save: SaveRoot) -> None:
    app = BkdApp(save.path)
    async with app.run_test() as pilot:
        assert app.theme == DARK.name
        app.theme = SAFE.name
        await pilot.pause()
    assert BkdApp(save.path).theme == SAFE.name


@pytest.mark.usefixtures("_true_colour")
async def test_a_theme_of_textual_works_and_one_that_is_gone_is_forgotten(save: SaveRoot) -> None:
    save.teacher("aaaa0001")
    app = BkdApp(save.path)
    async with app.run_test() as pilot:
        app.theme = "nord"
        await pilot.pause()
    assert BkdApp(save.path).theme == "nord"
    Memory().put("theme", "no-such-theme")
    assert BkdApp(save.path).theme == DARK.name


@pytest.mark.usefixtures("_true_colour")
async def test_no_color_takes_no_theme_and_forgets_none(save: SaveRoot, monkeypatch: pytest.MonkeyPatch) -> None:
    Memory().put("theme", LIGHT.name)
    monkeypatch.setenv("NO_COLOR", "1")
    app = BkdApp(save.path)
    async with app.run_test() as pilot:
        await pilot.pause()
        assert (app.theme, app.no_color, app.painter.colours) == (MONO.name, True, None)
    assert Memory().get("theme", "") == LIGHT.name
