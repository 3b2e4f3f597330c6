"""The filter's line: words that may come next, and where a fault is."""

import pytest
from textual.app import ComposeResult
from textual.pilot import Pilot
from textual.widgets import Button, Input

from tui.theme import ThemedApp
from tui.widgets.filter_bar import FAULT_SIGN, FilterBar
from tui.widgets.line import Line
from tui.widgets.word_menu import WordMenu


class FilterApp(ThemedApp):
    def __init__(self):
        super().__init__()
        self.heard = []

    def compose(self) -> ComposeResult:
        yield FilterBar(id="filter-bar")
        yield Button("next")

    def on_mount(self):
        self.query_one(FilterBar).open(["test/acc", "val/brier"])

    def on_filter_bar_filter_changed(self, message: FilterBar.FilterChanged):
        self.heard.append(message.text)

    @property
    def menu(self):
        return self.query_one(WordMenu)

    @property
    def fault(self):
        return self.query_one("#filter-error", Line)

    @property
    def field(self):
        return self.query_one(Input)


async def typed(pilot: Pilot[None], text: str) -> None:
    await pilot.press(*("space" if c == " " else c for c in text))
    await pilot.pause()


async def test_words_are_offered_from_the_first_moment_and_taken_by_tab():
    app = FilterApp()
    async with app.run_test(size=(80, 12)) as pilot:
        await pilot.pause()
        assert app.menu.word == "acc"
        assert app.menu.region.height == 1
        await typed(pilot, "ki")
        assert app.menu.words == ("kind",)
        await pilot.press("tab")
        assert app.field.value == "kind "
        assert app.menu.words[0] == "="
        await pilot.press("tab")
        await typed(pilot, "b")
        assert app.menu.word == "Bayesian"
        await pilot.press("tab")
        assert app.field.value == "kind = Bayesian "
        assert app.heard[-1] == "kind = Bayesian"
        assert "and" in app.menu.words


async def test_of_keys_that_came_together_only_the_last_is_answered():
    app = FilterApp()
    async with app.run_test(size=(80, 12)) as pilot:
        await typed(pilot, "x")
        for text in ("xy", "xyz", "xyz4"):
            app.field.value = text
        await pilot.pause()
        assert app.heard == ["x", "xyz4"]


async def test_another_word_is_chosen_by_keys_and_clicks():
    app = FilterApp()
    async with app.run_test(size=(80, 12)) as pilot:
        await typed(pilot, "status = ")
        first = app.menu.words[:3]
        await pilot.press("down", "down")
        assert app.menu.word == first[2]
        await pilot.press("up", "tab")
        assert app.field.value == f"status = {first[1]} "
        app.field.value = "status = "
        app.field.cursor_position = 9
        await pilot.pause()
        await pilot.click(WordMenu, offset=(2, 0))
        assert app.field.value == f"status = {first[0]} "
        assert app.field.has_focus


async def test_the_word_before_the_cursor_is_completed_not_the_last_one():
    app = FilterApp()
    async with app.run_test(size=(80, 12)) as pilot:
        app.field.value = "val acc > 1"
        app.field.cursor_position = 3
        await pilot.pause()
        assert app.menu.words == ("val/brier",)
        await pilot.press("tab")
        assert app.field.value == "val/brier acc > 1"
        assert app.field.cursor_position == 10


async def test_without_a_word_tab_goes_on():
    app = FilterApp()
    async with app.run_test(size=(80, 12)) as pilot:
        await typed(pilot, "acc > 5")
        assert app.menu.words == ()
        await pilot.press("tab")
        assert app.query_one(Button).has_focus
        assert not app.menu.display


@pytest.mark.parametrize(
    ("text", "column", "is_unfinished"),
    [("acc > 9x", 6, False), ("kind = ", 7, True), ("(acc > 1", 8, True), ("nonsense = 3", 0, False)],
)
async def test_a_fault_is_pointed_at(text: str, column: int, is_unfinished: bool):
    app = FilterApp()
    async with app.run_test(size=(80, 12)) as pilot:
        await typed(pilot, text)
        assert app.fault.said.index(FAULT_SIGN) == column
        bar = app.query_one(FilterBar)
        assert bar.has_class("-fault")
        assert bar.has_class("-unfinished") is is_unfinished
        app.field.value = ""
        await pilot.pause()
        assert FAULT_SIGN not in app.fault.said


async def test_a_line_of_words_keeps_the_chosen_one_in_view():
    app = FilterApp()
    async with app.run_test(size=(40, 12)) as pilot:
        await typed(pilot, "dataset = ")
        app.menu.show([f"word{n:02}" for n in range(30)])
        for n in range(31):
            line = app.menu.render_line(0)
            assert app.menu.word == f"word{n % 30:02}"
            assert f"word{n % 30:02}" in line.text
            assert line.cell_length == 40
            app.menu.move(1)
