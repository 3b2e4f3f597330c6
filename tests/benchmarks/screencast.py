"""Draws what was seen on a terminal as one animated SVG: text as text, a film strip moved by CSS, no script."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby
from typing import NamedTuple

import pyte

from bkd.text import cell_width

CELL, LINE, SIZE, MARGIN = 8.4, 17, 14, 12  # pixels: a cell's width, a line's height, the font, around the screen
BACKGROUND, FOREGROUND, FRAME = "#0f1419", "#d6dde4", "#05080b"
FONTS = "ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono','Liberation Mono',monospace"
MOST_CELLS = 8  # of braille and the like, which another font may draw wider, in one piece
BASE = 13  # pixels from a line's top to the foot of its letters
END_S = 3.0  # how long the last frame stays


class Look(NamedTuple):
    """How cells look: colours as SVG writes them, "" for the screen's own."""

    colour: str
    background: str
    is_bold: bool


class Part(NamedTuple):
    """Neighbouring cells of one look."""

    column: int
    text: str
    look: Look
    cells: int


Line = tuple[Part, ...]


@dataclass(frozen=True)
class Frame:
    """What stood on the screen from a moment on.

    Attributes:
        at_s: The moment.
        lines: From top to bottom.
        caption: What is said of it, below the screen.
    """

    at_s: float
    lines: tuple[Line, ...]
    caption: str


def lines_of(screen: pyte.Screen) -> tuple[Line, ...]:
    """Return what stands on a screen."""
    return tuple(_line(screen, y) for y in range(screen.lines))


def _line(screen: pyte.Screen, y: int) -> Line:
    row = screen.buffer[y]
    cells = [(x, row[x]) for x in range(screen.columns) if row[x].data]  # none follows a wide character
    parts = []
    for (look, is_ascii), group in groupby(cells, lambda cell: (_look(cell[1]), cell[1].data.isascii())):
        found = list(group)
        step = len(found) if is_ascii else MOST_CELLS
        for at in range(0, len(found), step):
            text = "".join(char.data for _, char in found[at : at + step])
            if text.strip() or look.background:
                parts.append(Part(found[at][0], text, look, cell_width(text)))
    return tuple(parts)


def _look(char: pyte.screens.Char) -> Look:
    colour, background = _colour(char.fg, FOREGROUND), _colour(char.bg, BACKGROUND)
    if char.reverse:
        colour, background = background, colour
    return Look(colour, "" if background == BACKGROUND else background, char.bold)


def _colour(name: str, default: str) -> str:
    """Return a colour of pyte's, which are six digits or "default", as SVG writes it."""
    return default if name == "default" else f"#{name}" if len(name) == 6 else name


# ---- the drawing


def draw(frames: Sequence[Frame], columns: int, rows: int) -> Iterator[str]:
    """Yield an animated SVG in pieces; without animation it shows the first frame.

    Args:
        frames: In the order of time, the first at 0 s.
        columns: Width of the screen in cells.
        rows: Its height in cells.
    """
    width, height = columns * CELL + 2 * MARGIN, (rows + 2) * LINE + 2 * MARGIN
    looks = sorted({part.look for frame in frames for line in frame.lines for part in line})
    classes = {look: f"c{number}" for number, look in enumerate(looks)}
    names = {line: f"l{number}" for number, line in enumerate(dict.fromkeys(_all_lines(frames)))}
    yield f'<svg xmlns="http://www.w3.org/2000/svg" xml:space="preserve" viewBox="0 0 {width:g} {height:g}"'
    yield f' width="{width:g}">\n'
    yield f"<title>A session of bkd</title>\n<style>\n{''.join(_styles(frames, classes, width))}</style>\n<defs>\n"
    for line, name in names.items():
        yield f'<g id="{name}">{"".join(_drawn(line, classes))}</g>\n'
    yield f'</defs>\n<rect width="100%" height="100%" rx="8" fill="{FRAME}"/>\n<g class="film">\n'
    for number, frame in enumerate(frames):
        yield _drawn_frame(frame, number * width, names, columns, rows)
    yield "</g>\n</svg>\n"


def _all_lines(frames: Sequence[Frame]) -> Iterator[Line]:
    return (line for frame in frames for line in frame.lines if line)


def _styles(frames: Sequence[Frame], classes: dict[Look, str], width: float) -> Iterator[str]:
    yield f"text{{font:{SIZE}px {FONTS};white-space:pre;fill:{FOREGROUND}}}\n.caption{{fill:#8593a1}}\n"
    for look, name in classes.items():
        yield f".{name}{{fill:{look.colour}{';font-weight:bold' if look.is_bold else ''}}}\n"
    took = frames[-1].at_s + END_S
    yield f".film{{animation:film {took:.2f}s steps(1,end) infinite}}\n@keyframes film{{\n"
    for number, frame in enumerate(frames):
        yield f"{100 * frame.at_s / took:.3f}%{{transform:translateX({-number * width:g}px)}}\n"
    yield "}\n@media (prefers-reduced-motion){.film{animation:none}}\n"


def _drawn(line: Line, classes: dict[Look, str]) -> Iterator[str]:
    """Yield a line's backgrounds, then its text; each part is fitted to its cells, whatever the font."""
    for part in line:
        if part.look.background:
            x, cells = part.column * CELL, part.cells * CELL
            yield f'<rect x="{x:g}" y="-{BASE}" width="{cells:.1f}" height="{LINE}" fill="{part.look.background}"/>'
    for part in line:
        text = part.text.rstrip()
        if text:
            column = part.column + len(text) - len(text.lstrip())
            length = cell_width(text.lstrip()) * CELL
            yield (
                f'<text class="{classes[part.look]}" x="{column * CELL:.1f}" textLength="{length:.1f}">'
                f"{escape(text.lstrip(), quote=False)}</text>"
            )


def _drawn_frame(frame: Frame, left: float, names: dict[Line, str], columns: int, rows: int) -> str:
    used = "".join(f'<use href="#{names[line]}" y="{y * LINE + BASE}"/>' for y, line in enumerate(frame.lines) if line)
    return (
        f'<g transform="translate({left + MARGIN:g} {MARGIN})">'
        f'<rect width="{columns * CELL:g}" height="{rows * LINE}" fill="{BACKGROUND}"/>{used}'
        f'<text class="caption" x="0" y="{(rows + 1.4) * LINE:g}">{escape(frame.caption, quote=False)}</text></g>\n'
    )
