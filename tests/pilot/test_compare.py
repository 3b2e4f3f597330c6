"""The comparison of runs: curves with bands, differences, settings down the lineage, live runs."""

import os
import shutil
from typing import Any

import pytest
from pilot_save import CREATED, SaveRoot, append, until
from textual.pilot import Pilot
from textual.widgets import Input, OptionList

from bkd.locks import acquire
from bkd.runfile import read_run, this_host, write_run
from tui.app import BkdApp
from tui.screens.compare import KEYS, CompareScreen
from tui.screens.compare_metric import MetricScreen
from tui.screens.help import HelpScreen
from tui.screens.home import HomeScreen
from tui.screens.run import RunScreen
from tui.widgets.chart_view import ChartView
from tui.widgets.compare_marks import CompareMarks
from tui.widgets.compare_table import CompareTable
from tui.widgets.compare_title import CompareTab
from tui.widgets.key_bar import KeyBar
from tui.widgets.line import Line
from tui.widgets.run_table import RunTable


def epochs(*accs: float, steps: int = 10) -> list[dict[str, Any]]:
    """Return the epoch records of a run."""
    return [
        {"v": 1, "t": CREATED + n, "kind": "epoch", "step": n * steps, "epoch": n - 1}
        | {"val/acc": acc, "val/loss": 1 - acc}
        for n, acc in enumerate(accs, start=1)
    ]


def repeated(save: SaveRoot, kind: str, letter: str, accs: list[float], **spec: Any) -> list[str]:
    """Write a teacher and its student for each accuracy; return the students' ids."""
    ids = []
    for trial, acc in enumerate(accs, start=1):
        teacher, student = f"{letter}t00000{trial}", f"{letter}s00000{trial}"
        own = {"type": "train", "kind": kind, "arch": "wrn_16_1", "dataset": "digits", "epochs": 3, "trial": trial}
        save.teacher(teacher, kind=kind, trial=trial, spec=own | spec)
        folder = save.student(
            student, teacher, kind=kind, trial=trial, metrics={"test/acc": acc, "val/acc": acc},
            path=f"students/T:wrn_16_1_S:vgg8/{kind}/lambd_1tempt_1temps_1/{student}",
            spec={"type": "distill", "teacher": teacher, "student": "vgg8", "dataset": "digits", "trial": trial},
        )  # fmt: skip
        append(folder.events, epochs(acc - 0.2, acc - 0.1, acc))
        ids.append(student)
    return ids


def two_groups(save: SaveRoot) -> list[str]:
    bayes = repeated(save, "Bayesian", "b", [0.90, 0.92, 0.91], vi="ffg")
    return bayes + repeated(save, "Deterministic", "d", [0.80, 0.84, 0.83])


async def compare(pilot: Pilot[None], ids: list[str]) -> CompareScreen:
    """Open the comparison and wait for its curves."""
    app = pilot.app
    assert isinstance(app, BkdApp)
    screen = CompareScreen(app.store, ids)
    app.push_screen(screen)
    await until(pilot, lambda: screen.comparison is not None and bool(screen.chart.series), "the curves are drawn")
    return screen


def texts(screen: CompareScreen, pane: str) -> list[list[str]]:
    """Return the rows of a table: label and cells."""
    return [[row.label.strip(), *row.cells] for row in screen.query_one(f"#{pane}", CompareTable).table.rows]


def lines(screen: CompareScreen, pane: str) -> list[str]:
    """Return the lines of a table that are in view."""
    table = screen.query_one(f"#{pane}", CompareTable)
    return [table.render_line(y).text for y in range(table.scrollable_content_region.height)]


def marks(screen: CompareScreen) -> str:
    return screen.query_one(CompareMarks).render().plain


def summary(screen: CompareScreen) -> str:
    return screen.query_one("#compare-summary", Line).said


# ---- curves


