"""Experiments: their table, a sweep's students, the forms that launch sweeps, the charts of the synthetic one."""

import os

import pytest
from pilot_save import SPLIT, SaveRoot, append, at_rest, until
from textual.pilot import Pilot
from textual.widgets import Input, Select

from bkd import actions
from bkd.locks import acquire
from bkd.runfile import read_run, this_host, write_run
from bkd.sweep_specs import FewshotSweep, GridSweep, SamplesSweep, SeedsSweep, SweepSpec
from tui.app import BkdApp
from tui.forms import STUDENT_FORMS
from tui.screens.confirm import ConfirmScreen
from tui.screens.home import HomeScreen
from tui.screens.launch import LaunchScreen
from tui.screens.run import RunScreen
from tui.screens.sweep import SweepScreen
from tui.widgets.chart_view import ChartView
from tui.widgets.field_row import FieldRow
from tui.widgets.line import Line
from tui.widgets.run_table import RunTable


@pytest.fixture
def sweep(save: SaveRoot) -> SaveRoot:
    """A teacher and a sweep over it: one student is done, one failed, two wait."""
    save.usable_teacher("aaaa0001")
    save.student("cccc0001", "aaaa0001", path="students/cccc0001", lineage={"experiment": "eeee0001"})
    save.student("cccc0002", "aaaa0001", path="students/cccc0002", status="failed", metrics={})
    save.sweep("eeee0001", "aaaa0001", ["cccc0001", "cccc0002", None, None], status="stopped", epoch=1)
    return save


def detail(app: BkdApp) -> str:
    return app.screen_stack[0].query_one("#detail-text", Line).said


def table(app: BkdApp) -> RunTable:
    return app.screen.query_one("#students", RunTable)


def form(app: BkdApp) -> LaunchScreen:
    assert isinstance(app.screen, LaunchScreen)
    return app.screen


def fill(app: BkdApp, **values: str) -> None:
    for name, value in values.items():
        control = form(app).query_one(f"#field-{name}", FieldRow).query_one(".field-control")
        assert isinstance(control, Input | Select)
        control.value = value


def note(app: BkdApp, name: str) -> str:
    return form(app).query_one(f"#field-{name}", FieldRow).query_one(".field-note", Line).said


async def choose_form(pilot: Pilot[None], name: str) -> None:
    """Choose what the student's form launches."""
    app = pilot.app
    assert isinstance(app, BkdApp)
    form(app).query_one("#form-choice", Select).value = name
    title = STUDENT_FORMS.load(name).title
    await until(pilot, lambda: form(app).query_one("#form-title", Line).said == title)  # said last
    await at_rest(pilot, "plan")


# ---- the table, the students


async def test_third_table_lists_experiments_with_students_done(sweep: SaveRoot) -> None:
    app = BkdApp(sweep.path)
    async with app.run_test(size=(80, 24)) as pilot:
        home = app.screen
        assert isinstance(home, HomeScreen)
        await pilot.press("3")
        assert [row["id"] for row in home.table.rows] == ["eeee0001"]
        assert "Experiments 1" in home.query_one("#tab-experiment", Line).said
        line = home.table.render_line(1).text
        assert "■ stopped" in line
        assert " 1/4 " in line
        await pilot.press("tab")
        assert home.tables.role == "teacher"
        await pilot.press("shift+tab")
        assert home.tables.role == "experiment"


async def test_details_of_a_sweep_list_its_students(sweep: SaveRoot) -> None:
    app = BkdApp(sweep.path)
    async with app.run_test(size=(160, 50)) as pilot:
        await pilot.press("3")
        await until(pilot, lambda: "1 of 4" in detail(app))
        assert "  cccc0001  ✓ 90.00%" in detail(app)
        assert "  cccc0002  ✗ failed" in detail(app)
        assert "  #3        · waiting" in detail(app)
        await pilot.press("2")
        await until(pilot, lambda: "cccc0002" in detail(app))
        await pilot.press("down")
        await until(pilot, lambda: "of the sweep" in detail(app) and "  eeee0001  ■ grid 1/4" in detail(app))


