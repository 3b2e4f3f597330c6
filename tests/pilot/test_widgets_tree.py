"""The tree: guides, folds, order among siblings, the cursor, and that only rows in view are formatted."""

import random

import pytest
from textual.app import ComposeResult

from bkd.family import parents
from tui.theme import ThemedApp
from tui.widgets.columns import Column
from tui.widgets.folds import MOST, Folds
from tui.widgets.outline import Outline, forest
from tui.widgets.tree_table import TreeTable

COLUMNS = (
    Column("Status", "status", 7),
    Column("Name", "name", 20, keeps_end=True),
    Column("Acc", "acc", 5, align="right", tone=lambda row: "done"),
)


def run(run_id, source=None, acc=0.5, role="teacher"):
    return {
        "id": run_id, "name": f"name_{run_id}", "role": role, "teacher": source, "acc": acc, "status": "done",
    }  # fmt: skip


ROWS = [
    run("t1", acc=0.1), run("s1", "t1", 0.9, "student"), run("la", "t1", 0.3), run("s2", "la", 0.4, "student"),
    run("s3", "t1", 0.2, "student"), run("t2", acc=0.8),
]  # fmt: skip


class TreeApp(ThemedApp):
    def __init__(self, rows=ROWS, columns=COLUMNS, folds=None, muted=()):
        super().__init__()
        self.rows, self.columns, self.folds, self.muted, self.heard = rows, columns, folds or Folds(), muted, []

    def compose(self) -> ComposeResult:
        yield TreeTable(self.columns, id="runs")

    def on_mount(self):
        self.table = self.query_one(TreeTable)
        self.show(self.rows)
        self.table.focus()

    def show(self, rows):
        found = {row["id"] for row in rows} - set(self.muted) if self.muted else None
        self.table.set_tree(rows, parents(rows), self.folds, found)

    def on_tree_table_folds_changed(self, message: TreeTable.FoldsChanged):
        self.heard.append(("folds", message.run_id))

    def on_run_table_run_opened(self, message: TreeTable.RunOpened):
        self.heard.append(("opened", message.run_id))


def names(table):
    """Return what the column of the tree shows."""
    return [table.render_line(y).text[10:30].rstrip() for y in range(1, 1 + len(table.rows))]


def ids(table):
    return [row["id"] for row in table.rows]


async def test_runs_hang_under_what_they_were_made_from():
    app = TreeApp()
    async with app.run_test(size=(60, 12)):
        assert names(app.table) == [
            "▾ name_t1",
            "├── name_s1",
            "├─▾ name_la",
            "│ └── name_s2",
            "└── name_s3",
            "  name_t2",
        ]
        assert all(app.table.render_line(y).cell_length == 60 for y in range(12))
        assert [app.table.render_line(y).text[32:37] for y in (1, 2)] == ["  0.1", "  0.9"]


async def test_keys_fold_unfold_and_walk():
    app = TreeApp()
    async with app.run_test(size=(60, 12)) as pilot:
        table = app.table
        await pilot.press("right", "right", "l")
        assert table.selected == "s1"
        await pilot.press("left")
        assert table.selected == "t1"
        await pilot.press("left")
        assert names(table) == ["▸ name_t1         +4", "  name_t2"]
        await pilot.press("h")
        assert table.selected == "t1"
        await pilot.press("right")
        assert len(table.rows) == 6
        assert app.heard == [("folds", "t1"), ("folds", "t1")]


async def test_all_are_folded_and_the_cursor_goes_to_what_is_left_in_view():
    app = TreeApp()
    async with app.run_test(size=(60, 12)) as pilot:
        table = app.table
        table.select("s2")
        await pilot.press("z")
        assert (ids(table), table.selected) == (["t1", "t2"], "t1")
        await pilot.press("z")
        assert len(table.rows) == 6
        assert table.selected == "t1"
        table.folds.set("la", is_folded=True)
        await pilot.press("z", "z")
        assert len(table.rows) == 6, "one that was folded alone is unfolded too"