async def test_repetitions_are_a_mean_with_a_band_and_single_curves_when_asked(save: SaveRoot) -> None:
    app = BkdApp(save.path)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await compare(pilot, two_groups(save))
        assert [one.name for one in screen.chart.series] == ["A", "B"]
        [first, second] = screen.chart.series
        assert list(first.x) == [10, 20, 30]
        assert list(first.y) == pytest.approx([0.71, 0.81, 0.91])
        assert list(first.band[1] - first.band[0]) == pytest.approx([2 * 4.302652729911275 * 0.01 / 3**0.5] * 3)
        assert second.band is not None
        assert (screen.chart.title, screen.chart.axes) == ("val/acc", ("step", "epoch"))
        assert "A Bayesian, 3 teachers" in marks(screen)
        await pilot.press("b")
        await until(pilot, lambda: len(screen.chart.series) == 6)
        assert [one.name for one in screen.chart.series] == ["A1", "A2", "A3", "B1", "B2", "B3"]
        assert [one.band for one in screen.chart.series] == [None] * 6
        assert "B2 ds000002" in marks(screen)


async def test_a_single_run_without_partner_keeps_its_curve_among_means(save: SaveRoot) -> None:
    ids = repeated(save, "Bayesian", "b", [0.9, 0.92]) + repeated(save, "MSE", "m", [0.7])
    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await compare(pilot, ids)
        assert [(one.name, one.band is not None) for one in screen.chart.series] == [("A", True), ("B", False)]


async def test_runs_that_repeat_nothing_are_shown_one_by_one(save: SaveRoot) -> None:
    ids = repeated(save, "Bayesian", "b", [0.9]) + repeated(save, "MSE", "m", [0.7])
    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await compare(pilot, ids)
        assert "A bs000001" in marks(screen)
        await pilot.press("b")
        assert "No two of these runs repeat each other" in next(iter(app._notifications)).message


async def test_metrics_are_gone_through_and_chosen_by_name(save: SaveRoot) -> None:
    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await compare(pilot, two_groups(save))
        await pilot.press("right_square_bracket")
        await until(pilot, lambda: screen.chart.title == "val/loss")
        assert list(screen.chart.series[0].y) == pytest.approx([0.29, 0.19, 0.09])
        await pilot.press("left_square_bracket")
        await until(pilot, lambda: screen.chart.title == "val/acc")
        await pilot.press("2", "y")
        await until(pilot, lambda: isinstance(app.screen, MetricScreen))
        await pilot.press(*"los")
        await until(pilot, lambda: app.screen.query_one(OptionList).option_count == 1)
        await pilot.press("enter")
        await until(pilot, lambda: screen.chart.title == "val/loss")
        assert screen.chart.display


async def test_leaving_the_list_of_metrics_changes_nothing(save: SaveRoot) -> None:
    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await compare(pilot, two_groups(save))
        await pilot.press("y", "down", *"zzz", "enter")
        assert isinstance(app.screen, MetricScreen)
        assert app.screen.query_one(Input).value == "zzz"
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is screen)
        assert screen.chart.title == "val/acc"


async def test_a_run_without_events_says_so(save: SaveRoot) -> None:
    save.teacher("aaaa0001", metrics={})
    save.teacher("aaaa0002", kind="MSE", metrics={})
    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await compare(pilot, ["aaaa0001", "aaaa0002"])
        assert [len(one.y) for one in screen.chart.series] == [0, 0]
        drawn = "\n".join(screen.chart.line(y).text for y in range(screen.chart.size.height))
        assert "no data yet" in drawn
        assert texts(screen, "differences") == [["No metrics yet: they come with the first epoch."]]


# ---- live runs


