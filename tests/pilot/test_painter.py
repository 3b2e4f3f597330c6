"""The painter: what it sends brings a terminal to the picture that was asked for, whatever was there before."""

import random
import re

import pyte
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import get_character_cell_size
from rich.color import ColorSystem
from rich.segment import Segment
from rich.style import Style
from textual._compositor import LayoutUpdate
from textual.geometry import Region, Size
from textual.strip import Strip

from tui.painter import Painter
from tui.pen import PLAIN, change, nearest_of_256, pen_of

SIZE = Size(40, 8)
TEXTS = ("ab", "  ", " " * 12, "┃─", "⣿⡀", "漢字", "é", "x", "…", "\x1b[31m", "👍")
STYLES = tuple(
    map(Style.parse, ("none", "bold red", "on #102030", "#405060 on #102030", "reverse", "underline", "dim"))
)


def random_line(chance: random.Random, width: int) -> Strip:
    segments, used = [], 0
    while used < width:
        segment = Segment(chance.choice(TEXTS), chance.choice(STYLES))
        used += segment.cell_length
        segments.append(segment)
    return Strip(segments).adjust_cell_length(width, STYLES[0])


def random_update(chance: random.Random) -> LayoutUpdate:
    region = Region(chance.randrange(30), chance.randrange(6), chance.randrange(1, 10), chance.randrange(1, 3))
    return LayoutUpdate([[random_line(chance, region.width)] for _ in range(region.height)], region)


def whole(chance: random.Random) -> LayoutUpdate:
    return LayoutUpdate([[random_line(chance, SIZE.width)] for _ in range(SIZE.height)], SIZE.region)


class Shown:
    """A terminal that a painter draws on."""

    def __init__(self) -> None:
        self.screen = pyte.Screen(*SIZE)
        self.stream = pyte.Stream(self.screen)
        self.stream.feed((" " * SIZE.width) * SIZE.height)  # pyte erases in colour only where something stood

    def cells(self) -> list[tuple[object, ...]]:
        """What one sees; the ink of a blank is not seen."""
        found: list[tuple[object, ...]] = []
        for y in range(SIZE.height):
            for x in range(SIZE.width):
                cell = self.screen.buffer[y][x]
                is_blank = cell.data == " " and not (cell.reverse or cell.underscore)
                found.append((" ", cell.bg) if is_blank else cell)
        return found


@pytest.mark.parametrize("term", ["xterm-256color", "screen"])
@pytest.mark.parametrize("seed", range(20))
def test_differences_lead_to_the_same_picture_as_painting_anew(seed: int, term: str) -> None:
    chance = random.Random(seed)
    steady, anew = Painter(ColorSystem.TRUECOLOR, term), Painter(ColorSystem.TRUECOLOR, term)
    shown = Shown()
    for update in (whole(chance), *(random_update(chance) for _ in range(30))):
        shown.stream.feed(steady.paint(update, SIZE))
        fresh = Shown()
        anew.forget()
        fresh.stream.feed(anew.paint(update, SIZE))
        assert shown.cells() == fresh.cells()


def line(text: str, style: str = "white on #102030") -> LayoutUpdate:
    strip = Strip([Segment(text, Style.parse(style))]).adjust_cell_length(SIZE.width, Style.parse(style))
    return LayoutUpdate([[strip]] * SIZE.height, SIZE.region)


def painter(colours: ColorSystem | None = ColorSystem.TRUECOLOR, term: str = "xterm") -> Painter:
    return Painter(colours, term)


def test_nothing_is_sent_twice() -> None:
    one = painter()
    assert "step 41" in one.paint(line("step 41"), SIZE)
    assert one.paint(line("step 41"), SIZE) == ""
    assert one.paint(line("step 42"), SIZE).count("2") >= SIZE.height


