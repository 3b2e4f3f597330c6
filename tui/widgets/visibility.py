"""Whether a widget is on the terminal now, so that one that is not costs neither time nor bytes."""

from __future__ import annotations

from textual.errors import NoWidget
from textual.widget import Widget


def is_in_view(widget: Widget) -> bool:
    """Tell whether any cell of a widget is on the terminal now; a screen behind dialogs is, one behind a screen is not.

    `Screen.is_current` also holds for a screen that another one covers fully.
    """
    if not widget.is_attached or not widget.size:
        return False
    screen, stack = widget.screen, widget.app.screen_stack
    if screen not in stack or not all(above.is_modal for above in stack[stack.index(screen) + 1 :]):
        return False
    try:
        return bool(screen.find_widget(widget).visible_region)
    except NoWidget:
        return False
