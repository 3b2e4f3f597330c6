"""A screen that is painted once it is laid out, not part by part, and not at all under another one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

from textual.screen import Screen, ScreenResultType
from textual.widget import Widget

if TYPE_CHECKING:
    from tui.app import BkdApp


class HeldScreen(Screen[ScreenResultType]):
    """Renders nothing while the app holds painting, or while another screen covers it.

    Textual renders and sends a new screen up to four times until every widget knows its size; at 180x50 each costs
    30 KB. It has no public way to hold that: `App.batch_update` holds the layout too. And it takes the screen under the
    top one for visible, whatever the top one is, and repaints the top one with it.
    """

    @property
    def is_covered(self) -> bool:
        """Whether none of it can be seen: screens cover, dialogs do not."""
        stack = self.app.screen_stack
        return self in stack and not all(above.is_modal for above in stack[stack.index(self) + 1 :])

    def _compositor_refresh(self) -> None:
        """Leave what is dirty for the paint that ends the hold; what is covered is painted anew once it is not."""
        if self.is_covered:
            self._compositor._dirty_regions.clear()
            self._dirty_widgets.clear()
        elif not cast("BkdApp", self.app).is_held:
            super()._compositor_refresh()


@contextmanager
def held(widget: Widget) -> Iterator[None]:
    """Paint what changes inside once, as soon as it is laid out, not part by part."""
    app = cast("BkdApp", widget.app)
    app.hold()
    yield
    widget.call_after_refresh(lambda: widget.call_after_refresh(app.paint))
