"""One run, live: how it stands, its curves, its output."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np
from rich.text import Text
from textual import events, on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Horizontal
from textual.worker import Worker, get_current_worker

from bkd.chart import Series
from bkd.errors import StorageError
from bkd.events import EventTail
from bkd.runfile import UNFINISHED
from bkd.store import Store
from bkd.text import ago, clean, duration
from tui.budget import PaintBudget
from tui.history import History
from tui.messages import EventsRead, LogRead, Row, RunRead, TaskDone
from tui.run_actions import RunActions
from tui.widgets.chart_view import ChartView
from tui.widgets.key_bar import Key, KeyBar
from tui.widgets.line import Line
from tui.widgets.log_tail import LogTail
from tui.widgets.status import status_text, status_tone

POLL_S = 0.1  # of the event file while the run goes on
SETTLED_POLL_S = 1.0  # of everything else, and of a run that has ended
STATE_EVERY_S = 0.2
CHART_EVERY_S = 0.5
CELLS_PER_S = 280.0  # of all charts; a cell costs five to nine bytes
CHUNK_BYTES = 1 << 20  # of events a message
LOG_BYTES = 1 << 16
GRID_COLUMNS, GRID_ROWS = 120, 36  # a terminal with fewer shows one chart at a time
KEYS = (
    Key("[ ]", "chart", "next_chart(1)"), Key("z", "one/all", "toggle_single"), Key("o", "output", "toggle_log"),
    Key("x", "stop", "stop_run"), Key("r", "resume", "resume_run"), Key("c", "crosshair", "chart('crosshair')"),
    Key("l", "log axis", "chart('log')"), Key("m", "smooth", "chart('smooth')"), Key("D", "delete", "delete_run"),
    Key("?", "help", "app.show_help"), Key("esc", "back", "back"),
)  # fmt: skip


class Plot(NamedTuple):
    """A chart: its title, and names and metrics of its series."""

    id: str
    title: str
    series: tuple[tuple[str, str], ...]


LOSS = Plot("loss", "Loss", (("train", "train/loss"), ("val", "val/loss")))
NLL = Plot("loss", "NLL", (("train", "train/ce"), ("val", "val/nll")))  # the loss of a Bayesian teacher dwarfs it by KL
ACCURACY = Plot("accuracy", "Accuracy", (("train", "train/acc"), ("val", "val/acc")))
PAPER_ACCURACY = Plot("accuracy", "Accuracy", (("train", "train/acc"), ("test", "test/acc")))
NOISE = Plot("noise", "Gradient noise", (("one-hot", "grad/noise_onehot"), ("teacher", "grad/noise_teacher")))
RATIO = Plot("ratio", "Noise ratio R and bias", (("ratio", "grad/noise_ratio"), ("bias", "grad/bias")))
TEACHER_NOISE = Plot("noise", "Gradient noise", (("one-hot", "grad/noise_onehot"), ("loss in use", "grad/noise")))
NORM = Plot("ratio", "Gradient norm", (("norm", "grad/norm"),))


def plots_of(run: Row) -> tuple[Plot, ...]:
    """Return the charts that a run has something for."""
    accuracy = PAPER_ACCURACY if (run.get("spec") or {}).get("protocol") == "paper" else ACCURACY
    if run.get("role") == "student":
        return LOSS, accuracy, NOISE, RATIO
    loss = NLL if run.get("kind") == "Bayesian" else LOSS
    return loss, accuracy, TEACHER_NOISE, NORM


class RunScreen(RunActions):
    """Follows one run's files."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Back"),
        Binding("right_square_bracket", "next_chart(1)", "Next chart", show=False),
        Binding("left_square_bracket", "next_chart(-1)", "Previous chart", show=False),
        *(Binding(str(n), f"show_chart({n - 1})", f"Chart {n}", show=False) for n in (1, 2, 3, 4)),
        Binding("z", "toggle_single", "One chart or all"),
        Binding("o", "toggle_log", "Output"),
        Binding("x", "stop_run", "Stop"),
        Binding("r", "resume_run", "Resume"),
        Binding("t", "edit_tags", "Tags"),
        Binding("D", "delete_run", "Delete"),
        Binding("q", "app.quit", "Quit"),
    ]
    COMMAND_LIST: ClassVar = (
        ("Stop run", "Stop this run after its step", "stop_run"),
        ("Resume run", "Resume this run from its last checkpoint", "resume_run"),
        ("Delete run", "Delete this run", "delete_run"),
        ("Edit tags", "Edit this run's tags", "edit_tags"),
        ("Output", "Show or hide what the run printed", "toggle_log"),
        ("One chart or all", "Change between one chart and all of them", "toggle_single"),
        ("Back", "Back to the tables", "back"),
    )
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (GRID_COLUMNS, "-wide")]  # noqa: RUF012  declared by Screen
    AUTO_FOCUS = "ChartView"

    def __init__(self, store: Store, row: Row) -> None:
        super().__init__()
        self.store = store
        self.run: Row = row
        self.folder = store.folder(str(row["path"]))
        self.history = History()
        self.plots = self._plots()
        self._current = 0
        self._stale: set[int] = set()  # charts that lag behind the history
        self._state_at = self._aged_at = 0.0
        self._is_state_due = False
        self._budget = PaintBudget(CELLS_PER_S, CELLS_PER_S)
        self._last_drawn = 0  # of the charts that are not the current one

    def compose(self) -> ComposeResult:
        """Lay out state, charts, output and keys."""
        with Horizontal(id="run-head"):
            yield Line(id="run-title")
            yield Line(id="age")
        with Horizontal(id="run-state"):
            for part in ("progress", "latest", "speed", "eta"):
                yield Line(id=part)
        yield Line(id="run-message")
        with Container(id="charts"):
            for plot in self.plots:
                yield ChartView(plot.title, id=plot.id)
        yield LogTail(id="log")
        yield KeyBar(KEYS, id="keys")

    def on_mount(self) -> None:
        """Show what is known, then follow the files."""
        self._tail = EventTail(self.folder.events)
        self.history.add(self._tail.read(limit_bytes=CHUNK_BYTES))
        self._stale = set(range(len(self.plots)))
        self._show_run()
        self._arrange(self.app.size.width, self.app.size.height)
        self._draw_due(everything=True)
        self.set_interval(CHART_EVERY_S, self._draw_due)
        self.set_interval(1.0, self._tick)
        self.follow()

    def _plots(self) -> tuple[Plot, ...]:
        with suppress(StorageError):  # then the row it was opened with has to do
            self.run = self.store.load(self.folder)
        return plots_of(self.run)

    # ---- following the files

    @work(thread=True, group="follow", exclusive=True)
    def follow(self) -> None:
        """Post new events, the output's new end and changes of run.json."""
        worker, tail = get_current_worker(), self._tail
        run, log_mark, settled_at = self.run, (-1, -1), 0.0
        while not worker.is_cancelled:
            now = time.monotonic()
            is_due = now - settled_at >= SETTLED_POLL_S
            if is_due or run.get("status") in UNFINISHED:
                is_due |= self._read_events(worker, tail)
            if is_due:
                settled_at = now
                run = self._read_state(run)
                log_mark = self._read_log(log_mark)
            time.sleep(POLL_S)

    def _read_events(self, worker: Worker[None], tail: EventTail) -> bool:
        """Post all new records, part by part; return whether one of them tells of another state."""
        tells = False
        while not worker.is_cancelled:
            records = tail.read(limit_bytes=CHUNK_BYTES)
            if not records and not tail.is_rewound:
                break
            tells |= any(record.get("kind") == "state" for record in records)
            self.post_message(EventsRead(records, tail.is_rewound))
        return tells

    def _read_state(self, before: Row) -> Row:
        try:
            run = self.store.load(self.folder)
        except StorageError as error:
            run = {**before, "status": "lost", "message": str(error)}
        if run != before:
            self.post_message(RunRead(run))
        return run

    def _read_log(self, before: tuple[int, int]) -> tuple[int, int]:
        try:
            stat = self.folder.log.stat()
            mark = (stat.st_mtime_ns, stat.st_size)
            if mark != before:
                self.post_message(LogRead(log_lines(self.folder.log, stat.st_size)))
        except OSError:
            return before
        return mark

    @on(EventsRead)
    def take_events(self, event: EventsRead) -> None:
        """Let the curves grow; the state follows at once, the charts in their own time."""
        is_first = not self.history.curves
        if event.is_rewound:
            self.history.clear()
        self.history.add(event.records)
        self._stale = set(range(len(self.plots)))
        if is_first:
            self._draw_due(everything=True)
        if not self._is_state_due:
            self._is_state_due = True
            wait = self._state_at + STATE_EVERY_S - time.monotonic()
            self.set_timer(wait, self._show_state) if wait > 0 else self._show_state()

    @on(RunRead)
    def take_run(self, event: RunRead) -> None:
        """Show how the run stands now."""
        if not self.folder.run.exists():
            self.notify("The run was deleted.")
            self.action_back()
            return
        self.run = event.run
        self._show_run()

    @on(LogRead)
    def take_log(self, event: LogRead) -> None:
        """Show the output's end."""
        self.query_one(LogTail).set_lines(event.lines)

    @on(TaskDone)
    def look_again(self) -> None:
        """The app reports it; the follower sees what changed."""

    # ---- showing

    @property
    def is_going_on(self) -> bool:
        """Whether the run has a process that may write."""
        return self.run.get("status") in UNFINISHED

    def _show_run(self) -> None:
        run = self.run
        role = "teacher" if run.get("role") == "teacher" else f"student of {run.get('teacher')}"
        tone = self.app.theme_variables.get(f"state-{status_tone(run.get('status'))}")
        title = Text(no_wrap=True, overflow="ellipsis")
        title.append(status_text(run.get("status")), _rich_colour(tone))
        title.append(f"   {clean(str(run.get('name')))}", "bold")
        title.append(f"   {clean(str(run.get('kind')))} {clean(role)} on {run.get('dataset')}", "dim")
        self.query_one("#run-title", Line).say(title)
        message = self.query_one("#run-message", Line)
        text = "" if run.get("message") is None else clean(str(run["message"]))
        message.set_class(bool(text), "-shown")
        message.say(text, resizes=True)
        self._show_state()

    def _show_state(self) -> None:
        """Say the latest figures; each part is repainted only if it changed."""
        self._state_at, self._is_state_due = time.monotonic(), False
        history, run = self.history, self.run
        epochs, done = int(run.get("epochs") or 0), int(run.get("epoch") or 0)
        if self.is_going_on:
            done = max(done, history.epoch)
        share = history.share(epochs) if self.is_going_on else (done / epochs if epochs else 0.0)
        self._say("progress", f"epoch {done}/{epochs} {bar(share, 20 if self.has_class('-wide') else 7)} {share:4.0%}")
        loss = "" if history.loss is None else f"  loss {history.loss:.4f}"
        self._say("latest", f"step {history.step:,}{loss}" if history.step else "no steps yet")
        speed = history.images_per_s if self.is_going_on else None
        self._say("speed", "" if speed is None else f"{speed:,.0f} img/s")
        if self.is_going_on:
            self._say("eta", f"ETA {duration(_coarse(history.eta_s(epochs, self._steps_per_epoch())))}")
        else:
            self._say("eta", took(run))
        self._tick()

    def _tick(self) -> None:
        """Say how old the last record is, while there may be another."""
        age = "" if self.history.time_s is None or not self.is_going_on else ago(time.time() - self.history.time_s)
        if time.monotonic() - self._aged_at >= 0.9 or not self.is_going_on:
            self._aged_at = time.monotonic()
            self._say("age", age)

    def _say(self, part: str, text: str) -> None:
        self.query_one(f"#{part}", Line).say(text)

    def _steps_per_epoch(self) -> float | None:
        train, batch = (self.run.get("split") or {}).get("train"), (self.run.get("spec") or {}).get("batch_size")
        return train // batch if train and batch else None

    # ---- charts

    def _draw_due(self, everything: bool = False) -> None:
        """Bring the current chart up to date, and one of the others in turn, as far as the link allows."""
        if not self._stale or not (everything or self._budget.has_room):
            return
        others = sorted(self._stale - {self._current}, key=lambda i: (i - self._last_drawn) % len(self.plots) or 9)
        due = sorted(self._stale) if everything else [*({self._current} & self._stale), *others[:1]]
        for index in due:
            self._stale.discard(index)
            if index != self._current:
                self._last_drawn = index
            plot = self.plots[index]
            series = [
                self.history.series(*names) or Series(names[0], np.empty(0), np.empty(0)) for names in plot.series
            ]
            chart = self.query_one(f"#{plot.id}", ChartView)
            before = chart.painted_cells
            chart.set_series(series)
            self._budget.spend(chart.painted_cells - before)

    def on_resize(self, event: events.Resize) -> None:
        """Show as many charts as there is room for."""
        self._arrange(event.size.width, event.size.height)

    def _arrange(self, width: int, height: int) -> None:
        is_big = width >= GRID_COLUMNS and height >= GRID_ROWS
        self.query_one("#charts").set_class(not is_big, "-single")
        self.set_class(is_big, "-log")
        self._mark_current()
        self.call_after_refresh(self._show_state)

    def _mark_current(self) -> None:
        for index, plot in enumerate(self.plots):
            self.query_one(f"#{plot.id}", ChartView).set_class(index == self._current, "-current")

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """Take the chart that has the focus for the current one."""
        ids = [plot.id for plot in self.plots]
        if event.widget.id in ids:
            self._current = ids.index(event.widget.id)
            self._mark_current()

    def action_next_chart(self, steps: int) -> None:
        """Go to another chart."""
        self.action_show_chart((self._current + steps) % len(self.plots))

    def action_show_chart(self, index: int) -> None:
        """Go to a chart by its place."""
        self._current = index
        self._mark_current()
        chart = self.query_one(f"#{self.plots[index].id}", ChartView)
        self.call_after_refresh(chart.focus)

    def action_chart(self, action: str) -> None:
        """Do something with the current chart."""
        getattr(self.query_one(f"#{self.plots[self._current].id}", ChartView), f"action_{action}")()

    def action_toggle_single(self) -> None:
        """Show one chart, or all of them."""
        self.query_one("#charts").toggle_class("-single")

    def action_toggle_log(self) -> None:
        """Show or hide the output."""
        self.toggle_class("-log")

    def action_back(self) -> None:
        """Go back to the tables."""
        self.dismiss()

    def target(self) -> Row | None:
        """Return the run."""
        return self.run