async def test_a_run_that_goes_on_grows_and_ends(save: SaveRoot) -> None:
    save.teacher("aaaa0001", metrics={"val/acc": 0.5})
    folder = save.teacher("bbbb0002", kind="MSE", status="running", host=this_host(), ended=None, metrics={})
    append(folder.events, epochs(0.1, 0.2))
    lock = acquire(folder.lock)
    app = BkdApp(save.path)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await compare(pilot, ["aaaa0001", "bbbb0002"])
        await until(pilot, lambda: summary(screen) == "● 1 running   2 runs in 2 groups")
        assert "B bbbb0002 running" in marks(screen)
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: summary(screen) == "● 1 running")
        await pilot.resize_terminal(120, 40)
        assert list(screen.chart.series[1].y) == [0.1, 0.2]
        append(folder.events, epochs(0.1, 0.2, 0.3)[2:])
        await until(pilot, lambda: list(screen.chart.series[1].y) == [0.1, 0.2, 0.3])
        await until(pilot, lambda: "ago" in screen.query_one("#compare-age", Line).said)
        os.close(lock)
        write_run(folder, read_run(folder) | {"status": "done", "metrics": {"val/acc": 0.3, "test/acc": 0.25}})
        await until(pilot, lambda: "running" not in summary(screen))
        assert ["test/acc %", "90.00", "25.00"] not in texts(screen, "differences")
        assert ["test/acc %", "-", "25.00"] in texts(screen, "differences")
        assert "running" not in marks(screen)


async def test_curves_that_were_asked_for_leave_room_for_their_growth(save: SaveRoot) -> None:
    ids = two_groups(save)
    app = BkdApp(save.path)
    async with app.run_test(size=(200, 60)) as pilot:
        screen = await compare(pilot, ids)
        for key in "b]b[":
            await pilot.press({"]": "right_square_bracket", "[": "left_square_bracket"}.get(key, key))
            await until(pilot, lambda: screen._drawn == screen._wanted)
        assert screen._budget.has_room


async def test_a_rewound_file_starts_its_curve_again(save: SaveRoot) -> None:
    ids = repeated(save, "Bayesian", "b", [0.9]) + repeated(save, "MSE", "m", [0.7])
    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await compare(pilot, ids)
        folder = save.store.find("ms000001")
        append(folder.events.with_name("other"), epochs(0.3, 0.4))
        folder.events.with_name("other").replace(folder.events)
        await until(pilot, lambda: list(screen.chart.series[1].y) == [0.3, 0.4])


async def test_a_run_that_is_deleted_meanwhile_stays_and_says_so(save: SaveRoot) -> None:
    ids = two_groups(save)
    app = BkdApp(save.path)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await compare(pilot, ids)
        shutil.rmtree(save.store.find(ids[0]).path)
        await until(pilot, lambda: "2 teachers, 1 of 3 runs not done" in marks(screen))
        assert screen.query_one("#runs", RunTable).rows[0]["status"] == "deleted"
        assert len(screen.chart.series[0].y) == 3


# ---- differences and settings


async def test_differences_have_interval_test_and_verdict(save: SaveRoot) -> None:
    app = BkdApp(save.path)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await compare(pilot, two_groups(save))
        await pilot.press("2")
        found = texts(screen, "differences")
        at = found.index(["test/acc %", "91.00 ± 2.48", "82.33 ± 5.17"])
        assert found[at + 1 : at + 4] == [
            ["less A", "", "-8.67 [-11.54, -5.80]"], ["p", "", "0.006, 3 pairs"], ["verdict", "", "worse"],
        ]  # fmt: skip
        assert any(label.startswith("Differences are to the first column") for label, *_ in found)
        shown = lines(screen, "differences")
        assert shown[0].split() == ["metric", "A", "n", "=", "3", "B", "n", "=", "3"]
        assert "0.006, 3 pairs" in "\n".join(shown)
        await pilot.press("b")
        assert texts(screen, "differences")[:2] == [
            ["test/acc %", "90.00", "92.00", "91.00", "80.00", "84.00", "83.00"],
            ["less A1", "", "+2.00", "+1.00", "-10.00", "-6.00", "-7.00"],
        ]


