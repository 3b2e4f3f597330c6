"""How a cell is drawn, as the codes that a terminal is sent for it."""

from __future__ import annotations

from functools import lru_cache, partial
from math import dist
from typing import NamedTuple

from rich.color import Color, ColorSystem
from rich.style import Style

CODES = ("1", "2", "3", "4", "5", "5", "7", "", "9")  # by the bits of Rich's attributes: bold, dim, italic ...
DIM = "2"
CUBE = (0, 95, 135, 175, 215, 255)  # levels of red, green and blue in colours 16 to 231
SEEN_ON_BLANKS = frozenset({"4", "7", "9"})  # underlines, reversed and crossed out cells show without a letter, too
GREY = 8  # "bright black"; in some palettes, Solarized's for one, it is the background


class Pen(NamedTuple):
    """Codes of SGR, "select graphic rendition".

    Attributes:
        attributes: Bold and the like.
        ink: Code of the foreground, "" for the terminal's own.
        paper: Code of the background, "" for the terminal's own.
    """

    attributes: tuple[str, ...] = ()
    ink: str = ""
    paper: str = ""


@lru_cache(4096)
def _pen(attributes: tuple[str, ...], ink: str, paper: str) -> Pen:
    """Return the one pen with these codes, which makes comparing cells fast."""
    return Pen(attributes, ink, paper)


PLAIN = _pen((), "", "")


@lru_cache(4096)
def on_blanks(pen: Pen) -> Pen:
    """Return the pen that draws a blank just like this one."""
    return _pen((), "", pen.paper) if SEEN_ON_BLANKS.isdisjoint(pen.attributes) else pen


def pen_of(style: Style | None, colours: ColorSystem | None) -> Pen:
    """Return the pen for a style.

    Args:
        style: What a widget asked for; links and meta data are left out.
        colours: What the terminal can show; None for no colours at all.
    """
    if style is None:
        return PLAIN
    return _pen_of(style._attributes & style._set_attributes, style.color, style.bgcolor, colours)


@lru_cache(4096)
def _pen_of(bits: int, ink: Color | None, paper: Color | None, colours: ColorSystem | None) -> Pen:
    attributes = [code for bit, code in enumerate(CODES) if code and bits & (1 << bit)]
    if ink is not None and ink.number == GREY and (paper is None or paper.is_default):
        return _pen(tuple(dict.fromkeys([*attributes, DIM])), "", "")
    if colours is None:
        return _pen(tuple(attributes), "", "")
    return _pen(tuple(attributes), _colour(ink, colours, is_ink=True), _colour(paper, colours, is_ink=False))


def _colour(colour: Color | None, colours: ColorSystem, *, is_ink: bool) -> str:
    if colour is None or colour.is_default:
        return ""
    if colours is ColorSystem.EIGHT_BIT and colour.triplet is not None and colour.number is None:
        return f"{38 if is_ink else 48};5;{nearest_of_256(*colour.triplet)}"
    return ";".join(colour.downgrade(colours).get_ansi_codes(foreground=is_ink))


def nearest_of_256(red: int, green: int, blue: int) -> int:
    """Return the number of the closest of the 256 colours; Rich takes dark blues and greys for black."""
    parts = (red, green, blue)
    cube = [min(CUBE, key=partial(_distance, part)) for part in parts]
    grey = min(23, max(0, round((sum(parts) / 3 - 8) / 10)))
    if dist(cube, parts) <= dist((8 + 10 * grey,) * 3, parts):
        high, middle, low = map(CUBE.index, cube)
        return 16 + 36 * high + 6 * middle + low
    return 232 + grey


def _distance(one: int, other: int) -> int:
    return abs(one - other)


@lru_cache(4096)
def change(before: Pen, after: Pen) -> str:
    """Return the shortest sequence that turns one pen into another one."""
    if before == after:
        return ""
    codes = [] if set(before.attributes) <= set(after.attributes) else ["0"]
    if codes:
        before = PLAIN
    codes += [code for code in after.attributes if code not in before.attributes]
    if after.ink != before.ink:
        codes.append(after.ink or "39")
    if after.paper != before.paper:
        codes.append(after.paper or "49")
    return f"\x1b[{';'.join(codes)}m" if after != PLAIN else "\x1b[m"
