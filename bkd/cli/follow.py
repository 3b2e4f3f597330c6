"""Follow a run from outside: curves redrawn in place on a terminal, one line an epoch when piped."""

from __future__ import annotations

import math
import shutil
import sys
import time
from dataclasses import dataclass, field
from typing import Any

import click

from bkd import actions
from bkd.cli.common import print_json, warn
from bkd.errors import RunBusy
from bkd.events import EventTail
from bkd.paths import RunFolder
from bkd.runfile import UNFINISHED, Status
from bkd.sound import sound_events
from bkd.store import Store
from bkd.system import describe_sample, latest
from bkd.text import ago, clean, count, duration, fit, number, percent

POLL_S = 0.1
REDRAW_S = 0.5
LOG_LINES = 12  # of a failed run
MENDABLE = 2  # exit code of the user's own mistakes
CHARTS = (
    ("loss", ("train/loss", "val/loss")),
    ("accuracy", ("train/acc", "val/acc", "test/acc")),
    ("gradient noise", ("grad/noise_onehot", "grad/noise_teacher")),
)


@dataclass
class Curves:
    """What was read of a run's events so far."""

    points: dict[str, tuple[list[float], list[float]]] = field(default_factory=dict)
    latest: dict[str, Any] = field(default_factory=dict)
    step: int = 0
    at: float = 0.0
    system: dict[str, Any] | None = None

    def add(self, events: list[dict[str, Any]]) -> None:
        """Take in new records; training figures come from steps, held-out ones from epochs."""
        for event in events:
            self.step, self.at = event.get("step", self.step), event.get("t", self.at)
            for key, value in event.items():
                if "/" not in key or key.startswith("time/"):
                    continue
                if event["kind"] == "epoch" and key.startswith("train/"):
                    continue
                x, y = self.points.setdefault(key, ([], []))
                x.append(event["step"])
                y.append(math.nan if value is None else value)
            self.latest |= event


def follow(store: Store, folder: RunFolder, *, as_json: bool = False, is_owner: bool = False) -> int:
    """Follow a run until it ends and return the exit code: 0 if it is done, 2 if the user can mend it, else 1, or 130.

    Args:
        store: Of the run.
        folder: The run's.
        as_json: Print run.json at the end and nothing before.
        is_owner: Whether this command launched the run: Ctrl-C then stops it, else it only ends the watching.
    """
    run = store.load(folder)
    if is_owner and not as_json:
        warn(f"{run['id']}  {run['name']}  (Ctrl-C stops it with a checkpoint)")
    try:
        _follow(store, folder, _screen(run, as_json))
    except KeyboardInterrupt:
        return _interrupted(store, run, is_owner)
    run = store.load(folder)
    if as_json:
        print_json(run)
    else:
        _last_words(folder, run)
    return 0 if run["status"] == Status.DONE else MENDABLE if _is_mendable(run) else 1


def _is_mendable(run: dict[str, Any]) -> bool:
    """Whether a run failed for something that its message tells how to mend."""
    return run["status"] == Status.FAILED and run.get("exit_code") == MENDABLE


def _screen(run: dict[str, Any], as_json: bool) -> Silent:
    if as_json:
        return Silent()
    if run["role"] == "experiment" and "students" in run:
        return Messages()
    return Redrawn() if sys.stdout.isatty() else Lines()


def _follow(store: Store, folder: RunFolder, screen: Silent) -> None:
    tail, curves, drawn_at = EventTail(folder.events), Curves(), 0.0
    while True:
        run = store.load(folder)
        events = sound_events(tail.read())
        if tail.is_rewound:
            curves = Curves()
        curves.add(events)
        screen.told(run, events)
        is_over = run["status"] not in UNFINISHED and not str(run["status"]).startswith("unknown")
        if is_over or time.monotonic() - drawn_at >= REDRAW_S:
            drawn_at, curves.system = time.monotonic(), latest(folder)
            screen.draw(run, curves)
        if is_over and not tail.read():
            return
        time.sleep(POLL_S)


def _interrupted(store: Store, run: dict[str, Any], is_owner: bool) -> int:
    if not is_owner:
        warn(f"\n{run['id']} goes on without this command.")
        return 130
    warn(f"\nStopping {run['id']} after this step; Ctrl-C again leaves it running.")
    try:
        status = actions.stop_run(store, run["id"])
        warn(f"{run['id']} is {status}. `bkd resume {run['id']}` goes on.")
    except (KeyboardInterrupt, RunBusy) as error:
        warn(str(error) or f"{run['id']} goes on. `bkd watch {run['id']}` follows it.")
    return 130


def _last_words(folder: RunFolder, run: dict[str, Any]) -> None:
    metrics = run.get("metrics") or {}
    figures = [
        f"{name} {form(metrics[key])}"
        for name, key, form in (
            ("test accuracy", "test/acc", percent), ("NLL", "test/nll", number), ("ECE", "test/ece", percent),
            ("noise ratio R", "grad/noise_ratio", number),
        )
        if metrics.get(key) is not None
    ]  # fmt: skip
    if "students" in run:
        figures = [f"{run['epoch'] or 0} of {count(run['epochs'] or 0, 'student')} done"]
    click.echo(f"{run['id']} is {run['status']}" + (f": {', '.join(figures)}." if figures else "."))
    if run["status"] in (Status.FAILED, Status.LOST):
        if run.get("message"):
            warn(clean(str(run["message"])))
        if _is_mendable(run):
            warn(f"Mend that and `bkd resume {run['id']}`, or launch it again with other settings.")
            return
        if run["status"] == Status.LOST:
            warn("Its process is gone without a word: killed, out of memory, or the machine went down.")
        if sample := latest(folder):
            warn(f"When last seen: {describe_sample(sample)}")
        for line in log_tail(folder, LOG_LINES):
            warn(f"  {line}")
        warn(f"`bkd resume {run['id']}` goes on from the last checkpoint.")


