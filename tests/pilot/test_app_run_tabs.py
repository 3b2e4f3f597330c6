"""The tabs of a run's view: settings, family, machine, events, output; a run that is lost or cannot be read."""

import os
import time
from typing import Any

import orjson
import pytest
from pilot_save import CREATED, SaveRoot, append, steps, until
from textual.pilot import Pilot
from textual.widgets import Input

from bkd import actions
from bkd.kinds.table import load_kind
from bkd.launch import owner
from bkd.locks import acquire
from bkd.paths import RunFolder
from bkd.runfile import read_run, this_host, write_run
from bkd.specs import DistillSpec, dump, make_spec
from tui.app import BkdApp
from tui.run_actions import resumed_text
from tui.run_faults import fault_text
from tui.screens.run import RunScreen
from tui.screens.sweep import SweepScreen
from tui.widgets.chart_view import ChartView
from tui.widgets.key_bar import KeyBar
from tui.widgets.line import Line
from tui.widgets.lines_view import LinesView
from tui.widgets.log_tail import LogTail
from tui.widgets.log_view import LogView
from tui.widgets.pane import Pane

SIZES = pytest.mark.parametrize("size", [(80, 24), (180, 50)])
NAMES = ["Charts", "Reliability", "Config", "Lineage", "System", "Events", "Output"]


def view(app: BkdApp) -> RunScreen | SweepScreen:
    assert isinstance(app.screen, RunScreen | SweepScreen)
    return app.screen


def said(app: BkdApp, part: str) -> str:
    return view(app).query_one(f"#{part}", Line).said


def text(app: BkdApp) -> str:
    return view(app).pane.query_one(LinesView).text


def painted(app: BkdApp) -> list[str]:
    return [strip.text for strip in app.screen._compositor.render_strips()]


def log(app: BkdApp) -> LogView:
    return view(app).query_one("#output-log", LogView)


def rows(app: BkdApp) -> list[str]:
    return [log(app).render_line(y).text.rstrip() for y in range(log(app).size.height)]


async def opened(pilot: Pilot[None], app: BkdApp, tab: str) -> None:
    """Open the run under the cursor and one of its tabs."""
    await pilot.press("enter")
    await until(pilot, lambda: isinstance(app.screen, RunScreen | SweepScreen) and app.screen.is_mounted)
    await view(app).action_show_pane(tab)
    await pilot.pause()


def running(save: SaveRoot, run_id: str, **values: Any) -> tuple[RunFolder, int]:
    folder = save.teacher(run_id, status="running", host=this_host(), epoch=0, ended=None, **values)
    return folder, acquire(folder.lock)


# ---- the tabs


@SIZES
async def test_tab_walks_through_all_tabs_and_the_last_one_is_remembered(save: SaveRoot, size: tuple[int, int]) -> None:
    folder = save.teacher("aaaa0001")
    append(folder.events, steps(1, 5))
    app = BkdApp(save.path)
    async with app.run_test(size=size) as pilot:
        await opened(pilot, app, "Charts")
        assert painted(app)[2].split() == NAMES
        assert len(view(app).query(Pane)) == 1  # the others are made when they are first looked at
        for name in [*NAMES[1:], "Charts"]:
            await pilot.press("tab")
            await until(pilot, lambda name=name: view(app)._pane_name == name)
            assert [pane for pane in view(app).query(Pane) if pane.display] == [view(app).pane]
            assert painted(app)[-1].startswith(" tab next tab")
        await pilot.press("shift+tab")
        await until(pilot, lambda: view(app)._pane_name == "Output")
        await pilot.click("#tab-events")
        await until(pilot, lambda: view(app)._pane_name == "Events")
        await pilot.press("escape", "enter")
        await until(pilot, lambda: isinstance(app.screen, RunScreen) and app.screen._pane_name == "Events")
    assert BkdApp(save.path).memory.get("run.pane", "") == "Events"


async def test_a_terminal_of_any_size_shows_every_tab(save: SaveRoot) -> None:
    folder = save.teacher("aaaa0001", environment={"device": "cpu"})
    append(folder.events, [*steps(1, 5), {"t": CREATED, "kind": "log", "message": "word " * 30}])
    append(folder.system, samples(3, CREATED, gpu=True))
    write_log(folder, 500)
    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, app, "Charts")
        for name in [*NAMES[1:], "Charts"]:
            await view(app).action_show_pane(name)
            for size in ((20, 5), (1, 1), (300, 80), (80, 24)):
                await pilot.resize_terminal(*size)
                await pilot.pause()
                await pilot.press("pagedown", "pageup", "w", "right")
        assert view(app)._pane_name == "Charts"


