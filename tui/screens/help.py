"""The keys, on one page."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

KEYS = {
    "Home": (
        ("1  2  3  tab", "teachers, students, experiments"),
        ("enter", "open the run under the cursor; of a sweep its students"),
        ("up down j k g G", "move the cursor"),
        ("n", "train a new teacher, or make one from others"),
        ("d", "distil a student, or a sweep of them, from the selected teacher"),
        ("space  escape", "mark a run, unmark all; marked teachers make an ensemble"),
        ("c", "compare the marked runs"),
        ("/", "filter: kind = bayesian acc > 95%"),
        ("s  S", "sort by the next column, turn the order round"),
        ("i", "show or hide the details"),
    ),
    "A run": (
        ("x", "stop it after its step, with a checkpoint"),
        ("r", "resume it from its last checkpoint"),
        ("t", "edit its tags"),
        ("y", "open the form for a run like it, to change and launch it"),
        ("D", "delete it, after its id was typed"),
    ),
    "Live view": (
        ("[  ]  1-4", "another chart"),
        ("z", "one chart or all of them"),
        ("o", "show or hide the output"),
        ("escape", "back"),
    ),
    "Chart": (
        ("+ - 0", "zoom in, out, fit"),
        ("left right", "pan, or move the crosshair"),
        ("c  l  m", "crosshair, logarithmic axis, smoothing"),
        ("a", "count by step, epoch or time"),
        ("n N  space  u", "choose a curve, hide or show it, show all"),
        ("e  E", "export what is shown as SVG, as CSV"),
    ),
    "Form": (
        ("tab  up down", "next and previous field"),
        ("ctrl+o", "another kind of teacher; a sweep instead of one student"),
        ("ctrl+t  ctrl+n", "choose a preset; save these settings as one"),
        ("enter", "open a list of choices, or of teachers"),
        ("ctrl+s", "launch"),
        ("ctrl+y", "copy the command"),
        ("escape", "back without launching"),
    ),
    "Everywhere": (
        ("ctrl+p", "all commands, themes too"),
        ("?", "this page"),
        ("q", "quit; runs go on"),
    ),
}
KEY_CELLS = 18


class HelpScreen(ModalScreen[None]):
    """Lists every key; any of Escape, ? and q closes it."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,question_mark,q", "dismiss", "Close")]

    def compose(self) -> ComposeResult:
        """Lay out the list."""
        with VerticalScroll(classes="dialog -page"):
            yield Static(help_text(), markup=False)


def help_text() -> Text:
    """Return the list of keys."""
    text = Text()
    for title, keys in KEYS.items():
        text.append(f"{title}\n", "bold")
        for key, meaning in keys:
            text.append(f"  {key:<{KEY_CELLS}}", "cyan")
            text.append(f"{meaning}\n")
    text.append("\nWhat is launched here runs on its own: quitting, or losing the terminal, stops nothing.", "dim")
    return text
