"""How a run stands: status and name, then progress, latest figures, speed and time in one line."""

from __future__ import annotations

import time

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical

from bkd.paths import SYNTHETIC
from bkd.runfile import UNFINISHED
from bkd.text import ago, bar, clean, duration
from tui.history import History
from tui.messages import Row
from tui.plots import has_kl_term, is_trained
from tui.run_columns import is_sweep
from tui.widgets.line import Line
from tui.widgets.status import status_text, status_tone

AGE_EVERY_S = 0.9
WIDE_BAR, NARROW_BAR = 20, 7  # cells


class RunState(Vertical):
    """The two lines over a run's curves, and its message if it has one; each part is repainted only if it changed."""

    def __init__(self, run: Row) -> None:
        super().__init__()
        self._run = run
        self._aged_at = 0.0

    def compose(self) -> ComposeResult:
        """Lay out the lines."""
        with Horizontal(id="run-head"):
            yield Line(id="run-title")
            yield Line(id="age")
        with Horizontal(id="run-state"):
            for part in ("progress", "latest", "speed", "eta"):
                yield Line(id=part)
        yield Line(id="run-message")

    @property
    def is_going_on(self) -> bool:
        """Whether the run has a process that may write."""
        return self._run.get("status") in UNFINISHED

    def show_run(self, run: Row) -> None:
        """Show status, name and message."""
        self._run = run
        tone = self.app.theme_variables.get(f"state-{status_tone(run.get('status'))}")
        title = Text(no_wrap=True, overflow="ellipsis")
        title.append(status_text(run.get("status")), _rich_colour(tone))
        title.append(f"   {clean(str(run.get('name')))}", "bold")
        title.append(f"   {clean(role_text(run))} on {run.get('dataset')}", "dim")
        self.query_one("#run-title", Line).say(title)
        message = self.query_one("#run-message", Line)
        text = "" if run.get("message") is None else clean(str(run["message"]))
        message.set_class(bool(text), "-shown")
        message.say(text, resizes=True)

    def show_figures(self, history: History) -> None:
        """Show the latest figures."""
        run = self._run
        self._say("progress", self._progress(history))
        self._say("latest", latest_text(run, history))
        speed = history.images_per_s if self.is_going_on else None
        self._say("speed", "" if speed is None else f"{speed:,.0f} img/s")
        if self.is_going_on and is_trained(run) and not is_sweep(run):
            self._say("eta", f"ETA {duration(_coarse(history.eta_s(int(run.get('epochs') or 0))))}")
        else:
            self._say("eta", took(run) if is_trained(run) else "")
        self.tick(history)

    def tick(self, history: History) -> None:
        """Say how old the last record is, while there may be another."""
        age = "" if history.time_s is None or not self.is_going_on else ago(time.time() - history.time_s)
        if time.monotonic() - self._aged_at >= AGE_EVERY_S or not self.is_going_on:
            self._aged_at = time.monotonic()
            self._say("age", age)

    def _progress(self, history: History) -> str:
        """Return the epochs or students done, with a bar; of a teacher made in one pass how long that took."""
        run = self._run
        if not is_trained(run):
            return "in one pass" if self.is_going_on else took(run)
        everything, done = int(run.get("epochs") or 0), int(run.get("epoch") or 0)
        share = done / everything if everything else 0.0
        if self.is_going_on and not is_sweep(run):
            done, share = max(done, history.epoch), history.share(everything)
        cells = WIDE_BAR if self.screen.has_class("-wide") else NARROW_BAR
        what = f"{done}/{everything} done" if is_sweep(run) else f"epoch {done}/{everything}"
        return f"{what} {bar(share, cells)} {share:4.0%}"

    def _say(self, part: str, text: str) -> None:
        self.query_one(f"#{part}", Line).say(text)


def role_text(run: Row) -> str:
    """Return what a run is: "Bayesian teacher", "MCMI teacher made from 8d19265d", "fewshot sweep of 8d19265d"."""
    kind, source = run.get("kind"), run.get("teacher")
    if run.get("role") == "student":
        return f"{kind} student of {source}"
    if run.get("role") == "experiment":
        return f"{kind} sweep of {source}" if is_sweep(run) else f"{kind} experiment"
    members = len(run.get("members") or ())
    origin = f" made from {source}" if source else f" of {members} members" if members else ""
    return f"{kind} teacher{origin}"


def latest_text(run: Row, history: History) -> str:
    """Return the last step and its loss; where that holds a KL term, the NLL, which can be compared."""
    if is_sweep(run) or not is_trained(run):
        return ""
    if not history.step:
        return "no steps yet"
    name, key = ("NLL", "train/ce") if has_kl_term(run) else ("loss", "train/loss")
    value = history.last.get(key)
    figure = f"  {name} {value:.4f}" if isinstance(value, int | float) and run.get("kind") != SYNTHETIC else ""
    return f"step {history.step:,}{figure}"


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
