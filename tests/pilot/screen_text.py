"""A screen as plain text that can be read and compared: what stands there, and in which colours of the theme."""

from collections.abc import Mapping, Sequence
from itertools import groupby, zip_longest
from math import dist
from string import ascii_lowercase, ascii_uppercase, digits

from rich.segment import Segment
from rich.style import Style
from textual.color import Color

from tui.app import BkdApp

LETTERS = ascii_lowercase + ascii_uppercase + digits
NAMES = (
    "foreground", "background", "surface", "panel", "accent", "primary", "secondary", "success", "warning", "error",
    "muted", "series-1", "series-2", "series-3", "series-4", "chart-axis", "chart-level", "block-cursor-foreground",
    "block-cursor-blurred-background", "state-running", "state-done", "state-failed", "state-lost",
)  # fmt: skip
Look = str


def screen_text(app: BkdApp) -> str:
    """Return what a screen shows: its lines, then the looks of their cells by letters, then what these stand for.

    Colours go by the nearest colour of the theme, which a new version of Textual does not change.
    """
    strips = app.screen._compositor.render_strips()
    palette = {name: Color.parse(app.theme_variables[name]).rgb for name in NAMES}
    lines = ["".join(segment.text for segment in strip) for strip in strips]
    looks = [looks_of([segment for segment in strip if not segment.control], palette) for strip in strips]
    letters: dict[Look, str] = {}
    maps = []
    for line, cells in zip_longest(lines, looks, fillvalue=()):
        assert len(line) == len(cells) == app.size.width
        maps.append("".join(letters.setdefault(look, LETTERS[len(letters) % len(LETTERS)]) for look in cells))
    legend = [f"{letter}  {look}" for look, letter in letters.items()]
    text = "\n".join(f"|{line}|" for line in lines)
    return "\n".join([text, "", *(f"|{line}|" for line in maps), "", *legend, ""])


def looks_of(segments: Sequence[Segment], palette: Mapping[str, tuple[int, int, int]]) -> list[Look]:
    """Return the look of each cell of a line; blanks have none but their background."""
    return [
        look_of(segment.style or Style(), palette, is_blank=blank)
        for segment in segments
        for blank, part in groupby(segment.text, str.isspace)
        for _ in part
    ]


def look_of(style: Style, palette: Mapping[str, tuple[int, int, int]], *, is_blank: bool) -> Look:
    """Return how a cell is drawn, in words: "accent bold on panel"."""
    paper = nearest(style.bgcolor.triplet if style.bgcolor else None, palette, "background")
    ink = "" if is_blank else nearest(style.color.triplet if style.color else None, palette, "foreground")
    words = [name for name in ("bold", "dim", "underline", "reverse") if getattr(style, name) and not is_blank]
    return " ".join(filter(None, (ink, *words, f"on {paper}")))


def nearest(colour: Sequence[int] | None, palette: Mapping[str, tuple[int, int, int]], unset: str) -> str:
    """Return the name of the nearest colour."""
    return unset if colour is None else min(palette, key=lambda name: dist(palette[name], colour))
