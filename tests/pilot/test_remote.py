"""Over SSH nothing moves by itself."""

import pytest
from pilot_save import SaveRoot
from textual.widgets import Input

from tui.app import BkdApp
from tui.palettes import ANSI


@pytest.mark.parametrize(("variable", "is_remote"), [("SSH_CONNECTION", True), ("SSH_TTY", True), ("OTHER", False)])
async def test_no_animation_and_no_blinking_over_ssh(
    save: SaveRoot, monkeypatch: pytest.MonkeyPatch, variable: str, is_remote: bool
) -> None:
    for name in ("SSH_CONNECTION", "SSH_TTY", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv(variable, "somewhere")
    save.teacher("aaaa0001")
    app = BkdApp(save.path)
    async with app.run_test() as pilot:
        await pilot.press("slash")
        await pilot.pause()
        assert isinstance(app.focused, Input)
        assert app.focused.cursor_blink is not is_remote
        assert (app.animation_level == "none") is is_remote
        assert (app.theme == ANSI.name) is is_remote
        assert (app.driver_class.__name__ == "RemoteDriver") is is_remote
