"""Names, logs, files and terminals as nobody should make them: the app stays up and shows nothing raw."""

import os
import re

import pytest
from hostile import LETTERS, VALUES
from pilot_hostile import SIZES, brief_idle, home, look, mistyped_save, odd_save, shown
from pilot_save import SaveRoot, append, steps, until
from psutil import Process

from bkd.locks import acquire
from bkd.runfile import this_host
from tui.app import BkdApp
from tui.screens.compare import CompareScreen
from tui.screens.run import RunScreen
from tui.screens.sweep import SweepScreen

TABS = ("Reliability", "Config", "Lineage", "System", "Events", "Output", "Charts")


@pytest.fixture(autouse=True)
def _brief_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("textual.app.wait_for_idle", brief_idle)
    monkeypatch.setattr("textual.pilot.wait_for_idle", brief_idle)


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_no_text_of_the_tables_gets_out_raw(save: SaveRoot, size: tuple[int, int]) -> None:
    odd_save(save, LETTERS.values())
    app = BkdApp(save.path)
    async with app.run_test(size=size) as pilot:
        faults = await look(pilot, "i")
        for table in ("1", "2", "3"):
            faults += await look(pilot, table, *["down"] * len(LETTERS))
        faults += await look(pilot, "1", "v", *["down"] * len(LETTERS), "v", "left", "left", "right", "Z")
        faults += await look(pilot, "1", "slash", *"kind ~ [", "escape", "n", "tab", "escape", "d", "tab", "escape")
    assert not faults


@pytest.mark.parametrize("part", [0, 1])
async def test_no_text_of_a_run_gets_out_raw(save: SaveRoot, part: int) -> None:
    """Every other text at each size: a teacher of each, a student and a sweep of some, tab by tab."""
    texts = list(LETTERS.values())[part::2]
    odd_save(save, texts)
    app = BkdApp(save.path)
    async with app.run_test(size=SIZES[part]) as pilot:
        faults = await look(pilot, "i")
        for table, prefix in (("1", "aaaa"), ("2", "bbbb"), ("3", "cccc")):
            faults += await look(pilot, table)
            for number in range(len(texts)) if table == "1" else [len(texts) - int(table)]:
                app.home.select(f"{prefix}{number:04}")
                screen = RunScreen if table != "3" else SweepScreen
                faults += await look(pilot, "enter", at=lambda kind=screen: isinstance(app.screen, kind))
                faults += await look(pilot, "o", "z")
                run_screen = app.screen
                assert isinstance(run_screen, RunScreen | SweepScreen)
                for tab in TABS:
                    await run_screen.action_show_pane(tab)
                    faults += await look(pilot, "end", *(("slash", "y", "enter", "n") if tab == "Output" else ()))
                faults += await home(pilot)
            faults += await look(pilot, "D", "escape", "t", "escape", "y", "escape")
    assert not faults


@pytest.mark.parametrize("part", [0, 1])
async def test_no_text_of_a_comparison_gets_out_raw(save: SaveRoot, part: int) -> None:
    odd_save(save, list(LETTERS.values())[part::2])
    app = BkdApp(save.path)
    async with app.run_test(size=SIZES[part]) as pilot:
        faults = await look(pilot, "1", "v")
        for table in ("1", "2"):
            faults += await look(
                pilot, table, "home", *["space"] * 5, "c", at=lambda: isinstance(app.screen, CompareScreen)
            )
            faults += await look(pilot, "2", "3", "4", "1", "y", "escape")
            faults += await home(pilot)
            faults += await look(pilot, "escape")  # takes the marks away
    assert not faults


@pytest.mark.parametrize("part", [0, 1])
async def test_wrong_types_stop_nothing(save: SaveRoot, part: int) -> None:
    values = list(VALUES.values())[part::2]
    run_ids = mistyped_save(save, values)
    app = BkdApp(save.path)
    async with app.run_test(size=SIZES[part]) as pilot:
        faults = await look(pilot, "i", "v")
        assert len(app.store.rows()) == len(run_ids)
        for table, prefix in (("1", "teac"), ("2", "stud"), ("3", "expe")):
            faults += await look(pilot, table)
            for number in range(len(values)):
                app.home.select(f"{prefix}{number:04}")
                faults += await look(pilot, "enter", at=lambda: isinstance(app.screen, RunScreen | SweepScreen))
                run_screen = app.screen
                assert isinstance(run_screen, RunScreen | SweepScreen)
                for tab in TABS if number % 3 == int(table) - 1 else ():
                    await run_screen.action_show_pane(tab)
                    faults += await look(pilot)
                faults += await home(pilot)
            faults += await look(pilot, *"sssssssss", "home", "D", "escape", "t", "escape", "y", "escape")
        faults += await look(pilot, "1", "home", *["space"] * len(values), "c", "2", "3", "4", "1", "escape")
        faults += await look(pilot, "n", "escape", "d", "escape", "v", "v")
    assert not faults


# ---- files that change, or cannot be read, while they are open


