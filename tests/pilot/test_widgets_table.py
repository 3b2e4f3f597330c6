"""The run table: what it shows, how cursor and order behave, and that only changed lines are painted."""

import itertools

import pytest
from textual import events
from textual.app import ComposeResult
from textual.screen import Screen

from bkd.text import percent
from tui.theme import ThemedApp
from tui.widgets.columns import Column, needed, place, sort_rows
from tui.widgets.run_table import RunTable
from tui.widgets.status import GLYPHS, status_text, status_tone

COLUMNS = (
    Column("Name", "name", 20, grows=True),
    Column("Kind", "kind", 13, priority=2),
    Column("Status", "status", 11, show=status_text, tone=lambda row: status_tone(row["status"])),
    Column("Acc", lambda row: row["metrics"].get("test/acc"), 7, show=percent, align="right"),
    Column("Note", "note", 30, priority=3),
)


def run(i, status="done", acc=0.9, **more):
    metrics = {} if acc is None else {"test/acc": acc}
    row = {"id": f"{i:08x}", "name": f"run-{i}", "kind": "Bayesian", "status": status, "note": "n", "metrics": metrics}
    return {**row, **more}


class TableApp(ThemedApp):
    def __init__(self, rows=(), empty="No runs."):
        super().__init__()
        self.rows, self.empty, self.heard = rows, empty, []

    def compose(self) -> ComposeResult:
        yield RunTable(COLUMNS, empty=self.empty, id="runs")

    def on_mount(self):
        self.table = self.query_one(RunTable)
        self.table.set_rows(self.rows)
        self.table.focus()

    def on_run_table_run_selected(self, message: RunTable.RunSelected):
        self.heard.append(("selected", message.run_id))

    def on_run_table_run_opened(self, message: RunTable.RunOpened):
        self.heard.append(("opened", message.run_id))


def lines(table):
    return [table.render_line(y).text for y in range(table.size.height)]


def shown_ids(table):
    return [row["name"] for row in table.rows]


def watch_repaints(table):
    """Record the lines that the table asks to be repainted; "all" for the whole of it."""
    asked, refresh = [], table.refresh

    def spy(*regions, **options):
        asked.extend(region.y for region in regions)
        if not regions:
            asked.append("all")
        return refresh(*regions, **options)

    table.refresh = spy
    return asked


async def test_rows_show_their_values_and_states():
    app = TableApp([run(1, "running", 0.9537), run(2, "failed", None), run(3, "unknown (on gpu7)")])
    async with app.run_test(size=(120, 12)):
        heading, *rows = lines(app.table)
        assert heading.split() == ["Name", "Kind", "Status", "Acc", "Note"]
        assert "run-1" in rows[0]
        assert "● running" in rows[0]
        assert "95.37%" in rows[0]
        assert "✗ failed" in rows[1]
        assert "? unknown …" in rows[2]
        assert {len(line) for line in lines(app.table)} == {120}


async def test_a_narrow_table_loses_columns_by_priority():
    app = TableApp([run(1)])
    async with app.run_test(size=(80, 10)) as pilot:
        assert lines(app.table)[0].split() == ["Name", "Kind", "Status", "Acc"]
        await pilot.resize_terminal(56, 10)
        assert lines(app.table)[0].split() == ["Name", "Status", "Acc"]
        await pilot.resize_terminal(120, 10)
        assert lines(app.table)[0].split() == ["Name", "Kind", "Status", "Acc", "Note"]


@pytest.mark.parametrize("width", range(1, 140, 7))
def test_placed_columns_fit_and_keep_their_order(width):
    placed = place(COLUMNS, width)
    kept = [p.column for p in placed]
    assert kept == [column for column in COLUMNS if column in kept]
    assert needed(kept) <= width or all(column.priority == 0 for column in kept)
    assert all(a.start + a.width < b.start for a, b in itertools.pairwise(placed))


