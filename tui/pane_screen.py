"""A screen about one run that shows one of several panes under the lines that say how the run stands."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, cast

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container

from tui.held_screen import held
from tui.history import History
from tui.memory import Memory
from tui.messages import Row
from tui.run_actions import RunActions
from tui.widgets.key_bar import Key, KeyBar
from tui.widgets.main_pane import MainPane
from tui.widgets.pane import Pane
from tui.widgets.pane_tabs import PaneTabs
from tui.widgets.run_state import RunState

if TYPE_CHECKING:
    from tui.app import BkdApp

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


class PaneScreen(RunActions):
    """Panes are made when they are first looked at, and follow nothing while another one is in front."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "next_pane(1)", "Next tab", show=False),
        Binding("shift+tab", "next_pane(-1)", "Previous tab", show=False),
        Binding("o", "toggle_log", "Output"),
    ]
    MEMORY_KEY: ClassVar[str] = ""
    """Under which the app remembers the pane that was last in front."""

    run: Row
    history: History

    def __init__(self) -> None:
        super().__init__()
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

    def open_first_pane(self) -> None:
        """Begin to show the pane that is in front at first."""
        self.query_one(PaneTabs).show(self._pane_name)
        self.pane.wake(self.run, self.history)
        self.pane.focus_main()

    @property
    def pane(self) -> Pane:
        """The pane in front."""
        return self._made[self._pane_name]

    @property
    def main(self) -> MainPane | None:
        """The main pane while it is in front."""
        return self.pane if isinstance(self.pane, MainPane) else None

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

    @on(PaneTabs.PaneChosen)
    async def choose_pane(self, event: PaneTabs.PaneChosen) -> None:
        """Show the pane whose name was clicked."""
        await self.action_show_pane(event.name)

    async def action_show_pane(self, name: str) -> None:
        """Show a pane."""
        is_on_its_way = name in self._made and not self._made[name].is_mounted
        if name == self._pane_name or name not in self.pane_makers() or is_on_its_way:
            return
        with held(self):
            if name not in self._made:
                await self.query_one("#panes").mount(self._make(name))
            self.pane.sleep()
            before, self._pane_name = self.pane, name
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
