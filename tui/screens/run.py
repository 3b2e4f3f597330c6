"""One run, live: how it stands, its curves, its settings, its family, its machine, its output."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType

from bkd.paths import SYNTHETIC
from bkd.runfile import Status
from bkd.store import Store
from tui.follow_screen import FollowScreen
from tui.messages import Row
from tui.pane_screen import LAST_KEYS, PANE_COMMANDS
from tui.panes import shared_panes
from tui.plots import known_plots, plots_of, teacher_of
from tui.widgets.chart_grid import ChartGrid, has_room
from tui.widgets.chart_view import ChartView
from tui.widgets.key_bar import Key
from tui.widgets.main_pane import ChartsPane
from tui.widgets.pane import Pane

CHART_KEYS = (
    Key("[ ]", "chart", "next_chart(1)"), Key("z", "one/all", "toggle_single"), Key("o", "output", "toggle_log"),
    Key("x", "stop", "stop_run"), Key("r", "resume", "resume_run"), Key("c", "crosshair", "chart('crosshair')"),
    Key("l", "log axis", "chart('log')"), Key("m", "smooth", "chart('smooth')"),
    Key("a", "step/epoch/time", "chart('next_axis')"), Key("e", "export", "chart(\"export('svg')\")"),
    Key("D", "delete", "delete_run"),
    Key("?", "help", "app.show_help"), Key("esc", "back", "back"),
)  # fmt: skip
MADE_KEYS = (Key("o", "output", "toggle_log"), Key("t", "tags", "edit_tags"), *LAST_KEYS)


class RunScreen(FollowScreen):
    """Follows one run's files."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right_square_bracket", "next_chart(1)", "Next chart", show=False),
        Binding("left_square_bracket", "next_chart(-1)", "Previous chart", show=False),
        *(Binding(str(n), f"show_chart({n - 1})", f"Chart {n}", show=False) for n in range(1, 10)),
        Binding("p", "charts('hide_chart')", "Hide this chart", show=False),
        Binding("U", "charts('show_hidden')", "Show the charts that are hidden", show=False),
        Binding("z", "toggle_single", "One chart or all"),
    ]
    COMMAND_LIST: ClassVar = (
        ("Stop run", "Stop this run after its step", "stop_run"),
        ("Resume run", "Resume this run from its last checkpoint", "resume_run"),
        ("Delete run", "Delete this run", "delete_run"),
        ("Edit tags", "Edit this run's tags", "edit_tags"),
        ("Duplicate run", "Open the form for a run like this one, to change and launch it", "duplicate_run"),
        ("Charts", "Show this run's curves", "show_pane('Charts')"),
        ("Reliability", "Show how well this run's confidence fits", "show_pane('Reliability')"),
        *PANE_COMMANDS,
        ("Output", "Show or hide what the run printed last", "toggle_log"),
        ("One chart or all", "Change between one chart and all of them", "toggle_single"),
        ("Hide chart", "Put the current chart away", "charts('hide_chart')"),
        ("Show hidden charts", "Show the charts that were put away", "charts('show_hidden')"),
        *((title, text, f"chart({action!r})") for title, text, action in ChartView.COMMAND_LIST),
        ("Back", "Back to the tables", "back"),
    )
    AUTO_FOCUS = ""  # the pane in front says what takes the focus
    MEMORY_KEY = "run.pane"

    def __init__(self, store: Store, row: Row) -> None:
        super().__init__(store, row)
        self._plots = plots_of(self.run, teacher_of(store, self.run))
        if self.run.get("status") == Status.DONE:
            self._plots = known_plots(self._plots, {key for _, key in self.history.curves})

    def pane_makers(self) -> Mapping[str, Callable[[], Pane]]:
        """Return what makes each pane."""
        from tui.widgets.calibration_pane import CalibrationPane

        makers: dict[str, Callable[[], Pane]] = {
            "Charts" if self._plots else "Results": lambda: ChartsPane(self.folder.log, self._plots, self.history)
        }
        if self.run.get("kind") != SYNTHETIC:
            makers["Reliability"] = lambda: CalibrationPane(self.store)
        return makers | shared_panes(self.store, self.folder)

    def main_keys(self) -> Sequence[Key]:
        """Return the keys of charts, or of results."""
        return CHART_KEYS if self._plots else MADE_KEYS

    def on_mount(self) -> None:
        """Arrange the charts, and follow the files."""
        self._arrange(self.app.size.width, self.app.size.height)
        self.begin()

    @property
    def charts(self) -> ChartGrid | None:
        """The charts while they are in front; None of a teacher made without training."""
        return self.main.charts if isinstance(self.main, ChartsPane) else None

    def on_resize(self, event: events.Resize) -> None:
        """Show as many charts as there is room for."""
        self._arrange(event.size.width, event.size.height)

    def _arrange(self, width: int, height: int) -> None:
        self.set_class(has_room(width, height), "-log")
        if self.main is not None:
            self.main.follow_log()
        if self.charts is not None:
            self.charts.fit_to(width, height)
        self.call_after_refresh(self.show_figures)

    # ---- actions

    async def action_show_pane(self, name: str) -> None:
        """Show a pane; charts that were made in another size take this one."""
        await super().action_show_pane("Results" if name == "Charts" and not self._plots else name)
        if self.charts is not None:
            self.charts.fit_to(self.size.width, self.size.height)

    def action_next_chart(self, steps: int) -> None:
        """Go to another chart."""
        if self.charts is not None:
            self.charts.show_next(steps)
            return
        shown = list(self.pane.query(ChartView))
        if shown:
            at = shown.index(self.focused) + steps if isinstance(self.focused, ChartView) else 0
            shown[at % len(shown)].focus()

    def action_show_chart(self, index: int) -> None:
        """Go to a chart by its place."""
        if self.charts is not None:
            self.charts.show(index)

    async def action_chart(self, action: str) -> None:
        """Do something with the current chart."""
        if self.charts is not None:
            await self.charts.current.run_action(action)
        elif shown := list(self.pane.query(ChartView)):
            chart = self.focused if isinstance(self.focused, ChartView) else shown[0]
            await chart.run_action(action)

    async def action_charts(self, action: str) -> None:
        """Do something with the charts together."""
        if self.charts is not None:
            await self.charts.run_action(action)

    def action_toggle_single(self) -> None:
        """Show one chart, or all of them."""
        if self.charts is not None:
            self.charts.toggle_single()
