"""A run whose process is killed while the app follows it."""

import time

from children import DEADLINE_S, kill, steps_of, teacher_spec, until
from textual.pilot import Pilot

from bkd import actions
from bkd.store import Store
from tui.app import BkdApp
from tui.screens.home import HomeScreen
from tui.widgets.line import Line
from tui.widgets.now_block import NowBlock


async def shown(pilot: Pilot[None], text: str, where: str) -> None:
    """Wait for a text; the deadline only ends a test that would hang."""
    deadline = time.monotonic() + DEADLINE_S
    while text not in pilot.app.screen.query_one(where, Line).said:
        assert time.monotonic() < deadline, f"never: {text}"
        await pilot.pause(0.02)


async def test_a_killed_run_is_lost_in_table_and_panel(store: Store) -> None:
    folder = actions.launch(store, teacher_spec("Deterministic", epochs=4000))
    until(lambda: steps_of(folder) >= 2, "two steps")
    app = BkdApp(store.root)
    async with app.run_test(size=(180, 50)) as pilot:
        assert isinstance(app.screen, HomeScreen)
        await shown(pilot, "step ", "#now-figures")
        kill(folder)
        await shown(pilot, "? lost", "#detail-text")
        assert app.screen.table.rows[0]["status"] == "lost"
        assert not app.screen.query_one(NowBlock).display
