"""The forms: fields from the spec, errors beside them, the command, the launch."""

from typing import Any

import pytest
from pilot_form import fill, form, note, row, said
from pilot_save import SaveRoot, at_rest, until
from textual.widgets import Input, Select

from bkd import actions
from bkd.errors import StorageError
from bkd.specs import DistillSpec, RunSpec
from tui.app import BkdApp
from tui.screens.home import HomeScreen
from tui.widgets.field_row import FieldRow
from tui.widgets.form_choice_row import FormChoiceRow


@pytest.fixture
def launched(monkeypatch: pytest.MonkeyPatch) -> list[RunSpec]:
    """Take down what would be launched; the run is written and registered, its child is not started."""
    specs: list[RunSpec] = []

    def launch(store: Any, spec: RunSpec, **options: Any) -> Any:
        specs.append(spec)
        return actions.create(store, spec)

    monkeypatch.setattr(actions, "launch", launch)
    return specs


async def test_form_has_every_field_of_the_spec(save: SaveRoot) -> None:
    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("n")
        await pilot.pause()
        shown = {r.field.name for r in form(app).query(FieldRow)}
        assert shown == set(form(app).spec.model_fields)


async def test_choice_of_the_kind_tells_in_full_what_is_open(save: SaveRoot) -> None:
    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("n")
        form(app).query_one("#form-choice", Select).value = "Bayesian"
        told = form(app).query_one(FormChoiceRow)
        await until(pilot, lambda: "p = mean of softmax(z_s / T) over draws" in told.help)
        assert "Enter lists: Deterministic, Bayesian" in told.help


async def test_error_stands_beside_its_field_and_stops_the_launch(save: SaveRoot, launched: list[RunSpec]) -> None:
    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("n")
        fill(app, epochs="-3")
        await until(pilot, lambda: row(app, "epochs").has_class("-error"))
        assert note(app, "epochs") == "✗ must be >= 1, got -3"
        await pilot.press("ctrl+s")
        assert app.focused is row(app, "epochs").query_one(Input)
        assert "-3" in said(app, "#field-help")
        assert launched == []
        fill(app, epochs="3")
        await until(pilot, lambda: not row(app, "epochs").has_class("-error"))


async def test_fault_between_fields_stands_beside_the_one_it_begins_with(
    save: SaveRoot, launched: list[RunSpec]
) -> None:
    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("n")
        fill(app, momentum="0.9")
        await until(pilot, lambda: "✗ belongs to sgd" in note(app, "momentum"))
        await pilot.press("ctrl+s")
        assert launched == []


async def test_fault_of_no_field_in_particular_stands_at_the_bottom(save: SaveRoot, launched: list[RunSpec]) -> None:
    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("n")
        form(app).query_one("#form-choice", Select).value = "Bayesian"
        await until(pilot, lambda: bool(form(app).query("#field-vi")))
        fill(app, epochs="8", bnn_ml_epochs="9")
        await until(pilot, lambda: "the KL term ends at weight" in said(app, "#form-error"))
        await pilot.press("ctrl+s")
        assert launched == []


async def test_help_of_the_focused_field_says_range_and_default(save: SaveRoot) -> None:
    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("n")
        row(app, "train_limit").query_one(Input).focus()
        await until(pilot, lambda: "range: >= 1" in said(app, "#field-help"))
        assert "unit: images" in said(app, "#field-help")
        assert "default: unset" in said(app, "#field-help")


async def test_command_says_what_was_given_and_is_copied(save: SaveRoot) -> None:
    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("n")
        fill(app, arch="wrn_16_1", dataset="digits", epochs="2")
        expected = f"bkd train deterministic --arch wrn_16_1 --dataset digits --epochs 2 --save {save.path} --detach"
        await until(pilot, lambda: form(app).command == expected)
        await pilot.press("ctrl+y")
        assert app.clipboard == expected


async def test_other_kind_keeps_what_was_given(save: SaveRoot) -> None:
    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("n")
        fill(app, epochs="8")
        form(app).query_one("#form-choice", Select).value = "Bayesian"
        await until(pilot, lambda: bool(form(app).query("#field-vi")))
        await until(pilot, lambda: form(app).command.startswith("bkd train bayesian --epochs 8"))


async def test_launch_passes_the_spec_and_selects_the_run(save: SaveRoot, launched: list[RunSpec]) -> None:
    save.teacher("aaaa0001")
    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("n")
        fill(app, arch="wrn_16_1", dataset="digits", epochs="2", trial="7")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, HomeScreen))
        (spec,) = launched
        assert (spec.epochs, spec.trial, spec.dataset) == (2, 7, "digits")
        home = app.screen
        assert isinstance(home, HomeScreen)
        await until(pilot, lambda: (home.table.selected_row or {}).get("trial") == 7)


async def test_student_form_inherits_the_split_of_its_teacher(save: SaveRoot, launched: list[RunSpec]) -> None:
    split = {"dataset": "digits", "val_fraction": 0.2, "split_seed": 5, "protocol": "heldout"}
    save.teacher("aaaa0001", spec={"type": "train", "kind": "Deterministic", **split}).last_weights.touch()
    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("d")
        assert not form(app).query("#field-dataset")
        fill(app, student="wrn_16_1", alpha="0.5", epochs="2")
        await pilot.pause()
        assert form(app).command.startswith("bkd distill --teacher aaaa0001 --student wrn_16_1 --epochs 2 --alpha 0.5")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, HomeScreen))
        (spec,) = launched
        assert isinstance(spec, DistillSpec)
        assert (spec.teacher, spec.alpha) == ("aaaa0001", 0.5)


async def test_refused_launch_is_told_and_the_form_stays(save: SaveRoot, monkeypatch: pytest.MonkeyPatch) -> None:
    def launch(store: Any, spec: RunSpec, **options: Any) -> None:
        raise StorageError("The disk is full. Free some space.")

    monkeypatch.setattr(actions, "launch", launch)
    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("n", "ctrl+s")
        await until(pilot, lambda: "The disk is full" in said(app, "#form-error"))
        form(app).check_plan(form(app).spec, form(app).values)
        await at_rest(pilot, "plan")
        assert "The disk is full" in said(app, "#form-error")  # what is found right elsewhere does not take it away


async def test_distil_without_a_teacher_opens_no_form(save: SaveRoot) -> None:
    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("d")
        assert isinstance(app.screen, HomeScreen)
