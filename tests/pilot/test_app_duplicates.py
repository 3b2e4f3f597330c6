"""A form filled with a run's settings: what is taken over, what is marked, what is told of what there is no more."""

from typing import Any

from pilot_form import choose, fill, form, note, row, said, typed
from pilot_save import SPLIT, SaveRoot, at_rest, until
from textual.widgets import Select

from bkd import actions
from bkd.kinds.table import load_kind
from bkd.runfile import read_run, write_run
from bkd.specs import DistillSpec, dump, make_spec
from bkd.sweep_specs import GridSweep
from tui.app import BkdApp
from tui.screens.home import HomeScreen
from tui.screens.launch import LaunchScreen
from tui.screens.run import RunScreen
from tui.screens.sweep import SweepScreen

PRESET = "#preset-choice"


def student(save: SaveRoot, run_id: str, teacher: str = "aaaa0001", **values: Any) -> None:
    given = {"teacher": teacher, "student": "vgg8", "alpha": 0.5, "kd_T": 4, "epochs": 30, "trial": 2} | values
    spec = dump(make_spec(DistillSpec, {**SPLIT, **given}))
    save.student(run_id, teacher, spec=spec, trial=given["trial"], student_arch=given["student"])


async def test_a_students_form_is_filled_and_changes_are_marked(save: SaveRoot) -> None:
    save.usable_teacher("aaaa0001")
    student(save, "bbbb0002")
    student(save, "cccc0003", trial=5)
    app = BkdApp(save.path)
    async with app.run_test(size=(120, 40)) as pilot:
        home = app.screen
        assert isinstance(home, HomeScreen)
        home.select("bbbb0002")
        await pilot.press("y")
        await until(pilot, lambda: isinstance(app.screen, LaunchScreen))
        expected = {
            "teacher": "aaaa0001", "student": "vgg8", "alpha": "0.5", "kd_T": "4", "epochs": "30", "trial": "2",
        }  # fmt: skip
        assert form(app).values == expected  # the milestones follow from the epochs: they are not taken over
        assert said(app, "#form-title") == "New student of a teacher, like bbbb0002"
        await until(pilot, lambda: said(app, "#advice").endswith("change a setting, or take trial 6."))
        fill(app, alpha="0.9")
        await until(pilot, lambda: note(app, "alpha") == "was 0.5")
        assert not form(app).query_one("#advice").display
        assert note(app, "epochs") == "epochs"
        fill(app, alpha="0.50")
        await until(pilot, lambda: note(app, "alpha") == "")
        choose(app, PRESET, "Quick look")
        await until(pilot, lambda: note(app, "epochs") == "was 30 · epochs")
        choose(app, PRESET, "like bbbb0002")
        await until(pilot, lambda: form(app).values == expected | {"alpha": "0.50"})


async def test_what_is_gone_is_told_in_its_place(save: SaveRoot) -> None:
    save.usable_teacher("aaaa0001")
    student(save, "bbbb0002")
    run = read_run(folder := save.store.find("bbbb0002"))
    run["spec"] |= {"student": "vgg99", "shuffle_seed": 3, "epochs": 3.5}
    write_run(folder, run)
    actions.delete(save.store, "aaaa0001", force=True)
    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("2", "y")
        await until(pilot, lambda: isinstance(app.screen, LaunchScreen))
        assert typed(app, "teacher") == "aaaa0001"
        await until(pilot, lambda: note(app, "student") == "vgg99 is not known any more")
        assert note(app, "epochs").startswith("✗ must be a whole number >= 1")
        assert "shuffle_seed of bbbb0002 cannot be set any more" in said(app, "#advice")
        fill(app, epochs="3")
        await until(pilot, lambda: note(app, "teacher").startswith("✗ No run answers to 'aaaa0001'"))
        await pilot.press("ctrl+s")
        await at_rest(pilot, "plan", "launch")
        assert isinstance(app.screen, LaunchScreen)


async def test_a_made_teacher_and_a_sweep_have_their_forms(save: SaveRoot) -> None:
    save.usable_teacher("aaaa0001")
    made = {"teacher": "aaaa0001", "epochs": 3, "train_limit": 200, "mcmi_param": 0.2, "arch": "wrn_16_1"}
    spec = dump(make_spec(load_kind("MCMI").spec, {**SPLIT, **made}))
    save.teacher("bbbb0002", kind="MCMI", spec=spec, teacher="aaaa0001")
    swept = {"teacher": "aaaa0001", "students": "vgg8,wrn_16_1", "grid": "4:1:0.5;2:1:0.7", "trials": "1-3"}
    sweep = dump(make_spec(GridSweep, {**SPLIT, **swept}))
    save.sweep("cccc0003", "aaaa0001", [None], spec=sweep)
    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24)) as pilot:
        home = app.screen
        assert isinstance(home, HomeScreen)
        home.select("bbbb0002")
        await pilot.press("y")
        await until(pilot, lambda: isinstance(app.screen, LaunchScreen))
        assert form(app).query_one("#form-choice", Select).value == "MCMI"
        assert form(app).command.startswith(
            "bkd train mcmi --teacher aaaa0001 --epochs 3 --train-limit 200 --mcmi-param 0.2 --save"
        )
        await pilot.press("escape", "3", "enter")
        await until(pilot, lambda: isinstance(app.screen, SweepScreen))
        await pilot.press("y")
        await until(pilot, lambda: isinstance(app.screen, LaunchScreen))
        assert form(app).query_one("#form-choice", Select).value == "sweep grid"
        values = form(app).values
        assert (values["students"], values["grid"]) == ("vgg8,wrn_16_1", "4:1:0.5;2:1:0.7")
        assert values["trials"] == "1,2,3"


async def test_what_has_no_form_is_told(save: SaveRoot) -> None:
    head = {"role": "experiment", "kind": "synthetic", "path": "experiments/synthetic/cccc0003"}
    save.teacher("cccc0003", **head, spec={"type": "synthetic"})
    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("3", "y")
        await pilot.pause()
        assert isinstance(app.screen, HomeScreen)
        assert "bkd show cccc0003 --command" in str(next(iter(app._notifications)).message)


async def test_the_run_view_duplicates_its_run(save: SaveRoot) -> None:
    save.usable_teacher("aaaa0001")
    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, RunScreen))
        await pilot.press("y")
        await until(pilot, lambda: isinstance(app.screen, LaunchScreen))
        assert row(app, "epochs").value == "8"
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, RunScreen))
