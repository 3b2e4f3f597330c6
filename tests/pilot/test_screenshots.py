"""The screenshots of README and manual, drawn from the recorded demo; `make screenshots` draws them again."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape
from os import close
from pathlib import Path

import orjson
import pytest
from pilot_save import until
from textual.pilot import Pilot

from bkd.locks import acquire
from bkd.runfile import this_host, write_run
from bkd.store import Store
from tui.app import BkdApp
from tui.screens.run import RunScreen
from tui.theme import DARK

DATA = Path(__file__).parent / "data"
LIVE, HALF = "071d9cd5", 140
PICTURES = Path(__file__).parents[2] / "docs" / "screenshots"


@pytest.fixture
def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """The demo's runs as they were recorded."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    (tmp_path / "demo").mkdir()
    store = Store(tmp_path / "demo")
    for run in orjson.loads((DATA / "demo_runs.json").read_bytes()):
        folder = store.folder(run["path"])
        folder.path.mkdir(parents=True)
        write_run(folder, run)
        store.register(run, {"tags": ["demo"], "note": ""})
        folder.log.write_text("inducing posterior: 617,934 parameters, x3.54 the deterministic network's 174,778\n")
        folder.events.write_bytes((DATA / "demo_events.jsonl").read_bytes())
    return store


@contextmanager
def going_on(store: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Take one of the runs back to where half of its events were written, and keep it alive."""
    folder, run = store.read(LIVE)
    lines = folder.events.read_bytes().splitlines(keepends=True)[:HALF]
    records = [orjson.loads(line) for line in lines]
    folder.events.write_bytes(b"".join(lines))
    metrics = {key: value for record in records for key, value in record.items() if key.startswith("val/")}
    run |= {
        "status": "running", "epoch": records[-1]["epoch"], "ended": None, "results": {}, "metrics": metrics,
        "started": records[0]["t"], "host": this_host(),
    }  # fmt: skip
    write_run(folder, run)
    store.register(run, {"tags": ["demo"], "note": ""})
    monkeypatch.setattr(time, "time", lambda: records[-1]["t"] + 0.5)
    lock = acquire(folder.lock)
    try:
        yield
    finally:
        close(lock)


def painted(store: Store) -> BkdApp:
    """Return the app in the colours that most terminals have."""
    app = BkdApp(store.root)
    app.theme = DARK.name
    return app


def words(svg: str) -> list[str]:
    """Return what a screenshot says, without the root's folder, which differs from machine to machine."""
    found = [unescape(text).replace("\xa0", " ").strip() for text in re.findall(r"<text[^>]*>([^<]*)</text>", svg)]
    return [text for text in found if text and "/" not in text]


async def picture(pilot: Pilot[None], name: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Draw the screen, and compare its words with the committed picture's, or replace that one."""
    root = str(tmp_path / "demo")
    svg = pilot.app.export_screenshot(title="bkd tui").replace(root, "./save")
    if request.config.getoption("--snapshot-update", default=False):
        PICTURES.mkdir(parents=True, exist_ok=True)
        (PICTURES / name).write_text(svg)
    assert words((PICTURES / name).read_text()) == words(svg)


async def test_home(
    demo: Store, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    with going_on(demo, monkeypatch):
        app = painted(demo)
        async with app.run_test(size=(150, 36)) as pilot:
            app.home.select(LIVE)
            await until(
                pilot,
                lambda: (
                    "step 238" in app.export_screenshot().replace("&#160;", " ")
                    and bool(app.screen.query("#detail-chart"))
                ),
            )
            await pilot.pause(1.2)  # legends follow the curves at most once a second
            await picture(pilot, "home.svg", tmp_path, request)


async def test_run(demo: Store, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    app = painted(demo)
    async with app.run_test(size=(130, 40)) as pilot:
        await pilot.press("2")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, RunScreen) and app.screen.history.step >= 480)
        await pilot.pause(1.2)  # legends follow the curves at most once a second
        await picture(pilot, "run.svg", tmp_path, request)
