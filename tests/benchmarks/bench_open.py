"""Opening a run of 1,000,000 steps: first whole picture, how long the app is deaf while it reads the rest, memory.

    python tests/benchmarks/bench_open.py [steps]

Writes an event file of 12 metrics, opens its run in the app's own screen at 180x50, and prints one JSON line a figure.
The first picture counts from the key until the loss curve reaches the last step. The app is deaf for as long as its
event loop does not turn, be it for its own work or because other threads and programs have the processor. Memory is
that of the process over what it took before. At the end every curve is compared with the file's values.
"""

import asyncio
import json
import resource
import sys
import tempfile
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parents[1] / "pilot")]

import numpy as np
import psutil
from pilot_save import CREATED, SaveRoot
from textual.pilot import Pilot

from tui.app import BkdApp
from tui.screens.run import RunScreen
from tui.widgets.chart_view import ChartView

STEPS, STEPS_PER_EPOCH = 1_000_000, 5_000
METRICS = (
    "train/loss", "train/ce", "train/kl", "train/acc", "grad/norm", "grad/noise", "grad/noise_onehot",
    "grad/noise_teacher", "grad/noise_ratio", "grad/bias", "grad/alpha_star", "time/images_per_s",
)  # fmt: skip
OPEN_BAR_S, DEAF_BAR_S, MEMORY_BAR_MB = 1.0, 0.1, 300.0
TICK_S = 0.002
PART = 10_000


def values_of(steps: int) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """Return noisy falling values (steps, metrics)."""
    rng = np.random.default_rng(0)
    x = np.linspace(0, 1, steps)[:, None]
    level = np.arange(1, len(METRICS) + 1)
    return (level * np.exp(-5 * x) + 0.1 + 0.05 * rng.normal(size=(steps, len(METRICS)))).astype(np.float32)


def write_events(path: Path, steps: int) -> None:
    """Write the file as a child does, a record a line."""
    values = values_of(steps).astype(np.float64)
    names = ",".join(f'"{name}":%r' for name in METRICS)
    line = f'{{"v":1,"t":%.3f,"kind":"step","step":%d,"epoch":%d,{names}}}'
    epoch_line = '{"v":1,"t":%.3f,"kind":"epoch","step":%d,"epoch":%d,"val/loss":%r,"lr":0.001}'
    with path.open("w") as file:
        for start in range(0, steps, PART):
            lines = []
            for n, row in enumerate(values[start : start + PART].tolist(), start + 1):
                time_s, epoch = CREATED + n / 10, (n - 1) // STEPS_PER_EPOCH
                lines.append(line % (time_s, n, epoch, *row))
                if n % STEPS_PER_EPOCH == 0:
                    lines.append(epoch_line % (time_s, n, epoch, row[0]))
            file.write("\n".join(lines) + "\n")


def report(name: str, value: float, bar: float) -> None:
    """Print a figure beside its bar."""
    print(json.dumps({"name": name, "value": round(value, 3), "bar": bar, "passed": value <= bar}), flush=True)


class Listener:
    """Notes for how long the event loop did not turn, and how much of that was its own work."""

    def __init__(self) -> None:
        self.deaf_s: list[float] = []
        self.busy_s: list[float] = []

    async def listen(self) -> None:
        """Tick for ever."""
        while True:
            before, busy = time.perf_counter(), time.thread_time()
            await asyncio.sleep(TICK_S)
            self.deaf_s.append(time.perf_counter() - before - TICK_S)
            self.busy_s.append(time.thread_time() - busy)


async def until(pilot: Pilot[None], holds: object, what: str) -> None:
    """Wait for something; a minute is too long."""
    assert callable(holds)
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end, what
        await asyncio.sleep(TICK_S)


def is_drawn(app: BkdApp, steps: int) -> bool:
    """Whether the loss curve is on the screen up to the last step."""
    if not isinstance(app.screen, RunScreen) or app.screen.history.step < steps:
        return False
    chart = app.screen.query_one("#loss", ChartView)
    plot = chart.plot
    if plot is None:
        return False
    row = "".join(chart.line(y).text[plot.column_of(steps) - 1] for y in range(chart.size.height))
    return any("⠀" < c <= "⣿" for c in row)


async def measure(root: Path, steps: int) -> None:
    """Open the run and print the figures."""
    save = SaveRoot(root)
    folder = save.teacher("aaaa0001", epochs=steps // STEPS_PER_EPOCH)
    write_events(folder.events, steps)
    print(json.dumps({"name": "event file, MB", "value": round(folder.events.stat().st_size / 1e6)}), flush=True)
    app, listener = BkdApp(save.path), Listener()
    async with app.run_test(size=(180, 50)) as pilot:
        await pilot.pause()
        before = psutil.Process().memory_info().rss
        began = time.perf_counter()
        app.simulate_key("enter")
        await until(pilot, lambda: is_drawn(app, steps), "the first picture")
        report("key to the first whole picture, s", time.perf_counter() - began, OPEN_BAR_S)
        assert isinstance(app.screen, RunScreen)
        history = app.screen.history
        listening = asyncio.create_task(listener.listen())
        await until(pilot, lambda: not history.is_sampled and len(history.curves["step", METRICS[0]]) == steps, "all")
        report("key to the exact curves, s", time.perf_counter() - began, 30.0)
        await pilot.pause(0.5)
        listening.cancel()
        report("longest time without an answer, s", max(listener.deaf_s), DEAF_BAR_S)
        report("of its own work, s", max(listener.busy_s), DEAF_BAR_S)
        report("99 % of turns answer within, s", float(np.percentile(listener.deaf_s, 99)), DEAF_BAR_S)
        report("memory of the curves, MB", (psutil.Process().memory_info().rss - before) / 1e6, MEMORY_BAR_MB)
        report("peak of the process, MB", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3, 2 * MEMORY_BAR_MB)
        expected = values_of(steps).astype(np.float64)
        for index, name in enumerate(METRICS):
            assert np.array_equal(history.curves["step", name].y, expected[:, index]), name
        assert len(history.curves["epoch", "val/loss"]) == steps // STEPS_PER_EPOCH


def main() -> None:
    """Write, measure, print."""
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(Path(folder) / "save", int((sys.argv[1:] or [STEPS])[0])))


if __name__ == "__main__":
    main()
