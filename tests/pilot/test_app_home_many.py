"""Marks, and what keys do to all marked runs; real children where runs are stopped and resumed."""

import os

import pytest
from children import steps_of, teacher_spec
from children import until as until_true
from pilot_save import SaveRoot, until
from textual.pilot import Pilot

from bkd import actions
from bkd.launch import stop_together
from bkd.locks import acquire
from bkd.runfile import read_user, this_host
from tui.app import BkdApp
from tui.screens.ask import AskScreen
from tui.screens.confirm import ConfirmScreen
from tui.screens.home import HomeScreen
from tui.screens.tags_of_many import TagsOfManyScreen
from tui.widgets.line import Line


def home(app: BkdApp) -> HomeScreen:
    screen = app.screen_stack[0]
    assert isinstance(screen, HomeScreen)
    return screen


def marked(app: BkdApp) -> list[str]:
    return [str(row["id"]) for row in home(app).marked]


def said(app: BkdApp) -> str:
    return "\n".join(note.message for note in app._notifications)


def three_teachers(save: SaveRoot) -> None:
    for n in (1, 2, 3):
        save.teacher(f"aaaa000{n}", created=float(10 - n))


async def mark(pilot: Pilot[None], *run_ids: str) -> None:
    for run_id in run_ids:
        home(pilot.app).select(run_id)  # type: ignore[arg-type]
        await pilot.press("space")


# ---- marks


async def test_all_shown_are_marked_and_unmarked(save: SaveRoot) -> None:
    three_teachers(save)
    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24)) as pilot:
        await mark(pilot, "aaaa0002")
        await pilot.press("a")
        assert sorted(marked(app)) == ["aaaa0001", "aaaa0002", "aaaa0003"]
        assert "◆ 3 marked" in home(app).query_one("#summary", Line).said
        await pilot.press("a")
        assert marked(app) == []


async def test_a_range_is_marked_and_taken_back_by_going_back(save: SaveRoot) -> None:
    three_teachers(save)
    save.teacher("aaaa0004", created=0.0)
    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24)) as pilot:
        await mark(pilot, "aaaa0004")
        await pilot.press("g", "shift+down", "J")
        assert marked(app) == ["aaaa0004", "aaaa0001", "aaaa0002", "aaaa0003"]
        await pilot.press("shift+up", "K", "shift+up")
        assert marked(app) == ["aaaa0004", "aaaa0001"]
        await pilot.press("end", "shift+up")
        assert marked(app) == ["aaaa0004", "aaaa0001", "aaaa0003"]
        await pilot.press("escape", "g")
        await pilot.click("#teachers", offset=(20, 3), shift=True)
        assert marked(app) == ["aaaa0001", "aaaa0002", "aaaa0003"]
        await pilot.click("#teachers", offset=(20, 2), control=True)
        assert marked(app) == ["aaaa0001", "aaaa0003"]


async def test_marks_of_runs_that_are_gone_are_forgotten(save: SaveRoot) -> None:
    three_teachers(save)
    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24)) as pilot:
        await mark(pilot, "aaaa0001", "aaaa0002")
        actions.delete(save.store, "aaaa0001")
        home(app).look_now()
        await until(pilot, lambda: len(home(app).rows) == 2)
        assert home(app).tables.marked == ["aaaa0002"]


async def test_one_marked_run_comes_before_the_cursor(save: SaveRoot) -> None:
    three_teachers(save)
    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24)) as pilot:
        await mark(pilot, "aaaa0003")
        await pilot.press("g", "D")
        assert isinstance(app.screen, ConfirmScreen)
        assert app.screen.word == "aaaa0003"


# ---- delete


async def test_many_are_deleted_after_a_typed_count(save: SaveRoot) -> None:
    three_teachers(save)
    save.student("cccc0001", "aaaa0001")
    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24)) as pilot:
        await mark(pilot, "aaaa0001", "cccc0001", "aaaa0002")
        await pilot.press("D")
        assert isinstance(app.screen, ConfirmScreen)
        text = app.screen.query_one("#warning", Line).said
        assert "wrn_16_1_digits_cccc0001" in text
        assert "Not marked" not in text
        await pilot.press(*"delete", "space", *"2", "enter")
        assert isinstance(app.screen, ConfirmScreen), "another count is no yes"
        await pilot.press("backspace", *"3", "enter")
        await until(pilot, lambda: [row["id"] for row in home(app).rows] == ["aaaa0003"])
        assert marked(app) == []


