"""Every screen of the app, opened as a person opens it."""

from collections.abc import Awaitable, Callable

from pilot_save import SaveRoot, append, steps, until
from textual.pilot import Pilot
from textual.screen import Screen

from tui.app import BkdApp
from tui.screens.compare import CompareScreen
from tui.screens.compare_metric import MetricScreen
from tui.screens.confirm import ConfirmScreen
from tui.screens.help import HelpScreen
from tui.screens.home import HomeScreen
from tui.screens.launch import LaunchScreen
from tui.screens.run import RunScreen
from tui.screens.sweep import SweepScreen
from tui.screens.tags import TagsScreen

TEACHERS = ("aaaa0001", "bbbb0002")
Opener = Callable[[Pilot[None]], Awaitable[None]]


def fill(save: SaveRoot) -> BkdApp:
    """Write runs of each role and return an app of them."""
    for number, run_id in enumerate(TEACHERS):
        folder = save.usable_teacher(run_id)
        append(folder.events, steps(1, 50 + number))
        folder.log.write_text("".join(f"line {n}\n" for n in range(99)))
    save.student("cccc0003", TEACHERS[0])
    save.sweep("dddd0004", TEACHERS[0], ["cccc0003", None])
    return BkdApp(save.path)


async def shown(pilot: Pilot[None], screen: type[Screen]) -> None:  # type: ignore[type-arg]
    await until(pilot, lambda: isinstance(pilot.app.screen, screen), screen.__name__)
    await pilot.pause()


def by_keys(screen: type[Screen], *keys: str) -> Opener:  # type: ignore[type-arg]
    """Return what opens a screen by keys from the first one; None stands for the comparison."""

    async def opener(pilot: Pilot[None]) -> None:
        await shown(pilot, HomeScreen)
        for key in keys:
            await pilot.press(key)
        await shown(pilot, screen)

    return opener


async def open_metrics(pilot: Pilot[None]) -> None:
    await by_keys(CompareScreen, "space", "space", "c")(pilot)
    screen = pilot.app.screen
    assert isinstance(screen, CompareScreen)
    await until(pilot, lambda: bool(screen._keys), "the metrics")
    await pilot.press("y")
    await shown(pilot, MetricScreen)


OPENERS: dict[str, Opener] = {
    "home": by_keys(HomeScreen),
    "run": by_keys(RunScreen, "enter"),
    "sweep": by_keys(SweepScreen, "3", "enter"),
    "compare": by_keys(CompareScreen, "space", "space", "c"),
    "teacher form": by_keys(LaunchScreen, "n"),
    "student form": by_keys(LaunchScreen, "d"),
    "help": by_keys(HelpScreen, "question_mark"),
    "delete": by_keys(ConfirmScreen, "D"),
    "tags": by_keys(TagsScreen, "t"),
    "metrics": open_metrics,
}