def test_one_character_costs_its_line_and_column() -> None:
    one = painter(None)
    one.paint(line("step 41"), SIZE)
    sent = one.paint(LayoutUpdate([[Strip([Segment("step 42")])]], Region(0, 3, 7, 1)), SIZE)
    assert sent == "\x1b[4;7H2\x1b[m" or sent == "\x1b[4;7H2"


def test_forgotten_and_resized_screens_are_painted_whole() -> None:
    one = painter()
    one.paint(line("step"), SIZE)
    one.forget()
    assert "\x1b[2J" in one.paint(line("step"), SIZE)
    assert "\x1b[2J" in one.paint(line("step"), Size(41, 8))


@pytest.mark.parametrize(("term", "erases"), [("xterm-256color", True), ("screen", False)])
def test_background_is_erased_with_only_where_terminals_do_so(term: str, erases: bool) -> None:
    sent = painter(term=term).paint(line("x"), SIZE)
    assert ("\x1b[48;2;16;32;48m\x1b[2J" in sent) is erases


def test_control_characters_never_reach_the_terminal() -> None:
    sent = painter(None).paint(line("a\x1b]0;title\x07b\x9b31m"), SIZE)
    assert "a]0;titleb31m" in sent


@pytest.mark.parametrize("plane", range(17))
def test_nothing_unprintable_reaches_the_terminal(plane: int) -> None:
    """Every character there is, after one that it might join."""
    for first in range(plane << 16, plane + 1 << 16, 1 << 10):
        text = "".join("a" + chr(code) for code in range(first, first + (1 << 10)))
        size = Size(3 << 10, 1)
        sent = painter(None).paint(LayoutUpdate([[Strip([Segment(text)])]], Region(0, 0, *size)), size)
        assert re.sub(r"\x1b\[\d*(;\d+)*[mHJKG]", "", sent).isprintable()


ODD = st.text(
    st.characters() | st.sampled_from("\u200b\u200d\u202e\u2066\u061c\ufeff\u00ad\u3000\u00a0\x1b\x9b\x07漢e\u0301")
)


@settings(max_examples=200, deadline=None)
@given(st.lists(ODD, min_size=1, max_size=4))
def test_odd_texts_move_nothing_else_and_steer_nothing(texts: list[str]) -> None:
    one, shown = painter(None), Shown()
    for text in texts:
        segments = [Segment("<"), Segment(text), Segment("|" * SIZE.width)]
        shown.stream.feed(one.paint(LayoutUpdate([[Strip(segments)]], Region(0, 3, SIZE.width, 1)), SIZE))
        at = 1 + sum(map(get_character_cell_size, text))
        assert [row.strip() for row in shown.screen.display[:3] + shown.screen.display[4:]] == [""] * (SIZE.height - 1)
        row = shown.screen.buffer[3]
        assert row[0].data == "<"
        assert {row[x].data for x in range(at, SIZE.width)} <= {"|"}
        assert all(row[x].data.isprintable() for x in range(SIZE.width))


def test_no_colours_leave_attributes() -> None:
    assert pen_of(Style.parse("bold red on blue"), None) == (("1",), "", "")


def test_bright_black_is_dim_on_the_terminals_own_background() -> None:
    assert pen_of(Style.parse("bright_black"), ColorSystem.STANDARD) == (("2",), "", "")
    assert pen_of(Style.parse("bright_black on red"), ColorSystem.STANDARD).ink == "90"


def test_changes_of_pens_are_short() -> None:
    red, bold_red = (pen_of(Style.parse(style), ColorSystem.STANDARD) for style in ("red", "bold red"))
    assert change(red, red) == ""
    assert change(red, bold_red) == "\x1b[1m"
    assert change(bold_red, red) == "\x1b[0;31m"
    assert change(red, PLAIN) == "\x1b[m"


@pytest.mark.parametrize(
    ("colour", "number"), [((0, 0, 0), 16), ((28, 36, 45), 235), ((255, 255, 255), 231), ((45, 212, 191), 43)]
)
def test_nearest_of_256(colour: tuple[int, int, int], number: int) -> None:
    assert nearest_of_256(*colour) == number