async def test_a_hidden_tab_reads_nothing(save: SaveRoot) -> None:
    folder = save.teacher("aaaa0001")
    append(folder.events, steps(1, 5))
    folder.log.write_text("one\n")
    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, app, "Output")
        await until(pilot, lambda: log(app).lines == ["one"])
        await view(app).action_show_pane("System")

        def at_work() -> set[str]:
            return {worker.group for worker in app.workers if not worker.is_finished}

        await until(pilot, lambda: "system" in at_work() and "log" not in at_work())
        await view(app).action_show_pane("Charts")
        await until(pilot, lambda: not at_work() & {"system", "log", "events", "family"})
        await pilot.press("o")
        await until(pilot, lambda: view(app).query_one(LogTail).lines == ["one"])
        view(app).watch_run(save.store.load(save.teacher("bbbb0002")))
        await until(pilot, lambda: "log" not in at_work() and app.screen.is_mounted)


async def test_o_goes_between_the_output_and_the_charts(save: SaveRoot) -> None:
    save.teacher("aaaa0001")
    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, app, "Config")
        await pilot.press("o")
        await until(pilot, lambda: view(app)._pane_name == "Output")
        await pilot.press("o")
        await until(pilot, lambda: view(app)._pane_name == "Charts")
        await pilot.press("o")
        await until(pilot, lambda: view(app).query_one(LogTail).display)


# ---- configuration


@SIZES
async def test_every_setting_with_meaning_unit_and_what_differs(save: SaveRoot, size: tuple[int, int]) -> None:
    spec = dump(make_spec(load_kind("bayesian").spec, {"dataset": "digits", "arch": "wrn_16_1", "epochs": 20}))
    save.teacher("aaaa0001", kind="Bayesian", spec=spec | {"of_old": "x\x1b[2J"})
    app = BkdApp(save.path)
    async with app.run_test(size=size) as pilot:
        await opened(pilot, app, "Config")
        await until(pilot, lambda: "epochs" in text(app))
        lines = text(app).splitlines()
        assert all(any(line[2:].startswith(name) for line in lines) for name in spec if name not in ("type", "kind"))
        epochs = next(line for line in lines if line[2:].startswith("epochs"))
        assert epochs.startswith("● ")
        assert "20 epochs" in epochs
        assert "Passes over the training images." in epochs
        batch = next(line for line in lines if line[2:].startswith("batch_size"))
        assert batch.startswith("  batch_size")
        assert "of_old" in text(app)
        assert "\x1b" not in text(app)
        assert "--epochs 20" in text(app)
        await pilot.press("slash", *"weight", "space", *"l2")
        await until(pilot, lambda: "weight_decay" in text(app) and "batch_size" not in text(app))
        view(app).query_one(Input).value = "annealing"
        await until(pilot, lambda: "bnn_annealing_epochs" in text(app) and "batch_size" not in text(app))
        await pilot.press("escape")
        await until(pilot, lambda: "batch_size" in text(app) and isinstance(app.focused, LinesView))
        assert isinstance(app.screen, RunScreen)  # escape left the filter, not the run


async def test_ctrl_y_copies_a_command_that_makes_the_same_spec(save: SaveRoot) -> None:
    from tui.configuration import command_of

    save.usable_teacher("aaaa0001")
    spec = make_spec(DistillSpec, {"teacher": "aaaa0001", "student": "vgg8", "kd_T": 4, "alpha": 0.5, "trial": 2})
    run = {"spec": dump(spec)}
    command = command_of(run, save.path)
    assert command.startswith("bkd distill --teacher aaaa0001 ")
    flags = dict(zip(command.split()[2::2], command.split()[3::2], strict=False))
    given = {flag[2:].replace("-", "_"): value for flag, value in flags.items()}
    del given["save"]
    given.pop("detach", None)
    assert dump(make_spec(DistillSpec, given)) == run["spec"]
    save.student("cccc0003", "aaaa0001", spec=run["spec"])
    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("2")
        await opened(pilot, app, "Charts")
        await pilot.press("ctrl+y")
        assert app.clipboard == command


# ---- lineage


