"""The home screen: rows, filter, sort, details, deletion."""

import pytest
from pilot_save import SaveRoot, until
from textual.pilot import Pilot
from textual.widgets import Input

from bkd.runfile import read_run, write_run
from tui.app import BkdApp
from tui.screens.confirm import ConfirmScreen
from tui.screens.help import HelpScreen
from tui.screens.home import HomeScreen
from tui.widgets.filter_bar import FilterBar
from tui.widgets.first_run import FirstRun
from tui.widgets.line import Line
from tui.widgets.run_table import RunTable


def home(app: BkdApp) -> HomeScreen:
    screen = app.screen_stack[0]
    assert isinstance(screen, HomeScreen)
    return screen


def ids(table: RunTable) -> list[str]:
    return [row["id"] for row in table.rows]


def detail(app: BkdApp) -> str:
    return home(app).query_one("#detail-text", Line).said


async def type_filter(pilot: Pilot[None], text: str) -> None:
    await pilot.press("slash")
    pilot.app.screen.query_one("#filter", Input).value = text
    await pilot.pause()


async def test_first_screen_has_newest_run_first(save: SaveRoot) -> None:
    save.teacher("aaaa0001")
    save.teacher("bbbb0002", created=1_790_000_100.0)
    save.student("cccc0003", "aaaa0001")
    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24)) as pilot:
        assert ids(home(app).table) == ["bbbb0002", "aaaa0001", "cccc0003"]
        await pilot.press("2")
        assert ids(home(app).table) == ["cccc0003"]
        assert "Students 1" in home(app).query_one("#tab-student", Line).said


async def test_empty_root_says_what_to_do(save: SaveRoot) -> None:
    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24)):
        shown = home(app).query_one(FirstRun).query_one(Line).said
        assert "n               train a teacher" in shown
        assert "bkd demo" in shown


async def test_status_follows_the_run_folder(save: SaveRoot) -> None:
    folder = save.teacher("aaaa0001", status="queued", host="elsewhere", epoch=0)
    folder.lock.touch()
    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24)) as pilot:
        assert home(app).table.rows[0]["status"] == "unknown (on elsewhere)"
        write_run(folder, read_run(folder) | {"status": "done", "epoch": 3})
        home(app).look_now()
        await until(pilot, lambda: home(app).table.rows[0]["status"] == "done")


async def test_nothing_is_repainted_while_nothing_changes(save: SaveRoot, monkeypatch: pytest.MonkeyPatch) -> None:
    save.teacher("aaaa0001")
    app = BkdApp(save.path)
    async with app.run_test(size=(180, 50)) as pilot:
        await until(pilot, lambda: "aaaa0001" in detail(app))
        await pilot.pause(1.5)  # a hold of painting ends, and the panel has looked for a curve
        painted: list[object] = []
        monkeypatch.setattr(app, "_display", lambda screen, renderable: painted.append(renderable))
        for _ in range(3):
            home(app).look_now()
            await pilot.pause(0.12)
        assert painted == []


async def test_filter_keeps_what_matches(save: SaveRoot) -> None:
    save.teacher("aaaa0001", metrics={"test/acc": 0.97})
    save.teacher("bbbb0002", kind="Bayesian", metrics={"test/acc": 0.91})
    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24)) as pilot:
        await type_filter(pilot, "acc > 95%")
        assert ids(home(app).table) == ["aaaa0001"]
        assert "1 of 2" in home(app).query_one("#tab-teacher", Line).said
        await pilot.press("escape")
        assert len(home(app).table.rows) == 2
        assert not home(app).has_class("-filtering")


async def test_wrong_filter_is_told_in_place_and_changes_nothing(save: SaveRoot) -> None:
    save.teacher("aaaa0001")
    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24)) as pilot:
        await type_filter(pilot, "acc >")
        error = home(app).query_one("#filter-error", Line)
        assert error.display
        assert error.said
        assert ids(home(app).table) == ["aaaa0001"]


async def test_filter_completes_words(save: SaveRoot) -> None:
    save.teacher("aaaa0001")
    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("slash", *"datas")
        assert await home(app).query_one(FilterBar)._suggester.get_suggestion("kind = Bay") == "kind = Bayesian"
        await until(pilot, lambda: home(app).query_one("#filter", Input)._suggestion == "dataset")


async def test_sort_goes_through_the_columns(save: SaveRoot) -> None:
    save.teacher("aaaa0001", status="failed")
    save.teacher("bbbb0002", status="done", created=1_790_000_100.0)
    save.teacher("cccc0003", status="stopped", created=1_790_000_200.0)
    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: bool(home(app).table._placed), "the columns have their places")
        await pilot.press("s")
        assert ids(home(app).table) == ["bbbb0002", "aaaa0001", "cccc0003"]
        await pilot.press("S")
        assert ids(home(app).table) == ["cccc0003", "aaaa0001", "bbbb0002"]