async def test_settings_start_with_what_differs_and_walk_into_the_teachers(save: SaveRoot) -> None:
    app = BkdApp(save.path)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await compare(pilot, two_groups(save))
        await pilot.press("3")
        found = texts(screen, "settings")
        labels = [label for label, *_ in found]
        assert labels[:4] == ["Run", "kind", "teacher", "Teachers"]
        assert ["vi", "ffg", "-"] in found[4:]
        assert labels[-1].startswith("▸")
        assert "dataset" not in labels
        await pilot.press("a")
        assert ["dataset", "digits", ""] in texts(screen, "settings")
        await pilot.press("a")
        assert texts(screen, "settings") == found


async def test_members_of_ensembles_are_walked_into(save: SaveRoot) -> None:
    for n, kind in enumerate(("Bayesian", "Bayesian", "MSE"), start=1):
        save.teacher(f"base000{n}", kind=kind, trial=n)
    for n, members in enumerate((["base0001", "base0002"], ["base0001", "base0003"]), start=1):
        save.teacher(f"ense000{n}", kind="Ensemble", members=members)
        save.student(f"stud000{n}", f"ense000{n}", kind="Ensemble")
    app = BkdApp(save.path)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await compare(pilot, ["stud0001", "stud0002"])
        labels = [label for label, *_ in texts(screen, "settings")]
        assert "Teachers" in labels
        assert "Teachers' members: MSE wrn_16_1" in labels
        assert ["run", "base0001, base0002", "base0001"] in texts(screen, "settings")


async def test_foreign_text_is_harmless(save: SaveRoot) -> None:
    save.teacher(
        "aaaa0001", kind="Bay[b]es\x1b[2J", spec={"type": "train", "x\x1b[31m": "[red]\x07"}, metrics={"a/\x1bb": 1.0}
    )
    save.teacher("aaaa0002", spec={"type": "train"}, metrics={"a/\x1bb": 2.0})
    app = BkdApp(save.path)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await compare(pilot, ["aaaa0001", "aaaa0002"])
        for pane in "1234":
            await pilot.press(pane)
            shown = "".join(segment.text for strip in app.screen._compositor.render_strips() for segment in strip)
            assert "\x1b" not in shown
            assert "\x07" not in shown
        assert "[red]" in "\n".join(map(str, texts(screen, "settings")))


# ---- getting about


async def test_views_by_key_and_mouse_help_and_back(save: SaveRoot) -> None:
    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: isinstance(app.screen, HomeScreen))
        screen = await compare(pilot, two_groups(save))
        for key, pane in (("2", "differences"), ("tab", "settings"), ("4", "runs"), ("shift+tab", "settings")):
            await pilot.press(key)
            assert [
                name for name in ("curves", "differences", "settings", "runs") if screen.query_one(f"#{name}").display
            ] == [pane]
            assert app.focused is screen.query_one(f"#{pane}")
        await pilot.click(screen.query(CompareTab).first())
        await until(pilot, lambda: isinstance(app.focused, ChartView))
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))
        await pilot.press("escape", "escape")
        await until(pilot, lambda: isinstance(app.screen, HomeScreen))


async def test_a_run_of_the_list_can_be_opened(save: SaveRoot) -> None:
    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await compare(pilot, two_groups(save))
        await pilot.press("4", "down", "enter")
        await until(pilot, lambda: isinstance(app.screen, RunScreen))
        assert app.screen.run["id"] == "bs000002"
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is screen)


async def test_keys_in_the_bar_do_what_they_say_when_clicked(save: SaveRoot) -> None:
    app = BkdApp(save.path)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await compare(pilot, two_groups(save))
        for pane, keys in KEYS.items():
            for key in keys[:-2]:
                screen.action_show(pane)
                await pilot.pause()
                before = app.screen
                await screen.run_action(key.action)
                if app.screen is not before:
                    await pilot.press("escape")
                    await until(pilot, lambda: app.screen is screen)
        assert screen.chart.crosshair is not None
        assert screen.query_one("#runs", RunTable).sort_by == "Mark"