@SIZES
async def test_lineage_is_a_tree_and_enter_opens_a_relative(save: SaveRoot, size: tuple[int, int]) -> None:
    save.teacher("aaaa0001", kind="Bayesian")
    save.teacher("mmmm0002", kind="MCMI", teacher="aaaa0001")
    save.student("cccc0003", "mmmm0002", kind="MCMI", status="failed", metrics={})
    save.student("cccc0004", "dead0000")
    app = BkdApp(save.path)
    async with app.run_test(size=size) as pilot:
        await pilot.press("2", "G")
        home: Any = app.screen
        home.select("cccc0003")
        await opened(pilot, app, "Lineage")
        await until(pilot, lambda: "aaaa0001" in text(app))
        lines = [line.split() for line in text(app).splitlines()]
        assert lines[0][:3] == ["aaaa0001", "Bayesian", "teacher"]
        assert lines[1][:4] == ["└─", "mmmm0002", "MCMI", "teacher"]
        assert lines[1][-3:] == ["✓", "done", "90.00%"]
        assert lines[2][:4] == ["└─", "cccc0003", "student", "vgg8"]
        assert lines[2][-2:] == ["✗", "failed"]
        await pilot.press("up", "enter")
        await until(pilot, lambda: isinstance(app.screen, RunScreen) and app.screen.run["id"] == "mmmm0002")
        await until(pilot, lambda: "cccc0003" in text(app))  # opens on the same tab
        await pilot.press("escape", "escape")
        home.select("cccc0004")
        await opened(pilot, app, "Lineage")
        await until(pilot, lambda: "dead0000  was deleted" in text(app))
        await pilot.press("up", "enter")
        await until(pilot, lambda: any("dead0000 was deleted" in note.message for note in app._notifications))


def test_members_stand_above_an_ensemble() -> None:
    from tui.family import family

    run = {"id": "e", "role": "teacher", "members": ["a", "b"]}
    rows = [{"id": "a", "role": "teacher"}, run, {"id": "s", "role": "student", "teacher": "e"}]
    tree = [(one.branch, one.run_id, one.row is None) for one in family(run, rows)]
    assert tree == [("┌─ ", "a", False), ("├─ ", "b", True), ("", "e", False), ("└─ ", "s", False)]


def test_a_circle_of_teachers_ends() -> None:
    from tui.family import family

    rows = [{"id": "a", "teacher": "b"}, {"id": "b", "teacher": "a"}]
    assert sorted(one.run_id for one in family(rows[0], rows)) == ["a", "b"]


# ---- system


def samples(count: int, t: float, gpu: bool) -> list[dict[str, Any]]:
    card = {"index": 0, "util_percent": 87, "mem_mib": 5120, "device_mem_mib": 6000, "mem_total_mib": 81920}
    return [
        {"v": 1, "t": t + 5 * n, "cpu_percent": 98.0, "rss_mib": 2048.0 + n, "threads": 6, "host_cpu_percent": 40.0,
         "host_mem_percent": 38.0, "process_runs": 3, "gpu": [card] if gpu else []}
        for n in range(count)
    ]  # fmt: skip


@SIZES
async def test_system_shows_figures_charts_ages_and_environment(save: SaveRoot, size: tuple[int, int]) -> None:
    environment = {"device": "cuda:0", "torch": "2.7.1", "compile": True, "parameters": 174778, "odd": "\x1b[2Jx"}
    folder, lock = running(save, "aaaa0001", environment=environment)
    append(folder.events, steps(1, 3))
    append(folder.system, samples(4, time.time() - 20, gpu=True))
    try:
        app = BkdApp(save.path)
        async with app.run_test(size=size) as pilot:
            await opened(pilot, app, "System")
            await until(pilot, lambda: "GPU 0" in said(app, "system-figures"))
            figures = said(app, "system-figures")
            assert "CPU 98%   memory 2.0 GiB   6 threads   shared by 3 runs" in figures
            assert "87% busy   5.0 GiB of 80.0 GiB by the run, 5.9 GiB by everybody" in figures
            assert "no GPU" not in figures
            ids = ["sys-cpu", "sys-memory", "sys-gpu", "sys-gpu-memory", "sys-machine"]
            await until(pilot, lambda: [chart.id for chart in view(app).pane.query(ChartView)] == ids)
            await until(pilot, lambda: all(len(chart.series[0].x) == 4 for chart in view(app).pane.query(ChartView)))
            assert "ago" in said(app, "system-age").partition("last sample")[2]
            environment_text = said(app, "system-environment")
            assert "2.7.1" in environment_text
            assert "174,778" in environment_text
            assert "\x1b" not in environment_text
            append(folder.system, samples(1, time.time(), gpu=True))
            await until(pilot, lambda: len(view(app).query_one("#sys-cpu", ChartView).series[0].x) == 5)
            await pilot.press("right_square_bracket")
            await until(pilot, lambda: getattr(app.focused, "id", "") in ids)
    finally:
        os.close(lock)


