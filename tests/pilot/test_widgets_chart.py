"""The chart widget: what it shows, its keys, and that only changed cells are painted."""

from typing import ClassVar

import numpy as np
import pytest
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen, Screen
from textual.widgets import Static

from bkd.chart import Series, ema
from tui.theme import ThemedApp
from tui.widgets import chart_values
from tui.widgets.chart_heading import Entry, Heading
from tui.widgets.chart_values import nearest_x
from tui.widgets.chart_view import LEGEND_PERIOD_S, SMOOTHINGS, ChartSlice, ChartView
from tui.widgets.chart_window import Window


def loss(n, name="train"):
    x = np.arange(float(n))
    return Series(name, x, 2 * np.exp(-x / 100) + 0.1)


class ChartApp(ThemedApp):
    BINDINGS: ClassVar = [("escape", "note_escape", "Back")]

    def __init__(self):
        super().__init__()
        self.now, self.escapes = 100.0, 0

    def compose(self) -> ComposeResult:
        with Vertical():
            yield ChartView("Loss", unit="nats", id="loss", clock=lambda: self.now)

    def on_mount(self):
        self.chart = self.query_one(ChartView)
        self.chart.focus()

    def action_note_escape(self):
        self.escapes += 1


def value_text(series, x=None, smoothing=0.0):
    return chart_values.value_text(series, "step", smoothing, x)


def lines(chart):
    """Return the lines as the slices show them."""
    slices = list(chart.query(ChartSlice))
    return ["".join(part.render_line(y).text for part in slices) for y in range(chart.size.height)]


def watch_cells(chart):
    """Record the cells that the chart's slices ask to be repainted, as (line, column in the chart)."""
    asked = set()

    def spy_on(part):
        refresh = part.refresh

        def spy(*regions, **options):
            for region in regions or [part.size.region]:
                asked.update((y, part.left + x) for y in region.line_range for x in region.column_range)
            return refresh(*regions, **options)

        part.refresh = spy

    for part in chart.query(ChartSlice):
        spy_on(part)
    return asked


@pytest.mark.parametrize("size", [(80, 24), (200, 60), (37, 9)])
async def test_slices_join_to_a_whole_picture(size):
    app = ChartApp()
    async with app.run_test(size=size) as pilot:
        assert "no data yet" in "\n".join(lines(app.chart))
        app.chart.set_series([loss(200), loss(150, "val")])
        await pilot.pause()
        shown = lines(app.chart)
        assert {len(line) for line in shown} == {size[0]}
        assert shown[0].startswith("Loss (nats)")
        assert all(line == app.chart.line(y).text for y, line in enumerate(shown))
        assert any("⠀" < c < "⣿" for c in "".join(shown))


async def test_the_legend_names_the_last_values_and_the_crosshair_reads_any():
    app = ChartApp()
    async with app.run_test(size=(80, 20)) as pilot:
        app.chart.set_series([loss(200), loss(150, "val")])
        assert "━ train 0.3734" in lines(app.chart)[0]
        assert "━ val 0.5507" in lines(app.chart)[0]
        await pilot.press("c")
        middle = app.chart.crosshair
        assert 90 < middle < 110
        assert f"step {round(middle)}" in lines(app.chart)[0]
        nearest = value_text(loss(200), round(middle))
        assert f"train {nearest}" in lines(app.chart)[0]
        assert any("│" in line[10:] for line in lines(app.chart)[1:])
        await pilot.press("right")
        assert app.chart.crosshair > middle
        await pilot.press("left", "shift+left")
        assert app.chart.crosshair < middle - 10
        await pilot.press("escape")
        assert (app.chart.crosshair, app.escapes) == (None, 0)
        await pilot.press("escape")
        assert app.escapes == 1


