"""What keys and commands do with a chart: crosshair, axes, legend, export; what is told of it, and what is not."""

import csv
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest
from textual.app import ComposeResult

from bkd.chart import Level, Series, Trace
from tui.messages import TaskDone
from tui.theme import ThemedApp
from tui.widgets.chart_settings import ChartSettings
from tui.widgets.chart_view import ChartSlice, ChartView
from tui.widgets.chart_window import Window

STEPS_PER_EPOCH = 50


def grown(name, steps, offset=0.0):
    """Return a curve by step, epoch and time, two seconds a step."""
    trace = Trace("step", "time")
    trace.scale("epoch", "step", 1 / STEPS_PER_EPOCH)
    for step in range(1, steps + 1):
        trace.append(offset + 1 / step, step, 2.0 * step)
    return Series.of(name, trace)


class ChartApp(ThemedApp):
    BINDINGS: ClassVar = [("space", "note('space')", "Mark"), ("escape", "note('escape')", "Back")]

    def __init__(self, series=(), levels=()):
        super().__init__()
        self.data, self.told, self.keys, self.reports = (series, levels), [], [], []

    def compose(self) -> ComposeResult:
        yield ChartView("Loss, train & val", unit="nats", id="loss")

    def on_mount(self):
        self.chart = self.query_one(ChartView)
        self.chart.set_series(*self.data)
        self.chart.focus()

    def action_note(self, key):
        self.keys.append(key)

    def on_chart_view_crosshair_moved(self, event):
        self.told.append(("crosshair", event.control.id, event.x))

    def on_chart_view_window_moved(self, event):
        self.told.append(("window", event.control.id, event.window.chosen))

    def on_chart_view_settings_changed(self, event):
        self.told.append(("settings", event.control.id, event.settings))

    def on_task_done(self, event: TaskDone):
        self.reports.append(event)


def lines(chart):
    return ["".join(part.render_line(y).text for part in chart.query(ChartSlice)) for y in range(chart.size.height)]


def last_line(chart):
    return lines(chart)[-1]


async def test_every_key_press_of_the_crosshair_reaches_another_point():
    app = ChartApp([Series("val", [10.0, 20.0, 80.0, 90.0], [4, 3, 2, 1])])
    async with app.run_test(size=(80, 16)) as pilot:
        await pilot.press("c")
        seen = [lines(app.chart)[0]]
        for _ in range(3):
            await pilot.press("left")
            seen.append(lines(app.chart)[0])
        assert ["step 80" in seen[0] or "step 20" in seen[0], "step 10" in seen[-1]] == [True, True]
        for _ in range(3):
            await pilot.press("right")
        assert "step 90" in lines(app.chart)[0]


async def test_a_crosshair_that_leaves_the_window_takes_it_along():
    app = ChartApp([grown("train", 200)])
    async with app.run_test(size=(80, 16)) as pilot:
        await pilot.press("plus", "plus", "c")
        first = app.chart.window.chosen
        for _ in range(12):
            await pilot.press("shift+right")
        low, high = app.chart.window.chosen
        assert low > first[0]
        assert low <= app.chart.crosshair <= high
        await pilot.press("H")
        assert app.chart.window.chosen[0] < low


async def test_x_counts_steps_epochs_or_seconds_and_stays_at_the_same_points():
    app = ChartApp([grown("train", 200), grown("val", 100)])
    async with app.run_test(size=(80, 16)) as pilot:
        app.chart.window, app.chart.crosshair = Window((50.0, 150.0)), 100.0
        await pilot.pause()
        assert last_line(app.chart).endswith("step")
        await pilot.press("a")
        assert app.chart.x_axis == "time"
        assert app.chart.window.chosen == pytest.approx((100, 300))
        assert "time 3m 20s" in lines(app.chart)[0]
        assert "3m20s" in last_line(app.chart) or "3m" in last_line(app.chart)
        await pilot.press("a")
        assert app.chart.x_axis == "epoch"
        assert app.chart.window.chosen == pytest.approx((1, 3))
        assert "epoch 2" in lines(app.chart)[0]
        await pilot.press("a")
        assert (app.chart.x_axis, app.chart.crosshair) == ("step", pytest.approx(100))
        assert [told[2].x_axis for told in app.told] == ["time", "epoch", "step"]


