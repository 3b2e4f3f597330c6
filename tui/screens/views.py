"""Choose a saved view, save the present one, or delete one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList

from bkd.text import clean, fit
from tui.arrangement import BUILT_IN, Arrangement, View
from tui.roles import ROLES
from tui.widgets.line import Line

HINT = "enter shows it   s saves the present one   D deletes one   esc back"
NAME_CELLS = 18
TITLES = {role.name: role.title for role in ROLES}


class ViewsScreen(ModalScreen[View]):
    """Ends with the view that was chosen, with None on Escape."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Back"),
        Binding("s", "name", "Save the present view"),
        Binding("D", "delete", "Delete"),
        Binding("k", "step(-1)", "Up", show=False),
        Binding("j", "step(1)", "Down", show=False),
    ]
    AUTO_FOCUS = "OptionList"

    def __init__(self, arrangement: Arrangement, present: View) -> None:
        """Create the list.

        Args:
            arrangement: Where views are kept.
            present: How the runs are looked at now.
        """
        super().__init__()
        self._arrangement, self._present = arrangement, present
        self._views = [*arrangement.views(), *BUILT_IN]

    def compose(self) -> ComposeResult:
        """Lay out title, views, the name for the present one, and keys."""
        with Vertical(classes="dialog -list"):
            yield Line("Saved views", classes="title")
            yield OptionList(*map(_prompt, self._views), id="views", compact=True)
            yield Line(f"Now: {view_text(self._present)}", id="present")
            yield Input(placeholder="a name for the present view, and Enter", id="name", compact=True)
            yield Line(HINT, id="hint", classes="hint")

    def on_mount(self) -> None:
        """Ask for a name only when a view is to be saved."""
        self.query_one(Input).display = False

    @on(OptionList.OptionSelected)
    def choose(self, event: OptionList.OptionSelected) -> None:
        """End with the view."""
        self.dismiss(self._views[event.option_index])

    @on(Input.Submitted, "#name")
    def save(self, event: Input.Submitted) -> None:
        """Save the present view under the name; one of that name is replaced."""
        name = " ".join(clean(event.value).split())
        if not name:
            self._say("Give it a name of at least one letter.")
            return
        self._arrangement.save_view(replace(self._present, name=name))
        self._show_views(name)
        self.action_back()
        self._say(f"Saved {name}.")

    def action_name(self) -> None:
        """Ask for the name of the present view."""
        field = self.query_one(Input)
        field.display = True
        field.focus()

    def action_delete(self) -> None:
        """Delete the view under the cursor; the built-in ones stay."""
        view = self._selected
        if view is None or view in BUILT_IN:
            self._say("This one is built in and stays.")
            return
        self._arrangement.delete_view(view.name)
        self._show_views("")
        self._say(f"Deleted {view.name}.")

    def action_step(self, steps: int) -> None:
        """Move the cursor."""
        views = self.query_one(OptionList)
        views.highlighted = max(0, min((views.highlighted or 0) + steps, len(self._views) - 1))

    def action_back(self) -> None:
        """Leave the name, or the screen."""
        field = self.query_one(Input)
        if field.display:
            field.display = False
            self.query_one(OptionList).focus()
        else:
            self.dismiss(None)

    @property
    def _selected(self) -> View | None:
        at = self.query_one(OptionList).highlighted
        return None if at is None else self._views[at]

    def _show_views(self, name: str) -> None:
        """List the views again, with the cursor on one."""
        self._views = [*self._arrangement.views(), *BUILT_IN]
        views = self.query_one(OptionList)
        views.set_options(map(_prompt, self._views))
        views.highlighted = next((i for i, view in enumerate(self._views) if view.name == name), 0)

    def _say(self, text: str) -> None:
        self.query_one("#hint", Line).say(f"{text}   {HINT}", resizes=True)


def view_text(view: View) -> str:
    """Return what a view shows, in a line."""
    return clean("   ".join(_parts(view)))


def _parts(view: View) -> Iterator[str]:
    is_tree = view.role == ROLES[0].name and not view.is_flat
    yield "tree" if is_tree else TITLES.get(view.role, view.role).lower()
    if view.filter:
        yield view.filter
    if view.sort_by:
        yield f"{'▼' if view.descending else '▲'} {view.sort_by}"
    if view.columns:
        yield f"{len(view.columns)} columns"


def _prompt(view: View) -> Text:
    name = fit(clean(view.name), NAME_CELLS)
    return Text.assemble(name, "  ", (view_text(view), "dim"), no_wrap=True, overflow="ellipsis")