def log_lines(path: Path, size: int) -> Sequence[str]:
    """Return the last lines of a log as harmless text."""
    with path.open("rb") as file:
        file.seek(max(0, size - LOG_BYTES))
        lines = file.read(LOG_BYTES).decode("utf-8", "replace").splitlines()
    return [clean(line).rstrip() for line in lines[1 if size > LOG_BYTES else 0 :]]


def bar(share: float, cells: int) -> str:
    """Return a progress bar of a width."""
    full = round(max(0.0, min(1.0, share)) * cells)
    return "━" * full + "─" * (cells - full)


def took(run: Row) -> str:
    """Return how long a run that has ended took."""
    if run.get("started") and run.get("ended"):
        return f"took {duration(run['ended'] - run['started'])}"
    return ""


def _coarse(seconds: float | None) -> float | None:
    """Round a forecast, which would change with every step: to 5 s under ten minutes, then to a minute."""
    if seconds is None:
        return None
    unit = 5 if seconds < 600 else 60
    return float(round(seconds / unit) * unit) if seconds >= unit else seconds


def _rich_colour(colour: str | None) -> str:
    """Return a theme's colour as Rich writes it; "" for the terminal's own."""
    if not colour or colour == "ansi_default":
        return ""
    return colour.removeprefix("ansi_")
