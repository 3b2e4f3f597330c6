"""Time of a chart's frames: four series of 100,000 points and of 1,000,000, as arrays and as curves that grow.

    python tests/benchmarks/bench_chart.py [width] [height]

First checks that what a column shows is what a loop over the points finds there, then prints one JSON object a case:
median milliseconds of processor time (other programs do not count), how much of the bar that is, and the cells of a
frame that changed. A frame is the whole way from new points to styled lines of text.
"""

import asyncio
import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np

from bkd.chart import Look, Series, Trace, draw
from bkd.chart_frame import Frame
from bkd.chart_lane import Array
from tui.theme import ThemedApp
from tui.widgets.chart_view import ChartView

SERIES, ROUNDS = 4, 15
FRAME_BAR_MS, OPEN_BAR_MS = 20.0, 1000.0
NEW_POINTS = 20
LOOKS: dict[str, dict[str, float]] = {
    "plain": {},
    "log": {"log_y": True},
    "smoothing 0.9": {"smoothing": 0.9},
    "smoothing 0.99, log": {"smoothing": 0.99, "log_y": True},
}


def values(points: int) -> list[Array]:
    """Return noisy falling losses, one value in a thousand not finite."""
    rng = np.random.default_rng(0)
    x = np.arange(float(points))
    found = [2 * np.exp(-5 * x / points) + 0.1 + 0.3 * k + rng.normal(size=points) * 0.05 for k in range(SERIES)]
    for y in found:
        y[rng.integers(0, points, points // 1000)] = np.nan
    return found


def timed(work: Callable[[], object], rounds: int = ROUNDS) -> float:
    """Return the median milliseconds of processor time of a call."""
    times = []
    for _ in range(rounds):
        start = time.thread_time()
        work()
        times.append(time.thread_time() - start)
    return float(np.median(times)) * 1000


def tell(case: str, points: int, milliseconds: float, bar_ms: float, **more: object) -> None:
    """Print a figure beside its bar."""
    held = {"case": case, "series": SERIES, "points": points, "ms": round(milliseconds, 2), "bar_ms": bar_ms}
    print(json.dumps({**held, "is_met": milliseconds <= bar_ms, **more}), flush=True)


# ---- the equality check


def check_envelope(y: Array, frame: Frame) -> None:
    """Compare the rows that a drawing covers with those of a loop over the points.

    A line between two columns may reach into both of them, so a column may show what its neighbours hold, but no more.
    """
    low, high = frame.plot.y_range
    found: dict[int, tuple[float, float]] = {}
    for x, value in enumerate(y.tolist()):
        if value == value:
            column = frame.plot.column_of(x)
            least, greatest = found.get(column, (value, value))
            found[column] = min(least, value), max(greatest, value)

    def row(value: float) -> int:
        return round((high - value) / (high - low) * (4 * frame.plot.height - 1)) // 4

    for column, (least, greatest) in found.items():
        rows = np.flatnonzero(frame.glyphs[: frame.plot.height, column] > 0x2800)
        near = [found[c] for c in (column - 1, column, column + 1) if c in found]
        assert rows[0] <= row(greatest) <= row(least) <= rows[-1], (column, rows)
        assert row(max(pair[1] for pair in near)) <= rows[0], (column, rows)
        assert row(min(pair[0] for pair in near)) >= rows[-1], (column, rows)


# ---- the engine


def bench_arrays(width: int, height: int, points: int) -> None:
    """Draw from arrays that the chart sees for the first time in every frame."""
    ys, x = values(points), np.arange(float(points))
    check_envelope(ys[0], draw([Series("a", x, ys[0])], width=width, height=height))
    for name, options in LOOKS.items():
        look = Look(**options)

        def frame(look: Look = look) -> object:
            series = [Series(str(k), x, y) for k, y in enumerate(ys)]
            return draw(series, width=width, height=height, look=look).rows()

        tell(f"new arrays, {name}", points, timed(frame), FRAME_BAR_MS)


# ---- the widget


class ChartApp(ThemedApp):
    """One chart on the whole screen."""

    def compose(self) -> Iterator[ChartView]:
        """Lay out the chart."""
        yield ChartView("Loss", unit="nats")


async def bench_widget(width: int, height: int, points: int) -> None:
    """Let curves grow in a chart, under every look; open them, change the smoothing, zoom."""
    ys, x = values(points), np.arange(float(points))
    app = ChartApp()
    async with app.run_test(size=(width, height)):
        chart = app.query_one(ChartView)

        def paint() -> None:
            for y in range(chart.size.height):
                chart.line(y)

        def opened() -> list[Trace]:
            traces = [Trace("step", "time") for _ in range(SERIES)]
            for trace, y in zip(traces, ys, strict=True):
                trace.extend(y, x, x / 10)
            chart.set_series([Series.of(str(k), trace) for k, trace in enumerate(traces)])
            paint()
            return traces

        tell("open", points, timed(opened, 3), OPEN_BAR_MS)
        traces = opened()
        for name, options in LOOKS.items():
            chart.smoothing, chart.log_y = options.get("smoothing", 0.0), bool(options.get("log_y"))
            cells = chart.painted_cells
            took = timed(lambda: grow(chart, traces, ys, paint))
            tell(f"grow, {name}", points, took, FRAME_BAR_MS, cells=(chart.painted_cells - cells) // ROUNDS)
        smoothings = iter([0.6, 0.9, 0.97] * ROUNDS)

        def change() -> None:
            chart.smoothing = next(smoothings)
            paint()

        tell("change smoothing", points, timed(change), 10 * FRAME_BAR_MS)
        chart.smoothing = 0.0
        factors = iter([0.5] * 8 + [2.0] * 8)
        tell("zoom", points, timed(lambda: (chart.zoom(next(factors)), paint())), FRAME_BAR_MS)


def grow(chart: ChartView, traces: list[Trace], ys: list[Array], paint: Callable[[], None]) -> None:
    """Append points as a run does and show them."""
    for trace, y in zip(traces, ys, strict=True):
        start = len(trace)
        for step in range(start, start + NEW_POINTS):
            trace.append(float(y[step % y.size]), step, step / 10)
    chart.set_series([Series.of(str(k), trace) for k, trace in enumerate(traces)])
    paint()


def main() -> None:
    """Check, measure, print."""
    width, height = (int(argument) for argument in (sys.argv[1:] or ("180", "50")))
    bench_arrays(width, height, 100_000)
    for points in (100_000, 1_000_000):
        asyncio.run(bench_widget(width, height, points))


if __name__ == "__main__":
    main()
