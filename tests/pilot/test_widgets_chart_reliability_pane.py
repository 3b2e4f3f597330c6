"""The reliability of a run: which splits are shown, beside whose, and what is said without any."""

from typing import ClassVar

from textual.app import ComposeResult

from tui.theme import ThemedApp
from tui.widgets.chart_reliability_pane import ReliabilityPane, SplitView
from tui.widgets.line import Line


def result(acc, gap, counts=(0, 100, 300, 600)):
    n = len(counts)
    bins = [
        {"low": i / n, "high": (i + 1) / n, "count": c, "confidence": (i + 0.5) / n, "accuracy": (i + 0.5) / n - gap}
        for i, c in enumerate(counts)
    ]
    return {"acc": acc, "nll": 0.3021, "ece": gap, "brier": 0.1, "images": sum(counts), "reliability": bins}


STUDENT = {
    "id": "cccc0003",
    "role": "student",
    "status": "done",
    "results": {"val": result(0.93, 0.02), "test": result(0.91, 0.04)},
}
TEACHER = {"id": "aaaa0001", "role": "teacher", "kind": "Bayesian", "results": {"test": result(0.95, 0.01)}}


class PaneApp(ThemedApp):
    BINDINGS: ClassVar = [("escape", "noop", "Back")]

    def compose(self) -> ComposeResult:
        yield ReliabilityPane()

    @property
    def pane(self) -> ReliabilityPane:
        return self.query_one(ReliabilityPane)

    @property
    def text(self) -> str:
        lines = [strip.text for strip in self.screen._compositor.render_strips()]
        return "\n".join(line.rstrip() for line in lines)


def shown(app):
    return [view for view in app.query(SplitView) if view.display]


async def test_splits_stand_side_by_side_with_the_teacher_behind_the_student():
    app = PaneApp()
    async with app.run_test(size=(180, 45)) as pilot:
        app.pane.show_run(STUDENT, TEACHER)
        await pilot.pause()
        assert [view.region.width > 80 for view in shown(app)] == [True, True]
        first, second = (view.query_one(Line).said for view in shown(app))
        assert first.splitlines()[2].split() == ["student", "91.00%", "0.3021", "4.00%", "0.1", "1,000", "images"]
        assert first.splitlines()[3].split()[:2] == ["teacher", "95.00%"]
        assert "93.00%" in second
        assert "teacher" not in second
        assert "Reliability, test: accuracy" in app.text
        assert "Reliability, val: accuracy" in app.text


async def test_a_small_terminal_shows_one_split_after_the_other():
    app = PaneApp()
    async with app.run_test(size=(80, 24)) as pilot:
        app.pane.show_run(STUDENT, TEACHER)
        await pilot.pause()
        assert len(shown(app)) == 1
        assert "Reliability, test 1/2" in app.text
        app.query("ReliabilityView").first().focus()
        await pilot.press("v")
        assert "Reliability, val 2/2" in app.text
        await pilot.press("v")
        assert "Reliability, test 1/2" in app.text
        await pilot.resize_terminal(160, 40)
        await pilot.pause()
        assert len(shown(app)) == 2


async def test_without_results_it_says_how_to_get_them():
    app = PaneApp()
    async with app.run_test(size=(80, 24)) as pilot:
        app.pane.show_run({"id": "cccc0003", "role": "student", "status": "stopped"}, TEACHER)
        await pilot.pause()
        assert "bkd evaluate cccc0003" in app.text
        assert shown(app) == []
        app.pane.show_run({"id": "cccc0003", "role": "student", "status": "running"}, None)
        await pilot.pause()
        assert "bkd evaluate" not in app.text
        assert "evaluates itself" in app.text
        app.pane.show_run(STUDENT, None)
        await pilot.pause()
        assert len(shown(app)) == 1
        assert "Not evaluated" not in app.text


async def test_odd_results_are_passed_over():
    app = PaneApp()
    odd = {"test": {"acc": "x", "reliability": [3, {"low": 0}]}, "val": None, "cifar10 \x1b[2Jtest": result(0.5, 0.1)}
    async with app.run_test(size=(100, 30)) as pilot:
        app.pane.show_run({**STUDENT, "results": odd}, {"results": {"val": 3}})
        await pilot.pause()
        assert len(shown(app)) == 1
        assert "Reliability, cifar10 test" in app.text
        assert "\x1b" not in app.text