async def test_details_tell_configuration_lineage_and_results(save: SaveRoot) -> None:
    save.teacher("aaaa0001")
    save.student("cccc0003", "aaaa0001")
    app = BkdApp(save.path)
    async with app.run_test(size=(160, 40)) as pilot:
        await until(pilot, lambda: "cccc0003" in detail(app))
        assert "90.00% test" in detail(app)
        assert "learning_rate" in detail(app)
        await pilot.press("2")
        await until(pilot, lambda: "aaaa0001  Deterministic" in detail(app))


async def test_details_open_below_on_a_narrow_terminal(save: SaveRoot) -> None:
    save.teacher("aaaa0001")
    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24)) as pilot:
        assert not home(app).query_one("#details").display
        await pilot.press("i")
        await until(pilot, lambda: "aaaa0001" in detail(app))
        assert home(app).query_one("#details").region.y > home(app).table.region.y


async def test_text_of_a_run_is_data(save: SaveRoot) -> None:
    save.teacher("aaaa0001", message="[red]\x1b[31mboom[/] [/nope]", status="failed")
    app = BkdApp(save.path)
    async with app.run_test(size=(160, 40)) as pilot:
        await until(pilot, lambda: "boom" in detail(app))
        assert "[red]boom[/] [/nope]" in detail(app)


async def test_delete_takes_the_typed_id(save: SaveRoot) -> None:
    folder = save.teacher("aaaa0001")
    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("D", *"aaaa", "enter")
        assert isinstance(app.screen, ConfirmScreen)
        assert folder.path.exists()
        await pilot.press(*"0001", "enter")
        await until(pilot, lambda: not home(app).table.rows)
        assert not folder.path.exists()


async def test_delete_of_a_teacher_with_students_takes_more(save: SaveRoot) -> None:
    folder = save.teacher("aaaa0001")
    save.student("cccc0003", "aaaa0001")
    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("D")
        assert "1 student came from it" in app.screen.query_one("#warning", Line).said
        await pilot.press(*"aaaa0001", "enter")
        assert isinstance(app.screen, ConfirmScreen)
        await pilot.press("escape")
        assert folder.path.exists()


async def test_stop_of_a_run_that_is_done_is_told(save: SaveRoot) -> None:
    save.teacher("aaaa0001")
    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await pilot.press("x")
        await until(pilot, lambda: any("nothing to stop" in n.message for n in app._notifications))


async def test_tags_are_kept(save: SaveRoot) -> None:
    save.teacher("aaaa0001")
    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("t", *"good, paper", "enter")
        await until(pilot, lambda: home(app).table.rows[0]["tags"] == ["good", "paper"])


async def test_help_lists_keys_and_closes(save: SaveRoot) -> None:
    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("question_mark")
        assert isinstance(app.screen, HelpScreen)
        await pilot.press("escape")
        assert isinstance(app.screen, HomeScreen)


async def test_palette_offers_what_keys_do(save: SaveRoot) -> None:
    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24)):
        titles = [command.title for command in app.get_system_commands(app.screen)]
        assert {"New teacher", "Distil a student", "Delete run", "Theme"} <= set(titles)


async def test_a_finished_run_is_not_said_to_be_stopping(save: SaveRoot) -> None:
    save.teacher("aaaa0001")
    app = BkdApp(save.path)
    async with app.run_test() as pilot:
        await until(pilot, lambda: ids(home(app).table) == ["aaaa0001"])
        await pilot.press("x")
        await until(pilot, lambda: len(app._notifications) > 0, "the refusal is said")
        assert ["Stopping" in note.message for note in app._notifications] == [False]
        await pilot.press("D")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        assert len(app._notifications) == 0


@pytest.mark.parametrize("size", [(80, 24), (130, 40)])
async def test_table_and_details_are_remembered(save: SaveRoot, size: tuple[int, int]) -> None:
    save.teacher("aaaa0001")
    save.student("cccc0003", "aaaa0001")
    for is_first in (True, False):
        app = BkdApp(save.path)
        async with app.run_test(size=size) as pilot:
            before = home(app).query_one("#details").display
            if is_first:
                await pilot.press("2", "i")
                await pilot.pause()
                after = home(app).query_one("#details").display
                assert after is not before
            else:
                assert before is after
                assert home(app).tables.role == "student"
                assert ids(home(app).table) == ["cccc0003"]
                assert app.focused is home(app).table
