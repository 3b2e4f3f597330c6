"""The live view of a run: events, state, output, charts."""

import os
from pathlib import Path

import pytest
from pilot_save import CREATED, SaveRoot, append, steps, until

from bkd.runfile import read_run, this_host, write_run
from tui.app import BkdApp
from tui.screens.home import HomeScreen
from tui.screens.run import RunScreen
from tui.widgets.chart_view import ChartView
from tui.widgets.line import Line
from tui.widgets.log_tail import LogTail


def watched(app: BkdApp) -> RunScreen:
    assert isinstance(app.screen, RunScreen)
    return app.screen


def said(app: BkdApp, part: str) -> str:
    return watched(app).query_one(f"#{part}", Line).said


async def test_appended_events_come_on_screen(save: SaveRoot) -> None:
    folder = save.teacher("aaaa0001", status="running", host="elsewhere", epoch=0, ended=None)
    folder.lock.touch()
    append(folder.events, steps(1, 5))
    app = BkdApp(save.path)
    async with app.run_test(size=(180, 50)) as pilot:
        await pilot.press("enter")
        await until(pilot, lambda: "step 5  loss 0.4000" in said(app, "latest"))
        write_run(folder, read_run(folder) | {"host": this_host()})
        append(folder.events, [*steps(6, 8), {"t": CREATED, "kind": "state", "step": 8, "status": "running"}])
        await until(pilot, lambda: watched(app).history.step == 8)


async def test_state_of_a_running_run(save: SaveRoot) -> None:
    from bkd.locks import acquire

    folder = save.teacher("aaaa0001", status="running", host=this_host(), epoch=0, epochs=4, ended=None)
    lock = acquire(folder.lock)
    append(folder.events, steps(1, 20))
    try:
        app = BkdApp(save.path)
        async with app.run_test(size=(180, 50)) as pilot:
            await pilot.press("enter")
            await until(pilot, lambda: "step 20" in said(app, "latest"))
            assert "● running" in said(app, "run-title")
            assert "1,000 img/s" in said(app, "speed")
            assert "ago" in said(app, "age")
            append(folder.events, [{"t": CREATED + 3, "kind": "epoch", "step": 30, "epoch": 0, "val/loss": 0.5}])
            await until(pilot, lambda: " 25%" in said(app, "progress"))
            append(folder.events, steps(31, 32))
            await until(pilot, lambda: "step 32" in said(app, "latest"))
            assert "ETA 8.8s" in said(app, "eta") or "ETA 10s" in said(app, "eta")
    finally:
        os.close(lock)


async def test_rewound_file_starts_the_curves_again(save: SaveRoot) -> None:
    folder = save.teacher("aaaa0001", status="done")
    append(folder.events, steps(1, 9))
    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("enter")
        await until(pilot, lambda: watched(app).history.step == 9)
        folder.events.write_bytes(b"")
        append(folder.events, steps(1, 4))
        await until(pilot, lambda: watched(app).history.step == 4)
        assert len(watched(app).history.curves["step", "train/loss"]) == 4


async def test_small_terminal_shows_one_chart_at_a_time(save: SaveRoot) -> None:
    append(save.teacher("aaaa0001").events, steps(1, 5))
    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("enter")
        await until(pilot, lambda: [c.id for c in watched(app).query(ChartView) if c.display] == ["loss"])
        await pilot.press("right_square_bracket")
        await until(pilot, lambda: getattr(app.focused, "id", "") == "accuracy")
        assert [c.id for c in watched(app).query(ChartView) if c.display] == ["accuracy"]
        await pilot.press("left_square_bracket")
        await until(pilot, lambda: getattr(app.focused, "id", "") == "loss")


async def test_big_terminal_shows_all_charts(save: SaveRoot) -> None:
    append(save.student("cccc0003", "aaaa0001").events, steps(1, 5))
    app = BkdApp(save.path)
    async with app.run_test(size=(180, 50)) as pilot:
        await pilot.press("2", "enter")
        await until(pilot, lambda: len([c for c in watched(app).query(ChartView) if c.region.area]) == 4)
        await pilot.press("z")
        await until(pilot, lambda: len([c for c in watched(app).query(ChartView) if c.region.area]) == 1)


async def test_charts_are_read_together_and_by_epoch(save: SaveRoot) -> None:
    folder = save.student("cccc0003", "aaaa0001")
    append(folder.events, [*steps(1, 12), {"t": CREATED + 2, "kind": "epoch", "step": 12, "epoch": 0, "val/loss": 0.5}])
    app = BkdApp(save.path)
    async with app.run_test(size=(180, 50)) as pilot:
        await pilot.press("2", "enter")
        await until(pilot, lambda: isinstance(app.screen, RunScreen) and watched(app).history.step == 12)
        charts = list(watched(app).query(ChartView))
        await until(pilot, lambda: charts[0].axes == ("step", "time", "epoch"))
        await pilot.press("c")
        await until(pilot, lambda: charts[0].crosshair is not None)
        await until(pilot, lambda: charts[1].crosshair == charts[0].crosshair)
        await pilot.press("a", "a")
        with_points = [chart for chart in charts if chart.id in ("loss", "accuracy", "noise")]
        await until(pilot, lambda: {chart.x_axis for chart in with_points} == {"epoch"})


async def test_palette_offers_what_charts_can_do(
    save: SaveRoot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    append(save.teacher("aaaa0001").events, steps(1, 9))
    app = BkdApp(save.path)
    async with app.run_test(size=(180, 50)) as pilot:
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, RunScreen) and watched(app).history.step == 9)
        actions = {title: action for title, _, action in watched(app).COMMAND_LIST}
        await watched(app).run_action(actions["Chart: log axis"])
        assert watched(app).query_one("#loss", ChartView).log_y
        await watched(app).run_action(actions["Chart: export as CSV"])
        await until(pilot, lambda: len(list(tmp_path.glob("*.csv"))) == 1)


async def test_output_is_shown_harmless(save: SaveRoot) -> None:
    folder = save.teacher("aaaa0001", status="failed", message="[b]out of memory")
    folder.log.write_bytes(b"one\x1b[2J\r\n[bold]two\n")
    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("enter", "o")
        await until(pilot, lambda: list(watched(app).query_one(LogTail).lines) == ["one", "[bold]two"])
        assert "[b]out of memory" in said(app, "run-message")
        folder.log.write_bytes(b"three\n")
        await until(pilot, lambda: list(watched(app).query_one(LogTail).lines) == ["three"])


async def test_escape_goes_back_and_deletion_does_too(save: SaveRoot) -> None:
    folder = save.teacher("aaaa0001")
    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, RunScreen))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, HomeScreen))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, RunScreen))
        await pilot.press("D", *"aaaa0001", "enter")
        await until(pilot, lambda: isinstance(app.screen, HomeScreen))
        assert not folder.path.exists()
