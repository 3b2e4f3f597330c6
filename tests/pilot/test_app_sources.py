"""Teachers made from others: what their forms start with, offer and refuse; what they came from and lead to."""

import os
from typing import Any

import pytest
from pilot_save import SaveRoot, append, at_rest, steps, until
from textual.pilot import Pilot
from textual.widgets import Input, Select

from bkd import actions
from bkd.kinds.table import KINDS, load_kind
from bkd.locks import acquire
from bkd.runfile import this_host
from bkd.specs import RunSpec
from tui.app import BkdApp
from tui.form_fields import fields_of
from tui.forms import TEACHER_FORMS
from tui.screens.confirm import ConfirmScreen
from tui.screens.home import HomeScreen
from tui.screens.launch import LaunchScreen
from tui.screens.pick import PickScreen
from tui.screens.run import RunScreen
from tui.widgets.chart_grid import ChartGrid
from tui.widgets.chart_view import ChartView
from tui.widgets.field_row import FieldRow
from tui.widgets.line import Line
from tui.widgets.mark_table import MARK, MarkTable
from tui.widgets.run_table import RunTable


def form(app: BkdApp) -> LaunchScreen:
    assert isinstance(app.screen, LaunchScreen)
    return app.screen


def typed(app: BkdApp, name: str) -> str:
    return form(app).query_one(f"#field-{name}", FieldRow).query_one(Input).value


def note(app: BkdApp, name: str) -> str:
    return form(app).query_one(f"#field-{name}", FieldRow).query_one(".field-note", Line).said


def fill(app: BkdApp, name: str, text: str) -> None:
    form(app).query_one(f"#field-{name}", FieldRow).query_one(Input).value = text


def detail(app: BkdApp) -> str:
    return app.screen.query_one("#detail-text", Line).said


async def open_form(pilot: Pilot[None], kind: str) -> None:
    """Open the form of a kind of teacher."""
    app = pilot.app
    assert isinstance(app, BkdApp)
    await pilot.press("n")
    await until(pilot, lambda: isinstance(app.screen, LaunchScreen) and app.screen.is_mounted)
    await choose_kind(pilot, kind)


async def choose_kind(pilot: Pilot[None], kind: str) -> None:
    app = pilot.app
    assert isinstance(app, BkdApp)
    form(app).query_one("#form-choice", Select).value = kind
    title = TEACHER_FORMS.load(kind).title
    await until(pilot, lambda: form(app).query_one("#form-title", Line).said == title)  # said last
    wanted = {field.name for field in fields_of(load_kind(kind).spec)}
    assert {row.field.name for row in form(app).query(FieldRow)} == wanted
    await at_rest(pilot, "plan")


async def test_every_kind_of_the_table_has_a_form(save: SaveRoot) -> None:
    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24)) as pilot:
        await open_form(pilot, next(iter(KINDS)))
        for kind in KINDS:
            await choose_kind(pilot, kind)
            assert form(app).command.startswith(f"bkd train {kind.lower()} ")
            assert str(load_kind(kind).summary) in form(app).query_one("#form-title", Line).said


async def test_form_starts_with_the_selected_teacher_if_its_kind_will_do(save: SaveRoot) -> None:
    save.usable_teacher("aaaa0001")
    app = BkdApp(save.path)
    async with app.run_test(size=(120, 30)) as pilot:
        await open_form(pilot, "MCMI")
        assert typed(app, "teacher") == "aaaa0001"
        await until(pilot, lambda: note(app, "teacher") == "Deterministic 90.00% wrn_16_1 digits")
        assert "--teacher aaaa0001" in form(app).command
        await pilot.press("escape")
    save.usable_teacher("bbbb0002", kind="MSE")
    app = BkdApp(save.path)
    async with app.run_test(size=(120, 30)) as pilot:
        await open_form(pilot, "MCMI")  # is made from Deterministic teachers, an MSE teacher is selected
        assert typed(app, "teacher") == ""


async def test_form_does_not_start_with_a_teacher_at_work(save: SaveRoot) -> None:
    folder = save.teacher("aaaa0001", status="running", host="elsewhere")
    folder.lock.touch()
    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24)) as pilot:
        await open_form(pilot, "TTDA")
        assert typed(app, "teacher") == ""


async def test_marked_teachers_are_the_members_of_an_ensemble(save: SaveRoot) -> None:
    for run_id in ("aaaa0001", "bbbb0002", "cccc0003"):
        save.usable_teacher(run_id)
    app = BkdApp(save.path)
    async with app.run_test(size=(120, 30)) as pilot:
        home = app.screen
        assert isinstance(home, HomeScreen)
        await pilot.press("down", "space", "space")  # a mark moves the cursor on
        await until(pilot, lambda: "2 marked" in home.query_one("#summary", Line).said)
        lines = [home.table.render_line(y).text for y in range(1, 4)]
        assert [line.startswith(MARK) for line in lines] == [False, True, True]
        marked = [str(row["id"]) for row in home.marked]
        await open_form(pilot, "Ensemble")
        assert typed(app, "members") == ",".join(marked)
        await until(pilot, lambda: note(app, "members") == "Deterministic 90.00%, Deterministic 90.00%")
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is home)
        await pilot.press("escape")
        await until(pilot, lambda: MARK not in home.query_one("#summary", Line).said)


