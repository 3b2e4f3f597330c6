"""Chosen columns and saved views."""

import pytest
from pilot_save import SaveRoot, until
from textual.pilot import Pilot
from textual.widgets import Input, OptionList

from tui.app import BkdApp
from tui.column_choice import all_columns, chosen_columns
from tui.run_columns import STUDENTS
from tui.screens.columns import ColumnsScreen
from tui.screens.home import HomeScreen
from tui.screens.views import ViewsScreen
from tui.widgets.columns import place
from tui.widgets.line import Line


def home(app: BkdApp) -> HomeScreen:
    screen = app.screen_stack[0]
    assert isinstance(screen, HomeScreen)
    return screen


def heading(app: BkdApp) -> list[str]:
    return home(app).table.render_line(0).text.split()


def put_cursor(app: BkdApp, text: str) -> None:
    """Put the cursor of the list in front on the line that holds a text."""
    options = app.screen.query_one(OptionList)
    found = [i for i, option in enumerate(options.options) if text in str(option.prompt)]
    options.highlighted = found[0]


async def open_columns(pilot: Pilot[None]) -> None:
    await pilot.press("C")
    await until(pilot, lambda: isinstance(pilot.app.screen, ColumnsScreen))


# ---- columns


async def test_columns_are_switched_moved_and_remembered(save: SaveRoot) -> None:
    save.student("cccc0003", "aaaa0001", metrics={"test/acc": 0.9, "val/brier": 0.25})
    app = BkdApp(save.path)
    async with app.run_test(size=(100, 24)) as pilot:
        await pilot.press("2")
        await open_columns(pilot)
        put_cursor(app, "From")
        await pilot.press("space")
        put_cursor(app, "val/brier")
        await pilot.press("space", *["K"] * 40, "enter")
        await until(pilot, lambda: heading(app)[:3] == ["val/brier", "Status", "Name"])
        assert "0.25" in home(app).table.render_line(1).text
        assert "From" not in heading(app)
    app = BkdApp(save.path)
    async with app.run_test(size=(100, 24)) as pilot:
        await pilot.press("1")
        await pilot.pause()
        assert "val/brier" not in heading(app), "the columns of one table are not another's"
        await pilot.press("2")
        assert heading(app)[:3] == ["val/brier", "Status", "Name"]
        await open_columns(pilot)
        await pilot.press("r")
        await until(pilot, lambda: "From" in heading(app))
        assert "val/brier" not in heading(app)


async def test_the_name_stays_and_escape_changes_nothing(save: SaveRoot) -> None:
    save.teacher("aaaa0001")
    app = BkdApp(save.path)
    async with app.run_test(size=(100, 24)) as pilot:
        before = heading(app)
        await open_columns(pilot)
        put_cursor(app, "Name")
        await pilot.press("space")
        assert "always" in app.screen.query_one("#fit", Line).said
        put_cursor(app, "Acc")
        await pilot.press("space", "escape")
        await until(pilot, lambda: app.screen is home(app))
        assert heading(app) == before


async def test_what_does_not_fit_is_told_and_can_be_seen(save: SaveRoot) -> None:
    save.teacher("aaaa0001", host="gpu7")
    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24)) as pilot:
        await open_columns(pilot)
        for title in ("Host", "Path", "Made from"):
            put_cursor(app, title)
            await pilot.press("space")
        said = app.screen.query_one("#fit", Line).said
        assert "No room" in said
        assert "Path" in said
        await pilot.press("enter")
        await until(pilot, lambda: app.screen is home(app))
        assert "columns: i" in home(app).query_one("#summary", Line).said
        line = home(app).query_one("#left-out", Line)
        assert not line.display
        await pilot.press("i")
        await until(pilot, lambda: "teachers/Deterministic/wrn_16_1/aaaa0001" in line.said)
        assert line.display
        assert line.region.height > 0


def test_columns_that_mean_nothing_are_passed_over() -> None:
    titles = [column.title for column in chosen_columns(STUDENTS, ["Acc", "nonsense", "test/ece", "set:kd_T"])]
    assert titles == ["Name", "Acc", "test/ece", "set:kd_T"]
    assert chosen_columns(STUDENTS, []) is STUDENTS


def test_an_added_column_does_not_push_out_the_usual_ones_that_matter() -> None:
    usual = [column.title for column in STUDENTS]
    placed = {p.column.title for p in place(chosen_columns(STUDENTS, [*usual, "val/acc"]), 80)}
    assert {"Status", "Name", "val/acc"} <= placed
    moved = chosen_columns(STUDENTS, ["Acc", "Tags", "Status", "Name", "Dataset"])
    assert [p.column.title for p in place(moved, 70)] == ["Acc", "Tags", "Status", "Name"]


