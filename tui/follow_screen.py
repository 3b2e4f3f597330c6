"""A screen that follows the files of one run."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, ClassVar, cast

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.worker import get_current_worker

from bkd.errors import StorageError
from bkd.runfile import Status
from bkd.store import Store
from tui.held_screen import held
from tui.history import History
from tui.memory import Memory
from tui.messages import EventsRead, HistoryRead, LogRead, Row, RunRead, RunWanted, TaskDone
from tui.run_actions import RunActions
from tui.run_columns import steps_per_epoch
from tui.run_faults import END_LINES
from tui.run_files import RunFiles
from tui.widgets.chart_grid import GRID_COLUMNS
from tui.widgets.key_bar import Key, KeyBar
from tui.widgets.main_pane import MainPane
from tui.widgets.pane import Pane
from tui.widgets.pane_tabs import PaneTabs
from tui.widgets.run_state import RunState

if TYPE_CHECKING:
    from tui.app import BkdApp

STATE_EVERY_S = 0.2
OUTPUT = "Output"
FIRST_KEYS = (Key("tab", "next tab", "next_pane(1)"),)
LAST_KEYS = (
    Key("x", "stop", "stop_run"), Key("r", "resume", "resume_run"), Key("D", "delete", "delete_run"),
    Key("?", "help", "app.show_help"), Key("esc", "back", "back"),
)  # fmt: skip
PANE_COMMANDS = (
    ("Next tab", "Show the next tab of this run", "next_pane(1)"),
    ("Configuration", "Show every setting of this run", "show_pane('Config')"),
    ("Copy command", "Copy the command that launches the same run", "copy_command"),
    ("Lineage", "Show what this run came from and what came from it", "show_pane('Lineage')"),
    ("System", "Show CPU, memory and GPU, and what it ran on", "show_pane('System')"),
    ("Events", "Show what happened in this run", "show_pane('Events')"),
    ("All output", "Show and search all that this run printed", "show_pane('Output')"),
)


class FollowScreen(RunActions):
    """Shows how its run stands, and one pane of what else there is to see of it.

    Panes are made when they are first looked at, and follow nothing while another one is in front. A child says which
    there are, the main one first, and calls `begin` when it is mounted.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Back"),
        Binding("tab", "next_pane(1)", "Next tab", show=False),
        Binding("shift+tab", "next_pane(-1)", "Previous tab", show=False),
        Binding("ctrl+y", "copy_command", "Copy command", show=False),
        Binding("o", "toggle_log", "Output"),
        Binding("x", "stop_run", "Stop"),
        Binding("r", "resume_run", "Resume"),
        Binding("t", "edit_tags", "Tags"),
        Binding("D", "delete_run", "Delete"),
        Binding("q", "app.quit", "Quit"),
    ]
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (GRID_COLUMNS, "-wide")]  # noqa: RUF012  declared by Screen
    MEMORY_KEY: ClassVar[str] = ""
    """Under which the app remembers the pane that was last in front."""

    def __init__(self, store: Store, row: Row) -> None:
        super().__init__()
        self.store = store
        self.run: Row = row
        self.folder = store.folder(str(row["path"]))
        with suppress(StorageError):  # then the row it was opened with has to do
            self.run = store.load(self.folder)
        self.history = History()
        self.history.know_steps_per_epoch(steps_per_epoch(self.run))
        self._files = RunFiles(store, self.folder, self.run)
        self._files.open(self.history)
        self._state_at = 0.0
        self._is_state_due = False
        self._is_deleted = self._is_resting = self._is_end_asked = False
        self._made: dict[str, Pane] = {}
        self._pane_name = ""

    def pane_makers(self) -> Mapping[str, Callable[[], Pane]]:
        """Return what makes each pane, by its name; the first one is a MainPane."""
        raise NotImplementedError

    def main_keys(self) -> Sequence[Key]:
        """Return the keys of the main pane."""
        raise NotImplementedError

    def compose(self) -> ComposeResult:
        """Lay out state, names of the panes, the one that was last in front, and keys."""
        names = tuple(self.pane_makers())
        remembered = self._memory.get(self.MEMORY_KEY, names[0])
        self._pane_name = remembered if remembered in names else names[0]
        yield RunState(self.run)
        yield PaneTabs(names)
        with Container(id="panes"):
            yield self._make(self._pane_name)
        yield KeyBar(self._keys(), id="keys")

    def begin(self) -> None:
        """Show what is known, then follow the files."""
        self.query_one(PaneTabs).show(self._pane_name)
        self.show_run()
        self.pane.wake(self.run, self.history)
        self.pane.focus_main()
        self.set_interval(1.0, self.tick)
        self.follow()

    def tick(self) -> None:
        """Say what has grown older."""
        self.state.tick(self.history)
        if self.state.is_going_on:
            self.pane.tick(self.history)

    # ---- files

    @work(thread=True, group="follow", exclusive=True)
    def follow(self) -> None:
        """Post new events and changes of run.json."""
        worker = get_current_worker()
        for message in self._files.changes(lambda: worker.is_cancelled):
            self.post_message(message)

    @on(EventsRead)
    def take_events(self, event: EventsRead) -> None:
        """Take in new records; the state follows as fast as one can read."""
        is_first = not self.history.curves
        if event.is_rewound:
            self.history.clear()
        self.history.add(event.records)
        self.history_grew(is_first=is_first)
        self._show_figures_soon()

    @on(HistoryRead)
    def take_history(self, event: HistoryRead) -> None:
        """Take over curves that were read as a whole."""
        self.history.become(event.history)
        self.history_grew(is_first=True)
        self._show_figures_soon()

    def _show_figures_soon(self) -> None:
        if not self._is_state_due:
            self._is_state_due = True
            wait = self._state_at + STATE_EVERY_S - time.monotonic()
            self.set_timer(wait, self.show_figures) if wait > 0 else self.show_figures()

    @on(RunRead)
    def take_run(self, event: RunRead) -> None:
        """Show how the run stands now; leave if it was deleted from here."""
        if self._is_deleted and not self.folder.run.exists():
            self.action_back()
            return
        self.run = event.run
        self.history.know_steps_per_epoch(steps_per_epoch(self.run))
        self.show_run()

    @work(thread=True, group="end", exclusive=True)
    def read_end(self) -> None:
        """Post the last lines of the output."""
        from tui.log_file import LogFile

        with suppress(OSError):
            log = LogFile(self.folder.log)
            self.post_message(LogRead([line.text for line in log.before(log.size, END_LINES)]))

    @on(LogRead)
    def take_end(self, event: LogRead) -> None:
        """Show the last lines of a failed run's output."""
        self.state.show_end(event.lines)

    @on(TaskDone)
    def look_again(self) -> None:
        """The app reports it; the follower sees what changed."""

    def on_screen_suspend(self) -> None:
        """Follow nothing while another screen hides this one."""
        self.call_later(self._rest)

    def on_screen_resume(self) -> None:
        """Go on."""
        if self._is_resting:
            self._is_resting = False
            self.follow()
            self.pane.wake(self.run, self.history)

    def _rest(self) -> None:
        stack = self.app.screen_stack
        above = stack[stack.index(self) + 1 :] if self in stack else []
        if not self._is_resting and any(not screen.is_modal for screen in above):
            self._is_resting = True
            self.workers.cancel_group(self, "follow")
            self.pane.sleep()

    # ---- showing

    @property
    def state(self) -> RunState:
        """The lines that say how the run stands."""
        return self.query_one(RunState)

    @property
    def pane(self) -> Pane:
        """The pane in front."""
        return self._made[self._pane_name]

    @property
    def main(self) -> MainPane | None:
        """The main pane while it is in front."""
        return self.pane if isinstance(self.pane, MainPane) else None

    def show_run(self) -> None:
        """Show the run as it is now."""
        self.state.show_run(self.run)
        if self.run.get("status") != Status.FAILED:
            self._is_end_asked = False
        elif not self._is_end_asked:
            self._is_end_asked = True
            self.read_end()
        self.pane.show_run(self.run)
        self.show_figures()

    def show_figures(self) -> None:
        """Say the latest figures."""
        self._state_at, self._is_state_due = time.monotonic(), False
        self.state.show_figures(self.history)

    def history_grew(self, *, is_first: bool) -> None:
        """Draw what has grown; `is_first` tells that there was nothing before."""
        if self.main is not None:
            self.main.history_grew(is_first=is_first)

    def _make(self, name: str) -> Pane:
        self._made[name] = self.pane_makers()[name]()
        return self._made[name]

    def _keys(self) -> tuple[Key, ...]:
        is_main = self._pane_name == next(iter(self.pane_makers()))
        keys = self.main_keys() if is_main else (*self._made[self._pane_name].KEYS, *LAST_KEYS)
        return (*FIRST_KEYS, *keys)

    @property
    def _memory(self) -> Memory:
        return cast("BkdApp", self.app).memory

    @on(RunWanted)
    def open_relative(self, event: RunWanted) -> None:
        """Open a run of this one's family."""
        if event.row is None:
            self.notify(
                f"{event.run_id} was deleted: there is nothing to show of it.", severity="warning", markup=False
            )
        else:
            self.watch_run(event.row)

    # ---- actions

    @on(PaneTabs.PaneChosen)
    async def choose_pane(self, event: PaneTabs.PaneChosen) -> None:
        """Show the pane whose name was clicked."""
        await self.action_show_pane(event.name)

    async def action_show_pane(self, name: str) -> None:
        """Show a pane."""
        if name == self._pane_name or name not in self.pane_makers():
            return
        self.pane.sleep()
        before, self._pane_name = self.pane, name
        with held(self):
            if name not in self._made:
                await self.query_one("#panes").mount(self._make(name))
            before.display, self.pane.display = False, True
            self.query_one(PaneTabs).show(name)
            self.query_one(KeyBar).set_keys(self._keys())
            self.pane.wake(self.run, self.history)
            self.pane.tick(self.history)
            self.pane.focus_main()
        self._memory.put(self.MEMORY_KEY, name)

    async def action_next_pane(self, steps: int) -> None:
        """Show the next pane, or the previous one."""
        names = list(self.pane_makers())
        await self.action_show_pane(names[(names.index(self._pane_name) + steps) % len(names)])

    async def action_pane(self, action: str) -> None:
        """Do something with the pane in front."""
        await self.pane.run_action(action)

    async def action_toggle_log(self) -> None:
        """Show or hide the output under the main pane; from another pane go to all of it, and back."""
        if self.main is not None:
            self.toggle_class("-log")
            self.main.follow_log()
        else:
            first = next(iter(self.pane_makers()))
            await self.action_show_pane(first if self._pane_name == OUTPUT else OUTPUT)

    def action_copy_command(self) -> None:
        """Copy the command that launches the same run."""
        from tui.configuration import command_of

        command = command_of(self.run, self.store.root)
        if command:
            self.app.copy_to_clipboard(command)
            self.notify("The command is in the clipboard, if the terminal allows it (OSC 52).")
        else:
            self.notify("This run's settings are of another version: there is no command for it.", severity="warning")

    def action_back(self) -> None:
        """Go back to where it was opened."""
        self.dismiss()

    def _delete(self, run_id: str, *, force: bool) -> None:
        self._is_deleted = True
        super()._delete(run_id, force=force)

    def target(self) -> Row | None:
        """Return the run."""
        return self.run
