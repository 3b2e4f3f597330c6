"""How a run that goes on stands now: progress, figures, pace, what it takes of its machine."""

from __future__ import annotations

import math
import time

from textual.app import ComposeResult
from textual.containers import Vertical

from bkd.system import Sample, gpus, size_text
from bkd.text import age_text, bar, count, duration, forecast, number, percent
from tui.live import Live
from tui.messages import Row
from tui.run_columns import is_sweep
from tui.widgets.line import Line
from tui.widgets.status import is_going_on
from tui.widgets.visibility import is_in_view

BAR_CELLS = 18
CALM_EVERY_S = 1.0
"""How often what need not be up to the step is said anew: each line costs a slow link some hundred bytes."""
SILENT_S, SILENT_STEPS = 30.0, 10.0
"""A run is silent when nothing came for so long and for so many steps' time."""
PARTS = ("progress", "figures", "pace", "age", "machine")


class NowBlock(Vertical):
    """A few lines, each repainted only when it reads differently; of a run that has ended there are none."""

    def __init__(self) -> None:
        super().__init__()
        self.display = False
        self._row: Row = {}
        self._live = Live()
        self._system: Sample | None = None
        self._calm_at = 0.0

    def compose(self) -> ComposeResult:
        """Lay out the lines."""
        for part in PARTS:
            yield Line(id=f"now-{part}")

    def on_mount(self) -> None:
        """Keep the age of the last event up to date."""
        self.set_interval(CALM_EVERY_S, self.tick)

    def show(self, row: Row, live: Live | None, system: Sample | None = None) -> None:
        """Show a run's figures.

        Args:
            row: The run's row or its run.json.
            live: What its events say; None where it has none.
            system: Its last sample of the machine.
        """
        is_other = row.get("id") != self._row.get("id") or not self.display
        self._row, self._live, self._system = row, live or Live(), system
        self.display = is_going_on(row.get("status"))
        if self.display:
            self._say("figures", figures_text(self._live))
            if is_other or time.monotonic() - self._calm_at >= CALM_EVERY_S:
                self._say_rest()

    def know(self, row: Row) -> None:
        """Take note of how a run stands by its run.json; another run is shown once its figures come."""
        if not is_going_on(row.get("status")):
            self.display = False
        elif row.get("id") == self._row.get("id"):
            self._row = row

    def tick(self) -> None:
        """Say how old the last event is."""
        if self.display and is_in_view(self):
            self._say_rest()

    def _say_rest(self) -> None:
        self._calm_at = time.monotonic()
        self._say("progress", progress_text(self._row, self._live))
        self._say("pace", pace_text(self._live))
        self._say("age", age_of(self._row, self._live, time.time()))
        self._say("machine", "" if self._system is None else machine_text(self._system))

    def _say(self, part: str, text: str) -> None:
        line = self.query_one(f"#now-{part}", Line)
        line.say(text)
        line.display = bool(text)


def progress_text(row: Row, live: Live) -> str:
    """Return how much of a run is done: "epoch 12/200 ━━━━──── 6%"."""
    everything, done = row.get("epochs"), int(row.get("epoch") or 0)
    if is_sweep(row):
        share = done / everything if everything else 0.0
        return f"{done}/{everything or '?'} done {bar(share, BAR_CELLS)} {share:4.0%}"
    if not everything:
        return "made in one pass, without training"
    share = live.share if live.share is not None else done / everything
    return f"epoch {max(done, live.epoch)}/{everything} {bar(share, BAR_CELLS)} {share:4.0%}"


def figures_text(live: Live) -> str:
    """Return the last step and what it came to."""
    if live.step is None:
        return ""
    parts = [f"step {live.step:,}"]
    if live.loss is not None:
        parts.append(f"{live.loss_name} {number(live.loss)}")
    if live.acc is not None:
        parts.append(f"acc {percent(live.acc, 1)}")
    return "  ".join(parts)


def pace_text(live: Live) -> str:
    """Return how long the rest takes, and the speed to two digits: more would never stand still."""
    if live.step is None:
        return ""
    parts = [f"ETA {forecast(live.eta_s)}"]
    if live.images_per_s:
        parts.append(f"{two_digits(live.images_per_s):,.0f} images/s")
    return "  ".join(parts)


def age_of(row: Row, live: Live, now: float) -> str:
    """Return how old a run's last event is; of a run that is silent also how long its steps usually take."""
    if is_sweep(row) or not row.get("epochs"):
        return ""
    if live.time_s is None:
        return "no event yet"
    age = max(0.0, now - live.time_s)
    if age < max(SILENT_S, SILENT_STEPS * (live.step_s or 0.0)):
        text = age_text(age)
        return f"last event {text if text == 'now' else text + ' ago'}"
    usual = "" if live.step_s is None else f"; a step took {duration(live.step_s)}"
    return f"silent for {age_text(age)}{usual}"


def machine_text(sample: Sample) -> str:
    """Return what a run takes of its machine, in one short line."""
    parts = []
    for key, text in (("cpu_percent", "CPU {:.0f}%"), ("rss_mib", "{}")):
        value = sample.get(key)
        if isinstance(value, int | float):
            parts.append(text.format(value if key == "cpu_percent" else size_text(value)))
    for gpu in gpus(sample):
        busy, memory = gpu.get("util_percent"), gpu.get("mem_mib")
        text = f"GPU {gpu['index']}"
        text += f" {busy:.0f}%" if isinstance(busy, int | float) else ""
        text += f" {size_text(memory)}" if isinstance(memory, int | float) else ""
        parts.append(text)
    shared = sample.get("process_runs")
    if isinstance(shared, int) and shared > 1:
        parts.append(f"for {count(shared, 'run')}")
    return "  ".join(parts)


def two_digits(value: float) -> float:
    """Round to two significant digits."""
    unit = 10.0 ** (math.floor(math.log10(abs(value))) - 1) if value and math.isfinite(value) else 1.0
    return round(value / unit) * unit
