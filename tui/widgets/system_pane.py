"""What a run takes of its machine, now and over time, and what it ran on."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import nullcontext
from typing import ClassVar

from textual import events, on, work
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.message import Message
from textual.worker import get_current_worker

from bkd.chart_time import TIME
from bkd.events import EventTail
from bkd.paths import RunFolder
from bkd.runfile import UNFINISHED
from bkd.system import Sample
from bkd.text import ago
from tui.held_screen import held
from tui.history import History
from tui.messages import Row
from tui.run_columns import when
from tui.system_figures import Panel, SystemHistory, environment_lines, in_columns
from tui.widgets.chart_group import ChartGroup
from tui.widgets.chart_view import ChartView
from tui.widgets.key_bar import Key
from tui.widgets.line import Line
from tui.widgets.pane import Pane

LOOK_EVERY_S = 1.0
MARGIN_CELLS = 3  # beside the text: blanks and the scroll bar
CANCELLED_S = 0.1


class SystemCharts(ChartGroup):
    """Charts over time; those of GPUs come with the first sample that has one."""

    def has_all(self, history: SystemHistory) -> bool:
        """Whether there is a chart for all that was sampled."""
        return [chart.id for chart in self.query(ChartView)] == [panel.id for panel in history.panels]

    async def show(self, history: SystemHistory) -> None:
        """Draw what there is."""
        panels = history.panels
        if not self.has_all(history):
            await self.remove_children()
            await self.mount_all(_chart(panel) for panel in panels)
            self.query(ChartView).last().set_class(len(panels) % 2 == 1, "-double")
        for panel in panels:
            self.query_one(f"#{panel.id}", ChartView).set_series(history.series(panel))


class SystemPane(Pane):
    """The latest figures, how old they are, charts, and the environment; all of it scrolls."""

    MAIN = "ChartView, #system-scroll"
    KEYS: ClassVar[Sequence[Key]] = (
        Key("[ ]", "chart", "next_chart(1)"), Key("c", "crosshair", "chart('crosshair')"),
        Key("m", "smooth", "chart('smooth')"), Key("e", "export", "chart(\"export('svg')\")"),
    )  # fmt: skip

    class SamplesRead(Message, bubble=False):
        """Samples were read; `is_rewound` tells that those of before no longer hold."""

        def __init__(self, samples: Sequence[Sample], is_rewound: bool) -> None:
            super().__init__()
            self.samples, self.is_rewound = samples, is_rewound

    def __init__(self, folder: RunFolder) -> None:
        super().__init__(id="system")
        self._tail = EventTail(folder.system)
        self._history = SystemHistory()
        self._run: Row = {}
        self._event_at: float | None = None

    def compose(self) -> ComposeResult:
        """Lay out figures, ages, charts and environment."""
        with VerticalScroll(id="system-scroll"):
            yield Line(id="system-figures")
            yield Line(id="system-age")
            yield SystemCharts(id="system-charts")
            yield Line(id="system-environment")

    def wake(self, run: Row, history: History) -> None:
        """Read the samples, and follow them."""
        self.show_run(run)
        self.tick(history)
        self.follow_samples()

    def sleep(self) -> None:
        """Read nothing any more."""
        self.workers.cancel_group(self, "system")

    def show_run(self, run: Row) -> None:
        """Show what the run ran on."""
        self._run = run
        pairs = list(environment_lines(run))
        lines = in_columns(pairs, self.app.size.width - MARGIN_CELLS)
        text = "\n".join(["Ran on", *lines]) if pairs else "What it runs on is not known yet."
        self.query_one("#system-environment", Line).say(text, resizes=True)
        self._say_figures()

    def on_resize(self, event: events.Resize) -> None:
        """Arrange the environment by the width."""
        self.show_run(self._run)

    def tick(self, history: History) -> None:
        """Say how old the last event and the last sample are."""
        self._event_at = history.time_s
        self._say_ages()

    def _say_ages(self) -> None:
        ages = (("last event", self._event_at), ("last sample", self._history.time_s))
        if self._run.get("status") in UNFINISHED:
            now = time.time()
            parts = [f"{name} {ago(None if t is None else now - t)}" for name, t in ages]
        else:
            parts = [f"{name} {when(t)}" for name, t in ages if t is not None]
        self.query_one("#system-age", Line).say("   ".join(parts))

    @work(thread=True, group="system", exclusive=True)
    def follow_samples(self) -> None:
        """Post new samples; once also that there are none."""
        worker = get_current_worker()
        look_at, is_first = 0.0, True
        while not worker.is_cancelled:
            if time.monotonic() >= look_at:
                look_at = time.monotonic() + LOOK_EVERY_S
                samples = self._tail.read()
                if samples or is_first or self._tail.is_rewound:
                    self.post_message(self.SamplesRead(samples, self._tail.is_rewound))
                is_first = False
            time.sleep(CANCELLED_S)

    @on(SamplesRead)
    async def take_samples(self, event: SamplesRead) -> None:
        """Draw what has come."""
        if event.is_rewound:
            self._history.clear()
        self._history.add(event.samples)
        charts = self.query_one(SystemCharts)
        with nullcontext() if charts.has_all(self._history) else held(self):
            self._say_figures()
            self._say_ages()
            if self._history.last is not None:
                await charts.show(self._history)

    def _say_figures(self) -> None:
        lines = self._history.lines(str((self._run.get("environment") or {}).get("device") or "cpu"))
        if not lines:
            waits = self._run.get("status") in UNFINISHED
            lines = ["The first figures are to come." if waits else "No figures of the machine were recorded."]
        self.query_one(SystemCharts).display = self._history.last is not None
        self.query_one("#system-figures", Line).say("\n".join(lines), resizes=True)


def _chart(panel: Panel) -> ChartView:
    return ChartView(panel.title, unit=panel.unit, x_name=TIME, id=panel.id)