async def test_without_a_gpu_that_is_said_once(save: SaveRoot) -> None:
    folder = save.teacher("aaaa0001", environment={"device": "cpu"})
    append(folder.system, samples(3, CREATED, gpu=False))
    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, app, "System")
        await until(pilot, lambda: "no GPU: the run computes on the CPU" in said(app, "system-figures"))
        await until(pilot, lambda: len(view(app).pane.query(ChartView)) == 3)
        assert "last sample" in said(app, "system-age")
        folder.system.unlink()
        append(folder.system, samples(2, CREATED, gpu=False))  # thinned out: written anew
        await until(pilot, lambda: len(view(app).query_one("#sys-cpu", ChartView).series[0].x) == 2)


async def test_without_samples_there_are_no_empty_charts(save: SaveRoot) -> None:
    save.teacher("aaaa0001")
    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, app, "System")
        await until(pilot, lambda: "No figures of the machine were recorded." in said(app, "system-figures"))
        assert not any(chart.display for chart in view(app).pane.query("SystemCharts"))


@SIZES
@pytest.mark.parametrize("tab", ["Config", "Events"])
async def test_no_line_goes_under_the_scrollbar(save: SaveRoot, tab: str, size: tuple[int, int]) -> None:
    spec = dump(make_spec(load_kind("bayesian").spec, {"dataset": "digits", "arch": "wrn_16_1", "epochs": 20}))
    folder = save.teacher("aaaa0001", kind="Bayesian", spec=spec)
    message = " ".join(f"{'x' * (n % 5 + 1)}" for n in range(400))
    append(folder.events, [{"t": CREATED + n, "kind": "log", "message": message[n:]} for n in range(50)])
    app = BkdApp(save.path)
    async with app.run_test(size=size) as pilot:
        await opened(pilot, app, tab)
        lines = view(app).pane.query_one(LinesView)
        await until(pilot, lambda: len(lines.lines) > size[1] and lines.max_scroll_y > 0)
        lines.scroll_home(animate=False)
        await pilot.pause()
        shown = "\n".join(painted(app))
        for line in text(app).splitlines()[: lines.size.height]:
            assert line.rstrip() in shown


# ---- events


@SIZES
async def test_events_are_lines_without_steps_that_follow_and_filter(save: SaveRoot, size: tuple[int, int]) -> None:
    folder, lock = running(save, "aaaa0001")
    records: list[dict[str, Any]] = [
        {"t": CREATED, "kind": "state", "status": "running"},
        {"t": CREATED, "kind": "log", "message": "hello \x1b[2J" + "word " * 60 + "end"},
        *steps(1, 30),
        {"t": CREATED, "kind": "epoch", "step": 30, "epoch": 0, "train/loss": 1.5, "val/acc": 0.5, "val/loss": None},
    ]
    append(folder.events, records)
    try:
        app = BkdApp(save.path)
        async with app.run_test(size=size) as pilot:
            await opened(pilot, app, "Events")
            await until(pilot, lambda: "epoch" in text(app))
            lines = text(app).splitlines()
            assert lines[0].split()[2:] == ["state", "running"]
            assert "epoch 1, step 30, loss 1.5, val loss -, val acc 50.00%" in " ".join(text(app).split())
            assert "end" in text(app)  # the long line goes on below
            assert "\x1b" not in text(app)
            assert all(len(line) <= size[0] for line in lines)
            append(folder.events, [*steps(31, 40), {"t": CREATED, "kind": "log", "message": "the newest"}])
            await until(pilot, lambda: text(app).splitlines()[-1].endswith("the newest"))
            await pilot.press("slash", *"newest", "enter")
            await until(pilot, lambda: len(text(app).splitlines()) == 1)
            folder.events.write_bytes(b"")
            append(folder.events, [{"t": CREATED, "kind": "log", "message": "newest again"}, *steps(1, 2)])
            await until(pilot, lambda: "newest again" in text(app) and "the newest" not in text(app))
    finally:
        os.close(lock)