async def test_the_cursor_stays_on_its_run_when_others_come():
    app = TreeApp()
    async with app.run_test(size=(60, 12)) as pilot:
        app.table.select("s3")
        app.show([run("t0"), run("s0", "t1", role="student"), *ROWS])
        await pilot.pause()
        assert app.table.selected == "s3"
        assert app.table.rows[app.table.cursor]["id"] == "s3"
        app.show([row for row in ROWS if row["id"] != "s3"])
        await pilot.pause()
        assert app.table.selected == "t2", "the run that took its place"


async def test_siblings_are_sorted_and_stay_under_their_parent():
    app = TreeApp()
    async with app.run_test(size=(60, 12)):
        app.table.sort_by = "Acc"
        assert ids(app.table) == ["t1", "s3", "la", "s2", "s1", "t2"]
        app.table.descending = True
        assert ids(app.table) == ["t2", "t1", "s1", "la", "s2", "s3"]


async def test_a_click_on_the_sign_folds_and_one_on_the_name_selects():
    app = TreeApp()
    async with app.run_test(size=(60, 12)) as pilot:
        table = app.table
        await pilot.click(TreeTable, offset=(12, 3))
        assert ids(table) == ["t1", "s1", "la", "s3", "t2"]
        assert table.selected == "la"
        await pilot.click(TreeTable, offset=(12, 3))
        assert len(table.rows) == 6
        await pilot.click(TreeTable, offset=(12, 2))
        assert (table.selected, len(table.rows)) == ("s1", 6), "one without a sign is selected"
        await pilot.click(TreeTable, offset=(15, 1), times=2)
        assert app.heard[-1] == ("opened", "t1")
        assert len(table.rows) == 6


async def test_what_stands_for_others_is_muted_and_not_marked_with_all():
    app = TreeApp([ROWS[0], ROWS[1]], muted=["t1"])
    async with app.run_test(size=(60, 12)) as pilot:
        table = app.table
        table.cursor = 1
        muted = table.get_component_rich_style("run-table--muted")
        strip = [segment for segment in table.render_line(1) if segment.text.strip()]
        assert {segment.style.color for segment in strip} == {muted.color}
        await pilot.press("a")
        assert list(table.marked) == ["s1"]


async def test_a_run_is_revealed_below_folded_ones():
    app = TreeApp(folds=Folds(is_all=True))
    async with app.run_test(size=(60, 12)):
        assert ids(app.table) == ["t1", "t2"]
        assert app.table.reveal("s2")
        assert app.table.selected == "s2"
        assert not app.table.reveal("nobody")


async def test_a_deep_run_keeps_room_for_its_name():
    rows = [run("t0")] + [run(f"t{n}", f"t{n - 1}") for n in range(1, 12)]
    app = TreeApp(rows)
    async with app.run_test(size=(60, 20)):
        assert names(app.table)[-1].endswith("name_t11")
        assert all(app.table.render_line(y).cell_length == 60 for y in range(13))


async def test_flat_again():
    app = TreeApp()
    async with app.run_test(size=(60, 12)) as pilot:
        app.table.set_flat([ROWS[5], ROWS[0]])
        assert names(app.table) == ["name_t2", "name_t1"]
        await pilot.press("left", "right", "z")
        assert ids(app.table) == ["t2", "t1"]


async def test_only_rows_in_view_are_formatted():
    formatted = []
    column = Column("Name", lambda row: formatted.append(row["id"]) or row["name"], 20)
    rows = [run(f"r{i}", None if i % 5 == 0 else f"r{i - i % 5}") for i in range(10_000)]
    app = TreeApp(rows, (column,))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert 24 > len(set(formatted)) > 0


