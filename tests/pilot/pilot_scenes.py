"""The screens of the app as pictures show them, and the ways there."""

from collections.abc import Awaitable, Callable

from pilot_form import choose, fill, note, said
from pilot_gallery import BAYESIAN, LIVE, STUDENT, TEACHER
from pilot_save import at_rest, until
from textual.pilot import Pilot
from textual.screen import Screen

from tui.app import BkdApp
from tui.screens.columns import ColumnsScreen
from tui.screens.compare import CompareScreen
from tui.screens.help import HelpScreen
from tui.screens.home import HomeScreen
from tui.screens.launch import LaunchScreen
from tui.screens.run import RunScreen
from tui.screens.sweep import SweepScreen
from tui.screens.views import ViewsScreen
from tui.widgets.chart_view import ChartView
from tui.widgets.log_view import LogView

Way = Callable[[Pilot[None]], Awaitable[None]]


def bkd_app(pilot: Pilot[None]) -> BkdApp:
    assert isinstance(pilot.app, BkdApp)
    return pilot.app


async def opened(pilot: Pilot[None], screen: type[Screen]) -> None:  # type: ignore[type-arg]
    await until(pilot, lambda: isinstance(pilot.app.screen, screen) and pilot.app.screen.is_mounted, screen.__name__)


async def home(pilot: Pilot[None]) -> None:
    """Wait until the live run's figures stand in its row."""
    app = bkd_app(pilot)
    await opened(pilot, HomeScreen)
    app.home.select(LIVE)
    await until(pilot, lambda: "live" in app.home.table.with_live({"id": LIVE}), "live figures")


def table(key: str) -> Way:
    """Show one of the tables."""

    async def way(pilot: Pilot[None]) -> None:
        await pilot.press(key)
        await at_rest(pilot, "details")

    return way


async def flat(pilot: Pilot[None]) -> None:
    """Type half a filter over the teachers, one after the other."""
    await home(pilot)
    await pilot.press("v", "slash", *"acc > 0.96 and tr")


def tab(run_id: str, name: str, screen: type[Screen] = RunScreen) -> Way:  # type: ignore[type-arg]
    """Open a run and one of its tabs."""

    async def way(pilot: Pilot[None]) -> None:
        app = bkd_app(pilot)
        app.home.select(run_id)
        await pilot.pause()
        await pilot.press("enter")
        await opened(pilot, screen)
        await app.screen.action_show_pane(name)  # type: ignore[attr-defined]
        if isinstance(app.screen, RunScreen):
            run = app.screen
            await until(pilot, lambda: run.history.step >= 30, "the history")
        await pilot.pause()

    return way


async def search(pilot: Pilot[None]) -> None:
    """Search what a run printed."""
    await tab(STUDENT, "Output")(pilot)
    view = pilot.app.screen.query_one("#output-log", LogView)
    await until(pilot, lambda: "epoch" in "".join(view.render_line(y).text for y in range(5)), "the output")
    await pilot.press("slash", *"acc 0.9", "enter")
    await until(pilot, lambda: "/" in view.found_text, "what was found")


def comparison(pane: str) -> Way:
    """Compare the students of both teachers."""

    async def way(pilot: Pilot[None]) -> None:
        await pilot.press("2", *["space"] * 6, "c")
        await opened(pilot, CompareScreen)
        screen = pilot.app.screen
        assert isinstance(screen, CompareScreen)
        await until(pilot, lambda: screen.comparison is not None and bool(screen.query_one(ChartView).series))
        screen.action_show(pane)

    return way


async def teacher_form(pilot: Pilot[None]) -> None:
    """Fill a form wrongly."""
    app = bkd_app(pilot)
    await pilot.press("n")
    await opened(pilot, LaunchScreen)
    fill(app, dataset="digits", learning_rate="-1")
    await until(pilot, lambda: bool(note(app, "learning_rate")), "the error")
    app.screen.query_one("#field-learning_rate .field-control").focus()


async def student_form(pilot: Pilot[None]) -> None:
    """Fill the form of a student by a preset."""
    app = bkd_app(pilot)
    app.home.select(BAYESIAN)
    await pilot.pause()
    await pilot.press("d")
    await opened(pilot, LaunchScreen)
    choose(app, "#preset-choice", "Quick look")
    await until(pilot, lambda: "--student wrn_16_1" in said(app, "#command"), "the preset")
    await at_rest(pilot, "plan")


def dialog(key: str, screen: type[Screen]) -> Way:  # type: ignore[type-arg]
    """Open what a key opens over the first screen."""

    async def way(pilot: Pilot[None]) -> None:
        await home(pilot)
        await pilot.press(key)
        await opened(pilot, screen)

    return way


SCENES: dict[str, Way] = {
    "home-tree": home,
    "home-flat-filter": flat,
    "students": table("2"),
    "experiments": table("3"),
    "run-charts": tab(STUDENT, "Charts"),
    "run-live": tab(LIVE, "Charts"),
    "run-reliability": tab(STUDENT, "Reliability"),
    "run-config": tab(STUDENT, "Config"),
    "run-lineage": tab(TEACHER, "Lineage"),
    "run-system": tab(STUDENT, "System"),
    "run-events": tab(STUDENT, "Events"),
    "run-output-search": search,
    "run-failed": tab("7fa10007", "Charts"),
    "sweep": tab("8e5e0008", "Students", SweepScreen),
    "compare-curves": comparison("curves"),
    "compare-differences": comparison("differences"),
    "compare-settings": comparison("settings"),
    "compare-runs": comparison("runs"),
    "teacher-form-error": teacher_form,
    "student-form": student_form,
    "help": dialog("question_mark", HelpScreen),
    "columns": dialog("C", ColumnsScreen),
    "views": dialog("V", ViewsScreen),
}