async def test_keys_move_the_cursor_and_scroll():
    app = TableApp([run(i) for i in range(100)])
    async with app.run_test(size=(80, 12)) as pilot:
        table = app.table
        for keys, row in (
            (["down", "down"], 2),
            (["up"], 1),
            (["up", "up"], 0),
            (["j", "j", "k"], 1),
            (["pagedown"], 11),
            (["pageup"], 1),
            (["end"], 99),
            (["down"], 99),
            (["home"], 0),
            (["G"], 99),
            (["g"], 0),
        ):
            await pilot.press(*keys)
            assert table.cursor == row
            assert f"run-{row} " in "\n".join(lines(table))
        assert app.heard[-1] == ("selected", run(0)["id"])


async def test_enter_and_double_click_open_a_run():
    app = TableApp([run(i) for i in range(5)])
    async with app.run_test(size=(80, 12)) as pilot:
        await pilot.press("down", "enter")
        await pilot.click(RunTable, offset=(5, 4))
        await pilot.click(RunTable, offset=(5, 5), times=2)
        ids = [run(i)["id"] for i in range(5)]
        assert app.heard == [
            ("selected", ids[0]),
            ("selected", ids[1]),
            ("opened", ids[1]),
            ("selected", ids[3]),
            ("selected", ids[4]),
            ("opened", ids[4]),
        ]
        await pilot.click(RunTable, offset=(5, 10))
        assert app.table.cursor == 4


async def test_the_wheel_scrolls_and_leaves_the_cursor():
    app = TableApp([run(i) for i in range(100)])
    async with app.run_test(size=(80, 12)) as pilot:
        wheel = events.MouseScrollDown(app.table, 5, 5, 0, 1, 0, False, False, False)
        app.table.post_message(wheel)
        await pilot.pause()
        assert app.table.scroll_offset.y > 0
        assert app.table.cursor == 0
        first = app.table.scroll_offset.y
        assert f"run-{first} " in lines(app.table)[1]


async def test_the_cursor_stays_on_its_run():
    app = TableApp([run(i) for i in range(30)])
    async with app.run_test(size=(80, 12)) as pilot:
        app.table.select(run(7)["id"])
        await pilot.pause()
        app.table.set_rows([run(100), *(run(i) for i in range(30))])
        await pilot.pause()
        assert (app.table.cursor, app.table.selected) == (8, run(7)["id"])
        assert app.heard[-1] == ("selected", run(7)["id"])
        app.table.set_rows([run(i) for i in range(30) if i != 7])
        await pilot.pause()
        assert app.table.cursor == 8
        assert app.heard[-1] == ("selected", run(9)["id"])
        app.table.set_rows([])
        await pilot.pause()
        assert app.table.selected is None
        assert app.heard[-1] == ("selected", None)
        assert app.table.select("nothing") is False


async def test_an_empty_table_says_what_its_caller_says():
    app = TableApp(empty="No teachers yet.\nPress n to train one.")
    async with app.run_test(size=(60, 8)) as pilot:
        assert lines(app.table)[2].strip() == "No teachers yet."
        assert lines(app.table)[3].strip() == "Press n to train one."
        app.table.set_empty("Nothing matches.")
        await pilot.press("enter", "down", "s")
        assert lines(app.table)[2].strip() == "Nothing matches."
        assert app.heard == []


async def test_sorting_by_key_and_by_heading():
    app = TableApp([run(1, acc=0.2), run(2, acc=None), run(3, acc=0.9), run(4, acc=float("nan"))])
    async with app.run_test(size=(80, 12)) as pilot:
        table = app.table
        start = table._placed[3].start
        await pilot.click(RunTable, offset=(start, 0))
        assert table.sort_by == "Acc"
        assert shown_ids(table) == ["run-1", "run-3", "run-2", "run-4"]
        assert "Acc▲" in lines(table)[0]
        await pilot.click(RunTable, offset=(start, 0))
        assert shown_ids(table) == ["run-3", "run-1", "run-2", "run-4"]
        assert "Acc▼" in lines(table)[0]
        await pilot.press("s", "S")
        assert table.sort_by is None
        assert shown_ids(table) == ["run-1", "run-2", "run-3", "run-4"]
        await pilot.press("s")
        assert table.sort_by == "Name"


