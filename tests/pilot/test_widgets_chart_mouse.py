"""The mouse on a chart: wheel, drag, click on the drawing and on the legend."""

import numpy as np
import pytest
from textual import events
from textual.app import ComposeResult
from textual.containers import VerticalScroll

from bkd.chart import Level, Series
from tui.theme import ThemedApp
from tui.widgets.chart_view import ChartView
from tui.widgets.chart_window import Window

WHEEL = {"up": events.MouseScrollUp, "down": events.MouseScrollDown, "left": events.MouseScrollLeft}


def curve(name="train"):
    x = np.arange(200.0)
    return Series(name, x, np.exp(-x / 60))


class ChartApp(ThemedApp):
    def __init__(self):
        super().__init__()
        self.told = []

    def compose(self) -> ComposeResult:
        yield ChartView("Loss")

    def on_mount(self):
        self.chart = self.query_one(ChartView)
        self.chart.set_series([curve(), curve("val")], [Level("teacher", 0.2)])
        self.chart.focus()

    def on_chart_view_crosshair_moved(self, event):
        self.told.append(event.x)

    def on_chart_view_window_moved(self, event):
        self.told.append(event.window)

    def on_chart_view_settings_changed(self, event):
        self.told.append(sorted(event.settings.hidden))


async def turn(pilot, chart, direction, column, shift=False):
    """Turn the wheel over a column of a chart."""
    x, y = chart.content_region.x + column, chart.content_region.y + 5
    part = chart.app.get_widget_at(x, y)[0]
    part.post_message(WHEEL[direction](part, x, y, 0, 1, 0, shift, False, False, screen_x=x, screen_y=y))
    await pilot.pause()


async def drag(pilot, start, stop):
    """Drag over a chart from one of its columns to another one."""
    await pilot.mouse_down(ChartView, offset=(start, 9))
    await pilot.hover(ChartView, offset=((start + stop) // 2, 9))
    await pilot.hover(ChartView, offset=(stop, 9))
    await pilot.mouse_up(ChartView, offset=(stop, 9))


async def test_a_click_puts_the_crosshair_under_the_pointer():
    app = ChartApp()
    async with app.run_test(size=(80, 20)) as pilot:
        await pilot.click(ChartView, offset=(43, 8))
        assert app.chart.crosshair == app.chart.plot.x_at(43)
        await pilot.click(ChartView, offset=(2, 8))  # on the labels
        assert app.told == [app.chart.plot.x_at(43)]


async def test_the_wheel_zooms_at_the_pointer():
    app = ChartApp()
    async with app.run_test(size=(80, 20)) as pilot:
        await pilot.pause()
        before = app.chart.plot.x_at(30)
        for _ in range(3):
            await turn(pilot, app.chart, "up", 30)
        app.chart.line(1)
        low, high = app.chart.window.chosen
        assert high - low == pytest.approx(200 / 8)
        assert app.chart.plot.x_at(30) == pytest.approx(before, abs=25 / 70)
        await turn(pilot, app.chart, "left", 30)
        assert app.chart.window.chosen[0] < low
        panned = app.chart.window.chosen[0]
        await turn(pilot, app.chart, "up", 30, shift=True)
        assert app.chart.window.chosen[0] < panned
        for _ in range(4):
            await turn(pilot, app.chart, "down", 30)
        assert app.chart.window == Window()
        assert app.told[-1] == Window()


async def test_a_drag_pans_what_is_zoomed():
    app = ChartApp()
    async with app.run_test(size=(80, 20)) as pilot:
        await pilot.press("plus")
        await pilot.pause()
        under = app.chart.plot.x_at(40)
        await drag(pilot, 40, 50)
        assert app.chart.plot.x_at(50) == pytest.approx(under, abs=100 / 70)
        assert app.chart.window.chosen[0] == pytest.approx(50 - 10 * 100 / 73, abs=3)
        assert app.chart.crosshair is None
        await drag(pilot, 20, 79)
        assert app.chart.window.chosen == (0, 100)


async def test_a_drag_over_everything_moves_the_crosshair_also_from_outside():
    app = ChartApp()
    async with app.run_test(size=(80, 20)) as pilot:
        await pilot.pause()
        await drag(pilot, 40, 60)
        assert app.chart.crosshair == app.chart.plot.x_at(60)
        await drag(pilot, 40, 2)
        assert app.chart.crosshair == app.chart.plot.x_at(app.chart.plot.left)
        assert app.chart.window == Window()


async def test_a_click_on_the_legend_hides_and_shows():
    app = ChartApp()
    async with app.run_test(size=(80, 20)) as pilot:
        await pilot.pause()
        heading = app.chart.line(0).text
        for name in ("val", "teacher"):
            await pilot.click(ChartView, offset=(heading.index(name) + 1, 0))
        assert app.chart.hidden == {"val", "teacher"}
        assert app.chart.line(0).text.count("off") == 2
        await pilot.click(ChartView, offset=(app.chart.line(0).text.index("val"), 0))
        assert app.chart.hidden == {"teacher"}
        await pilot.click(ChartView, offset=(1, 0))  # on the title
        assert app.told == [["val"], ["teacher", "val"], ["teacher"]]


class ScrolledApp(ThemedApp):
    CSS = "ChartView { height: 20; }"

    def compose(self) -> ComposeResult:
        with VerticalScroll():
            yield ChartView("One", id="one")
            yield ChartView("Two", id="two")

    def on_mount(self):
        for chart in self.query(ChartView):
            chart.set_series([curve()])


async def test_in_a_scroller_only_the_focused_chart_takes_the_wheel():
    app = ScrolledApp()
    async with app.run_test(size=(80, 24)) as pilot:
        one = app.query_one("#one", ChartView)
        app.set_focus(None)
        await turn(pilot, one, "down", 40)
        await pilot.pause()
        assert one.window == Window()
        assert app.query_one(VerticalScroll).scroll_target_y > 0
        one.focus()
        await pilot.pause()
        app.query_one(VerticalScroll).scroll_home(animate=False)
        await pilot.pause()
        await turn(pilot, one, "up", 40)
        assert one.window != Window()
