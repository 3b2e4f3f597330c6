"""What a screen paints while another one is over it."""

import pytest
from pilot_save import SaveRoot, append, steps, until
from textual._compositor import Compositor

from tui.app import BkdApp
from tui.screens.confirm import ConfirmScreen
from tui.screens.home import HomeScreen
from tui.screens.run import RunScreen


@pytest.mark.parametrize("is_dialog", [False, True])
async def test_only_what_can_be_seen_is_painted_anew(
    save: SaveRoot, monkeypatch: pytest.MonkeyPatch, is_dialog: bool
) -> None:
    append(save.teacher("aaaa0001").events, steps(1, 20))
    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24)) as pilot:
        home = app.screen
        assert isinstance(home, HomeScreen)
        await until(pilot, lambda: not app.is_held)
        await pilot.press("D" if is_dialog else "enter")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen if is_dialog else RunScreen))
        await until(pilot, lambda: not app.is_held)
        await pilot.pause(0.2)
        updates: list[Compositor] = []
        render = Compositor.render_update

        def noted(self: Compositor, **values: object) -> object:
            updates.append(self)
            return render(self, **values)

        monkeypatch.setattr(Compositor, "render_update", noted)
        home.table.refresh()
        await pilot.pause(0.2)
        assert bool(updates) == is_dialog
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is home)
        await until(pilot, lambda: home._compositor in updates)