async def test_events_hold_a_bounded_number(save: SaveRoot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.milestones.MOST", 50)
    folder = save.teacher("aaaa0001")
    append(folder.events, [{"t": CREATED, "kind": "log", "message": f"number {n}"} for n in range(5060)])
    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, app, "Events")
        await until(pilot, lambda: "number 5059" in text(app))
        assert text(app).splitlines()[0] == "5,010 records before these"
        assert "number 5010" in text(app)
        assert "number 5009" not in text(app)


# ---- output


def write_log(folder: RunFolder, lines: int) -> None:
    folder.log.write_bytes(b"".join(b"line %d of the log\n" % n for n in range(lines)))


@SIZES
async def test_all_of_a_long_log_is_reached_from_its_end(save: SaveRoot, size: tuple[int, int]) -> None:
    folder = save.teacher("aaaa0001")
    write_log(folder, 30_000)
    app = BkdApp(save.path)
    async with app.run_test(size=size) as pilot:
        await opened(pilot, app, "Output")
        await until(pilot, lambda: "line 29999" in rows(app)[-1])
        assert said(app, "output-standing") == "following"
        for _ in range(30):
            await pilot.press("pageup")
        first = int(rows(app)[0].split()[1])
        assert rows(app)[-1].split()[1] == str(first + len(rows(app)) - 1)
        assert first == 30_000 - len(rows(app)) - 30 * (len(rows(app)) - 1)
        await pilot.press("home")
        await until(pilot, lambda: "line 0 " in rows(app)[0])
        assert len(log(app).window.lines) <= 2000
        assert "0%" in said(app, "output-standing")
        await pilot.press("end")
        await until(pilot, lambda: "line 29999" in rows(app)[-1])


async def test_following_stops_on_the_way_up_and_says_what_came(save: SaveRoot) -> None:
    folder, lock = running(save, "aaaa0001")
    write_log(folder, 100)
    try:
        app = BkdApp(save.path)
        async with app.run_test(size=(80, 24)) as pilot:
            await opened(pilot, app, "Output")
            await until(pilot, lambda: "line 99" in rows(app)[-1])
            with folder.log.open("ab") as file:
                file.write(b"line 100 of the log\n")
            await until(pilot, lambda: "line 100" in rows(app)[-1])
            await pilot.press("up", "up")
            before = rows(app)
            with folder.log.open("ab") as file:
                file.write(b"line 101\nline 102\n")
            await until(pilot, lambda: "not following: 2 new lines, f follows" in said(app, "output-standing"))
            assert rows(app) == before
            await pilot.press("f")
            await until(pilot, lambda: "line 102" in rows(app)[-1])
            assert said(app, "output-standing") == "following"
            await pilot.press("f")
            await until(pilot, lambda: said(app, "output-standing").startswith("not following"))
            folder.log.write_bytes(b"a new file\n")
            await until(pilot, lambda: rows(app)[0] == "a new file")
    finally:
        os.close(lock)


@SIZES
async def test_search_counts_goes_round_and_marks(save: SaveRoot, size: tuple[int, int]) -> None:
    folder = save.teacher("aaaa0001")
    write_log(folder, 20_000)
    app = BkdApp(save.path)
    async with app.run_test(size=size) as pilot:
        await opened(pilot, app, "Output")
        await until(pilot, lambda: "line 19999" in rows(app)[-1])
        await pilot.press("slash", *"line", "space", *"777", "space", "enter")
        await until(pilot, lambda: log(app).found_text == "1/1")
        await until(pilot, lambda: any("line 777 of" in row for row in rows(app)))
        await pilot.press("slash")
        view(app).query_one(".filter-input", Input).value = "999 of"
        await pilot.press("enter")
        await until(pilot, lambda: log(app).found_text.endswith("/20"))
        at = int(log(app).found_text.split("/")[0])
        await pilot.press("n")
        await until(pilot, lambda: log(app).found_text == f"{at + 1}/20")
        await pilot.press("N", "N")
        await until(pilot, lambda: log(app).found_text == f"{at - 1 or 20}/20")
        y = next(y for y, row in enumerate(rows(app)) if "999 of" in row)
        marked = [s.text for s in log(app).render_line(y) if s.style is not None and s.style.reverse]
        assert marked == ["999 of"]
        await pilot.press("slash", "escape")
        await until(pilot, lambda: log(app).found_text == "")
        assert isinstance(app.screen, RunScreen)