async def test_zoom_pan_and_fit():
    app = ChartApp()
    async with app.run_test(size=(80, 20)) as pilot:
        app.chart.set_series([loss(200)])
        await pilot.press("left")
        assert app.chart.window == Window()
        await pilot.press("+")
        assert app.chart.window.chosen == (50, 150)
        assert "zoom" in lines(app.chart)[0]
        await pilot.press("right")
        assert app.chart.window.chosen == (75, 175)
        await pilot.press("right", "right", "right")
        assert app.chart.window.chosen == (100, 200)
        await pilot.press("minus")
        assert app.chart.window.chosen is None
        await pilot.press("plus", "equals_sign", "0")
        assert app.chart.window.chosen is None


async def test_log_axis_and_smoothing():
    app = ChartApp()
    async with app.run_test(size=(80, 20)) as pilot:
        app.chart.set_series([loss(200)])
        linear = lines(app.chart)
        await pilot.press("l")
        assert "log" in lines(app.chart)[0]
        assert lines(app.chart)[1:] != linear[1:]
        await pilot.press("l")
        assert lines(app.chart)[1:] == linear[1:]
        for smoothing in (*SMOOTHINGS[1:], 0.0):
            await pilot.press("m")
            assert app.chart.smoothing == smoothing
            assert ("smooth" in lines(app.chart)[0]) == (smoothing > 0)


async def test_an_appended_point_repaints_a_few_cells_and_the_legend_once_a_second():
    app = ChartApp()
    async with app.run_test(size=(120, 30)) as pilot:
        app.chart.set_series([loss(320)])
        await pilot.pause()
        asked = watch_cells(app.chart)
        app.chart.set_series([loss(320)])
        assert asked == set()
        app.now += 0.5
        app.chart.set_series([loss(323)])
        assert 0 < len(asked) <= 4
        assert all(y > 0 for y, _ in asked)
        stale = lines(app.chart)[0]
        app.now += LEGEND_PERIOD_S
        asked.clear()
        app.chart.set_series([loss(324)])
        assert any(y == 0 for y, _ in asked)
        assert lines(app.chart)[0] != stale


async def test_the_legend_catches_up_when_points_stop():
    app = ChartApp()
    async with app.run_test(size=(120, 30)) as pilot:
        app.chart.set_series([loss(300)])
        app.now += LEGEND_PERIOD_S - 0.01
        app.chart.set_series([loss(302)])
        assert value_text(loss(302)) not in lines(app.chart)[0]
        app.now += 1
        await pilot.pause(0.05)
        assert value_text(loss(302)) in lines(app.chart)[0]


class Front(Screen):
    def compose(self) -> ComposeResult:
        yield Static("in front")


class Small(ModalScreen):
    def compose(self) -> ComposeResult:
        yield Static("over it")


@pytest.mark.parametrize("hide", ["screen", "display", "both"])
async def test_nothing_is_drawn_out_of_view_and_the_newest_on_return(hide, monkeypatch):
    app = ChartApp()
    async with app.run_test(size=(80, 20)) as pilot:
        app.chart.set_series([loss(50)])
        await pilot.pause()
        drawn = []
        original = ChartView._take
        monkeypatch.setattr(ChartView, "_take", lambda self: drawn.append(1) or original(self))
        if hide != "display":
            app.push_screen(Front())
        if hide != "screen":
            app.chart.display = False
        await pilot.pause()
        for n in range(60, 100):
            app.chart.set_series([loss(n)])
        await pilot.pause()
        assert drawn == []
        app.chart.display = True
        if hide != "display":
            app.pop_screen()
        await pilot.pause()
        assert len(drawn) == 1
        assert value_text(loss(99)) in lines(app.chart)[0]


async def test_a_chart_behind_a_dialog_goes_on():
    app = ChartApp()
    async with app.run_test(size=(80, 20)) as pilot:
        app.chart.set_series([loss(50)])
        app.push_screen(Small())
        await pilot.pause()
        app.now += 5
        app.chart.set_series([loss(90)])
        assert value_text(loss(90)) in lines(app.chart)[0]


