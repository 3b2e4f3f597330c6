"""The tree of the home screen: what hangs where, filters, what is remembered."""

from pilot_save import SaveRoot, until
from textual.pilot import Pilot
from textual.widgets import Input

from tui.app import BkdApp
from tui.screens.home import HomeScreen
from tui.widgets.line import Line


def home(app: BkdApp) -> HomeScreen:
    screen = app.screen_stack[0]
    assert isinstance(screen, HomeScreen)
    return screen


def ids(app: BkdApp) -> list[str]:
    return [row["id"] for row in home(app).table.rows]


async def type_filter(pilot: Pilot[None], text: str) -> None:
    await pilot.press("slash")
    pilot.app.screen.query_one("#filter", Input).value = text
    await pilot.pause()


def family(save: SaveRoot) -> None:
    save.teacher("aaaa0001", created=1.0)
    save.student("bbbb0001", "aaaa0001", created=2.0, metrics={"test/acc": 0.97})
    save.teacher("cccc0001", kind="Laplace", teacher="aaaa0001", created=3.0)
    save.student("dddd0001", "cccc0001", created=4.0, metrics={"test/acc": 0.8})
    save.teacher("eeee0001", kind="Ensemble", members=["aaaa0001", "cccc0001"], created=5.0)
    save.student("ffff0001", "gone0000", created=6.0)
    save.sweep("9999eeee", "aaaa0001", [None])


async def test_the_first_screen_is_the_tree(save: SaveRoot) -> None:
    family(save)
    app = BkdApp(save.path)
    async with app.run_test(size=(100, 24)):
        table = home(app).table
        assert ids(app) == ["eeee0001", "aaaa0001", "cccc0001", "dddd0001", "bbbb0001", "ffff0001"]
        shown = [table.render_line(y).text for y in range(1, 7)]
        assert [line.partition("wrn")[0][-4:] for line in shown[:3]] == ["    ", "  ▾ ", "├─▾ "]
        assert "│ └── " in shown[3]
        assert "└── " in shown[4]
        assert "Ensemble of 2" in shown[0]
        assert "α1 T1 S1" in shown[4]
        assert "Teachers 3" in home(app).query_one("#tab-teacher", Line).said


async def test_flat_is_a_table_of_teachers_and_is_remembered(save: SaveRoot) -> None:
    family(save)
    app = BkdApp(save.path)
    async with app.run_test(size=(100, 24)) as pilot:
        await pilot.press("v")
        assert ids(app) == ["eeee0001", "cccc0001", "aaaa0001"]
    app = BkdApp(save.path)
    async with app.run_test(size=(100, 24)) as pilot:
        assert ids(app) == ["eeee0001", "cccc0001", "aaaa0001"]
        await pilot.press("2", "v")
        assert home(app).tables.role == "teacher"
        assert len(ids(app)) == 3, "v on another table goes to the teachers first"
        await pilot.press("v")
        assert len(ids(app)) == 6


async def test_folds_are_remembered(save: SaveRoot) -> None:
    family(save)
    app = BkdApp(save.path)
    async with app.run_test(size=(100, 24)) as pilot:
        home(app).select("cccc0001")
        await pilot.press("left")
        assert "dddd0001" not in ids(app)
    app = BkdApp(save.path)
    async with app.run_test(size=(100, 24)) as pilot:
        assert ids(app) == ["eeee0001", "aaaa0001", "cccc0001", "bbbb0001", "ffff0001"]
        await pilot.press("z")
        assert ids(app) == ["eeee0001", "aaaa0001", "ffff0001"]


async def test_a_filter_keeps_the_ancestors_of_what_it_finds_and_unfolds_them(save: SaveRoot) -> None:
    family(save)
    app = BkdApp(save.path)
    async with app.run_test(size=(100, 24)) as pilot:
        await pilot.press("z")
        await type_filter(pilot, "acc < 85%")
        assert ids(app) == ["aaaa0001", "cccc0001", "dddd0001"]
        assert "0 of 3" in home(app).query_one("#tab-teacher", Line).said
        table = home(app).tables.tree_table
        assert [table.is_shown_for_others(row) for row in table.rows] == [True, True, False]
        await pilot.press("enter", "a")
        assert [row["id"] for row in home(app).marked] == ["dddd0001"]
        await type_filter(pilot, "")
        assert ids(app) == ["eeee0001", "aaaa0001", "ffff0001"], "folded as before"


async def test_a_filter_on_tables_out_of_view_holds_once_they_come_into_view(save: SaveRoot) -> None:
    family(save)
    app = BkdApp(save.path)
    async with app.run_test(size=(100, 24)) as pilot:
        await type_filter(pilot, "acc > 95%")
        assert "1 of 3" in home(app).query_one("#tab-student", Line).said
        await pilot.press("enter", "2")
        assert ids(app) == ["bbbb0001"]
        await pilot.press("3")
        assert ids(app) == []


async def test_any_row_of_the_tree_opens_and_is_marked(save: SaveRoot) -> None:
    family(save)
    app = BkdApp(save.path)
    async with app.run_test(size=(100, 24)) as pilot:
        home(app).select("bbbb0001")
        await pilot.press("space", "2")
        assert home(app).table.marked == ["bbbb0001"], "marks are those of the run, not of the table"
        await pilot.press("1")
        home(app).select("dddd0001")
        await pilot.press("enter")
        await until(pilot, lambda: getattr(app.screen, "run", {}).get("id") == "dddd0001")


async def test_a_student_is_distilled_from_its_teacher_again(save: SaveRoot) -> None:
    family(save)
    app = BkdApp(save.path)
    async with app.run_test(size=(100, 24)):
        home(app).select("dddd0001")
        question = home(app).teacher_in_question()
        assert question is not None
        assert question["id"] == "cccc0001"


async def test_new_runs_come_in_under_the_cursor(save: SaveRoot) -> None:
    family(save)
    app = BkdApp(save.path)
    async with app.run_test(size=(100, 24)) as pilot:
        home(app).select("aaaa0001")
        save.student("abcd0001", "aaaa0001", created=9.0)
        home(app).look_now()
        await until(pilot, lambda: "abcd0001" in ids(app))
        assert home(app).table.selected == "aaaa0001"
        home(app).select("abcd0001")
        assert home(app).tables.role == "teacher", "a student that is in view is found there"