@SIZES
async def test_long_and_foreign_lines_are_read_and_harmless(save: SaveRoot, size: tuple[int, int]) -> None:
    folder = save.teacher("aaaa0001")
    numbers = "".join(f"{n:05d}" for n in range(2000))
    folder.log.write_bytes(f"\x1b[31mred\x07\n漢字 🚀 \u202eעברית\n{numbers}\n".encode())
    app = BkdApp(save.path)
    async with app.run_test(size=size) as pilot:
        await opened(pilot, app, "Output")
        await until(pilot, lambda: len(log(app).lines) == 3)
        width = log(app).size.width
        assert rows(app)[0] == "red\\x07"
        assert rows(app)[1] == "漢字 🚀 \\u202eעברית"
        assert rows(app)[2] == numbers[: width - 1] + "…"
        await pilot.press("right")
        assert rows(app)[2] == "…" + numbers[9 : 9 + width - 2] + "…"
        assert all(strip.cell_length == size[0] for strip in app.screen._compositor.render_strips())
        for _ in range(10_000 // (width - 8) + 1):
            await pilot.press("shift+right")
        assert rows(app)[2].endswith("0199801999")
        await pilot.press("w")
        await pilot.press("home")
        await until(pilot, lambda: rows(app)[2] == numbers[:width])
        assert rows(app)[3] == numbers[width : 2 * width]
        await pilot.press("end")
        await until(pilot, lambda: rows(app)[-1].endswith("0199801999"))


# ---- a run in trouble


@SIZES
async def test_failed_run_shows_its_last_lines_and_what_to_do(save: SaveRoot, size: tuple[int, int]) -> None:
    folder = save.teacher("aaaa0001", status="failed", message="out of memory")
    folder.log.write_bytes(b"one\ntwo\nthree\n\x1b[31mTorchError: four\x1b[0m\n")
    app = BkdApp(save.path)
    async with app.run_test(size=size) as pilot:
        await opened(pilot, app, "Charts")
        await until(pilot, lambda: "│ TorchError: four" in said(app, "run-message"))
        assert said(app, "run-message").splitlines() == [
            "out of memory", "│ two", "│ three", "│ TorchError: four",
            "r resumes it, y opens the form with its settings, o shows what it printed.",
        ]  # fmt: skip


async def test_failure_is_told_once(save: SaveRoot) -> None:
    fault = "train_limit must be from 10 to 1293, got 4. Leave it out to train on all of them."
    folder = save.teacher("aaaa0001", status="failed", message=f"{fault} The log is output.log.")
    folder.log.write_bytes(f"reads the images\n{fault}\n".encode())
    app = BkdApp(save.path)
    async with app.run_test(size=(180, 50)) as pilot:
        await opened(pilot, app, "Charts")
        await until(pilot, lambda: "│ reads the images" in said(app, "run-message"))
        assert said(app, "run-message").count("got 4") == 1


def test_failed_sweep_is_told_how_it_goes_on(save: SaveRoot) -> None:
    save.teacher("aaaa0001")
    sweep = save.sweep("eeee0001", "aaaa0001", [None, None], status="failed", message="1 student of 2 not done.")
    run = read_run(sweep)
    assert "r goes on with the students that are not done" in fault_text(run, ()).plain
    assert resumed_text(run, sweep) == "eeee0001 goes on with the students that are not done."


def test_resumed_run_is_told_from_where_it_goes_on(save: SaveRoot) -> None:
    folder = save.teacher("aaaa0001", status="failed")
    assert resumed_text(read_run(folder), folder) == "aaaa0001 starts again: it has no checkpoint yet."
    (folder.checkpoints / "000000042").mkdir(parents=True)
    assert resumed_text(read_run(folder), folder) == "aaaa0001 goes on from its last checkpoint."


async def test_vanished_folder_is_told_and_comes_back(save: SaveRoot) -> None:
    folder, lock = running(save, "aaaa0001")
    append(folder.events, steps(1, 5))
    folder.log.write_bytes(b"one\n")
    away = folder.path.with_name("away")
    try:
        app = BkdApp(save.path)
        async with app.run_test(size=(80, 24)) as pilot:
            await opened(pilot, app, "Output")
            await until(pilot, lambda: log(app).lines == ["one"])
            folder.path.rename(away)
            await until(pilot, lambda: "its folder is gone" in said(app, "run-title"))
            assert "deleted or moved" in said(app, "run-message").replace("\n", " ")
            assert log(app).lines == ["one"]
            for tab in NAMES:
                await view(app).action_show_pane(tab)
                await pilot.pause()
            away.rename(folder.path)
            await until(pilot, lambda: "● running" in said(app, "run-title"))
            assert not said(app, "run-message")
            append(folder.events, steps(6, 7))
            await until(pilot, lambda: view(app).history.step == 7)
            with folder.log.open("ab") as file:
                file.write(b"two\n")
            await until(pilot, lambda: log(app).lines == ["one", "two"])
    finally:
        os.close(lock)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
async def test_folder_without_rights_is_told(save: SaveRoot) -> None:
    folder = save.teacher("aaaa0001")
    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, app, "Output")
        folder.path.chmod(0)
        try:
            await until(pilot, lambda: "cannot be read" in said(app, "run-title"))
            assert "Permission denied" in said(app, "run-message")
        finally:
            folder.path.chmod(0o755)
        await until(pilot, lambda: "✓ done" in said(app, "run-title"))