def test_mixed_values_can_be_sorted():
    rows = [{"v": v} for v in ("b", 3, None, "A", 1.5, True, [1, 2])]
    up = [row["v"] for row in sort_rows(rows, Column("v", "v", 5), descending=False)]
    assert up == [True, 1.5, 3, [1, 2], "A", "b", None]


async def test_only_changed_lines_are_painted():
    rows = [run(i, "running" if i == 3 else "done") for i in range(200)]
    app = TableApp(rows)
    async with app.run_test(size=(80, 12)) as pilot:
        await pilot.pause()
        asked = watch_repaints(app.table)
        app.table.set_rows([dict(row) for row in rows])
        assert asked == []
        app.table.set_rows(
            [*rows[:3], {**rows[3], "status": "done"}, *rows[4:150], {**rows[150], "status": "lost"}, *rows[151:]]
        )
        assert asked == [4]
        asked.clear()
        await pilot.press("down")
        assert asked == [1, 2]


async def test_a_table_behind_a_screen_paints_nothing_and_is_up_to_date_on_return():
    app = TableApp([run(1), run(2)])
    async with app.run_test(size=(80, 12)) as pilot:
        await pilot.pause()
        app.push_screen(Screen())
        await pilot.pause()
        asked = watch_repaints(app.table)
        for status in ("running", "failed", "lost"):
            app.table.set_rows([run(1, status), run(2)])
            await pilot.pause()
        assert asked == ["all"]
        app.pop_screen()
        await pilot.pause()
        assert "lost" in lines(app.table)[1]
        assert "lost" in app.table._styles_cache._cache[1].text


async def test_only_rows_in_view_are_formatted():
    calls = []
    column = Column("Name", lambda row: calls.append(row["id"]) or row["name"], 20)

    class Big(ThemedApp):
        def compose(self) -> ComposeResult:
            yield RunTable([column])

    app = Big()
    async with app.run_test(size=(80, 24)) as pilot:
        app.query_one(RunTable).set_rows([run(i) for i in range(10_000)])
        await pilot.pause()
        assert 24 > len(set(calls)) > 0
        assert len(calls) < 200
        app.query_one(RunTable).cursor = 4
        await pilot.pause()
        calls.clear()
        app.query_one(RunTable).cursor = 7
        await pilot.pause()
        assert len(calls) == 2, "the row that the cursor left and the one that it entered"


async def test_text_from_runs_cannot_reach_the_terminal_raw():
    app = TableApp([run(1, name="\x1b[31mred\x1b[0m [bold]x[/bold]\n"), run(2, name="日本語の名前がとても長いです")])
    async with app.run_test(size=(60, 8)):
        line = lines(app.table)[1]
        assert "\x1b" not in line
        assert "red [bold]x" in line
        assert app.table.render_line(2).cell_length == 60


async def test_every_theme_paints_the_same_text():
    app = TableApp([run(1, "running")])
    async with app.run_test(size=(80, 8)) as pilot:
        texts, styles = set(), set()
        for name in ("bkd-dark", "bkd-light", "bkd-ansi", "textual-dark", "nord"):
            app.theme = name
            await pilot.pause()
            texts.add(app.table.render_line(1).text)
            styles.add(str([segment.style for segment in app.table.render_line(1)]))
        assert len(texts) == 1
        assert len(styles) == 5


def test_every_status_has_a_sign_of_one_cell_and_a_tone():
    assert {len(sign) for sign in GLYPHS.values()} == {1}
    assert status_text("stopped (no checkpoint)") == "■ stopped (no checkpoint)"
    assert status_text(None) == "? unknown"
    assert status_text("new word") == "· new word"
    known = {name.removeprefix("run-table--") for name in RunTable.COMPONENT_CLASSES}
    assert {status_tone(status) for status in (*GLYPHS, None, "new word")} <= known