async def test_enter_opens_the_sweep_and_then_a_student(sweep: SaveRoot) -> None:
    app = BkdApp(sweep.path)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("3", "enter")
        await until(pilot, lambda: isinstance(app.screen, SweepScreen))
        assert [row["status"] for row in table(app).rows] == ["done", "failed", "waiting", "waiting"]
        assert "grid sweep of aaaa0001" in app.screen.query_one("#run-title", Line).said
        assert "1/4 done" in app.screen.query_one("#progress", Line).said
        assert "90.00%" in table(app).render_line(1).text
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, RunScreen))
        assert app.screen.run["id"] == "cccc0001"
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, SweepScreen))
        await pilot.press("G", "enter")
        await until(pilot, lambda: any("waiting" in note.message for note in app._notifications))
        assert isinstance(app.screen, SweepScreen)
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, HomeScreen))


async def test_a_running_sweep_is_followed(sweep: SaveRoot) -> None:
    folder = sweep.store.folder("experiments/grid/eeee0001")
    write_run(folder, read_run(folder) | {"status": "running", "host": this_host(), "epoch": 0})
    sweep.store.register(read_run(folder))
    lock = acquire(folder.lock)
    try:
        app = BkdApp(sweep.path)
        async with app.run_test(size=(120, 40)) as pilot:
            await pilot.press("3", "enter")
            await until(pilot, lambda: isinstance(app.screen, SweepScreen))
            sweep.student("cccc0003", "aaaa0001", path="students/cccc0003")
            run = read_run(folder)
            run["students"][2] |= {"id": "cccc0003", "path": "students/cccc0003"}
            write_run(folder, run | {"epoch": 2})
            append(folder.events, [{"t": 1.0, "kind": "state", "step": 2, "epoch": 1, "status": "running"}])
            await until(pilot, lambda: [row["status"] for row in table(app).rows][2] == "done")
            await until(pilot, lambda: "2/4 done" in app.screen.query_one("#progress", Line).said)
    finally:
        os.close(lock)


async def test_delete_of_a_sweep_leaves_its_students(sweep: SaveRoot) -> None:
    app = BkdApp(sweep.path)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("3", "D")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        assert "Its students stay." in app.screen.query_one("#warning", Line).said
        await pilot.press(*"eeee0001", "enter")
        home = app.screen_stack[0]
        assert isinstance(home, HomeScreen)
        await until(pilot, lambda: home.table.rows == [])
        assert sweep.store.folder("students/cccc0001").run.exists()
        await pilot.press("2")
        await until(pilot, lambda: len(home.table.rows) == 2)


# ---- forms

SWEEPS: dict[str, tuple[type[SweepSpec], dict[str, str], int]] = {
    "sweep samples": (SamplesSweep, {"bnn_samples": "3"}, 3),
    "sweep grid": (GridSweep, {"grid": "4:1:0.5;2:1:0.7", "students": "vgg8,wrn_16_1"}, 4),
    "sweep seeds": (SeedsSweep, {"trials": "1-3"}, 3),
}


async def test_each_sweep_is_launched_from_the_selected_teacher(
    save: SaveRoot, monkeypatch: pytest.MonkeyPatch
) -> None:
    save.usable_teacher("aaaa0001", kind="Bayesian", bnn_ml_epochs=1, bnn_annealing_epochs=2, bnn_test_samples=1)
    monkeypatch.setattr(actions, "spawn", lambda folders: None)
    app = BkdApp(save.path)
    async with app.run_test(size=(120, 40)) as pilot:
        home = app.screen
        assert isinstance(home, HomeScreen)
        for name, (spec, values, number) in SWEEPS.items():
            await pilot.press("1", "d")
            await until(pilot, lambda: isinstance(app.screen, LaunchScreen) and bool(app.screen.query("#form-choice")))
            await choose_form(pilot, name)
            assert form(app).spec is spec
            fill(app, **values, epochs="2")
            await until(pilot, lambda n=number: f"Launches {n} students" in str(form(app).query_one("#plan-note").said))
            assert form(app).command.startswith(f"bkd {name} --teacher aaaa0001 ")
            await pilot.press("ctrl+s")
            await until(pilot, lambda: app.screen is home)
            await until(pilot, lambda k=spec.sweep: (home.table.selected_row or {}).get("kind") == k)
            row = home.table.selected_row
            assert row is not None
            run = save.store.load(save.store.folder(row["path"]))
            assert (run["role"], run["teacher"], len(run["students"])) == ("experiment", "aaaa0001", number)


