"""The home screen with runs whose files grow: rows, panel, chart, silence, ends."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from os import close
from typing import Any

import pytest
from pilot_save import SaveRoot, append, at_rest, steps, until
from textual import on
from textual.app import App

from bkd.locks import acquire
from bkd.paths import RunFolder
from bkd.runfile import read_run, this_host, write_run
from tui import row_watch
from tui.app import BkdApp
from tui.messages import RunsEnded
from tui.screens.help import HelpScreen
from tui.screens.home import HomeScreen
from tui.widgets.detail_panel import DetailPanel
from tui.widgets.line import Line
from tui.widgets.live_feed import LiveFeed
from tui.widgets.now_block import NowBlock
from tui.widgets.run_chart import RunChart

SIZES = pytest.mark.parametrize("size", [(80, 24), (180, 50)], ids=["80x24", "180x50"])
SPEC = {"type": "train", "dataset": "digits", "epochs": 10, "batch_size": 100}
EPOCH = {"kind": "epoch", "step": 30, "epoch": 0, "val/loss": 0.4}


@contextmanager
def live_run(save: SaveRoot, run_id: str = "live0001") -> Iterator[RunFolder]:
    """Write a run that this process keeps alive."""
    folder = save.teacher(
        run_id, status="running", epoch=0, epochs=10, ended=None, host=this_host(), spec=SPEC, created=1_790_000_500.0
    )
    append(folder.events, steps(1, 30))
    lock = acquire(folder.lock)
    try:
        yield folder
    finally:
        close(lock)


def home(app: App[None]) -> HomeScreen:
    screen = app.screen_stack[0]
    assert isinstance(screen, HomeScreen)
    return screen


def row_text(app: App[None], run_id: str) -> str:
    table = home(app).table
    lines = [table.render_line(y).text for y in range(table.size.height)]
    return next((line for line in lines if run_id in line), "")


def said(app: App[None], part: str) -> str:
    line = home(app).query_one(f"#now-{part}", Line)
    return line.said if line.display else ""


def chart(app: App[None]) -> RunChart:
    """Return the chart; one without curves before there is any."""
    return next(iter(home(app).query(RunChart)), RunChart())


def points(app: App[None]) -> list[int]:
    return [len(one.y) for one in chart(app).series]


@SIZES
async def test_a_row_and_the_panel_follow_a_run(save: SaveRoot, size: tuple[int, int]) -> None:
    with live_run(save) as folder:
        app = BkdApp(save.path)
        async with app.run_test(size=size) as pilot:
            if size[0] == 80:
                await pilot.press("i")
            await until(pilot, lambda: "step 30" in said(app, "figures"))
            append(folder.events, steps(31, 60))
            await until(pilot, lambda: "step 60" in said(app, "figures"))
            await until(pilot, lambda: "50%" in said(app, "progress"))
            assert "epoch 0/10" in said(app, "progress")
            assert said(app, "pace") == "ETA < 5s  1,000 images/s" or said(app, "pace").startswith("ETA ")
            assert said(app, "age").startswith("silent for")  # its clock stands in the past
            await until(pilot, lambda: max(points(app), default=0) > 0, "the curve is drawn")
            if size[0] == 180:
                await until(pilot, lambda: " 60 " in row_text(app, "live0001"), "the step stands in the row")
                assert "█" in row_text(app, "live0001")


@SIZES
async def test_everything_of_the_panel_is_in_its_place(save: SaveRoot, size: tuple[int, int]) -> None:
    with live_run(save) as folder:
        append(folder.events, [EPOCH])
        app = BkdApp(save.path)
        async with app.run_test(size=size) as pilot:
            if size[0] == 80:
                await pilot.press("i")
            await until(pilot, lambda: bool(said(app, "figures")) and chart(app).region.height > 3)
            panel, text = home(app).query_one(DetailPanel), home(app).query_one("#detail-scroll")
            for part in (home(app).query_one(NowBlock), chart(app), text):
                assert panel.region.contains_region(part.region)
                assert part.region.area > 100
            assert not chart(app).region.overlaps(text.region)


async def test_a_run_that_has_ended_has_a_curve_and_no_figures(save: SaveRoot) -> None:
    folder = save.teacher("aaaa0001", spec=SPEC)
    append(folder.events, [*steps(1, 30), EPOCH])
    save.teacher("bbbb0001", kind="Laplace", spec={"type": "train", "kind": "Laplace"}, created=1_700_000_000.0)
    app = BkdApp(save.path)
    async with app.run_test(size=(180, 50)) as pilot:
        await until(pilot, lambda: min(points(app), default=0) > 0)
        assert not home(app).query_one(NowBlock).display
        await until(pilot, lambda: "█" in row_text(app, "aaaa0001"))
        await pilot.press("j")
        await until(pilot, lambda: not chart(app).display, "a teacher made in one pass has no curve")
        assert not home(app).query_one("#detail-live").display


async def test_a_cursor_that_goes_on_leaves_nothing_of_the_runs_it_passed(save: SaveRoot) -> None:
    for number in range(20):
        folder = save.teacher(f"aaaa00{number:02d}", spec=SPEC, created=1_790_000_000.0 - number)
        append(folder.events, [record | {"train/loss": float(number)} for record in steps(1, 30)])
    app = BkdApp(save.path)
    async with app.run_test(size=(180, 50)) as pilot:
        await pilot.press(*["k"] * 20, *["j"] * 19)
        selected = home(app).table.selected_row
        assert selected is not None
        await at_rest(pilot, "details", "follow")
        number = int(str(selected["id"])[-2:])
        await until(pilot, lambda: {y for one in chart(app).series for y in one.y} == {float(number)})
        assert selected["id"] in home(app).query_one("#detail-text", Line).said


async def test_files_that_do_not_behave_leave_the_app_up(save: SaveRoot) -> None:
    with live_run(save) as folder:
        app = BkdApp(save.path)
        async with app.run_test(size=(180, 50)) as pilot:
            await until(pilot, lambda: "step 30" in said(app, "figures"))
            with folder.events.open("ab") as file:
                file.write(b'\x1b[31m{"kind":"step"\n[]\n{"kind":"step","step":')
            folder.events.unlink()
            await pilot.pause(0.4)
            assert "step 30" in said(app, "figures")
            append(folder.events, steps(1, 7))
            await until(pilot, lambda: "step 7" in said(app, "figures"), "a rewound file is read anew")
            await until(pilot, lambda: points(app)[0] == 7)


async def test_nothing_is_painted_for_a_run_that_writes_nothing(
    save: SaveRoot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tui.widgets.now_block.age_text", lambda age: "a while")
    monkeypatch.setattr("tui.run_columns.seen", lambda row: 1.0)
    with live_run(save):
        app = BkdApp(save.path)
        async with app.run_test(size=(180, 50)) as pilot:
            await until(pilot, lambda: "step 30" in said(app, "figures") and "█" in row_text(app, "live0001"))
            await pilot.pause(1.5)  # a hold of painting and the turn of the legend end
            painted: list[object] = []
            monkeypatch.setattr(app, "_display", lambda screen, renderable: painted.append(renderable))
            await pilot.pause(1.2)
            assert painted == []


async def test_a_sweep_that_goes_on_counts_its_students(save: SaveRoot) -> None:
    save.teacher("aaaa0001")
    folder = save.sweep("eeee0001", "aaaa0001", [None] * 8, status="running", epoch=2, host=this_host(), ended=None)
    lock = acquire(folder.lock)
    app = BkdApp(save.path)
    async with app.run_test(size=(180, 50)) as pilot:
        await pilot.press("3")
        await until(pilot, lambda: said(app, "progress").startswith("2/8 done"))
        write_run(folder, read_run(folder) | {"epoch": 3})
        home(app).look_now()
        await until(pilot, lambda: said(app, "progress").startswith("3/8 done"))
        assert said(app, "age") == ""
    close(lock)


async def test_rows_can_be_ordered_by_live_figures(save: SaveRoot) -> None:
    for number, last in enumerate((5, 30, 12)):
        append(save.teacher(f"aaaa000{number}", created=1_790_000_000.0 - number).events, steps(1, last))
    app = BkdApp(save.path)
    async with app.run_test(size=(180, 50)) as pilot:
        await until(pilot, lambda: all("█" in row_text(app, f"aaaa000{n}") for n in range(3)))
        home(app).table.sort_by = "Step"
        assert [row["id"][-1] for row in home(app).table.rows] == ["0", "2", "1"]


@pytest.mark.parametrize("size", [(20, 5), (40, 12), (120, 24)], ids=["20x5", "40x12", "120x24"])
async def test_small_terminals_are_no_fault(save: SaveRoot, size: tuple[int, int]) -> None:
    with live_run(save) as folder:
        app = BkdApp(save.path)
        async with app.run_test(size=size) as pilot:
            if size[0] < 120:
                await pilot.press("i")
            await until(pilot, lambda: "step 30" in said(app, "figures"))
            append(folder.events, steps(31, 40))
            await until(pilot, lambda: "step 40" in said(app, "figures"))
            await pilot.resize_terminal(180, 50)
            await until(pilot, lambda: " 40 " in row_text(app, "live0001"))


async def test_a_hidden_panel_reads_nothing(save: SaveRoot) -> None:
    with live_run(save) as folder:
        app = BkdApp(save.path)
        async with app.run_test(size=(180, 50)) as pilot:
            await until(pilot, lambda: "step 30" in said(app, "figures"))
            await pilot.press("i")
            await pilot.pause(0.3)
            append(folder.events, steps(31, 40))
            await until(pilot, lambda: " 40 " in row_text(app, "live0001"))
            assert "step 30" in home(app).query_one("#now-figures", Line).said
            await pilot.press("i")
            await until(pilot, lambda: "step 40" in said(app, "figures"))


async def test_runs_that_have_ended_are_not_read_again(save: SaveRoot, monkeypatch: pytest.MonkeyPatch) -> None:
    append(save.teacher("aaaa0001").events, steps(1, 30))
    save.sweep("eeee0001", "aaaa0001", [])
    app = BkdApp(save.path)
    async with app.run_test(size=(180, 50)) as pilot:
        await until(pilot, lambda: "█" in row_text(app, "aaaa0001"))
        feed = home(app).query_one(LiveFeed)
        reads: list[Any] = []
        monkeypatch.setattr(feed, "read", reads.append)
        for _ in range(3):
            feed.look()
        assert reads == []


async def test_a_run_that_loses_its_process_is_lost_in_table_and_panel(save: SaveRoot) -> None:
    process = ExitStack()
    process.enter_context(live_run(save))
    app = BkdApp(save.path)
    async with app.run_test(size=(180, 50)) as pilot:
        await until(pilot, lambda: "running" in row_text(app, "live0001") and bool(said(app, "figures")))
        process.close()
        await until(pilot, lambda: "lost" in row_text(app, "live0001"))
        await until(pilot, lambda: "? lost" in home(app).query_one("#detail-text", Line).said)
        assert not home(app).query_one(NowBlock).display


class Listener(BkdApp):
    """Keeps what it hears of runs that end."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.heard: list[tuple[str, str]] = []

    @on(RunsEnded)
    def hear(self, event: RunsEnded) -> None:
        self.heard += [(row["id"], row["status"]) for row in event.rows]


@pytest.mark.parametrize("is_behind", [False, True], ids=["in front", "behind another screen"])
async def test_the_end_of_a_run_is_told(save: SaveRoot, monkeypatch: pytest.MonkeyPatch, is_behind: bool) -> None:
    monkeypatch.setattr(row_watch, "LOOK_BEHIND_S", 0.2)
    with live_run(save) as folder:
        app = Listener(save.path)
        async with app.run_test(size=(80, 24)) as pilot:
            await until(pilot, lambda: "running" in row_text(app, "live0001"))
            if is_behind:
                await pilot.press("enter")
                assert app.screen is not home(app)
                assert not isinstance(app.screen, HelpScreen)
            write_run(folder, read_run(folder) | {"status": "done", "epoch": 10})
            await until(pilot, lambda: bool(app.heard))
            await pilot.pause(0.5)
            assert set(app.heard) == {("live0001", "done")}