def test_a_row_without_its_parent_is_left_out_and_folded_ones_are_counted_at_any_depth():
    found = Outline(forest(ROWS[:4], parents(ROWS)), None, lambda run_id: run_id == "t1")
    assert [row["id"] for row in found.rows] == ["t1"]
    assert found.num_below(0) == 3
    assert [row["id"] for row in Outline(forest(ROWS[1:], parents(ROWS)), None, lambda run_id: False).rows] == ["t2"]


def lines_by_hand(rows, above, found, folded):
    """Return ids and guides of a tree in the plainest way."""
    kept = set(found)
    for run_id in found:
        while (run_id := above[run_id]) is not None:
            kept.add(run_id)

    def walk(parent, before):
        heirs = [row["id"] for row in rows if row["id"] in kept and above[row["id"]] == parent]
        for run_id in heirs:
            below = [row for row in rows if row["id"] in kept and above[row["id"]] == run_id]
            is_last, is_root = run_id == heirs[-1], parent is None
            sign = ("▸" if run_id in folded else "▾") if below else (" " if is_root else "─")
            yield run_id, ("" if is_root else before + ("└─" if is_last else "├─")) + sign + " "
            if run_id not in folded:
                yield from walk(run_id, "" if is_root else before + ("  " if is_last else "│ "))

    return list(walk(None, ""))


@pytest.mark.parametrize("seed", range(20))
def test_lines_of_any_tree_are_those_that_one_draws_by_hand(seed):
    draw = random.Random(seed)
    rows = [run(f"r{i}", f"r{draw.randrange(i)}" if i and draw.random() < 0.8 else None) for i in range(40)]
    draw.shuffle(rows)
    above = parents(rows)
    tree = forest(rows, above)
    for share in (0.1, 0.5, 1.0):
        found = {row["id"] for row in rows if draw.random() < share}
        folded = {row["id"] for row in rows if draw.random() < 0.2}
        lines = Outline(tree, found, folded.__contains__)
        wanted = lines_by_hand(rows, above, found, folded)
        assert [(row["id"], lines.guides(i)) for i, row in enumerate(lines.rows)] == wanted


async def test_a_filter_and_newer_rows_keep_the_order_of_a_sorted_tree():
    app = TreeApp()
    async with app.run_test(size=(60, 12)):
        table, above = app.table, parents(ROWS)
        table.sort_by = "Acc"
        table.set_tree(ROWS, above, app.folds, {"s1", "s3", "t2"})
        assert ids(table) == ["t1", "s3", "s1", "t2"]
        table.swap_rows({"s3": ROWS[4] | {"acc": 0.95}})
        assert ids(table) == ["t1", "s1", "s3", "t2"]
        table.set_tree(ROWS, above, app.folds)
        assert ids(table) == ["t1", "s3", "la", "s2", "s1", "t2"]


@pytest.mark.parametrize("sort_by", [None, "Acc"])
async def test_newer_rows_take_their_runs_places(sort_by):
    app = TreeApp()
    async with app.run_test(size=(60, 12)):
        table = app.table
        table.sort_by = sort_by
        table.select("s2")
        table.swap_rows({"s2": ROWS[3] | {"name": "new", "acc": 0.7}})
        assert table.selected_row["name"] == "new"
        assert any("└── new" in name for name in names(table))
        table.set_rows(list(table._given))
        assert any("└── new" in name for name in names(table))


@pytest.mark.parametrize("is_all", [False, True])
def test_folds_are_told_and_taken_back(is_all):
    folds = Folds(is_all=is_all)
    folds.set("a", is_folded=not is_all)
    folds.set("b", is_folded=is_all)
    again = Folds.of(folds.told())
    assert [again.is_folded(run_id) for run_id in "abc"] == [not is_all, is_all, is_all]
    for n in range(MOST + 5):
        folds.set(f"r{n}", is_folded=not is_all)
    assert len(folds.told()["others"]) == MOST
    assert not Folds.of({"all": 3, "others": "nonsense"}).is_folded("a")
