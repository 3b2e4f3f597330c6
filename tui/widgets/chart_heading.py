"""The lines over a chart: its title, the legend with values, and the settings that are on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from bkd.text import cell_width, clean, fit

VALUE_CELLS = 7
"""A value takes at least these, so that what stands behind it stays where it is while the value changes."""

GAP = "  "
CHOSEN = " ▸"
"""What stands before an entry, and before the chosen one."""


class Piece(NamedTuple):
    """Text, the component class without prefix that colours it, and the legend entry that it belongs to."""

    text: str
    tone: str
    entry: str | None = None


@dataclass(frozen=True)
class Entry:
    """An entry of the legend.

    Attributes:
        name: of a series or a level.
        value: as text; empty for none.
        sign: how its line looks.
        tone: component class, without prefix, that colours the sign.
        is_chosen: whether keys act on it.
    """

    name: str
    value: str
    sign: str
    tone: str
    is_chosen: bool = False

    def pieces(self) -> list[Piece]:
        """Return the entry in its full width."""
        lead = Piece(CHOSEN, "mark", self.name) if self.is_chosen else Piece(GAP, "text", self.name)
        words = (clean(self.name), f"{self.value:<{VALUE_CELLS}}" if self.value else "")
        text = "".join(f" {word}" for word in words if word)
        return [lead, Piece(self.sign, self.tone, self.name), Piece(text, "text", self.name)]


@dataclass(frozen=True)
class Heading:
    """What the lines say.

    Attributes:
        title: the chart's name with its unit.
        entries: the legend.
        settings: words for what differs from the plain view, "log" or "zoom".
        at: where the values are from, "step 1240"; empty for the last ones.
    """

    title: str
    entries: Sequence[Entry]
    settings: Sequence[str]
    at: str = ""

    def lines(self, width: int, most: int = 1) -> list[list[Piece]]:
        """Return up to `most` lines of exactly `width` cells.

        Where room is short settings go first, then values, then, with an ellipsis, what is last. A crosshair is there
        for the values: then names go, and the title.
        """
        without_values = [replace(entry, value="") for entry in self.entries]
        without_names = [replace(entry, name="") for entry in self.entries]
        less = [self, replace(self, settings=()), replace(self, settings=(), entries=without_values)]
        if self.at:
            less[2:] = [replace(less[1], entries=without_names), replace(less[1], entries=without_names, title="")]
        for heading in less:
            lines = _broken(heading._atoms(), width)
            if len(lines) <= most and all(_cells(line) <= width for line in lines):
                return [_filled(line, width) for line in lines]
        lines = _broken(less[-1 if self.at else 1]._atoms(), width)
        lines = [*lines[: most - 1], [piece for line in lines[most - 1 :] for piece in line]]
        return [_filled(line, width) if _cells(line) <= width else _cut(line, width) for line in lines]

    def _atoms(self) -> Iterator[list[Piece]]:
        """Yield what no line end may part."""
        if self.title:
            yield [Piece(clean(self.title), "title")]
        if self.at:
            yield [Piece((GAP if self.title else "") + clean(self.at), "mark")]
        for entry in self.entries:
            yield entry.pieces()
        if self.settings:
            yield [Piece(GAP + " ".join(self.settings), "text")]


def _broken(atoms: Iterator[list[Piece]], width: int) -> list[list[Piece]]:
    """Put atoms into lines, a new one where the next does not fit."""
    lines: list[list[Piece]] = [[]]
    for atom in atoms:
        if lines[-1] and _cells(lines[-1]) + _cells(atom) > width:
            lines.append([])
        lines[-1] += atom
    return lines


def _cells(line: Sequence[Piece]) -> int:
    return sum(cell_width(piece.text) for piece in line)


def _filled(line: list[Piece], width: int) -> list[Piece]:
    """Fill a line with spaces up to a width."""
    return [*line, Piece(" " * (width - _cells(line)), "text")]


def _cut(line: Sequence[Piece], width: int) -> list[Piece]:
    """Cut a line at a width; an ellipsis tells that it goes on."""
    kept: list[Piece] = []
    for piece in line:
        room = width - _cells(kept)
        if cell_width(piece.text) >= room:
            return [*kept, piece._replace(text=fit(piece.text + " …", room))]
        kept.append(piece)
    return _filled(kept, width)
