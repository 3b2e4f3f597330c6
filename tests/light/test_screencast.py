"""The drawing of a recorded session."""

import re
from xml.etree import ElementTree

import pyte
from benchmarks.screencast import BACKGROUND, Frame, draw, lines_of

SVG = "{http://www.w3.org/2000/svg}"


def frame(at_s: float, data: str, caption: str = "") -> Frame:
    screen = pyte.Screen(20, 3)
    pyte.Stream(screen).feed(data)
    return Frame(at_s, lines_of(screen), caption)


def drawn(*frames: Frame) -> str:
    return "".join(draw(frames, 20, 3))


def test_text_stands_in_its_cells() -> None:
    drawing = drawn(frame(0, "\x1b[2;3H<a & b>\x1b[1m  漢\x1b[0m\x1b[48;2;1;2;3m x", "d  distil"))
    texts = list(ElementTree.fromstring(drawing).iter(f"{SVG}text"))
    assert [text.text for text in texts] == ["<a & b>", "漢", "x", "d  distil"]
    assert [(text.get("x"), text.get("textLength")) for text in texts[:3]] == [
        ("16.8", "58.8"), ("92.4", "16.8"), ("117.6", "8.4"),
    ]  # fmt: skip
    assert 'fill="#010203"' in drawing


def test_each_frame_comes_at_its_time_and_the_first_one_without_animation() -> None:
    frames = frame(0, "first"), frame(1, "second"), frame(4, "second\r\nthird")
    drawing = drawn(*frames)
    moments = re.findall(r"([\d.]+)%\{transform:translateX\((-?[\d.]+)px\)\}", drawing)
    width = float(ElementTree.fromstring(drawing).get("width") or 0)
    assert [(float(share), float(left)) for share, left in moments] == [
        (0, 0), (14.286, -width), (57.143, -2 * width),
    ]  # fmt: skip
    strip = ElementTree.fromstring(drawing).find(f"{SVG}g")
    assert strip is not None
    assert [group.get("transform") for group in strip] == [f"translate({n * width + 12:g} 12)" for n in range(3)]
    used = [[use.get("href") for use in group.iter(f"{SVG}use")] for group in strip]
    assert used == [["#l0"], ["#l1"], ["#l1", "#l2"]]  # a line is drawn once, however often it is seen


def test_colours_of_the_screen_itself_need_no_background() -> None:
    data = f"\x1b[48;2;{';'.join(str(int(BACKGROUND[at : at + 2], 16)) for at in (1, 3, 5))}m plain"
    assert 'y="-13"' not in drawn(frame(0, data))
