"""Keys, on every screen: help lists each, the palette offers what there is, none means two things."""

import pytest
from pilot_save import SaveRoot, until
from pilot_screens import OPENERS, fill
from textual.actions import parse
from textual.dom import DOMNode

from tui.app import APP_COMMANDS, BkdApp
from tui.keys import bindings_of, commands_of, key_groups, key_of, shown_key
from tui.screens.help import HelpScreen
from tui.screens.home import HomeScreen
from tui.widgets.chart_view import ChartView
from tui.widgets.key_bar import KeyBar

SCREENS = ["home", "run", "sweep", "compare", "teacher form", "student form"]
SHARED = {
    "escape": "of a chart while its crosshair or its legend is in use, else of the screen",
    "space": "of a chart while its legend is in use, else of the screen",
    "a": "of the comparison: of its chart or of its settings, of which one is in view",
}


@pytest.mark.parametrize("name", SCREENS)
async def test_help_lists_every_binding(save: SaveRoot, name: str) -> None:
    app = fill(save)
    async with app.run_test(size=(120, 40)) as pilot:
        await OPENERS[name](pilot)
        screen = app.screen
        told = {key for group in key_groups(screen) for keys, _ in group.keys for key in keys.split("  ")}
        for node in (screen, *screen.query("*"), app):
            for _, binding in bindings_of(node):
                assert (binding.key_display or shown_key(binding.key)) in told, binding
                assert binding.description, binding


@pytest.mark.parametrize("name", SCREENS)
async def test_every_command_is_an_action_with_its_key(save: SaveRoot, name: str) -> None:
    app = fill(save)
    async with app.run_test(size=(120, 40)) as pilot:
        await OPENERS[name](pilot)
        commands = [*getattr(app.screen, "COMMAND_LIST", ()), *APP_COMMANDS]
        assert len({title for title, _, _ in commands}) == len(commands)
        for title, help_text, action in commands:
            assert title
            assert help_text
            assert has_action(app, app.screen, action), action
        offered = {command.title: command.help for command in app.get_system_commands(app.screen)}
        for title, help_text, action in commands:
            key = key_of(app.screen, action)
            assert offered[title] == (f"{key}: {help_text}" if key else help_text)
        actions = [command.action for command in commands_of(app.screen)]
        assert len(set(actions)) == len(actions)
        for _, binding in bindings_of(app.screen):
            assert binding.action.startswith("app.") or binding.action in actions, binding


def has_action(app: BkdApp, screen: DOMNode, action: str) -> bool:
    namespace, name, parameters = parse(action)
    if name == "chart":
        return has_action(app, ChartView(""), str(parameters[0]))
    return hasattr(app if namespace == "app" else screen, f"action_{name}")


@pytest.mark.parametrize("name", SCREENS)
async def test_no_key_means_two_things(save: SaveRoot, name: str) -> None:
    app = fill(save)
    async with app.run_test(size=(120, 40)) as pilot:
        await OPENERS[name](pilot)
        for widget in (w for w in app.screen.query("*") if w.can_focus):
            meant: dict[str, tuple[str, object]] = {}
            for node in (widget, app.screen):
                for owner, binding in bindings_of(node):
                    before = meant.setdefault(binding.key, (binding.action, node))
                    is_overridden = before[1] is node and owner is not type(node)  # a child class knows better
                    assert before[0] == binding.action or is_overridden or binding.key in SHARED, (widget, binding)


@pytest.mark.parametrize("name", SCREENS)
async def test_key_bar_fits_80_columns_and_keeps_help(save: SaveRoot, name: str) -> None:
    app = fill(save)
    async with app.run_test(size=(80, 24)) as pilot:
        await OPENERS[name](pilot)
        bar = app.screen.query_one(KeyBar)
        line = bar.render_line(0).text
        assert len(line) == 80
        assert " ? help " in line
        assert " esc back " in line or " q quit " in line


async def test_a_click_on_a_key_does_what_the_key_does(save: SaveRoot) -> None:
    app = fill(save)
    async with app.run_test(size=(80, 24)) as pilot:
        bar = app.screen.query_one(KeyBar)
        await pilot.click(bar, offset=(bar.render_line(0).text.index("help"), 0))
        await pilot.pause()
        assert isinstance(app.screen, HelpScreen)


async def test_help_names_keys_of_the_screen_and_of_everywhere(save: SaveRoot) -> None:
    app = fill(save)
    async with app.run_test(size=(120, 40)) as pilot:
        await OPENERS["run"](pilot)
        told = {group.title: dict(group.keys) for group in key_groups(app.screen)}
        assert told["Run"]["x"] == "Stop this run after its step"
        assert told["Chart"]["c"] == "Read values where the crosshair is"
        assert told["Everywhere"]["ctrl+p"] == "All commands, themes too"
        assert key_of(app.screen, "chart('crosshair')") == "c"
        await pilot.press("f1")
        await pilot.press("G")
        await pilot.pause()
        assert isinstance(app.screen, HelpScreen)
        assert app.screen.query_one("VerticalScroll").scroll_y > 0
        await pilot.press("q")
        assert not isinstance(app.screen, HelpScreen)


async def test_vi_keys_move_in_tables_and_logs(save: SaveRoot) -> None:
    app = fill(save)
    async with app.run_test(size=(120, 40)) as pilot:
        home = app.screen
        assert isinstance(home, HomeScreen)
        last = len(home.table.rows) - 1
        for key, cursor in (("j", 1), ("k", 0), ("G", last), ("ctrl+u", 0), ("ctrl+d", last)):
            await pilot.press(key)
            assert home.table.cursor == cursor, key
        await pilot.press("g")
        await OPENERS["run"](pilot)
        log = app.screen.query_one("#log")
        log.focus()
        await pilot.pause()
        top = lambda: log.render_line(0).text  # noqa: E731  the first line in view
        await until(pilot, lambda: log.lines and "nothing" not in top())
        end, first = top(), log.lines[0]
        for key, is_end in (("k", False), ("j", True), ("ctrl+u", False), ("ctrl+d", True), ("g", False), ("G", True)):
            await pilot.press(key)
            await until(pilot, lambda is_end=is_end: (top() == end) is is_end)
            assert key != "g" or top().strip() == first
