"""From the form to real child processes: a preset, a student like another, trials."""

import pytest
from pilot_form import choose, fill, form, said
from pilot_save import SaveRoot, until
from textual.pilot import Pilot

from bkd import actions
from bkd.kinds.table import load_kind
from bkd.launch import owner
from bkd.specs import make_spec
from tui.app import BkdApp
from tui.screens.home import HomeScreen
from tui.screens.launch import LaunchScreen

TINY = {"epochs": 1, "train_limit": 200, "threads": 1}


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.delenv("DATASETS_PATH", raising=False)


async def all_done(pilot: Pilot[None], save: SaveRoot, number: int) -> None:
    def holds() -> bool:
        rows = save.store.rows()
        assert not any(row["status"] in ("failed", "lost") for row in rows), rows
        return len(rows) == number and all(row["status"] == "done" for row in rows)

    for _ in range(3):  # of the deadline that a test of the app alone has
        try:
            return await until(pilot, holds)
        except AssertionError:
            continue
    raise AssertionError(save.store.rows())


async def test_a_quick_look_runs_and_the_next_one_is_estimated(save: SaveRoot) -> None:
    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("n")
        choose(app, "#preset-choice", "Quick look")
        await until(pilot, lambda: form(app).values.get("dataset") == "digits")
        fill(app, threads="1", epochs="2", train_limit="300")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, HomeScreen))
        await all_done(pilot, save, 1)
        [run] = save.store.runs()
        assert (run["spec"]["dataset"], run["spec"]["batch_size"], run["epoch"]) == ("digits", 50, 2)
        await pilot.press("y")
        await until(pilot, lambda: isinstance(app.screen, LaunchScreen))
        await until(pilot, lambda: "from 1 similar run on this machine" in said(app, "#plan-note"))


async def test_trials_of_a_teacher_and_a_student_like_another(save: SaveRoot) -> None:
    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("n")
        fill(app, arch="wrn_16_1", dataset="digits", trial="1-2", **{key: str(value) for key, value in TINY.items()})
        await until(pilot, lambda: said(app, "#plan-note").startswith("Launches 2 runs, one after another"))
        assert "--trials 1-2" in form(app).command
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, HomeScreen))
        await until(pilot, lambda: len(save.store.rows()) == 2)
        assert {owner(save.store.folder(row["path"])) for row in save.store.rows()} != {None}
    # the app has ended: what waits goes on
    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24)) as pilot:
        await all_done(pilot, save, 2)
        first, second = save.store.runs()
        assert first["ended"] <= second["started"] or second["ended"] <= first["started"]
        await launch_student(pilot, save, first["id"])


async def launch_student(pilot: Pilot[None], save: SaveRoot, teacher: str) -> None:
    app = pilot.app
    assert isinstance(app, BkdApp)
    from bkd.specs import DistillSpec

    values = {"teacher": teacher, "student": "wrn_16_1", "alpha": 0.5} | TINY
    actions.launch(save.store, make_spec(DistillSpec, values))
    await all_done(pilot, save, 3)
    home = app.screen
    assert isinstance(home, HomeScreen)
    student = next(row["id"] for row in save.store.rows() if row["role"] == "student")
    home.look_now()
    await until(pilot, lambda: any(row["id"] == student for row in home.rows))
    home.select(student)
    await pilot.press("y")
    await until(pilot, lambda: isinstance(app.screen, LaunchScreen))
    fill(app, alpha="0.9", trial="3-4")
    await pilot.press("ctrl+s")
    await until(pilot, lambda: isinstance(app.screen, HomeScreen))
    await all_done(pilot, save, 6)  # a sweep and its two students
    students = [run for run in save.store.runs() if run["role"] == "student"]
    assert sorted((run["spec"]["alpha"], run["trial"]) for run in students) == [(0.5, 1), (0.9, 3), (0.9, 4)]
    assert load_kind(students[0]["kind"]).name == "Deterministic"