async def test_plain_arrays_have_one_axis():
    app = ChartApp([Series("a", [0, 1], [0, 1])])
    async with app.run_test(size=(80, 16)) as pilot:
        await pilot.press("a")
        assert (app.chart.x_axis, app.told) == ("step", [])


async def test_a_series_that_has_ended_has_no_value_under_the_crosshair():
    app = ChartApp([grown("long", 200), grown("short", 100)])
    async with app.run_test(size=(80, 16)) as pilot:
        app.chart.crosshair = 150.0
        await pilot.pause()
        words = lines(app.chart)[0].split()
        assert words[words.index("short") + 1] == "-"
        assert words[words.index("long") + 1] == f"{1 / 150:.4g}"


async def test_keys_choose_hide_and_show_in_the_legend():
    app = ChartApp([grown("train", 20), grown("val", 20)], [Level("teacher", 0.5)])
    async with app.run_test(size=(80, 16)) as pilot:
        await pilot.press("space", "escape")
        assert app.keys == ["space", "escape"]
        await pilot.press("n", "n", "space")
        assert "▸┄ val off" in lines(app.chart)[0]
        assert app.chart.hidden == {"val"}
        await pilot.press("n", "space", "n", "N", "N", "space")
        assert app.chart.hidden == {"teacher"}
        await pilot.press("escape")
        assert ("▸" in lines(app.chart)[0], app.keys) == (False, ["space", "escape"])
        await pilot.press("u")
        assert app.chart.hidden == frozenset()
        for _ in range(3):
            await pilot.press("n", "space")
        assert "all series are hidden" in "\n".join(lines(app.chart))


async def test_a_level_lies_across_and_is_in_view():
    app = ChartApp([grown("train", 20)], [Level("teacher", 1.9)])
    async with app.run_test(size=(80, 16)) as pilot:
        await pilot.pause()
        assert "╌ teacher 1.9" in lines(app.chart)[0]
        dashes = [line for line in lines(app.chart)[1:] if line[20:70].count(" ") == 25]
        assert len(dashes) == 1


async def test_what_the_program_sets_is_not_told():
    app = ChartApp([grown("train", 200)])
    async with app.run_test(size=(80, 16)) as pilot:
        app.chart.crosshair, app.chart.window = 50.0, Window((20.0, 80.0))
        app.chart.settings = ChartSettings("time", True, 0.9, frozenset({"val"}))
        await pilot.pause()
        assert app.told == []
        assert app.chart.settings == ChartSettings("time", True, 0.9, frozenset({"val"}))
        assert app.chart.window.chosen == pytest.approx((40, 160))
        await pilot.press("l", "plus", "c")
        settings = replace(app.chart.settings, log_y=False)
        assert app.told == [
            ("settings", "loss", settings),
            ("window", "loss", app.chart.window.chosen),
            ("crosshair", "loss", None),
        ]


def test_settings_outlive_json_and_what_does_not_hold_falls_back():
    settings = ChartSettings("epoch", True, 0.97, frozenset({"b", "a"}))
    assert ChartSettings.from_json(settings.to_json()) == settings
    broken = {"x_axis": 3, "log_y": "yes", "smoothing": 1.5, "hidden": "ab"}
    assert ChartSettings.from_json(broken) == ChartSettings.from_json({}) == ChartSettings()


async def export(app, pilot, key):
    """Press a key and return the file that was written."""
    await pilot.press(key)
    await app.workers.wait_for_complete()
    await pilot.pause()
    assert not app.reports[-1].is_error, app.reports[-1].text
    return Path(app.reports[-1].text.removeprefix("Wrote ").removesuffix("."))


