"""Every screen as it looks at two sizes; `--snapshot-update` takes the present looks.

The pictures are text files: what stands on the screen, then the looks of the cells by letters. Fonts, time zones and
the version of Textual make no difference to them.
"""

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pilot_gallery import NOW, Gallery
from pilot_save import until
from pilot_scenes import SCENES
from screen_text import screen_text
from textual.pilot import Pilot

from tui.app import BkdApp
from tui.screens.home import HomeScreen
from tui.theme import DARK

FOLDER = Path(__file__).parent / "snapshots"
SIZES = {"80x24": (80, 24), "180x50": (180, 50)}
REST_S, DEADLINE_S = 2.0, 15.0  # the deadline only ends a test that fails
SCREENS = (
    "home-tree", "home-flat-filter", "students", "experiments", "run-charts", "run-reliability", "run-config",
    "run-lineage", "run-output-search", "run-failed", "sweep", "compare-curves", "compare-differences",
    "teacher-form-error", "student-form", "help", "columns", "views",
)  # fmt: skip


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gallery]:
    """A save root with runs, one of which goes on."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "gethostname", lambda: "here")
        save = Gallery(tmp_path_factory.mktemp("gallery") / "save")
        save.fill()
        with save.live():
            yield save


@pytest.fixture(autouse=True)
def _standing_still(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the same time, time zone and machine everywhere."""
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.setenv("TERM", "xterm-256color")
    for name in ("NO_COLOR", "SSH_CONNECTION", "SSH_TTY", "BKD_SAVE", "DATASETS_PATH"):
        monkeypatch.delenv(name, raising=False)
    time.tzset()
    monkeypatch.setattr(time, "time", lambda: NOW)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1}, raising=False)


def app_here() -> BkdApp:
    """Return the app on ./save, in the colours that most terminals have."""
    app = BkdApp("save")
    app.store.root = Path("save")  # the whole path differs from machine to machine
    app.theme = DARK.name
    return app


async def compare(pilot: Pilot[None], name: str, request: pytest.FixtureRequest) -> None:
    """Wait until the screen looks like the committed file, or replace that one by what it looks like at rest."""
    app, path = pilot.app, FOLDER / f"{name}.txt"
    assert isinstance(app, BkdApp)
    if request.config.getoption("--snapshot-update", default=False):
        await pilot.pause(REST_S)
        FOLDER.mkdir(exist_ok=True)
        path.write_text(screen_text(app), encoding="utf-8")
    wanted, deadline = path.read_text(encoding="utf-8"), time.monotonic() + DEADLINE_S
    while screen_text(app) != wanted and time.monotonic() < deadline:
        await pilot.pause(0.05)
    assert screen_text(app).splitlines() == wanted.splitlines()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", SCREENS)
async def test_screen(
    gallery: Gallery, name: str, size: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(gallery.path.parent)
    app = app_here()
    async with app.run_test(size=SIZES[size]) as pilot:
        await SCENES[name](pilot)
        await compare(pilot, f"{name}-{size}", request)


@pytest.mark.parametrize("size", SIZES)
async def test_first_run(
    tmp_path: Path, size: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    app = app_here()
    async with app.run_test(size=SIZES[size]) as pilot:
        await until(pilot, lambda: isinstance(app.screen, HomeScreen) and app.screen.has_class("-first-run"))
        await compare(pilot, f"first-run-{size}", request)