async def test_themes_and_focus_change_colours_not_text():
    app = ChartApp()
    async with app.run_test(size=(80, 12)) as pilot:
        app.chart.set_series([loss(50), loss(30, "val")])
        await pilot.pause()
        text, styles = lines(app.chart), set()
        for name in ("bkd-dark", "bkd-light", "bkd-ansi", "textual-dark"):
            app.theme = name
            await pilot.pause()
            assert lines(app.chart) == text
            styles.add(str([segment.style for y in range(12) for segment in app.chart.line(y)]))
        assert len(styles) == 4
        before = app.chart.line(0)
        app.set_focus(None)
        await pilot.pause()
        assert app.chart.line(0).text == before.text
        assert app.chart.line(0) != before


def entry(name, value):
    return Entry(name, value, "━", "series-1")


def heading_texts(heading, width, most=1):
    return ["".join(piece.text for piece in line) for line in heading.lines(width, most)]


def test_a_short_heading_leaves_out_settings_then_values_then_names():
    heading = Heading("Loss", [entry("train", "0.1234"), entry("val", "0.2345")], ["log"])
    texts = [heading_texts(heading, width)[0] for width in (60, 40, 25, 15, 3, 1)]
    assert [len(text) for text in texts] == [60, 40, 25, 15, 3, 1]
    assert "log" in texts[0]
    assert "0.2345" in texts[1]
    assert "log" not in texts[1]
    assert texts[2].split() == ["Loss", "━", "train", "━", "val"]
    assert texts[3].startswith("Loss")
    assert "…" in texts[3]


def test_a_long_legend_takes_further_lines_where_there_are_any():
    heading = Heading("Loss", [entry(f"run {n}", "0.1234") for n in range(6)], ["log"])
    one, two, many = (heading_texts(heading, 50, most) for most in (1, 2, 9))
    assert "…" in one[0] or "0.1234" not in one[0]
    assert [len(line) for line in two] == [50, 50]
    assert "log" in many[-1]
    assert all(f"run {n} 0.1234" in "".join(many) for n in range(6))
    assert len(many) < 6


def test_with_a_crosshair_values_outlive_names():
    heading = Heading("Loss", [entry("a long name of a run", "0.1234")], [], at="step 5")
    assert heading_texts(heading, 28)[0].split() == ["Loss", "step", "5", "━", "0.1234"]
    assert heading_texts(heading, 20)[0].split() == ["step", "5", "━", "0.1234"]
    assert heading_texts(heading, 12)[0].startswith("step 5  ━ 0…")


def test_foreign_names_are_made_harmless():
    text = heading_texts(Heading("\x1b[31mLoss", [entry("a\nb", "1")], []), 30)[0]
    assert text.isprintable()


def test_values_are_read_where_the_crosshair_is_and_as_drawn():
    series = Series("a", [0, 1, 2, np.nan], [1.0, np.nan, 3.0, 9.0])
    assert [value_text(series, x) for x in (-0.9, 0.9, 2.9)] == ["1", "nan", "3"]
    assert [value_text(series, x) for x in (-5, 7)] == ["-", "-"]
    assert value_text(Series("a", [], []), 1.0) == "-"
    noisy = Series("a", np.arange(9000), np.random.default_rng(0).normal(size=9000))
    assert float(value_text(noisy, smoothing=0.99)) == pytest.approx(ema(noisy.y, 0.99)[-1], rel=1e-3)


def test_the_place_that_is_named_is_that_of_a_recorded_point():
    train, val = Series("train", [1, 2, np.nan, 9], [4.0, 3.0, 2.0, 1.0]), Series("val", [4], [2.0])
    assert [nearest_x([train, val], "step", x) for x in (-5, 1.7, 3.1, 30)] == [1, 2, 4, 9]
    assert nearest_x([Series("a", [], [])], "step", 0.5) == 0.5


def test_windows_stay_inside_and_keep_the_point_under_the_pointer():
    whole = (0.0, 100.0)
    window = Window().zoomed(0.5, 20.0, whole)
    assert window.chosen == (10, 60)
    assert window.zoomed(2, 20.0, whole) == Window()
    assert window.panned(-1, whole).chosen == (0, 50)
    assert window.panned(9, whole).chosen == (50, 100)
    for _ in range(100):
        window = window.zoomed(0.5, 20.0, whole)
    low, high = window.chosen
    assert low <= 20 <= high
    assert high > low