async def test_escape_puts_the_crosshair_away_first(save: SaveRoot) -> None:
    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await compare(pilot, two_groups(save))
        await pilot.press("c")
        await until(pilot, lambda: screen.chart.crosshair is not None)
        await pilot.press("escape")
        assert app.screen is screen
        assert screen.chart.crosshair is None


async def test_runs_that_are_not_there_are_told(save: SaveRoot) -> None:
    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = CompareScreen(app.store, ["zzzz0001"])
        app.push_screen(screen)
        await until(pilot, lambda: "None of these runs is there any more" in summary(screen))
        await pilot.press("b", "y", "escape", "2", "3", "a", "1", "escape")
        await until(pilot, lambda: isinstance(app.screen, HomeScreen))


async def test_an_unreadable_registry_is_told(save: SaveRoot, monkeypatch: pytest.MonkeyPatch) -> None:
    from bkd.errors import StorageError

    def fail(self: object) -> None:
        raise StorageError("registry.json: no rights. Check them.")

    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24)) as pilot:
        monkeypatch.setattr("bkd.store.Store.rows", fail)
        screen = CompareScreen(app.store, ["zzzz0001"])
        app.push_screen(screen)
        await until(pilot, lambda: "registry.json" in summary(screen))


async def test_one_run_alone_is_told_to_have_nothing_beside_it(save: SaveRoot) -> None:
    ids = repeated(save, "Bayesian", "b", [0.9])
    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await compare(pilot, ids)
        assert texts(screen, "settings")[0] == [
            "There is only one run here: mark others on the home screen to compare with."
        ]


# ---- sizes


@pytest.mark.parametrize("size", [(20, 5), (80, 24), (120, 40), (200, 60)])
async def test_everything_can_be_scrolled_to_at_any_size(save: SaveRoot, size: tuple[int, int]) -> None:
    ids = [
        run_id
        for n, letter in enumerate("bcdefg")
        for run_id in repeated(save, "Bayesian", letter, [0.9, 0.8], epochs=n)
    ]
    app = BkdApp(save.path)
    async with app.run_test(size=size) as pilot:
        screen = await compare(pilot, ids)
        for pane in ("differences", "settings"):
            screen.action_show(pane)
            await pilot.pause()
            table, seen = screen.query_one(f"#{pane}", CompareTable), set()
            before = -1
            while before != table.scroll_offset.x:
                before = table.scroll_offset.x
                shown = lines(screen, pane)
                seen |= set(" ".join(shown).split())
                assert shown[0].endswith("›") == (before < table.max_scroll_x)
                assert ("‹" in shown[0]) == (before > 0)
                await pilot.press("right")
                await pilot.pause()
            assert {"A", "B", "C", "D", "E", "F"} <= seen
            await pilot.press("G")
            await until(pilot, lambda table=table: table.scroll_offset.y == table.max_scroll_y)
            last = table.table.rows[-1].label.split()[-1]
            assert last in " ".join(lines(screen, pane)[1:])
        for widget in (CompareMarks, KeyBar):
            assert screen.query_one(widget).region.bottom <= size[1]
        if size[0] >= 80:
            assert "F " in marks(screen) or "more: 4" in marks(screen)


async def test_a_terminal_may_change_its_size(save: SaveRoot) -> None:
    app = BkdApp(save.path)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await compare(pilot, two_groups(save))
        for size in ((20, 5), (200, 60), (80, 24)):
            await pilot.resize_terminal(*size)
            for pane in "1234":
                await pilot.press(pane)
        await until(pilot, lambda: screen.query_one(CompareMarks).size.width == 78)
        assert "6 runs in 2 groups" in summary(screen)