def test_every_metric_and_setting_of_a_row_can_be_chosen_once() -> None:
    rows = [{"metrics": {"test/acc": 1.0}, "setting": {"kd_T": 4.0}}, {"metrics": {"x/y": 2}}, {}]
    columns = all_columns(STUDENTS, rows)
    titles = [column.title for column in columns]
    assert len(set(titles)) == len(titles)
    assert {"test/acc", "x/y", "set:kd_T", "Id", "Note"} <= set(titles)
    by_title = {column.title: column for column in columns}
    assert by_title["set:kd_T"].value_of(rows[0]) == 4.0
    assert by_title["x/y"].value_of(rows[1]) == 2
    assert by_title["x/y"].value_of(rows[2]) is None


# ---- views


async def open_views(pilot: Pilot[None]) -> None:
    await pilot.press("V")
    await until(pilot, lambda: isinstance(pilot.app.screen, ViewsScreen))


async def test_a_view_is_saved_shown_and_deleted(save: SaveRoot) -> None:
    save.student("cccc0003", "aaaa0001", status="failed", metrics={"test/acc": 0.5})
    save.student("dddd0004", "aaaa0001", metrics={"test/acc": 0.7})
    save.student("eeee0005", "aaaa0001", metrics={"test/acc": 0.9})
    app = BkdApp(save.path)
    async with app.run_test(size=(100, 24)) as pilot:
        await pilot.press("2", "slash")
        app.screen.query_one("#filter", Input).value = "acc > 60%"
        await pilot.press("enter")
        home(app).table.sort_by = "Acc"
        await open_views(pilot)
        await pilot.press("s", *"good", "enter", "escape")
    app = BkdApp(save.path)
    async with app.run_test(size=(100, 24)) as pilot:
        await pilot.press("1")
        await open_views(pilot)
        put_cursor(app, "good")
        await pilot.press("enter")
        await until(pilot, lambda: app.screen is home(app))
        await until(pilot, lambda: [row["id"] for row in home(app).table.rows] == ["dddd0004", "eeee0005"])
        assert home(app).tables.role == "student"
        assert home(app).has_class("-filtering")
        await open_views(pilot)
        put_cursor(app, "good")
        await pilot.press("D", "D")
        assert "built in" in app.screen.query_one("#hint", Line).said
        assert [view.name for view in home(app).arrangement.views()] == []
        put_cursor(app, "Everything")
        await pilot.press("enter")
        await until(pilot, lambda: len(home(app).table.rows) == 3)
        assert home(app).tables.role == "teacher"
        assert not home(app).has_class("-filtering")


async def test_a_view_needs_a_name_and_escape_leaves_the_name_first(save: SaveRoot) -> None:
    app = BkdApp(save.path)
    async with app.run_test(size=(100, 24)) as pilot:
        await open_views(pilot)
        await pilot.press("s", "space", "enter")
        assert "name" in app.screen.query_one("#hint", Line).said
        await pilot.press("escape")
        assert isinstance(app.screen, ViewsScreen)
        await pilot.press("escape")
        assert app.screen is home(app)


@pytest.mark.parametrize("name", ["Running", "Failed or lost", "Bayesian", "Best students"])
async def test_the_palette_shows_built_in_views(save: SaveRoot, name: str) -> None:
    save.teacher("aaaa0001", kind="Bayesian", status="failed")
    save.student("bbbb0002", "aaaa0001", kind="Bayesian", status="done")
    app = BkdApp(save.path)
    async with app.run_test(size=(100, 24)) as pilot:
        command = next(c for c in app.get_system_commands(app.screen) if c.title == f"View: {name}")
        result = command.callback()
        if result is not None:
            await result
        wanted = {"Running": [], "Failed or lost": ["aaaa0001"], "Bayesian": ["aaaa0001", "bbbb0002"],
                  "Best students": ["bbbb0002"]}  # fmt: skip
        await until(pilot, lambda: [row["id"] for row in home(app).table.rows] == wanted[name])


async def test_nonsense_in_the_memory_is_passed_over(save: SaveRoot) -> None:
    save.teacher("aaaa0001")
    app = BkdApp(save.path)
    app.memory.put("home.views", [3, {"name": 5}, {"name": "x", "role": "nobody", "filter": "((", "columns": ["?"]}])
    app.memory.put("home.columns", {"teacher": "Acc", "student": [1, None]})
    app.memory.put("home.folds", {"all": "yes", "others": 3})
    async with app.run_test(size=(100, 24), notifications=True) as pilot:
        assert "Name" in heading(app)
        assert [view.name for view in home(app).arrangement.views()] == ["x"]
        home(app).action_show_view("x")
        await until(pilot, lambda: len(app._notifications) > 0, "a filter that does not parse is told")


@pytest.mark.parametrize("key", ["C", "V"])
async def test_keys_of_a_list_are_one_line_on_a_small_terminal(save: SaveRoot, key: str) -> None:
    save.teacher("aaaa0001")
    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: bool(home(app).rows))
        await pilot.press(key)
        await until(pilot, lambda: isinstance(app.screen, ColumnsScreen | ViewsScreen))
        await pilot.pause()
        assert app.screen.query_one(".hint").size.height == 1
