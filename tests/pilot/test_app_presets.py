"""Presets in the forms: what they set, what they give back, those that a person saves."""

from pilot_form import choose, choose_form, fill, form, note, preset_note, row, said, typed
from pilot_save import SaveRoot, at_rest, until
from textual.widgets import Input, Select

from tui.app import BkdApp
from tui.screens.name_preset import NamePresetScreen
from tui.widgets.line import Line

PRESET = "#preset-choice"


async def test_a_preset_sets_fields_and_says_which(save: SaveRoot) -> None:
    app = BkdApp(save.path)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("n", "ctrl+t", "down", "down", "enter")
        await until(pilot, lambda: form(app).values.get("dataset") == "digits")
        assert (form(app).values["arch"], typed(app, "epochs")) == ("wrn_16_1", "8")
        await until(pilot, lambda: note(app, "epochs") == "set by Quick look · epochs")
        assert preset_note(app) == "sets epochs, learning_rate, batch_size, dataset, arch"
        assert note(app, "train_limit") == "images"
        assert "--dataset digits --epochs 8" in form(app).command
        assert "minutes on a CPU" in said(app, "#field-help")


async def test_another_preset_gives_back_what_the_first_has_set(save: SaveRoot) -> None:
    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("n")
        fill(app, batch_size="64", trial="3")
        choose(app, PRESET, "Quick look")
        await until(pilot, lambda: typed(app, "batch_size") == "50")
        fill(app, learning_rate="0.005")  # changed by hand: it stays
        choose(app, PRESET, "Paper")
        await until(pilot, lambda: form(app).values.get("protocol") == "paper")
        assert "dataset" not in form(app).values
        assert "batch_size" not in form(app).values  # the paper's 100 is the default
        assert "learning_rate" not in form(app).values
        choose(app, PRESET, "Quick look")
        await until(pilot, lambda: typed(app, "batch_size") == "50")
        assert "protocol" not in form(app).values
        choose(app, PRESET, "Defaults")
        await until(pilot, lambda: form(app).values == {"trial": "3"})


async def test_a_field_changed_by_hand_is_no_longer_the_presets(save: SaveRoot) -> None:
    app = BkdApp(save.path)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("n")
        choose(app, PRESET, "Quick look")
        await until(pilot, lambda: note(app, "epochs") == "set by Quick look · epochs")
        fill(app, epochs="9")
        await until(pilot, lambda: note(app, "epochs") == "epochs")
        assert "epochs" not in preset_note(app).split(", ")


async def test_a_preset_stays_with_another_kind(save: SaveRoot) -> None:
    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("n")
        choose(app, PRESET, "Quick look")
        await until(pilot, lambda: typed(app, "epochs") == "8")
        await choose_form(pilot, "Bayesian")
        await until(pilot, lambda: form(app).command.startswith("bkd train bayesian --arch wrn_16_1 --dataset digits"))
        assert form(app).query_one(PRESET, Select).value == "Quick look"
        choose(app, PRESET, "Defaults")
        await until(pilot, lambda: form(app).values == {})
        await choose_form(pilot, "TTDA")  # has none
        await until(pilot, lambda: form(app).command.startswith("bkd train ttda"))
        assert form(app).query_one(PRESET, Select).value == "Defaults"


async def test_the_papers_settings_follow_the_teacher(save: SaveRoot) -> None:
    save.usable_teacher("aaaa0001")
    save.usable_teacher("bbbb0002", kind="Bayesian")
    save.usable_teacher("cccc0003", kind="MSE")
    app = BkdApp(save.path)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("d")
        fill(app, teacher="aaaa0001")
        choose(app, PRESET, "Paper")
        await until(pilot, lambda: form(app).values.get("alpha") == "0.5")
        assert form(app).values["kd_T"] == "4"
        fill(app, teacher="bbbb0002")
        await until(pilot, lambda: (form(app).values.get("alpha"), form(app).values.get("bnn_samples")) == ("0.7", "1"))
        fill(app, teacher="cccc0003")
        await until(pilot, lambda: "alpha" not in form(app).values)
        await until(pilot, lambda: "no alpha and temperatures for students of MSE" in said(app, "#advice"))


async def test_settings_are_saved_under_a_name_and_are_there_at_the_next_start(save: SaveRoot) -> None:
    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("n")
        fill(app, epochs="33", learning_rate="0.01", trial="4")
        await pilot.press("ctrl+n")
        await until(pilot, lambda: isinstance(app.screen, NamePresetScreen))
        app.screen.query_one(Input).value = "Paper"
        await pilot.press("enter")
        await until(pilot, lambda: "taken" in app.screen.query_one("#name-note", Line).said)
        app.screen.query_one(Input).value = "long [b]runs[/b]"
        await pilot.press("enter")
        await until(pilot, lambda: form(app).query_one(PRESET, Select).value == "long [b]runs[/b]")
    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("n")
        choose(app, PRESET, "long [b]runs[/b]")
        await until(pilot, lambda: form(app).values == {"epochs": "33", "learning_rate": "0.01"})
        await choose_form(pilot, "MSE")
        await until(pilot, lambda: form(app).command.startswith("bkd train mse"))
        assert "long [b]runs[/b]" not in form(app).presets.names(form(app).spec)  # each form has its own
        await choose_form(pilot, "Deterministic")
        await until(pilot, lambda: form(app).command.startswith("bkd train deterministic"))
        choose(app, PRESET, "long [b]runs[/b]")
        await pilot.pause()
        form(app).action_delete_preset()
        assert form(app).presets.names(form(app).spec) == ["Defaults", "Paper", "Quick look"]


async def test_a_broken_memory_of_presets_is_passed_over(save: SaveRoot) -> None:
    app = BkdApp(save.path)
    app.memory.put("launch.presets", {"train deterministic": {"odd": 3, "old": {"gone_field": "1", "epochs": "x"}}})
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("n")
        choose(app, PRESET, "old")
        await until(pilot, lambda: row(app, "epochs").has_class("-error"))
        await at_rest(pilot, "plan")
