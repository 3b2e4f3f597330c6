"""Terminals of any size: the app stays up, and shows what it did once there is room again."""

import pytest
from pilot_save import SaveRoot
from pilot_screens import OPENERS, fill

SIZES = ((20, 5), (1, 1), (3, 2), (200, 60), (80, 24))


@pytest.mark.parametrize("name", OPENERS)
async def test_every_screen_survives_any_size(save: SaveRoot, name: str) -> None:
    app = fill(save)
    async with app.run_test(size=(80, 24)) as pilot:
        await OPENERS[name](pilot)
        screen = app.screen
        for width, height in SIZES:
            await pilot.resize_terminal(width, height)
            await pilot.pause()
            assert (app.size.width, app.size.height) == (width, height)
            app.export_screenshot()
        assert app.screen is screen
        await pilot.press("escape")
        await pilot.pause()
        assert app.is_running
