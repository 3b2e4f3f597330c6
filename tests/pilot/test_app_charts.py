"""The charts of a run: which there are, how many are in view, the teacher's level, what is put away."""

from pathlib import Path

import pytest
from pilot_save import CREATED, SaveRoot, append, steps, until

from tui.app import BkdApp
from tui.memory import Memory
from tui.plots import plots_of, teacher_of
from tui.screens.run import RunScreen
from tui.widgets.chart_index import ChartIndex
from tui.widgets.chart_layout import grid_shape
from tui.widgets.chart_view import ChartView

TEACHER_PATH = "teachers/Deterministic/wrn_16_1/aaaa0001"


def student(save: SaveRoot, num_steps: int = 12, **metrics: float) -> None:
    """Write a student of a teacher with these figures."""
    save.teacher("aaaa0001", metrics=metrics)
    lineage = {"teacher": "aaaa0001", "teacher_path": TEACHER_PATH}
    folder = save.student("cccc0003", "aaaa0001", lineage=lineage)
    figures = {"train/ce": 1.0, "grad/noise_ratio": 0.5}
    append(folder.events, [record | figures for record in steps(1, num_steps)])
    epoch = {"val/loss": 0.5, "val/ece": 0.1, "lr": 0.001, "t": CREATED + 2, "kind": "epoch"}
    for n in (1, 5, 8):
        append(folder.events, [{**epoch, "step": n, "epoch": n - 1, "val/acc": n / 10, "val/nll": 1 / n}])


def watched(app: BkdApp) -> RunScreen:
    assert isinstance(app.screen, RunScreen)
    return app.screen


def in_view(app: BkdApp) -> list[str]:
    """Return the ids of the charts in view."""
    return [str(chart.id) for chart in watched(app).query(ChartView) if chart.region.area and chart.display]


async def opened(pilot, app: BkdApp) -> RunScreen:
    """Open the student's view."""
    await pilot.press("2", "enter")
    await until(pilot, lambda: isinstance(app.screen, RunScreen) and bool(in_view(app)))
    return watched(app)


def titles(**run: object) -> list[str]:
    spec = {"epochs": 3, **run.pop("spec", {})}  # type: ignore[dict-item]
    return [plot.id for plot in plots_of({"spec": spec, "dataset": "digits", **run})]


def test_each_kind_of_run_has_the_charts_of_its_figures():
    assert titles(role="student") == ["loss", "accuracy", "nll", "ece", "noise", "ratio", "rate", "images"]
    assert titles(role="teacher", kind="Deterministic") == [
        "loss",
        "accuracy",
        "ece",
        "noise",
        "norm",
        "rate",
        "images",
    ]
    assert "nll" in titles(role="teacher", kind="MSE")
    bayesian = titles(role="teacher", kind="Bayesian", spec={"bnn_annealing_epochs": 2})
    assert {"kl", "kl-weight"} < set(bayesian)
    for found in (bayesian, titles(role="student")):
        assert len(set(found)) == len(found) <= 9
    paper = plots_of({"role": "student", "spec": {"epochs": 3, "protocol": "paper"}})
    keys = {key for plot in paper for _, key in plot.series}
    assert {"test/ece", "test/nll", "test/acc", "test/loss"} < keys
    assert not any(key.startswith("val/") for key in keys)


@pytest.mark.parametrize(
    ("metrics", "teacher_dataset", "level"),
    [
        ({"val/acc": 0.9, "test/acc": 0.8}, "digits", (("teacher", 0.9),)),
        ({"test/acc": 0.8}, "digits", (("teacher, test", 0.8),)),
        ({"val/acc": "much"}, "digits", ()),
        ({"val/acc": 0.9}, "cifar10", ()),
    ],
)
def test_the_level_is_what_the_teacher_reached_on_the_same_images(metrics, teacher_dataset, level):
    run = {"role": "student", "dataset": "digits", "spec": {"epochs": 3}}
    [plot] = [p for p in plots_of(run, {"dataset": teacher_dataset, "metrics": metrics}) if p.id == "accuracy"]
    assert plot.levels == level


def test_a_teacher_is_found_by_the_path_in_the_lineage(save: SaveRoot):
    student(save, **{"val/acc": 0.9})
    run = save.store.load(save.store.find("cccc0003"))
    assert (teacher_of(save.store, run) or {})["id"] == "aaaa0001"
    save.store.folder(TEACHER_PATH).run.unlink()
    assert teacher_of(save.store, run) is None
    assert teacher_of(save.store, {"lineage": {"teacher_path": 3}}) is None


@pytest.mark.parametrize(
    ("num", "size", "shape"),
    [
        (8, (180, 45), (3, 3)),
        (9, (180, 39), (3, 3)),
        (4, (180, 45), (2, 2)),
        (1, (180, 45), (1, 1)),
        (8, (120, 25), (3, 2)),
        (8, (200, 52), (3, 3)),
        (8, (30, 5), (1, 1)),
    ],
)
def test_charts_are_as_large_as_they_can_be(num, size, shape):
    assert grid_shape(num, *size) == shape


