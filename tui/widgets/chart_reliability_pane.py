"""How well a run's confidence fits: a diagram and figures for each split, the teacher's behind the student's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical

from bkd.chart_reliability_results import Evaluated, Split, splits_of
from bkd.runfile import UNFINISHED
from bkd.text import Column, clean, count, format_table, number, percent
from tui.messages import Row
from tui.widgets.chart_reliability import ReliabilityView
from tui.widgets.line import Line

COLUMNS_FOR_TWO = 100
FIGURES: tuple[tuple[str, str, Callable[[float], str]], ...] = (
    ("acc", "accuracy", percent),
    ("nll", "NLL", number),
    ("ece", "ECE", percent),
    ("brier", "Brier", number),
)


class SplitView(Vertical):
    """One split: the figures as a table, and the diagram."""

    def compose(self) -> ComposeResult:
        """Lay out figures and diagram."""
        yield Line(classes="reliability-figures")
        yield ReliabilityView()

    def show(self, split: Split, at: str) -> None:
        """Show a split.

        Args:
            split: What was measured there.
            at: Which of several it is, "1/2"; empty where all are in view.
        """
        self.query_one(Line).say("\n".join(_figure_lines(split)), resizes=True)
        view = self.query_one(ReliabilityView)
        view.split = clean(f"{split.name} {at}".rstrip())
        view.tables = [one.table for one in split.evaluations]


class ReliabilityPane(Container):
    """The splits of a run side by side, or one after the other where there is no room for two."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("v", "next_split(1)", "Next split")]
    DEFAULT_CSS = """
    ReliabilityPane {
        layout: horizontal; height: 1fr; padding: 0 1;
        & > #reliability-text { display: none; height: auto; padding: 1 0; color: $muted; }
        &.-empty > #reliability-text { display: block; }
        & > SplitView { display: none; width: 1fr; height: 100%; }
        & > SplitView.-shown { display: block; }
        & > SplitView.-second { margin-left: 2; }
        .reliability-figures { height: auto; color: $muted; margin-bottom: 1; }
        ReliabilityView { height: 1fr; }
    }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._splits: tuple[Split, ...] = ()
        self._first = 0
        self._shown: object = None

    def compose(self) -> ComposeResult:
        """Lay out the text for a run without results, and room for two splits."""
        yield Line(id="reliability-text")
        yield SplitView()
        yield SplitView(classes="-second")

    def on_resize(self, event: events.Resize) -> None:
        """Show as many splits as there is room for."""
        self._arrange()

    def action_next_split(self, steps: int) -> None:
        """Show the next split where not all are in view."""
        self.show_next(steps)

    def show_run(self, run: Row, teacher: Row | None) -> None:
        """Show what a run's results say of its calibration.

        Args:
            run: run.json.
            teacher: run.json of the teacher that it came from; None without one.
        """
        self._splits = splits_of(run, teacher)
        self._first = min(self._first, max(len(self._splits) - 1, 0))
        self.set_class(not self._splits, "-empty")
        self.query_one("#reliability-text", Line).say(_why_empty(run), resizes=True)
        self._arrange()

    def show_next(self, steps: int) -> None:
        """Go to another split."""
        if self._splits:
            self._first = (self._first + steps) % len(self._splits)
            self._arrange()

    def _arrange(self) -> None:
        """Put the splits into the views, if that changes anything."""
        room = 2 if self.size.width >= COLUMNS_FOR_TWO else 1
        shown = (self._splits, self._first, room)
        if shown == self._shown or not self.size.width:
            return
        self._shown = shown
        num = len(self._splits)
        places = [(self._first + i) % num for i in range(min(room, num))]
        for index, view in enumerate(self.query(SplitView)):
            view.set_class(index < len(places), "-shown")
            if index < len(places):
                at = f"{places[index] + 1}/{num}" if num > room else ""
                view.show(self._splits[places[index]], at)


def _figure_lines(split: Split) -> Iterator[str]:
    """Yield a table of a split's figures, a line for each run."""
    columns = [Column("", lambda one: one.table.name)]
    columns += [Column(title, partial(_figure, name, show), align="right") for name, title, show in FIGURES]
    columns.append(Column("on", lambda one: count(one.table.images, "image"), align="right"))
    yield from (clean(line) for line in format_table(split.evaluations, columns))


def _figure(name: str, show: Callable[[float], str], one: Evaluated) -> str:
    value = one.figures.get(name)
    return show(value) if isinstance(value, int | float) else "-"


def _why_empty(run: Row) -> str:
    """Say why there is no diagram, and what makes one."""
    if run.get("role") == "experiment":
        return "An experiment has no network of its own; its students have."
    name = clean(str(run.get("id")))
    if run.get("status") in UNFINISHED:
        return "Not evaluated yet: the run evaluates itself when it has ended."
    return f"Not evaluated yet. This measures it, and the diagram appears here:\n\n  bkd evaluate {name}"