async def test_event_file_may_be_torn_rewound_and_vanish(save: SaveRoot) -> None:
    folder = save.teacher("aaaa0001", status="running", host=this_host())
    lock = acquire(folder.lock)
    append(folder.events, steps(1, 50))
    app = BkdApp(save.path)
    async with app.run_test(size=(120, 40)) as pilot:
        assert not await look(pilot, "enter")
        await until(pilot, lambda: "step 50" in shown(app))
        with folder.events.open("ab") as file:
            file.write(b'{"v":1,"kind":"step","step":51,"epo')
        assert not await look(pilot)
        with folder.events.open("ab") as file:
            file.write(b'ch":0,"t":1.0,"train/loss":0.1}\n\x00\xff{]\n')
        await until(pilot, lambda: "step 51" in shown(app))
        folder.events.write_bytes(b"")
        append(folder.events, steps(1, 7))
        await until(pilot, lambda: "step 7" in shown(app))
        folder.events.unlink()
        assert not await look(pilot)
        append(folder.events, steps(1, 9))
        await until(pilot, lambda: "step 9" in shown(app))
        folder.events.unlink()
        folder.events.mkdir()
        assert not await look(pilot, "escape", "enter")
    os.close(lock)


async def test_huge_event_file_is_shown_from_its_end(save: SaveRoot) -> None:
    folder = save.teacher("aaaa0001")
    append(folder.events, steps(1, 20))
    with folder.events.open("r+b") as file:
        file.truncate(1 << 30)  # a hole, as a fault of the disk leaves it: one line without an end
    folder.log.touch()
    os.truncate(folder.log, 1 << 30)
    before = Process().memory_info().rss
    app = BkdApp(save.path)
    async with app.run_test(size=(120, 40)) as pilot:
        assert not await look(pilot, "enter")
        await until(pilot, lambda: "step 20" in shown(app))
        assert not await look(pilot, "o", "escape")
    assert Process().memory_info().rss - before < 1 << 28


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b'{"teachers": 7}',
        b'{"teachers": {"1": {"id": 3}}}',
        b'{"teachers": {"1": []}}',
        b"\xff" * 999,
    ],
    ids=repr,
)
async def test_registry_that_turns_into_garbage_is_rebuilt(save: SaveRoot, content: bytes) -> None:
    save.teacher("aaaa0001")
    app = BkdApp(save.path)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: "aaaa0001" in shown(app))
        save.store.registry.path.write_bytes(content)
        app.screen.look_now()
        await until(pilot, lambda: any("was damaged" in notice.message for notice in app._notifications))
        save.teacher("bbbb0002")
        await until(pilot, lambda: {"aaaa0001", "bbbb0002"} <= set(re.findall(r"[ab]{4}000\d", shown(app))))
        assert not await look(pilot, "enter", "escape")


async def test_registry_that_cannot_be_read_is_told(save: SaveRoot) -> None:
    save.teacher("aaaa0001")
    app = BkdApp(save.path)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: "aaaa0001" in shown(app))
        save.store.registry.path.unlink()
        save.store.registry.path.mkdir()
        app.screen.look_now()
        await until(pilot, lambda: any("is a directory" in notice.message for notice in app._notifications))
        assert "aaaa0001" in shown(app)
        save.store.registry.path.rmdir()
        save.store.rebuild()
        save.teacher("bbbb0002")
        await until(pilot, lambda: "bbbb0002" in shown(app))


async def test_run_folder_without_rights(save: SaveRoot) -> None:
    """A folder in a file's place cannot be read by anybody, root included."""
    names = ("run.json", "user.json", "events.jsonl", "output.log", "run.lock", "system.jsonl")
    for number, name in enumerate(names):
        folder = save.teacher(f"aaaa000{number}", status="running", host=this_host())
        (folder.path / name).unlink(missing_ok=True)
        (folder.path / name).mkdir()
    save.teacher("cccc0003")
    app = BkdApp(save.path)
    async with app.run_test(size=(120, 40)) as pilot:
        faults = await look(pilot, "i")
        for number in range(len(names)):
            app.home.select(f"aaaa000{number}")
            faults += await look(pilot, "enter", "o", "tab", "escape", "D", "escape")
            faults += await home(pilot)
        faults += await look(pilot, "home", *["space"] * 7, "c", "2", "3", "4", "escape", "x", "escape", "r", "escape")
        assert {f"aaaa000{number}" for number in range(6)} | {"cccc0003"} <= set(
            re.findall(r"[abc]{4}000\d", shown(app))
        )
    assert not faults


# ---- tiny terminals


async def test_every_screen_bears_a_tiny_terminal(save: SaveRoot) -> None:
    teacher = save.usable_teacher("aaaa0001")
    append(teacher.events, steps(1, 20))
    save.student("bbbb0001", "aaaa0001")
    save.sweep("cccc0001", "aaaa0001", ["bbbb0001", None])
    app = BkdApp(save.path)
    keys = (
        "", "i", "enter", "escape", "n", "escape", "d", "escape", "question_mark", "escape", "D", "escape", "t",
        "escape", "slash", "escape", "2", "enter", "escape", "3", "enter", "escape", "1", "space", "2", "space", "c",
        "2", "3", "4",
    )  # fmt: skip
    faults = []
    async with app.run_test(size=(80, 24)) as pilot:
        for key in keys:
            faults += await look(pilot, key) if key else []
            await pilot.resize_terminal(1, 1)
            await pilot.resize_terminal(20, 5)
            faults += await look(pilot)
            await pilot.resize_terminal(80, 24)
    assert not faults
