"""An app that sends its terminal only the cells that differ from what stands there."""

from __future__ import annotations

import os
from collections.abc import Iterable
from textwrap import wrap
from typing import ClassVar

from rich.color import ColorSystem
from rich.console import RenderableType
from rich.segment import Segment
from textual import events
from textual._compositor import CompositorUpdate, LayoutUpdate
from textual.app import App
from textual.binding import Binding, BindingType
from textual.filter import Monochrome, NoColor
from textual.geometry import Offset, Size
from textual.screen import Screen
from textual.strip import Strip

from tui.painter import Painter
from tui.remote_driver import remote_driver

LEAST = Size(32, 6)


class PaintedApp(App[None]):
    """Sends differences where Textual sends each widget that was refreshed, and a whole screen for each dialog.

    Textual has no public place for that: `App._display` is where it turns an update into a sequence.

    Args:
        colours: What the terminal can show; None for no colours at all.
        is_remote: Whether what is sent goes over a network.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+l", "redraw", "Draw anew", show=False)]

    def __init__(self, colours: ColorSystem | None, *, is_remote: bool = False) -> None:
        super().__init__(driver_class=remote_driver() if is_remote else None)
        self._filters = [one for one in self._filters if not isinstance(one, Monochrome | NoColor)]  # the painter's
        self.painter = Painter(colours, os.environ.get("TERM", ""))
        self._cursor: Offset | None = None  # where the terminal's cursor was put

    def on_resize(self, event: events.Resize) -> None:
        """Expect nothing of a terminal that has another size: it may have moved its lines."""
        self.painter.forget()

    def on_mount(self) -> None:
        """Expect nothing of a terminal that others have used."""
        self.app_resume_signal.subscribe(self, lambda _: self.painter.forget())

    def action_redraw(self) -> None:
        """Draw everything anew, where something else has written on the terminal."""
        self.painter.forget()
        self.screen.refresh()

    def _display(self, screen: Screen[object], renderable: RenderableType | CompositorUpdate | None) -> None:
        """Send what differs."""
        if not isinstance(renderable, CompositorUpdate):
            super()._display(screen, renderable)
            return
        if self._batch_count:
            return
        driver = self._driver
        if self._running and not self._closed and not self.is_headless and driver is not None:
            update = too_small(self.size) if is_too_small(self.size) else renderable
            self._send(self.painter.paint(update, self.size))
        self.post_display_hook()

    def _send(self, sequence: str) -> None:
        """Send a sequence and put the cursor where one types; nothing for nothing."""
        cursor = self.screen.outer_size.clamp_offset(self.cursor_position)
        if not sequence and cursor == self._cursor:
            return
        assert self._driver is not None
        self._cursor = cursor
        self._begin_update()
        self._driver.write(f"{sequence}\x1b[{cursor.y + 1};{cursor.x + 1}H")
        self._end_update()
        self._driver.flush()

    def send(self, sequence: str) -> None:
        """Send the terminal something that draws nothing."""
        if sequence and self._driver is not None and not self.is_headless:
            self._driver.write(sequence)
            self._driver.flush()


def is_too_small(size: Size) -> bool:
    """Whether no screen can be read on a terminal."""
    return size.width < LEAST.width or size.height < LEAST.height


def too_small(size: Size) -> CompositorUpdate:
    """Return what such a terminal shows instead."""
    text = f"too small: {size.width}x{size.height}, bkd needs {LEAST.width}x{LEAST.height}"
    lines = [*wrap(text, max(1, size.width)), *[""] * size.height][: size.height]
    strips: list[Iterable[Strip]] = [[Strip([Segment(line)]).adjust_cell_length(size.width)] for line in lines]
    return LayoutUpdate(strips, size.region)
