"""Bad input in the forms, and keys that come faster than the app draws."""

from typing import Any

import pytest
from pilot_form import fill, form, note, row, said, typed
from pilot_save import SaveRoot, at_rest, until
from textual import events
from textual.pilot import Pilot
from textual.widgets import Input

from tui.app import BkdApp
from tui.screens.home import HomeScreen

WHOLE = "✗ must be a whole number >= 1, got "
EPOCHS = {
    "abc": f"{WHOLE}'abc'", "1.5": f"{WHOLE}'1.5'", "-7": "✗ must be >= 1, got -7", "１２": f"{WHOLE}'１２'",
    "1e3": f"{WHOLE}'1e3'", "9" * 30: "✗ must be <= 9,007,199,254,740,992", "0": "✗ must be >= 1, got 0",
    "9" * 5000: "✗ ", "\x1b[31m7": "✗ ", "[b]7[/b]": f"{WHOLE}'[b]7[/b]'",
}  # fmt: skip
OTHERS = (
    ("val_fraction", "1", "✗ must be > 0 and < 1, got 1"),
    ("val_fraction", "x", "✗ must be a number > 0 and < 1"),
    ("learning_rate", "nan", "✗ must be a finite number > 0"),
    ("learning_rate", "1e999", "✗ must be a finite number"),
    ("learning_rate", "1,5", "✗ must be a number > 0, got '1,5'"),
    ("lr_decay_epochs", "9,3", "✗ must be rising epochs"),
    ("device", "gpu", "✗ must be auto, cpu, cuda"),
    ("trial", "1-x", "✗ must be whole numbers >= 0, as 1-5 or 1,2,5"),
    ("trial", "-1", "✗ must be whole numbers >= 0"),
    ("trial", "1-999", "✗ must be at most 100, got 1-999"),
)


async def test_what_is_no_whole_number_is_told_with_the_range(save: SaveRoot) -> None:
    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("n")
        row(app, "epochs").query_one(Input).focus()
        for text, told in EPOCHS.items():
            fill(app, epochs=text)
            await until(pilot, lambda told=told: note(app, "epochs").startswith(told), told)
            assert "\x1b" not in note(app, "epochs") + said(app, "#command") + said(app, "#field-help")
            assert len(note(app, "epochs")) < 200
            assert "the default is 200" in said(app, "#field-help")
            fill(app, epochs="  3 ")
            await until(pilot, lambda: not row(app, "epochs").has_class("-error"))
        fill(app, epochs="   ")
        await until(pilot, lambda: "epochs" not in form(app).values)


async def test_each_kind_of_field_tells_its_range_and_stops_the_launch(save: SaveRoot) -> None:
    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("n")
        for field, text, told in OTHERS:
            fill(app, **{field: text})
            await until(pilot, lambda field=field, told=told: note(app, field).startswith(told), told)
            await pilot.press("ctrl+s")
            await until(pilot, lambda field=field: app.focused is row(app, field).query_one(Input))
            fill(app, **{field: ""})


async def test_of_a_paste_the_first_line_is_taken(save: SaveRoot) -> None:
    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("n")
        row(app, "epochs").query_one(Input).focus()
        app.post_message(events.Paste("12\n34\n"))
        await until(pilot, lambda: typed(app, "epochs") == "12")
        app.post_message(events.Paste("\n"))
        await pilot.pause()
        assert typed(app, "epochs") == "12"


def send(pilot: Pilot[Any], *keys: str) -> None:
    """Send keys without waiting for what they do."""
    for key in keys:
        pilot.app.post_message(events.Key(key, key if len(key) == 1 else None))


async def test_keys_go_to_the_field_that_they_were_typed_in_however_fast(
    save: SaveRoot, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bkd import actions

    launched: list[Any] = []

    def launch(store: Any, spec: Any, **options: Any) -> Any:
        launched.append(spec)
        return actions.create(store, spec)

    monkeypatch.setattr(actions, "launch", launch)
    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("n")
        row(app, "epochs").query_one(Input).focus()
        await pilot.pause()
        send(pilot, *"120", "tab", *"7", "down", *"345", "up", *"8", "ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, HomeScreen))
        [spec] = launched
        assert spec.trial == 8  # a field that is entered is marked as a whole: what is typed replaces it
        assert (spec.epochs, spec.train_limit) == (120, 345)


async def test_arrows_move_in_a_list_that_is_open(save: SaveRoot) -> None:
    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("n", "enter", "down", "enter")
        await until(pilot, lambda: form(app).values.get("arch") == "resnet101")
        assert app.focused is row(app, "arch").query_one(".field-control")
        await pilot.press("down")
        assert app.focused is row(app, "dataset").query_one(".field-control")
        await at_rest(pilot, "plan")