def test_the_student_form_offers_every_sweep() -> None:
    sweeps = [STUDENT_FORMS.load(name).spec for name in STUDENT_FORMS.names[1:]]
    assert sweeps == [FewshotSweep, SamplesSweep, GridSweep, SeedsSweep]


async def test_wrong_grid_is_told_beside_the_field_with_triple_and_character(save: SaveRoot) -> None:
    save.usable_teacher("aaaa0001")
    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("d")
        await until(pilot, lambda: isinstance(app.screen, LaunchScreen) and app.screen.is_mounted)
        await choose_form(pilot, "sweep grid")
        assert note(app, "grid") == "✗ is missing"
        fill(app, grid="4:1:0.5;2:x:0.7")
        await until(pilot, lambda: "has no number for kd_S in triple 2" in note(app, "grid"))
        assert "at character 11" in note(app, "grid")
        row = form(app).query_one("#field-grid", FieldRow)
        assert row.size.height > 1  # all of it stands beside the field
        fill(app, grid="4:1:0.5", kd_T="2")
        await until(pilot, lambda: note(app, "grid").startswith("✗ and kd_T both say how to distil"))
        fill(app, grid="4:1:0.5", kd_T="")
        await until(pilot, lambda: note(app, "grid") == "" and row.size.height == 1)


async def test_what_does_not_go_with_the_teacher_is_told_beside_its_field(save: SaveRoot) -> None:
    save.usable_teacher("aaaa0001")
    app = BkdApp(save.path)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("d")
        await until(pilot, lambda: isinstance(app.screen, LaunchScreen) and app.screen.is_mounted)
        await choose_form(pilot, "sweep samples")
        await until(pilot, lambda: "must be a teacher that draws" in note(app, "teacher"))
        await choose_form(pilot, "sweep fewshot")
        await until(pilot, lambda: "has no subset of this split" in note(app, "fewshot_percent"))
        await choose_form(pilot, "single student")
        await until(pilot, lambda: note(app, "teacher").startswith("Deterministic 90.00%"))


# ---- the synthetic experiment


async def test_synthetic_experiment_shows_a_curve_for_each_arm(save: SaveRoot) -> None:
    spec = {"type": "synthetic", "epochs": 2, "concentrations": [5.0, 0.5]}
    folder = save.teacher(
        "eeee0002", role="experiment", kind="synthetic", path="experiments/synthetic/eeee0002", spec=spec,
        dataset="synthetic",
    )  # fmt: skip
    arms = ("onehot", "exact", "dirichlet_5", "dirichlet_0.5")
    append(folder.events, [
        {"t": 1.0, "kind": "step", "step": step, "epoch": 0}
        | {f"val/{figure}_{arm}": 1 / step for arm in arms for figure in ("loss", "gap", "acc")}
        for step in (50, 100)
    ])  # fmt: skip
    app = BkdApp(save.path)
    async with app.run_test(size=(160, 50)) as pilot:
        await pilot.press("3", "enter")
        await until(pilot, lambda: isinstance(app.screen, RunScreen))
        charts = list(app.screen.query(ChartView))
        assert [chart.id for chart in charts] == ["loss", "gap", "accuracy"]
        await until(pilot, lambda: all(len(chart.series) == 4 and len(chart.series[0].x) == 2 for chart in charts))
        assert charts[1].log_y
        assert charts[2].size.width > charts[0].size.width  # the odd one takes two places


def test_a_split_of_the_tests_is_one_that_specs_know() -> None:
    assert set(SPLIT) <= set(GridSweep.model_fields)
