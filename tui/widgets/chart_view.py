"""A chart that a person works with: zoom, pan, a crosshair that reads values, what is shown and how, export."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import takewhile
from pathlib import Path
from typing import ClassVar

from textual import work
from textual.binding import Binding, BindingType
from textual.worker import get_current_worker

from bkd.errors import BkdError
from tui.messages import TaskDone
from tui.widgets.chart_canvas import LEGEND_PERIOD_S, ChartSlice
from tui.widgets.chart_export import FORMATS, export_path, write
from tui.widgets.chart_pointer import ChartPointer
from tui.widgets.chart_settings import SMOOTHINGS, ChartSettings
from tui.widgets.chart_window import Window

__all__ = ["LEGEND_PERIOD_S", "SMOOTHINGS", "ChartSettings", "ChartSlice", "ChartView"]

ZOOM = 0.5


class ChartView(ChartPointer, can_focus=True):
    """Live curves with keys and commands.

    What a person does is told by messages (`CrosshairMoved`, `WindowMoved`, `SettingsChanged`); what the program sets
    is not.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("plus,equals_sign", "zoom_in", "Zoom in", key_display="+", show=False),
        Binding("minus", "zoom_out", "Zoom out", key_display="-", show=False),
        Binding("0", "fit", "Fit", show=False),
        Binding("left", "step(-1)", "Crosshair or window left", show=False),
        Binding("right", "step(1)", "Crosshair or window right", show=False),
        Binding("shift+left", "step(-10)", "Far left", show=False),
        Binding("shift+right", "step(10)", "Far right", show=False),
        Binding("H,ctrl+left", "pan(-1)", "Window left", key_display="H", show=False),
        Binding("L,ctrl+right", "pan(1)", "Window right", key_display="L", show=False),
        Binding("c", "crosshair", "Crosshair"),
        Binding("escape", "put_away", "Crosshair off", show=False),
        Binding("l", "log", "Log axis"),
        Binding("m", "smooth", "Smoothing"),
        Binding("a", "next_axis", "Step, epoch or time", show=False),
        Binding("n", "choose(1)", "Next in the legend", show=False),
        Binding("N", "choose(-1)", "Previous in the legend", show=False),
        Binding("space", "toggle_chosen", "Hide or show it", show=False),
        Binding("u", "show_all", "Show all series", show=False),
        Binding("e", "export('svg')", "Export as SVG", show=False),
        Binding("E", "export('csv')", "Export as CSV", show=False),
    ]
    COMMAND_LIST: ClassVar = (
        ("Chart: crosshair", "Read values where the crosshair is", "crosshair"),
        ("Chart: fit", "Show everything", "fit"),
        ("Chart: log axis", "Change between a linear and a logarithmic axis", "log"),
        ("Chart: smoothing", "Take the next smoothing", "smooth"),
        ("Chart: step, epoch or time", "Change what the x axis counts", "next_axis"),
        ("Chart: show all series", "Show what was hidden", "show_all"),
        ("Chart: export as SVG", "Write what is shown as a drawing", "export('svg')"),
        ("Chart: export as CSV", "Write what is shown as a table", "export('csv')"),
    )
    """Title, help and action of what a command palette may offer for a chart."""

    export_folder: Path | None = None
    """Where exports are written; None for the working folder."""

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave Escape and space to the screen while they have nothing to do here."""
        if action == "put_away":
            return self.crosshair is not None or self.chosen is not None
        return action != "toggle_chosen" or self.chosen is not None

    def action_zoom_in(self) -> None:
        """Show half as much around the crosshair or the middle."""
        self.zoom(ZOOM)

    def action_zoom_out(self) -> None:
        """Show twice as much."""
        self.zoom(1 / ZOOM)

    def action_fit(self) -> None:
        """Show everything."""
        self.move_window(Window())

    def action_pan(self, direction: int) -> None:
        """Move the window by a share of itself."""
        self.pan(direction)

    def action_step(self, steps: int) -> None:
        """Move the crosshair by columns, or without one the window by a share of itself."""
        if self.crosshair is None:
            self.pan(steps)
        else:
            self.step_crosshair(steps)

    def action_crosshair(self) -> None:
        """Show the crosshair in the middle, or put it away."""
        plot = self.plot
        self.move_crosshair(plot.x_at(plot.left + plot.width // 2) if plot and self.crosshair is None else None)

    def action_put_away(self) -> None:
        """Put the crosshair away, and what was chosen in the legend."""
        self.chosen = None
        self.move_crosshair(None)

    def action_log(self) -> None:
        """Change between a linear and a logarithmic axis."""
        self.change_settings(replace(self.settings, log_y=not self.log_y))

    def action_smooth(self) -> None:
        """Take the next smoothing of the usual ones."""
        self.change_settings(replace(self.settings, smoothing=self.settings.next_smoothing))

    def action_next_axis(self) -> None:
        """Count x by the next of what all series know."""
        axes, now = self.axes, self.x_axis
        if axes:
            axis = axes[(axes.index(now) + 1) % len(axes)] if now in axes else axes[0]
            self.change_settings(replace(self.settings, x_axis=axis))

    def action_choose(self, steps: int) -> None:
        """Choose the next entry of the legend."""
        names = self.names
        if self.chosen in names:
            self.chosen = names[(names.index(self.chosen) + steps) % len(names)]
        elif names:
            self.chosen = names[0 if steps > 0 else -1]

    def action_toggle_chosen(self) -> None:
        """Hide or show the chosen series or level."""
        if self.chosen is not None:
            self.toggle(self.chosen)

    def action_show_all(self) -> None:
        """Show what was hidden."""
        self.change_settings(replace(self.settings, hidden=frozenset()))

    def action_export(self, file_format: str) -> None:
        """Write what is shown, "svg" or "csv", into the export folder."""
        parts = FORMATS[file_format](self.series, self.view)
        self._export(export_path(self.export_folder or Path.cwd(), self.title, file_format), parts)

    @work(thread=True, group="export")
    def _export(self, path: Path, parts: Iterator[bytes]) -> None:
        worker = get_current_worker()
        try:
            write(path, takewhile(lambda _: not worker.is_cancelled, parts))
            self.post_message(TaskDone(f"Wrote {path}."))
        except BkdError as error:
            self.post_message(TaskDone(str(error), is_error=True))
