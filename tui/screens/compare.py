"""Runs side by side: their curves over each other, their metrics with differences, what sets them apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from textual import events, on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.worker import get_current_worker

from bkd.compare_groups import metric_keys
from bkd.store import Store
from bkd.text import clean
from tui.budget import PaintBudget
from tui.compare_columns import COLUMNS, rows_of
from tui.compare_files import CompareFiles, CurvesRead, RunsCompared, Wanted
from tui.compare_sides import Comparison, Side
from tui.compare_tables import marks_of, metric_table, setting_table
from tui.messages import Row
from tui.run_actions import RunActions
from tui.widgets.chart_view import ChartView
from tui.widgets.compare_marks import CompareMarks
from tui.widgets.compare_table import CompareTable
from tui.widgets.compare_title import CompareTitle
from tui.widgets.key_bar import Key, KeyBar
from tui.widgets.run_table import RunTable

PANES = (("curves", "Curves"), ("differences", "Differences"), ("settings", "Settings"), ("runs", "Runs"))
CELLS_PER_S = 200.0  # of the curves while they grow; where colours alternate a cell costs a dozen bytes
FIRST_KEYS = ("val/acc", "val/loss", "test/acc", "train/loss")  # of which the first that a run has is shown first
NOTHING_LEFT = "None of these runs is there any more: esc goes back."

_BAR_END = (Key("?", "help", "app.show_help"), Key("esc", "back", "back"))
_GROUPS = Key("b", "runs/means", "toggle_groups")
_SCROLL = Key("← ↑ ↓ →", "scroll", "scroll_pane")
KEYS = {
    "curves": (
        Key("1-4", "tabs", "next_pane(1)"), _GROUPS, Key("[ ]", "metric", "next_metric(1)"),
        Key("y", "choose metric", "choose_metric"), Key("c", "crosshair", "chart('crosshair')"),
        Key("l", "log axis", "chart('log')"), Key("m", "smooth", "chart('smooth')"), *_BAR_END,
    ),
    "differences": (Key("1-4", "tabs", "next_pane(1)"), _GROUPS, _SCROLL, *_BAR_END),
    "settings": (
        Key("1-4", "tabs", "next_pane(1)"), _GROUPS, Key("a", "what agrees", "toggle_agreements"), _SCROLL, *_BAR_END,
    ),
    "runs": (
        Key("1-4", "tabs", "next_pane(1)"), Key("enter", "open", "table('open')"),
        Key("s", "sort", "table('sort_next')"), *_BAR_END,
    ),
}  # fmt: skip


class CompareScreen(RunActions):
    """Compares runs; those that repeat each other are one column and one curve, their mean, unless asked otherwise."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(str(n), f"show({pane!r})", title, show=False) for n, (pane, title) in enumerate(PANES, start=1)),
        Binding("tab", "next_pane(1)", "Next tab", show=False),
        Binding("shift+tab", "next_pane(-1)", "Previous tab", show=False),
        Binding("b", "toggle_groups", "Means of repetitions or single runs"),
        Binding("right_square_bracket", "next_metric(1)", "Next metric", key_display="]"),
        Binding("left_square_bracket", "next_metric(-1)", "Previous metric", key_display="["),
        Binding("y", "choose_metric", "Choose the metric"),
        Binding("a", "toggle_agreements", "Show settings that agree"),
        Binding("escape", "back", "Back"),
        Binding("q", "app.quit", "Quit"),
    ]
    COMMAND_LIST: ClassVar = (
        *((f"Compare: {title.lower()}", f"Show the {title.lower()}", f"show({pane!r})") for pane, title in PANES),
        ("Compare: runs or means", "Average repetitions, or show each run", "toggle_groups"),
        ("Compare: choose metric", "Choose whose curves are shown", "choose_metric"),
        ("Compare: what agrees", "Show or hide the settings that agree", "toggle_agreements"),
        ("Back", "Back to the tables", "back"),
    )
    VERTICAL_BREAKPOINTS = [(0, "-short"), (10, "-tall")]  # noqa: RUF012  declared by Screen
    AUTO_FOCUS = "ChartView"

    def __init__(self, store: Store, ids: Sequence[str]) -> None:
        """Create the screen.

        Args:
            store: Where the runs are.
            ids: Of the runs; others are compared with the first one.
        """
        super().__init__()
        self.store = store
        self.comparison: Comparison | None = None
        self._files = CompareFiles(store, ids)
        self._pane = PANES[0][0]
        self._is_grouped: bool | None = None  # None until it is known whether there are repetitions
        self._with_agreements = False
        self._key = ""
        self._keys: Sequence[str] = ()  # metrics of which there are curves
        self._undrawn: CurvesRead | None = None
        self._drawn: Wanted | None = None
        self._budget = PaintBudget(CELLS_PER_S, CELLS_PER_S)

    def compose(self) -> ComposeResult:
        """Lay out title, marks, one view of four, and keys."""
        yield CompareTitle(PANES)
        yield CompareMarks(id="marks")
        with Container(id="panes"):
            yield ChartView("", id="curves")
            yield CompareTable(id="differences")
            yield CompareTable(id="settings")
            yield RunTable(COLUMNS, empty="Reading the runs ...", id="runs")
        yield KeyBar(KEYS[self._pane], id="keys")

    def on_mount(self) -> None:
        """Show the first view and read the runs."""
        self._show_pane()
        self.set_interval(1.0, self._draw_due)
        self.follow()

    # ---- following the files

    @work(thread=True, group="follow", exclusive=True)
    def follow(self) -> None:
        """Post what is read of the runs, and of the metric that is shown."""
        worker = get_current_worker()
        for message in self._files.changes(lambda: worker.is_cancelled, lambda: self.is_current):
            self.post_message(message)

    @on(RunsCompared)
    def take_runs(self, event: RunsCompared) -> None:
        """Show what the runs are now."""
        self.comparison = event.comparison
        if event.comparison is None:
            text = clean(event.error) or NOTHING_LEFT
            self.title_line.say(text)
            self.query_one("#runs", RunTable).set_empty(text)
            self.action_show("runs")
            return
        if self._is_grouped is None:
            self._is_grouped = event.comparison.has_repetitions
        if not self._key:
            self._want_metric(first_key(event.comparison.compared.runs))
        self._show_comparison()

    @on(CurvesRead)
    def take_curves(self, event: CurvesRead) -> None:
        """Draw the curves that a person asked for at once, those that have grown in their turn."""
        self._keys = metric_keys([{"metrics": dict.fromkeys(sorted(event.keys))}])
        self.title_line.newest_s = event.time_s
        if event.wanted == self._wanted:
            self._undrawn = event
            self._draw_due()

    def _draw_due(self) -> None:
        """Draw the curves that were read last, if they are other ones or as soon as a slow link has room for them."""
        if (event := self._undrawn) is not None and (event.wanted != self._drawn or self._budget.has_room):
            self._draw(event)

    def _draw(self, event: CurvesRead) -> None:
        has_grown, chart = event.wanted == self._drawn, self.chart
        self._undrawn, self._drawn = None, event.wanted
        before, chart.title = chart.painted_cells, event.wanted.key
        chart.set_series(event.series)
        if has_grown:  # what a person asked for is not held against the curves
            self._budget.spend(chart.painted_cells - before)

    # ---- showing

    @property
    def chart(self) -> ChartView:
        """The curves."""
        return self.query_one("#curves", ChartView)

    @property
    def title_line(self) -> CompareTitle:
        """The line over everything."""
        return self.query_one(CompareTitle)

    @property
    def side(self) -> Side | None:
        """The columns that are shown; None before the runs are read."""
        return None if self.comparison is None else self.comparison.side(bool(self._is_grouped))

    def _show_comparison(self) -> None:
        """Fill all views with the columns that are wanted."""
        comparison, side = self.comparison, self.side
        if comparison is None or side is None:
            return
        marks = self.query_one(CompareMarks)
        marks.set_marks(marks_of(side, is_monochrome=self.app.no_color))
        marks.fit_to(*self.app.size)
        self.query_one("#differences", CompareTable).set_table(metric_table(side))
        self._show_settings()
        self.query_one("#runs", RunTable).set_rows(rows_of(comparison))
        self.title_line.say_compared(comparison)

    def _show_settings(self) -> None:
        if (side := self.side) is not None:
            table = setting_table(side, with_agreements=self._with_agreements)
            self.query_one("#settings", CompareTable).set_table(table)

    def on_resize(self, event: events.Resize) -> None:
        """Give the marks as many lines as there is room for."""
        self.query_one(CompareMarks).fit_to(*event.size)

    # ---- views

    def _show_pane(self) -> None:
        for pane, _ in PANES:
            self.query_one(f"#{pane}").display = pane == self._pane
        self.title_line.show_pane(self._pane)
        self.query_one(KeyBar).set_keys(KEYS[self._pane])
        self.query_one(f"#{self._pane}").focus()

    @on(CompareTitle.PaneChosen)
    def show_chosen(self, event: CompareTitle.PaneChosen) -> None:
        """Show the view whose name was clicked."""
        self.action_show(event.pane)

    def action_show(self, pane: str) -> None:
        """Show a view."""
        self._pane = pane
        self._show_pane()

    def action_next_pane(self, steps: int) -> None:
        """Show another view."""
        names = [pane for pane, _ in PANES]
        self.action_show(names[(names.index(self._pane) + steps) % len(names)])

    def action_toggle_groups(self) -> None:
        """Change between the means of repetitions and single runs."""
        if self.comparison is None:
            return
        if not self.comparison.has_repetitions:
            self.notify("No two of these runs repeat each other: each differs in its settings.")
            return
        self._is_grouped = not self._is_grouped
        self._want_metric(self._key)
        self._show_comparison()

    def action_toggle_agreements(self) -> None:
        """Show or hide the settings that agree."""
        self._with_agreements = not self._with_agreements
        self._show_settings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave `a` to the chart, but for the view of the settings."""
        return action != "toggle_agreements" or self._pane == "settings"

    def action_scroll_pane(self) -> None:
        """Scroll down by a page: what a click on the key does."""
        self.query_one(f"#{self._pane}", CompareTable).action_page_down()

    # ---- metrics

    @property
    def _wanted(self) -> Wanted:
        return Wanted(self._key, bool(self._is_grouped))

    def _want_metric(self, key: str) -> None:
        self._key = key
        self._files.want(self._wanted)

    def action_next_metric(self, steps: int) -> None:
        """Show another metric's curves."""
        keys = list(self._keys)
        if keys:
            at = keys.index(self._key) if self._key in keys else -1 if steps > 0 else 0
            self._want_metric(keys[(at + steps) % len(keys)])
            self.action_show("curves")

    def action_choose_metric(self) -> None:
        """Choose whose curves are shown from a list."""
        from tui.screens.compare_metric import MetricScreen

        def chosen(key: str | None) -> None:
            if key is not None:
                self._want_metric(key)
                self.action_show("curves")

        self.app.push_screen(MetricScreen(self._keys or (self._key,), self._key), chosen)

    def action_chart(self, action: str) -> None:
        """Do something with the chart."""
        getattr(self.chart, f"action_{action}")()

    # ---- runs

    @on(RunTable.RunOpened)
    def open_run(self) -> None:
        """Watch a run."""
        from tui.screens.run import RunScreen

        if (row := self.target()) is not None:
            self.open_screen(RunScreen(self.store, row))

    def action_table(self, action: str) -> None:
        """Do something with the table of runs."""
        getattr(self.query_one("#runs", RunTable), f"action_{action}")()

    def target(self) -> Row | None:
        """Return the run under the cursor."""
        return self.query_one("#runs", RunTable).selected_row

    def action_back(self) -> None:
        """Go back to where it was opened."""
        self.dismiss()


def first_key(runs: Sequence[Row]) -> str:
    """Return the metric whose curves are shown first."""
    known: set[Any] = {key for run in runs for key in run.get("metrics") or ()}
    return next((key for key in FIRST_KEYS if key in known), FIRST_KEYS[-1])