def log_tail(folder: RunFolder, lines: int) -> list[str]:
    """Return the last lines of a run's output.log, safe to print."""
    try:
        with folder.log.open("rb") as file:
            file.seek(max(0, folder.log.stat().st_size - 64 * 1024))
            text = file.read().decode(errors="replace")
    except OSError:
        return []
    return [clean(line) for line in text.splitlines()[-lines:]]


class Silent:
    """Shows nothing."""

    def told(self, run: dict[str, Any], events: list[dict[str, Any]]) -> None:
        """Hear of new events."""

    def draw(self, run: dict[str, Any], curves: Curves) -> None:
        """Show the run as it is."""


class Lines(Silent):
    """One line an epoch, for pipes and logs."""

    def told(self, run: dict[str, Any], events: list[dict[str, Any]]) -> None:
        """Print the epochs among the new events."""
        for event in events:
            if event["kind"] == "epoch":
                click.echo(epoch_line(event, run["epochs"]))
            elif event["kind"] == "log":
                click.echo(clean(str(event.get("message", ""))))
        sys.stdout.flush()


class Messages(Silent):
    """What a sweep says of its students."""

    def told(self, run: dict[str, Any], events: list[dict[str, Any]]) -> None:
        """Print the messages among the new events."""
        for event in events:
            if event["kind"] == "log":
                click.echo(clean(str(event.get("message", ""))))
        sys.stdout.flush()


def epoch_line(event: dict[str, Any], epochs: int) -> str:
    """Return an epoch's figures in one line."""
    parts = [f"epoch {event['epoch'] + 1:>{len(str(epochs))}}/{epochs}"]
    forms = {
        "train/loss": ("loss", number), "train/acc": ("acc", percent), "val/loss": ("val loss", number),
        "val/acc": ("val acc", percent), "val/ece": ("val ECE", percent), "test/acc": ("test acc", percent),
        "val/grad/noise_ratio": ("val R", number), "kl/weight": ("KL weight", number), "lr": ("lr", number),
    }  # fmt: skip
    parts += [f"{name} {form(event[key])}" for key, (name, form) in forms.items() if event.get(key) is not None]
    return "  ".join(parts)


class Redrawn(Silent):
    """Curves and a status line, redrawn in place without taking the screen over."""

    def __init__(self) -> None:
        self._height = 0

    def draw(self, run: dict[str, Any], curves: Curves) -> None:
        """Move back over what was drawn last and draw again."""
        size = shutil.get_terminal_size()
        heads = [status_line(run, curves), *([describe_sample(curves.system)] if curves.system else [])]
        charts = self._charts(curves, size.columns - 1, size.lines - 2 - len(heads))
        lines = [*(fit(head, size.columns - 1).rstrip() for head in heads), *charts]
        back = f"\x1b[{self._height}A" if self._height else ""
        sys.stdout.write(back + "".join(f"\r\x1b[2K{line}\n" for line in lines))
        sys.stdout.flush()
        self._height = len(lines)

    def _charts(self, curves: Curves, width: int, room: int) -> list[str]:
        import os

        from bkd.chart import Series, ansi_lines, draw

        shown = [
            (title, [Series(key, *curves.points[key]) for key in keys if curves.points.get(key)])
            for title, keys in CHARTS
        ]
        shown = [(title, series) for title, series in shown if series]
        height = max(4, min(8, room // max(1, len(shown)) - 1))
        lines = []
        for title, series in shown[: max(1, room // 5)]:
            lines.append(f"{title}: {', '.join(_named(s.name, curves) for s in series)}")
            lines += ansi_lines(draw(series, width=width, height=height), "NO_COLOR" not in os.environ)
        return lines


def _named(key: str, curves: Curves) -> str:
    value = next((v for v in reversed(curves.points[key][1]) if math.isfinite(v)), None)
    return f"{key} {number(value)}"


def status_line(run: dict[str, Any], curves: Curves) -> str:
    """Return how a run stands: status, epoch, speed, time left, age of the last event."""
    parts = [run["id"], str(run["status"]), f"epoch {min(run['epoch'] + 1, run['epochs'])}/{run['epochs']}"]
    if speed := curves.latest.get("time/images_per_s"):
        parts.append(f"{number(speed)} images/s")
    if left := time_left_s(run, curves.latest, curves.step):
        parts.append(f"{duration(left)} left")
    if curves.at and run["status"] in UNFINISHED:
        parts.append(ago(max(0.0, time.time() - curves.at)))
    return "  ".join(parts)


def time_left_s(run: dict[str, Any], latest: dict[str, Any], step: int) -> float | None:
    """Return the seconds that a running run still needs, by the time of its latest step."""
    images, size = run.get("split", {}).get("train"), run["spec"].get("batch_size")
    step_s = latest.get("time/step_s")
    if run["status"] != Status.RUNNING or not (images and size and step_s):
        return None
    total = max(1, images // min(size, images)) * run["epochs"]
    return float((total - step) * step_s)
