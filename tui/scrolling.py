"""The keys of vi in all that scrolls: tables, logs, texts. A widget's own keys go before these."""

from __future__ import annotations

from textual.binding import Binding
from textual.widget import Widget
from textual.widgets import OptionList

from tui.widgets.run_table import RunTable

SCROLL_KEYS = (
    Binding("j", "scroll_focused('down')", "Down, up", show=False),
    Binding("k", "scroll_focused('up')", "Down, up", show=False),
    Binding("h", "scroll_focused('left')", "Left, right, where a table is wider than the screen", show=False),
    Binding("l", "scroll_focused('right')", "Left, right, where a table is wider than the screen", show=False),
    Binding("ctrl+d", "scroll_focused('half_down')", "Half a page down, up", show=False),
    Binding("ctrl+u", "scroll_focused('half_up')", "Half a page down, up", show=False),
    Binding("g", "scroll_focused('home')", "To the beginning, to the end", show=False),
    Binding("G", "scroll_focused('end')", "To the beginning, to the end", show=False),
)


def scroll(widget: Widget, move: str) -> None:
    """Scroll a widget, or move its cursor if it has one.

    Args:
        widget: What to scroll.
        move: down, up, left, right, home, end, half_down or half_up.
    """
    half = max(1, widget.size.height // 2)
    lines = {"down": 1, "up": -1, "half_down": half, "half_up": -half}.get(move, 0)
    if isinstance(widget, RunTable):
        widget.cursor += lines
    elif isinstance(widget, OptionList):
        _move_option(widget, move, lines)
    elif lines:
        widget.scroll_relative(y=lines, animate=False)
    elif move in ("left", "right"):
        widget.scroll_relative(x=1 if move == "right" else -1, animate=False)
    elif move == "home":
        widget.scroll_home(animate=False)
    else:
        widget.scroll_end(animate=False)


def _move_option(options: OptionList, move: str, lines: int) -> None:
    if options.option_count:
        last = options.option_count - 1
        goal = {"home": 0, "end": last}.get(move, (options.highlighted or 0) + lines)
        options.highlighted = min(max(goal, 0), last)
