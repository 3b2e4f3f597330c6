"""The app: one store, a home screen, and the tasks that screens ask for."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, ClassVar, cast

from textual import on, work
from textual.app import SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import Screen

from bkd.errors import BkdError
from bkd.runfile import Status
from bkd.store import Store
from bkd.text import clean
from tui.alerts import Alert, alert_named, alert_sequence
from tui.endings import Endings, ending_text
from tui.memory import Memory
from tui.messages import RowsRead, RunsEnded, TaskDone, Warned
from tui.screens.home import HomeScreen
from tui.scrolling import SCROLL_KEYS, scroll
from tui.terminal_mode import Colours
from tui.theme import STYLES, ThemedApp

PARTS = ("app", "home", "run", "launch", "compare")  # of the style sheet
NOTICE_S = 4.0
THEME_KEY, ALERT_KEY = "theme", "alert"  # in the memory
HOLD_S = 0.5
GATHER_S = 0.5

APP_COMMANDS = (
    ("Help", "List the keys of this screen", "app.show_help"),
    ("Quit", "Quit; runs go on", "app.quit"),
    ("Draw anew", "Repair the screen where something else has written on it", "app.redraw"),
    ("Alert: bell", "Ring the terminal's bell when runs end", "app.alert('bell')"),
    ("Alert: desktop notice", "Have the terminal show a notice (OSC 9) when runs end", "app.alert('osc9')"),
    ("Alert: off", "Tell of runs that end in the app only", "app.alert('off')"),
)
REPLACED = ("Keys", "Quit", "Maximize", "Minimize")  # of Textual's commands: ? lists the keys, z shows one chart
ALERT_TEXTS = {
    Alert.OFF: "Runs that end are told of in the app only.",
    Alert.BELL: "Runs that end ring the terminal's bell.",
    Alert.OSC9: "Runs that end are told of by the terminal (OSC 9); within tmux it needs allow-passthrough.",
}


class BkdApp(ThemedApp):
    """Teachers and students of one save root.

    Args:
        save: The save root; unset: BKD_SAVE, else ./save.
        memory: What is remembered from start to start; unset: the user's own.
        colours: How many colours to use.
        alert: How the terminal is told of runs that end; unset: as remembered.
    """

    TITLE = "bkd"
    CSS_PATH: ClassVar = [STYLES, *(STYLES.with_name(f"{part}.tcss") for part in PARTS)]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark,f1", "show_help", "List the keys of this screen"),
        Binding("ctrl+p", "command_palette", "All commands, themes too", show=False),
        Binding("ctrl+q", "quit", "Quit; runs go on", show=False),
        *SCROLL_KEYS,
    ]

    def __init__(
        self, save: str | Path | None = None, memory: Memory | None = None, *, colours: Colours = Colours.AUTO,
        alert: Alert | None = None,
    ) -> None:  # fmt: skip
        memory = memory or Memory()
        super().__init__(colours, memory.get(THEME_KEY, ""))
        self.memory = memory
        self.alert = alert or alert_named(self.memory.get(ALERT_KEY, ""))
        self._endings = Endings()
        self.store = Store(save, warn=lambda text: self._warn(text))
        self.is_held = True  # nothing is painted before the first screen has its rows and its layout

    def get_default_screen(self) -> Screen[None]:
        """Return the home screen: the first thing that is painted."""
        return HomeScreen(self.store)

    def watch_theme(self, theme: str) -> None:
        """Remember a theme that was chosen."""
        if self.is_running and not self.no_color:
            self.memory.put(THEME_KEY, theme)

    def on_ready(self) -> None:
        """Paint as soon as the widgets know their sizes; Textual alone would paint three times on the way there."""
        self.call_after_refresh(self.paint)
        if not self.is_headless:
            gc.freeze()  # the rows stay: to look through 10,000 of them for garbage would hold up a key for 40 ms
            gc.enable()
        self._endings.know(self.home.rows)

    @property
    def home(self) -> HomeScreen:
        """The first screen."""
        return cast("HomeScreen", self.screen_stack[0])

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
        from tui.keys import commands_of, key_of

        for title, text, action in commands_of(screen):
            yield SystemCommand(title, text, lambda action=action: screen.run_action(action))
        for title, text, action in APP_COMMANDS:
            key = key_of(screen, action)
            yield SystemCommand(title, f"{key}: {text}" if key else text, lambda action=action: self.run_action(action))
        yield from (command for command in super().get_system_commands(screen) if command.title not in REPLACED)

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
        self.home.look_now()

    @on(RowsRead)
    def know_rows(self, event: RowsRead) -> None:
        """See which runs have ended."""
        if ended := self._endings.know(event.rows):
            self.post_message(RunsEnded(ended))

    @on(RunsEnded)
    def gather_endings(self, event: RunsEnded) -> None:
        """Wait a moment: runs that end together are told of together."""
        self._endings.add(event.rows)
        self.set_timer(GATHER_S, self._tell_endings)

    def _tell_endings(self) -> None:
        rows = self._endings.take()
        if rows:
            has_fault = any(row.get("status") != Status.DONE for row in rows)
            text = ending_text(rows)
            self.notify(text, severity="warning" if has_fault else "information", markup=False, timeout=2 * NOTICE_S)
            self.send(alert_sequence(self.alert, text, os.environ))

    def action_alert(self, name: str) -> None:
        """Choose how the terminal is told of runs that end, and show it."""
        self.alert = alert_named(name)
        self.memory.put(ALERT_KEY, name)
        self.notify(ALERT_TEXTS[self.alert])
        self.send(alert_sequence(self.alert, "bkd tells of runs that end like this.", os.environ))

    @on(Warned)
    def show_warning(self, event: Warned) -> None:
        """Pass on what the store had to say."""
        self.notify(event.text, severity="warning", markup=False, timeout=3 * NOTICE_S)

    def action_show_help(self) -> None:
        """List the keys."""
        from tui.screens.help import HelpScreen

        if not isinstance(self.screen, HelpScreen):
            self.push_screen(HelpScreen(self.screen))

    def action_scroll_focused(self, move: str) -> None:
        """Scroll what has the focus, where it has no such key of its own."""
        if self.focused is not None:
            scroll(self.focused, move)

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
