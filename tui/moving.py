"""The keys of widgets that move through many lines by actions of their own: move, page, half_page."""

from __future__ import annotations

from textual.binding import Binding

MOVE_KEYS = (
    Binding("up,k", "move(-1)", "Up", show=False),
    Binding("down,j", "move(1)", "Down", show=False),
    Binding("pageup,ctrl+b", "page(-1)", "Page up", show=False),
    Binding("pagedown,ctrl+f,space", "page(1)", "Page down", show=False),
    Binding("ctrl+u", "half_page(-1)", "Half a page up", show=False),
    Binding("ctrl+d", "half_page(1)", "Half a page down", show=False),
)
"""Of lines that nobody marks: space is a page down."""