async def test_export_writes_what_is_shown(tmp_path):
    app = ChartApp([grown("train", 200), grown("hidden", 200), grown("val", 100)], [Level("teacher", 0.5)])
    async with app.run_test(size=(80, 16)) as pilot:
        app.chart.export_folder = tmp_path
        app.chart.settings = ChartSettings(hidden=frozenset({"hidden"}), smoothing=0.6)
        app.chart.window = Window((95.0, 105.0))
        await pilot.pause()
        table, drawing, other = [await export(app, pilot, key) for key in ("E", "e", "e")]
        rows = list(csv.DictReader(table.read_text().splitlines()))
        assert [row["step"] for row in rows if row["series"] == "train"] == [str(step) for step in range(95, 106)]
        assert [row["step"] for row in rows if row["series"] == "val"] == [str(step) for step in range(95, 101)]
        assert (rows[0]["epoch"], rows[0]["time"], float(rows[0]["value"])) == ("1.9000000000000001", "190", 1 / 95)
        assert rows[-1]["series"] == "teacher"
        assert not any(row["series"] == "hidden" for row in rows)
        text = "".join(ET.fromstring(drawing.read_text()).itertext())
        assert "Loss, train & val (nats), smooth 0.6" in text
        assert "teacher 0.5" in text
        assert "hidden" not in text
        assert len({table, drawing, other}) == 3
        assert drawing.name.startswith("loss-train-val-nats-")


async def test_an_export_that_cannot_be_written_is_reported(tmp_path):
    app = ChartApp([grown("train", 20)])
    async with app.run_test(size=(80, 16)) as pilot:
        app.chart.export_folder = tmp_path / "missing"
        await pilot.press("E")
        await app.workers.wait_for_complete()
        await pilot.pause()
        assert app.reports[-1].is_error
        assert "missing" in app.reports[-1].text


async def test_commands_of_the_palette_are_actions_of_the_chart(tmp_path):
    app = ChartApp([grown("train", 20)])
    async with app.run_test(size=(80, 16)) as pilot:
        app.chart.export_folder = tmp_path
        for title, _, action in ChartView.COMMAND_LIST:
            before = (app.chart.settings, app.chart.crosshair, app.chart.window, len(app.reports))
            if title in ("Chart: fit", "Chart: show all series"):
                app.chart.window, app.chart.hidden = Window((2.0, 5.0)), frozenset({"train"})
                before = (app.chart.settings, app.chart.crosshair, app.chart.window, len(app.reports))
            await app.chart.run_action(action)
            await app.workers.wait_for_complete()
            await pilot.pause()
            after = (app.chart.settings, app.chart.crosshair, app.chart.window, len(app.reports))
            assert before != after, title


@pytest.mark.parametrize("size", [(20, 4), (20, 30), (200, 4), (33, 7), (200, 60), (3, 1)])
async def test_every_size_holds(size):
    app = ChartApp([grown("train", 200), grown("val", 200, 0.3), grown("third", 50), grown("fourth", 90)])
    async with app.run_test(size=size) as pilot:
        await pilot.press("c", "l", "m", "n")
        shown = lines(app.chart)
        assert {len(line) for line in shown} == {size[0]}
        assert len(shown) == size[1]
        if size[1] >= 4:
            assert any("⠀" < c <= "⣿" for c in "".join(shown))
            assert any(c in "┤" for c in "".join(shown))


async def test_without_colours_lines_differ_and_focus_is_a_sign(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    app = ChartApp([grown(name, 200, offset) for name, offset in zip("abcd", (0, 1, 2, 3), strict=True)])
    async with app.run_test(size=(100, 40)) as pilot:
        await pilot.pause()
        heading, *_ = lines(app.chart)
        assert heading.startswith("▸Loss")
        assert all(f"{sign} {name}" in heading for sign, name in zip(("━━━", "━ ━", "┅┅┅", "━━┅"), "abcd", strict=True))
        rows = ["".join("x" if c > "⠀" else " " for c in line[40:]) for line in lines(app.chart)[1:-2]]
        assert len({row for row in rows if "x" in row}) >= 4
        app.set_focus(None)
        await pilot.pause()
        assert lines(app.chart)[0].startswith("Loss")