async def test_students_that_are_not_marked_take_more_to_be_left_alone(save: SaveRoot) -> None:
    three_teachers(save)
    save.student("cccc0001", "aaaa0001")
    save.student("cccc0002", "aaaa0001")
    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24)) as pilot:
        await mark(pilot, "aaaa0001", "cccc0001")
        await pilot.press("D")
        assert isinstance(app.screen, ConfirmScreen)
        assert "left without their teacher: 1 student." in app.screen.query_one("#warning", Line).said
        await pilot.press(*"delete", "space", *"2", "enter")
        assert isinstance(app.screen, ConfirmScreen)
        await pilot.press("space", *"force", "enter")
        await until(pilot, lambda: {row["id"] for row in home(app).rows} == {"aaaa0002", "aaaa0003", "cccc0002"})


async def test_what_cannot_be_deleted_is_told_and_the_rest_goes_on(save: SaveRoot) -> None:
    three_teachers(save)
    lock = acquire(save.teacher("dddd0001", status="running", host=this_host()).lock)
    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await mark(pilot, "dddd0001", "aaaa0001", "aaaa0002")
        await pilot.press("D", *"delete", "space", *"3", "enter")
        await until(pilot, lambda: {row["id"] for row in home(app).rows} == {"dddd0001", "aaaa0003"})
        await until(pilot, lambda: "2 of 3 runs deleted" in said(app))
        assert "dddd0001 is running" in said(app)
    os.close(lock)


# ---- tags


async def test_tags_are_added_to_all_and_taken_from_all(save: SaveRoot) -> None:
    three_teachers(save)
    folders = {run_id: save.store.find(run_id) for run_id in ("aaaa0001", "aaaa0002", "aaaa0003")}
    actions.describe(save.store, "aaaa0001", add=["debug", "mine"])
    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24)) as pilot:
        await mark(pilot, "aaaa0001", "aaaa0002")
        await pilot.press("t")
        assert isinstance(app.screen, TagsOfManyScreen)
        assert "debug (1), mine (1)" in app.screen.query_one("#present", Line).said
        await pilot.press(*"paper, -debug", "enter")
        await until(pilot, lambda: "paper" in read_user(folders["aaaa0002"])["tags"])
        assert [read_user(folder)["tags"] for folder in folders.values()] == [["mine", "paper"], ["paper"], []]


# ---- stop and resume


async def test_many_are_not_stopped_when_none_runs(save: SaveRoot) -> None:
    three_teachers(save)
    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await mark(pilot, "aaaa0001", "aaaa0002")
        await pilot.press("x")
        await until(pilot, lambda: "None of the marked runs is running" in said(app))
        await pilot.press("r")
        await until(pilot, lambda: "None of the marked runs can be resumed" in said(app))


async def test_many_children_are_stopped_and_resumed(save: SaveRoot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    folders = [actions.launch(save.store, teacher_spec("Deterministic", epochs=60, trial=n)) for n in (1, 2)]
    save.teacher("aaaa0001")
    first, second = (save.store.load(folder)["id"] for folder in folders)
    app = BkdApp(save.path)
    try:
        for folder in folders:
            until_true(lambda folder=folder: steps_of(folder) >= 2, "two steps")
        async with app.run_test(size=(80, 24), notifications=True) as pilot:
            await until(pilot, lambda: len(home(app).rows) == 3)
            await mark(pilot, first, second, "aaaa0001")
            await pilot.press("x")
            assert isinstance(app.screen, AskScreen)
            text = app.screen.query_one("#text", Line).said
            assert first in text
            assert "1 other marked run will be left as it is" in text
            await pilot.press("escape")
            assert save.store.load(folders[0])["status"] == "running"
            await pilot.press("x", "enter")
            await until(pilot, lambda: "2 runs stopped" in said(app))
            assert [save.store.load(folder)["status"] for folder in folders] == ["stopped", "stopped"]
            steps = [steps_of(folder) for folder in folders]
            await until(pilot, lambda: [row["status"] for row in home(app).marked].count("stopped") == 2)
            await pilot.press("r", "enter")
            await until(pilot, lambda: "2 runs resumed" in said(app))
            for folder, before in zip(folders, steps, strict=True):
                await until(pilot, lambda folder=folder, before=before: steps_of(folder) > before, "a step more")
    finally:
        stop_together(folders)


async def test_the_palette_acts_on_the_marked_runs(save: SaveRoot) -> None:
    three_teachers(save)
    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24)) as pilot:
        titles = {command.title: command for command in app.get_system_commands(app.screen)}
        assert {"Mark all shown", "Unmark all", "Tree or flat", "Columns", "Saved views"} <= set(titles)
        await mark(pilot, "aaaa0001", "aaaa0002")
        result = titles["Delete run"].callback()
        if result is not None:
            await result
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        assert app.screen.word == "delete 2"  # type: ignore[attr-defined]
