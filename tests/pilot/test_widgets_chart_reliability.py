"""The reliability diagram: its figures, its keys, the mouse, small sizes."""

from typing import ClassVar

import pytest
from textual.app import ComposeResult

from bkd.chart_reliability import Reliability
from tui.theme import ThemedApp
from tui.widgets.chart_reliability import ReliabilityView


def table(name, images=(0, 100, 300, 600)):
    n = len(images)
    return Reliability.read(
        name,
        [
            {"low": i / n, "high": (i + 1) / n, "count": c, "confidence": (i + 0.5) / n, "accuracy": (i + 0.3) / n}
            for i, c in enumerate(images)
        ],
    )


class DiagramApp(ThemedApp):
    BINDINGS: ClassVar = [("escape", "note", "Back")]

    def __init__(self, *tables):
        super().__init__()
        self.given, self.escapes = tables, 0

    def compose(self) -> ComposeResult:
        yield ReliabilityView()

    def on_mount(self):
        self.view = self.query_one(ReliabilityView)
        self.view.tables = self.given
        self.view.focus()

    def action_note(self):
        self.escapes += 1


def lines(view):
    return [view.render_line(y).text for y in range(view.size.height)]


async def test_the_heading_tells_the_error_then_the_bin_that_is_read():
    app = DiagramApp(table("teacher"))
    async with app.run_test(size=(80, 20)) as pilot:
        await pilot.pause()
        assert "━ teacher ECE 5.00%" in lines(app.view)[0]
        await pilot.press("left")
        assert app.view.chosen == (0.75, 1.0)
        assert "confidence 75 to 100%" in lines(app.view)[0]
        assert "82.5% right at 87.5%, 600 images" in lines(app.view)[0]
        await pilot.press("left", "left", "left")
        assert app.view.chosen == (0.25, 0.5)
        await pilot.press("escape", "escape")
        assert (app.view.chosen, app.escapes) == (None, 1)
        assert "ECE" in lines(app.view)[0]


async def test_a_click_reads_the_bin_under_it():
    app = DiagramApp(table("teacher"))
    async with app.run_test(size=(80, 20)) as pilot:
        await pilot.click(ReliabilityView, offset=(45, 8))
        assert app.view.chosen == (0.5, 0.75)
        await pilot.click(ReliabilityView, offset=(8, 8))  # a bin without images: the next that has some
        assert app.view.chosen == (0.25, 0.5)


async def test_several_tables_lie_over_each_other():
    app = DiagramApp(table("teacher"), table("student", (5, 5, 5, 5)))
    async with app.run_test(size=(100, 24)) as pilot:
        await pilot.press("right")
        assert app.view.chosen == (0, 0.25)
        assert "teacher no images" in lines(app.view)[0]
        assert "student 7.5% right at 12.5%, 5 images" in "".join(lines(app.view))


async def test_without_results_it_says_so():
    app = DiagramApp()
    async with app.run_test(size=(60, 16)) as pilot:
        await pilot.press("c", "left")
        assert "not evaluated yet" in "\n".join(lines(app.view))


@pytest.mark.parametrize("size", [(20, 4), (20, 12), (200, 60), (37, 8), (2, 1)])
async def test_every_size_holds(size):
    app = DiagramApp(table("teacher"), table("student"))
    async with app.run_test(size=size) as pilot:
        await pilot.press("c")
        assert {len(line) for line in lines(app.view)} == {size[0]}
        if size[1] >= 4:
            assert any("⠀" < c <= "⣿" for c in "".join(lines(app.view)))