async def test_enter_lists_the_teachers_that_will_do(save: SaveRoot) -> None:
    save.usable_teacher("aaaa0001")
    save.usable_teacher("bbbb0002", kind="MSE")
    save.usable_teacher("cccc0003")
    save.teacher("dddd0004", status="failed")  # left no weights
    save.teacher("eeee0005", kind="Bayesian")
    app = BkdApp(save.path)
    async with app.run_test(size=(100, 30)) as pilot:
        await open_form(pilot, "TTDA")
        form(app).query_one("#field-teacher", FieldRow).query_one(Input).focus()
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, PickScreen))
        table = app.screen.query_one(RunTable)
        assert sorted(row["id"] for row in table.rows) == ["aaaa0001", "bbbb0002", "cccc0003"]
        table.select("bbbb0002")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, LaunchScreen))
        assert typed(app, "teacher") == "bbbb0002"
        await until(pilot, lambda: note(app, "teacher").startswith("MSE 90.00%"))


async def test_list_of_members_takes_several_and_filters(save: SaveRoot) -> None:
    for run_id in ("aaaa0001", "bbbb0002", "cccc0003"):
        save.usable_teacher(run_id, kind="MSE" if run_id == "bbbb0002" else "Deterministic")
    app = BkdApp(save.path)
    async with app.run_test(size=(100, 30)) as pilot:
        await open_form(pilot, "Ensemble")
        fill(app, "members", "aaaa")
        form(app).query_one("#field-members", FieldRow).query_one(Input).focus()
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, PickScreen))
        table = app.screen.query_one(MarkTable)
        assert list(table.marked) == ["aaaa0001"]
        await pilot.press("slash", *"mse", "enter")
        await until(pilot, lambda: [row["id"] for row in table.rows] == [])  # a bare word looks in names
        app.screen.query_one("#filter", Input).value = "kind = mse"
        await until(pilot, lambda: [row["id"] for row in table.rows] == ["bbbb0002"])
        table.focus()
        await pilot.press("space", "enter")
        await until(pilot, lambda: isinstance(app.screen, LaunchScreen))
        assert typed(app, "members") == "aaaa0001,bbbb0002"


async def test_beginning_of_an_id_is_completed_and_told(save: SaveRoot) -> None:
    save.usable_teacher("aaaa0001")
    app = BkdApp(save.path)
    async with app.run_test(size=(100, 30)) as pilot:
        await open_form(pilot, "MCMI")
        control = form(app).query_one("#field-teacher", FieldRow).query_one(Input)
        control.value = ""
        control.focus()
        await pilot.press(*"aa")
        await until(pilot, lambda: control._suggestion == "aaaa0001")
        await until(pilot, lambda: note(app, "teacher").startswith("Deterministic 90.00%"))


WRONG = {
    "MCMI": ("teacher", "bbbb0002", "✗ must be a Deterministic teacher"),
    "TTDA": ("teacher", "nobody", "✗ No run answers to 'nobody'"),
    "Laplace": ("teacher", "cccc0003", "✗ must be a teacher"),
    "Ensemble": ("members", "aaaa0001,dddd0004", "differ in dataset (digits and fashion-mnist)"),
}


@pytest.mark.parametrize("kind", WRONG)
async def test_wrong_teacher_is_told_beside_the_field_before_launch(
    save: SaveRoot, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    save.usable_teacher("aaaa0001")
    save.usable_teacher("bbbb0002", kind="MSE")
    save.student("cccc0003", "aaaa0001")
    save.usable_teacher("dddd0004", dataset="fashion-mnist")
    launched: list[RunSpec] = []
    monkeypatch.setattr(actions, "spawn", lambda folders: launched.append(folders))
    field, given, words = WRONG[kind]
    app = BkdApp(save.path)
    async with app.run_test(size=(120, 30)) as pilot:
        await open_form(pilot, kind)
        fill(app, field, given)
        await until(pilot, lambda: words in note(app, field))
        await pilot.press("ctrl+s")
        await at_rest(pilot, "plan", "launch")
        assert words in note(app, field)
        assert launched == []


async def test_missing_teacher_is_required_first_and_a_fault_at_launch(save: SaveRoot) -> None:
    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24)) as pilot:
        await open_form(pilot, "MCMI")
        await until(pilot, lambda: note(app, "teacher") == "required")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: note(app, "teacher") == "✗ is missing")
        assert isinstance(app.focused, Input)


async def test_launch_of_an_ensemble_writes_its_members(save: SaveRoot, monkeypatch: pytest.MonkeyPatch) -> None:
    save.usable_teacher("aaaa0001")
    save.usable_teacher("bbbb0002")
    monkeypatch.setattr(actions, "spawn", lambda folders: None)
    app = BkdApp(save.path)
    async with app.run_test(size=(160, 40)) as pilot:
        await pilot.press("space", "space")
        await open_form(pilot, "Ensemble")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, HomeScreen))
        home = app.screen
        assert isinstance(home, HomeScreen)
        await until(pilot, lambda: (home.table.selected_row or {}).get("kind") == "Ensemble")
        await until(pilot, lambda: "members          2" in detail(app))
        assert "  aaaa0001  Deterministic wrn_16_1 90.00%" in detail(app)
        assert home.marked == []