async def test_a_run_that_is_done_has_the_charts_that_it_recorded_something_for(save: SaveRoot) -> None:
    append(save.student("cccc0003", "aaaa0001").events, steps(1, 5))
    append(save.student("cccc0004", "aaaa0001", status="stopped", path="students/a/b/c").events, steps(1, 5))
    for row, expected in (("cccc0003", ["loss", "accuracy", "noise", "images"]), ("cccc0004", 8)):
        app = BkdApp(save.path)
        async with app.run_test(size=(180, 50)) as pilot:
            await pilot.pause()
            await app.push_screen(RunScreen(save.store, save.store.load(save.store.find(row))))
            charts = [str(chart.id) for chart in watched(app).query(ChartView)]
            assert charts == expected or len(charts) == expected


async def test_all_charts_are_in_view_where_there_is_room(save: SaveRoot) -> None:
    student(save, **{"val/acc": 0.9})
    app = BkdApp(save.path)
    async with app.run_test(size=(180, 50)) as pilot:
        screen = await opened(pilot, app)
        await until(pilot, lambda: len(in_view(app)) == 8)
        regions = [chart.region for chart in screen.query(ChartView)]
        assert max(region.bottom for region in regions[6:]) - min(region.y for region in regions) >= 30
        assert regions[-1].right == 179  # a cell is left beside them
        ids = [widget.id for widget in screen.query("*") if widget.id]
        assert len(set(ids)) == len(ids)
        assert not screen.query_one(ChartIndex).display


async def test_pages_where_there_is_less_room_and_the_current_chart_in_view(save: SaveRoot) -> None:
    student(save, **{"val/acc": 0.9})
    app = BkdApp(save.path)
    async with app.run_test(size=(120, 36)) as pilot:
        await opened(pilot, app)
        await until(pilot, lambda: len(in_view(app)) == 6)
        assert watched(app).query_one(ChartIndex).display
        await pilot.press("left_square_bracket")
        await until(pilot, lambda: in_view(app) == ["rate", "images"])
        await until(pilot, lambda: getattr(app.focused, "id", "") == "images")
        await pilot.press("3")
        await until(pilot, lambda: len(in_view(app)) == 6 and getattr(app.focused, "id", "") == "nll")
        await pilot.click(ChartIndex, offset=(66, 0))
        await until(pilot, lambda: in_view(app) == ["rate", "images"])


async def test_the_teachers_level_is_in_the_legend_and_can_be_put_away(save: SaveRoot) -> None:
    student(save, **{"val/acc": 0.85, "val/nll": 9.0})
    app = BkdApp(save.path)
    async with app.run_test(size=(180, 50)) as pilot:
        screen = await opened(pilot, app)
        accuracy = screen.query_one("#accuracy", ChartView)
        await until(pilot, lambda: "╌ teacher 0.85" in accuracy.line(0).text)
        heading = [screen.query_one("#nll", ChartView).line(y).text for y in (0, 1)]
        assert "teacher 9 ↑" in " ".join(heading)
        await pilot.press("2")
        await until(pilot, lambda: app.focused is accuracy)
        await pilot.press("N", "space")
        assert accuracy.hidden == {"teacher"}
        await until(pilot, lambda: "teacher off" in accuracy.line(0).text)


async def test_a_chart_that_is_put_away_stays_away_until_it_is_wanted(save: SaveRoot) -> None:
    student(save, **{"val/acc": 0.9})
    for keys, expected in (("pp", 6), ("", 6), ("1", 7), ("U", 8)):
        app = BkdApp(save.path)
        async with app.run_test(size=(180, 50)) as pilot:
            await opened(pilot, app)
            await pilot.press(*keys)
            await until(pilot, lambda app=app, n=expected: len(in_view(app)) == n)
    assert Memory().get("charts.hidden", ["x"]) == []


async def test_the_last_chart_cannot_be_put_away(save: SaveRoot) -> None:
    student(save, **{"val/acc": 0.9})
    app = BkdApp(save.path)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, app)
        await pilot.press(*"p" * 12)
        await until(pilot, lambda: len(in_view(app)) == 1)
        assert len(watched(app).query_one("#charts")._places) == 1  # type: ignore[attr-defined]


async def test_an_export_holds_the_level(save: SaveRoot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    student(save, **{"val/acc": 0.85})
    app = BkdApp(save.path)
    async with app.run_test(size=(180, 50)) as pilot:
        await opened(pilot, app)
        await pilot.press("2")
        await until(pilot, lambda: getattr(app.focused, "id", "") == "accuracy")
        await pilot.press("E", "e")
        await until(pilot, lambda: len([*tmp_path.glob("*.csv"), *tmp_path.glob("*.svg")]) == 2)
        assert "teacher" in next(tmp_path.glob("*.csv")).read_text().splitlines()[-1]
        await until(pilot, lambda: "teacher 0.85" in next(tmp_path.glob("*.svg")).read_text())