async def test_damaged_run_file_is_told(save: SaveRoot) -> None:
    folder = save.teacher("aaaa0001")
    whole = folder.run.read_bytes()
    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, app, "Charts")
        folder.run.write_bytes(b"{")
        await until(pilot, lambda: "cannot be read" in said(app, "run-title"))
        assert "not valid JSON" in said(app, "run-message")
        folder.run.write_bytes(whole)
        await until(pilot, lambda: "✓ done" in said(app, "run-title"))


async def test_a_killed_child_is_lost_within_seconds(save: SaveRoot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    spec = {"dataset": "digits", "arch": "wrn_16_1", "train_limit": 300, "epochs": 500, "batch_size": 50}
    folder = actions.launch(save.store, make_spec(load_kind("deterministic").spec, spec))
    app = BkdApp(save.path)
    try:
        async with app.run_test(size=(80, 24)) as pilot:
            await opened(pilot, app, "System")
            await until(pilot, lambda: "● running" in said(app, "run-title") and view(app).history.step > 0)
            await until(pilot, lambda: "no GPU" in said(app, "system-figures"))
            assert "torch" in said(app, "system-environment")
            await view(app).action_show_pane("Events")
            await until(pilot, lambda: "running" in text(app))
            await view(app).action_show_pane("Output")
            pid = owner(folder)
            assert pid is not None
            os.killpg(pid, 9)
            killed = time.monotonic()
            await until(pilot, lambda: "? lost" in said(app, "run-title"))
            assert time.monotonic() - killed < 30  # the bar is 5 s on a machine with nothing else to do
            assert "r resumes it" in said(app, "run-message")
    finally:
        pid = owner(folder)
        if pid is not None:
            os.killpg(pid, 9)


# ---- sweeps


@SIZES
async def test_a_sweep_has_the_same_tabs(save: SaveRoot, size: tuple[int, int]) -> None:
    save.usable_teacher("aaaa0001")
    save.student("cccc0003", "aaaa0001")
    folder = save.sweep("eeee0001", "aaaa0001", ["cccc0003", None], status="stopped", epoch=1)
    write_run(folder, read_run(folder) | {"message": "stopped"})
    folder.log.write_bytes(b"group 1 of 1\n")
    app = BkdApp(save.path)
    async with app.run_test(size=size) as pilot:
        await pilot.press("3")
        await opened(pilot, app, "Students")
        assert painted(app)[3].split() == ["Students", *NAMES[2:]]
        await view(app).action_show_pane("Output")
        await until(pilot, lambda: log(app).lines == ["group 1 of 1"])
        await view(app).action_show_pane("Lineage")
        await until(pilot, lambda: "grid sweep 1/2" in text(app) and "aaaa0001" in text(app))
        await view(app).action_show_pane("Config")
        await until(pilot, lambda: "Settings as Tt:Ts:alpha triples" in text(app).replace("\n", " "))
        assert [key.key for key in view(app).query_one(KeyBar)._keys][:2] == ["tab", "/"]


def test_events_of_the_tests_are_what_children_write() -> None:
    assert orjson.dumps({"kind": "step"}) == b'{"kind":"step"}'  # by which steps are passed over
