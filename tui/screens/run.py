"""One run, live: how it stands, its curves, its output."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from bkd.store import Store
from tui.follow_screen import FollowScreen
from tui.messages import Row
from tui.plots import plots_of
from tui.widgets.chart_grid import ChartGrid, has_room
from tui.widgets.chart_view import ChartView
from tui.widgets.key_bar import Key, KeyBar
from tui.widgets.log_tail import LogTail
from tui.widgets.made_view import MadeView
from tui.widgets.run_state import RunState

CHART_KEYS = (
    Key("[ ]", "chart", "next_chart(1)"), Key("z", "one/all", "toggle_single"), Key("o", "output", "toggle_log"),
    Key("x", "stop", "stop_run"), Key("r", "resume", "resume_run"), Key("c", "crosshair", "chart('crosshair')"),
    Key("l", "log axis", "chart('log')"), Key("m", "smooth", "chart('smooth')"),
    Key("a", "step/epoch/time", "chart('next_axis')"), Key("e", "export", "chart(\"export('svg')\")"),
    Key("D", "delete", "delete_run"),
    Key("?", "help", "app.show_help"), Key("esc", "back", "back"),
)  # fmt: skip
MADE_KEYS = (
    Key("o", "output", "toggle_log"), Key("x", "stop", "stop_run"), Key("r", "resume", "resume_run"),
    Key("t", "tags", "edit_tags"), Key("D", "delete", "delete_run"),
    Key("?", "help", "app.show_help"), Key("esc", "back", "back"),
)  # fmt: skip


class RunScreen(FollowScreen):
    """Follows one run's files."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right_square_bracket", "next_chart(1)", "Next chart", show=False),
        Binding("left_square_bracket", "next_chart(-1)", "Previous chart", show=False),
        *(Binding(str(n), f"show_chart({n - 1})", f"Chart {n}", show=False) for n in (1, 2, 3, 4)),
        Binding("z", "toggle_single", "One chart or all"),
    ]
    COMMAND_LIST: ClassVar = (
        ("Stop run", "Stop this run after its step", "stop_run"),
        ("Resume run", "Resume this run from its last checkpoint", "resume_run"),
        ("Delete run", "Delete this run", "delete_run"),
        ("Edit tags", "Edit this run's tags", "edit_tags"),
        ("Duplicate run", "Open the form for a run like this one, to change and launch it", "duplicate_run"),
        ("Output", "Show or hide what the run printed", "toggle_log"),
        ("One chart or all", "Change between one chart and all of them", "toggle_single"),
        *((title, text, f"chart({action!r})") for title, text, action in ChartView.COMMAND_LIST),
        ("Back", "Back to the tables", "back"),
    )
    AUTO_FOCUS = "ChartView, MadeView"

    def __init__(self, store: Store, row: Row) -> None:
        super().__init__(store, row)
        self._plots = plots_of(self.run)

    def compose(self) -> ComposeResult:
        """Lay out state, charts or results, output and keys."""
        yield RunState(self.run)
        yield ChartGrid(self._plots, self.history) if self._plots else MadeView()
        yield LogTail(id="log")
        yield KeyBar(CHART_KEYS if self._plots else MADE_KEYS, id="keys")

    def on_mount(self) -> None:
        """Arrange the charts, and follow the files."""
        self.begin()
        self._arrange(self.app.size.width, self.app.size.height)

    @property
    def charts(self) -> ChartGrid | None:
        """The charts; None of a teacher made without training."""
        return self.query_one(ChartGrid) if self._plots else None

    def show_run(self) -> None:
        """Show the run as it is now."""
        super().show_run()
        if not self._plots:
            self.query_one(MadeView).show_run(self.run)

    def history_grew(self, *, is_first: bool) -> None:
        """Let the curves grow; the first points at once, later ones in their own time."""
        if self.charts is not None:
            self.charts.history_grew(at_once=is_first)

    def on_resize(self, event: events.Resize) -> None:
        """Show as many charts as there is room for."""
        self._arrange(event.size.width, event.size.height)

    def _arrange(self, width: int, height: int) -> None:
        if self.charts is not None:
            self.charts.fit_to(width, height)
        self.set_class(has_room(width, height), "-log")
        self.call_after_refresh(self.show_figures)

    # ---- actions

    def action_next_chart(self, steps: int) -> None:
        """Go to another chart."""
        if self.charts is not None:
            self.charts.show_next(steps)

    def action_show_chart(self, index: int) -> None:
        """Go to a chart by its place."""
        if self.charts is not None:
            self.charts.show(index)

    async def action_chart(self, action: str) -> None:
        """Do something with the current chart."""
        if self.charts is not None:
            await self.charts.current.run_action(action)

    def action_toggle_single(self) -> None:
        """Show one chart, or all of them."""
        if self.charts is not None:
            self.charts.toggle_class("-single")
