"""The app: one store, a home screen, and the tasks that screens ask for."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, ClassVar

from textual import on, work
from textual.app import SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import Screen

from bkd.errors import BkdError
from bkd.store import Store
from bkd.text import clean
from tui.memory import Memory
from tui.messages import TaskDone, Warned
from tui.screens.home import HomeScreen
from tui.theme import STYLES, ThemedApp

PARTS = ("app", "home", "run", "launch", "compare")  # of the style sheet
NOTICE_S = 4.0
HOLD_S = 0.5


class BkdApp(ThemedApp):
    """Teachers and students of one save root.

    Args:
        save: The save root; unset: BKD_SAVE, else ./save.
        memory: What is remembered from start to start; unset: the user's own.
    """

    TITLE = "bkd"
    CSS_PATH: ClassVar = [STYLES, *(STYLES.with_name(f"{part}.tcss") for part in PARTS)]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark", "show_help", "Help", key_display="?"),
    ]

    def __init__(self, save: str | Path | None = None, memory: Memory | None = None) -> None:
        super().__init__()
        self.memory = memory or Memory()
        self.store = Store(save, warn=lambda text: self._warn(text))
        self.is_held = True  # nothing is painted before the first screen has its rows and its layout
        if os.environ.get("SSH_CONNECTION"):
            self.animation_level = "none"

    def get_default_screen(self) -> Screen[None]:
        """Return the home screen: the first thing that is painted."""
        return HomeScreen(self.store)

    def on_ready(self) -> None:
        """Paint as soon as the widgets know their sizes; Textual alone would paint three times on the way there."""
        self.call_after_refresh(self.paint)

    def hold(self) -> None:
        """Paint nothing until `paint` is called, or for HOLD_S at most: a screen would be painted part by part."""
        self.is_held = True
        self.set_timer(HOLD_S, self.paint)

    def paint(self) -> None:
        """End a hold."""
        if self.is_held:
            self.is_held = False
            self.refresh()

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Offer what the screen's keys do, and Textual's own commands."""
        yield SystemCommand("Help", "List the keys of this screen", self.action_show_help)
        for title, help_text, action in getattr(screen, "COMMAND_LIST", ()):
            yield SystemCommand(title, help_text, lambda action=action: screen.run_action(action))
        yield from super().get_system_commands(screen)

    def notify(self, message: str, **options: Any) -> None:
        """Show a notice; what it says may come from files, and is never markup."""
        super().notify(clean(message), **(options | {"markup": False}))

    @on(TaskDone)
    def report(self, event: TaskDone) -> None:
        """Say how a task ended, and look at the runs at once."""
        self.notify(
            event.text, severity="error" if event.is_error else "information", markup=False,
            timeout=3 * NOTICE_S if event.is_error else NOTICE_S,
        )  # fmt: skip
        for screen in self.screen_stack:
            if isinstance(screen, HomeScreen):
                screen.look_now()

    @on(Warned)
    def show_warning(self, event: Warned) -> None:
        """Pass on what the store had to say."""
        self.notify(event.text, severity="warning", markup=False, timeout=3 * NOTICE_S)

    def action_show_help(self) -> None:
        """List the keys."""
        from tui.screens.help import HelpScreen

        if not isinstance(self.screen, HelpScreen):
            self.push_screen(HelpScreen())

    def run_task(self, task: Callable[[], str]) -> None:
        """Run something slow in a thread and report the sentence that it returns, or its error."""
        self._run_task(task)

    @work(thread=True, group="tasks")
    def _run_task(self, task: Callable[[], str]) -> None:
        try:
            self.post_message(TaskDone(task()))
        except BkdError as error:
            self.post_message(TaskDone(str(error), is_error=True))

    def _warn(self, text: str) -> None:
        self.post_message(Warned(text))