async def test_lineage_goes_both_ways(save: SaveRoot) -> None:
    save.usable_teacher("aaaa0001")
    lineage = {"teacher": "aaaa0001", "teacher_kind": "Deterministic"}
    save.teacher("bbbb0002", kind="MCMI", teacher="aaaa0001", lineage=lineage)
    save.teacher("cccc0003", kind="Ensemble", members=["aaaa0001", "bbbb0002", "gone0000"])
    save.student("dddd0004", "aaaa0001")
    app = BkdApp(save.path)
    async with app.run_test(size=(160, 50)) as pilot:
        await until(pilot, lambda: "members          3" in detail(app))
        assert "  gone0000  was deleted" in detail(app)
        app.screen.select("bbbb0002")
        await until(pilot, lambda: "made from" in detail(app) and "  aaaa0001  Deterministic" in detail(app))
        app.screen.select("aaaa0001")
        await until(pilot, lambda: "teachers from it 2" in detail(app))
        assert "  bbbb0002  ✓ MCMI wrn_16_1 90.00%" in detail(app)
        assert "  dddd0004  ✓ vgg8 90.00%" in detail(app)


async def test_delete_of_a_teacher_that_another_was_made_from_takes_more(save: SaveRoot) -> None:
    save.usable_teacher("aaaa0001")
    save.teacher("bbbb0002", kind="MCMI", teacher="aaaa0001")
    save.student("cccc0003", "aaaa0001")
    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24)) as pilot:
        app.screen.select("aaaa0001")
        await pilot.press("D")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        assert "1 student and 1 teacher came from it" in app.screen.query_one("#warning", Line).said
        assert "aaaa0001 force" in app.screen.query_one("#prompt", Line).said


RESULT = {"acc": 0.875, "acc5": 0.99, "nll": 0.43, "ece": 0.02, "brier": 0.2, "images": 360}


async def test_a_teacher_made_in_one_pass_shows_results_instead_of_charts(save: SaveRoot) -> None:
    spec = {"type": "train", "kind": "Laplace", "dataset": "digits"}
    save.teacher(
        "bbbb0002", kind="Laplace", teacher="aaaa0001", spec=spec, epoch=1, epochs=1,
        results={"val": RESULT, "test": RESULT}, metrics={"laplace/prior_precision": 18.06, "test/acc": 0.875},
    )  # fmt: skip
    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, RunScreen))
        said = app.screen.query_one("#made-text", Line).said
        assert said.startswith("Made in one pass from aaaa0001, without training; results below.")
        assert "87.50%" in said
        assert "prior_precision" in said
        assert not app.screen.query(ChartGrid)
        await pilot.press("right_square_bracket", "1", "z", "o")  # keys of charts do nothing here
        assert app.screen.query_one("#log").display


def test_kinds_that_the_loop_trains_are_those_whose_settings_have_epochs() -> None:
    for kind in map(load_kind, KINDS):
        assert kind.is_trained == ("epochs" in kind.spec.model_fields), kind.name


async def test_form_says_that_another_run_is_at_work_here(save: SaveRoot) -> None:
    folder = save.teacher("aaaa0001", status="running", host=this_host(), epoch=0, ended=None)
    lock = acquire(folder.lock)
    try:
        app = BkdApp(save.path)
        async with app.run_test(size=(80, 24)) as pilot:
            await pilot.press("n")
            await until(pilot, lambda: "1 run is at work here" in form(app).query_one("#advice", Line).said)
            assert form(app).query_one("#advice").size.height == 1
            fill(app, "threads", "1")
            await until(pilot, lambda: not form(app).query_one("#advice").display)
    finally:
        os.close(lock)


async def test_form_says_nothing_of_other_runs_while_none_is_at_work(save: SaveRoot) -> None:
    save.teacher("aaaa0001")
    save.teacher("bbbb0002", status="running", host="elsewhere").lock.touch()
    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("n")
        form(app).check_plan(form(app).spec, form(app).values)
        await at_rest(pilot, "plan")
        assert not form(app).query_one("#advice").display


async def test_state_of_a_bayesian_teacher_tells_the_nll_not_the_loss(save: SaveRoot) -> None:
    spec: dict[str, Any] = {"type": "train", "kind": "Bayesian", "epochs": 8, "bnn_annealing_epochs": 2}
    folder = save.teacher("aaaa0001", kind="Bayesian", spec=spec)
    append(folder.events, [record | {"train/loss": 1000.0, "train/ce": 0.25} for record in steps(1, 3)])
    app = BkdApp(save.path)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, RunScreen))
        await until(pilot, lambda: app.screen.query_one("#latest", Line).said == "step 3  NLL 0.2500")
        assert "NLL, without the KL term" in app.screen.query_one("#loss", ChartView).line(0).text
