"""Charts side by side follow the one that a person moves."""

import numpy as np
from textual.app import ComposeResult
from textual.containers import Horizontal

from bkd.chart import Series, Trace
from tui.theme import ThemedApp
from tui.widgets.chart_group import ChartGroup
from tui.widgets.chart_view import ChartView


def grown(name, steps, axes=("step", "time")):
    trace = Trace(*axes)
    step = np.arange(1.0, steps + 1)
    trace.extend(1 / step, *(step * (index + 1) for index in range(len(axes))))
    return Series.of(name, trace)


class GroupApp(ThemedApp):
    def compose(self) -> ComposeResult:
        with ChartGroup():
            with Horizontal():
                yield ChartView("Loss", id="loss")
                yield ChartView("Accuracy", id="accuracy")
            yield ChartView("Epochs only", id="epochs", x_name="epoch")
        yield ChartView("Outside", id="outside")

    def on_mount(self):
        self.charts = {chart.id: chart for chart in self.query(ChartView)}
        for chart in self.charts.values():
            chart.set_series([grown("train", 200) if chart.id != "epochs" else grown("train", 9, ("epoch",))])
        self.charts["loss"].focus()


async def test_crosshair_window_and_axis_are_shared_by_charts_that_count_alike():
    app = GroupApp()
    async with app.run_test(size=(120, 60)) as pilot:
        charts = app.charts
        await pilot.press("plus", "c", "right")
        await pilot.pause()
        loss, accuracy = charts["loss"], charts["accuracy"]
        assert loss.crosshair is not None
        assert (accuracy.crosshair, accuracy.window) == (loss.crosshair, loss.window)
        for other in (charts["epochs"], charts["outside"]):
            assert (other.crosshair, other.window.chosen) == (None, None)
        accuracy.focus()
        await pilot.press("a", "left")
        await pilot.pause()
        assert loss.x_axis == accuracy.x_axis == "time"
        assert charts["epochs"].x_axis == "epoch"
        assert (accuracy.crosshair, accuracy.window) == (loss.crosshair, loss.window)
        await pilot.press("escape", "0")
        await pilot.pause()
        assert (loss.crosshair, loss.window.chosen) == (None, None)


async def test_log_axis_smoothing_and_legend_are_each_charts_own():
    app = GroupApp()
    async with app.run_test(size=(120, 60)) as pilot:
        await pilot.press("l", "m", "n", "space")
        await pilot.pause()
        assert (app.charts["loss"].log_y, app.charts["accuracy"].log_y) == (True, False)
        assert app.charts["accuracy"].settings == app.charts["outside"].settings
        assert app.charts["accuracy"].hidden == frozenset()
