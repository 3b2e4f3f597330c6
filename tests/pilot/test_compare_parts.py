"""What the comparison is made of, without a screen: reading, curves with bands, marks, tables."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from pilot_save import SaveRoot, append, steps
from textual.message import Message

from bkd.compare_curves import Columns
from bkd.compare_groups import Marked, RunGroup
from bkd.compare_runs import read_ids
from bkd.report_statistics import compare
from bkd.spec_defaults import defaults
from tui.compare_columns import rows_of
from tui.compare_files import MOST_METRICS, CompareFiles, CurvesRead, RunsCompared, Wanted, series_of
from tui.compare_sides import compare_all, with_tests
from tui.compare_tables import marks_of, metric_table, setting_table
from tui.widgets.compare_marks import MORE_CELLS, laid_out
from tui.widgets.status import status_tone


def sides(save: SaveRoot, *ids: str) -> Any:
    return compare_all(read_ids(save.store, ids), defaults)


def groups_of(*ids: str) -> RunGroup:
    marked = tuple(Marked(f"A{n}", {"id": run_id}, n) for n, run_id in enumerate(ids, start=1))
    return RunGroup("A", "A", marked, None)


def columns(xs: list[float], ys: list[float], per_epoch: float | None = 10) -> Columns:
    x = np.array(xs, dtype=float)
    return Columns(x, None if per_epoch is None else x / per_epoch, np.array(ys, dtype=float))


# ---- reading


def told(changes: Iterator[Message], kind: type[Message]) -> Any:
    return next(message for message in changes if isinstance(message, kind))


def test_files_tell_of_runs_then_of_curves_then_of_what_is_new(save: SaveRoot) -> None:
    folder = save.teacher("aaaa0001")
    append(folder.events, steps(1, 5))
    files = CompareFiles(save.store, ["aaaa0001", "gone0001"])
    files.want(Wanted("train/loss", False))
    changes = files.changes(lambda: False, lambda: True)
    first = next(changes)
    assert isinstance(first, RunsCompared)
    assert [run["id"] for run in first.comparison.compared.runs] == ["aaaa0001"]
    curves = told(changes, CurvesRead)
    assert len(curves.series[0].y) == 5
    assert {"train/loss", "grad/noise", "time/images_per_s"} <= curves.keys
    append(folder.events, steps(6, 7))
    assert len(told(changes, CurvesRead).series[0].y) == 7
    files.want(Wanted("train/acc", False))
    assert list(told(changes, CurvesRead).series[0].y) == [0.5] * 7


def test_means_come_first_and_their_tests_after(save: SaveRoot) -> None:
    for kind, accs in (("MSE", (0.5, 0.6)), ("Bayesian", (0.7, 0.9))):
        for trial, acc in enumerate(accs):
            spec = {"type": "train", "kind": kind, "trial": trial}
            save.teacher(f"{kind[0]}aaa000{trial}", kind=kind, trial=trial, spec=spec, metrics={"test/acc": acc})
    files = CompareFiles(save.store, ["Maaa0000", "Maaa0001", "Baaa0000", "Baaa0001"])
    changes = files.changes(lambda: False, lambda: True)
    first, second = (told(changes, RunsCompared).comparison for _ in range(2))
    assert first.by_group.rows[0].figures == second.by_group.rows[0].figures
    assert first.by_group.rows[0].comparisons == (None, None)
    found = second.by_group.rows[0].comparisons[1]
    assert (found.test, found.n, found.difference) == ("paired", 2, pytest.approx(0.25))


def test_other_curves_do_not_wait_for_the_tests(save: SaveRoot) -> None:
    for n, kind in enumerate(("MSE", "Bayesian")):
        append(save.teacher(f"aaaa000{n}", kind=kind).events, steps(1, 2))
    files = CompareFiles(save.store, ["aaaa0000", "aaaa0001"])
    changes = files.changes(lambda: False, lambda: True)
    next(changes)
    for key in ("train/loss", "train/acc"):
        files.want(Wanted(key, False))
        assert next(changes).wanted.key == key
    assert isinstance(next(changes), RunsCompared)


def test_tests_are_given_up_when_they_are_not_wanted_any_more(save: SaveRoot) -> None:
    comparison = sides(save, save.teacher("aaaa0001").path.name, save.teacher("bbbb0002", kind="MSE").path.name)
    assert with_tests(comparison, compare, lambda: True) is None
    assert with_tests(comparison, compare, lambda: False) == compare_all(comparison.compared, defaults, compare)


def test_reading_ends_when_it_is_cancelled(save: SaveRoot) -> None:
    append(save.teacher("aaaa0001").events, steps(1, 5))
    files, cancelled = CompareFiles(save.store, ["aaaa0001"]), [False]
    files.want(Wanted("train/loss", False))
    seen = []
    for message in files.changes(lambda: cancelled[0], lambda: True):
        seen.append(type(message))
        cancelled[0] = isinstance(message, CurvesRead)
    assert seen == [RunsCompared, CurvesRead]


def test_nothing_is_read_while_nobody_watches(save: SaveRoot) -> None:
    append(save.teacher("aaaa0001").events, steps(1, 5))
    files, looks = CompareFiles(save.store, ["aaaa0001"]), []

    def is_watched() -> bool:
        looks.append(None)
        return False

    files.want(Wanted("train/loss", False))
    assert {type(message) for message in files.changes(lambda: len(looks) > 2, is_watched)} == {RunsCompared}


def test_curves_of_the_metrics_left_longest_ago_are_forgotten(save: SaveRoot) -> None:
    append(save.teacher("aaaa0001").events, steps(1, 2))
    files = CompareFiles(save.store, ["aaaa0001"])
    changes = files.changes(lambda: False, lambda: True)
    next(changes)
    for n in range(MOST_METRICS + 3):
        files.want(Wanted(f"metric/{n}", False))
        told(changes, CurvesRead)
    assert list(files._metrics) == [f"metric/{n}" for n in range(3, MOST_METRICS + 3)]


def test_a_curve_that_has_not_grown_is_the_same_object(save: SaveRoot) -> None:
    append(save.teacher("aaaa0001").events, steps(1, 5))
    folder = save.teacher("bbbb0002", kind="MSE")
    append(folder.events, steps(1, 5))
    files = CompareFiles(save.store, ["aaaa0001", "bbbb0002"])
    files.want(Wanted("train/loss", False))
    changes = files.changes(lambda: False, lambda: True)
    before = told(changes, CurvesRead).series
    append(folder.events, steps(6, 6))
    after = told(changes, CurvesRead).series
    assert after[0] is before[0]
    assert len(after[1].y) == 6


# ---- curves


def test_a_group_has_the_mean_of_its_runs_by_step_and_by_epoch() -> None:
    found = {"a": columns([10, 20, 30], [1, 2, 3]), "b": columns([10, 20], [3, 4])}
    series = series_of(groups_of("a", "b", "c"), found)
    assert list(series.y) == [2, 3, 3]
    assert series.trace.positions("epoch")[[0, 1, 2]].tolist() == pytest.approx([1, 2, 3])
    low, high = series.band
    assert (np.isfinite(low).tolist(), np.isfinite(high).tolist()) == ([True, True, False], [True, True, False])


def test_without_known_epochs_a_curve_goes_by_step_alone() -> None:
    assert series_of(groups_of("a"), {"a": columns([1, 2], [1, 2], None)}).trace.axes == ("step",)
    assert series_of(groups_of("a"), {"a": columns([1, 2], [1, 2])}).trace.axes == ("step", "epoch")
    assert len(series_of(groups_of("a"), {}).y) == 0


# ---- marks


@pytest.mark.parametrize(
    ("widths", "width", "most", "expected"),
    [
        ([10, 10, 10], 30, 1, [3]), ([10, 10, 10], 29, 3, [2, 1]), ([10, 10, 10], 29, 1, [1]), ([], 30, 2, [0]),
        ([50], 30, 1, [1]), ([10] * 9, 30, 2, [3, 1]), ([50, 50], 30, 9, [1, 1]),
    ],
)  # fmt: skip
def test_marks_fill_lines_and_leave_room_to_say_that_there_are_more(
    widths: list[int], width: int, most: int, expected: list[int]
) -> None:
    assert laid_out(widths, width, most) == expected


@pytest.mark.parametrize("width", [20, 33, 80, 200])
@pytest.mark.parametrize("most", [1, 2, 6])
def test_no_line_of_marks_is_too_long_unless_one_mark_is(width: int, most: int) -> None:
    widths = [7 + (13 * n) % 11 for n in range(40)]
    lines = laid_out(widths, width, most)
    assert len(lines) <= most
    at = 0
    for number, taken in enumerate(lines):
        used, at = sum(widths[at : at + taken]), at + taken
        has_more = number == most - 1 and at < len(widths)
        assert taken == 1 or used <= width - (MORE_CELLS if has_more else 0)


def test_marks_tell_status_and_how_curves_look_without_colours(save: SaveRoot) -> None:
    for n, kind in enumerate(("MSE", "Bayesian", "Laplace", "TTDA", "MCMI"), start=1):
        save.teacher(f"aaaa000{n}", kind=kind, status="failed" if n == 2 else "done")
    side = sides(save, *(f"aaaa000{n}" for n in range(1, 6))).by_run
    coloured, plain = marks_of(side, is_monochrome=False), marks_of(side, is_monochrome=True)
    assert [mark.label for mark in coloured[:2]] == ["aaaa0001", "aaaa0002 failed"]
    assert coloured[0].tone == coloured[4].tone
    assert coloured[0].sign != coloured[4].sign
    assert len({mark.sign for mark in plain[:4]}) == 4


# ---- tables


def test_a_run_without_partner_has_differences_without_a_test(save: SaveRoot) -> None:
    save.teacher("aaaa0001", metrics={"test/acc": 0.9, "lr": 0.1})
    save.teacher("aaaa0002", kind="MSE", metrics={"test/acc": 0.8, "lr": 0.1})
    rows = metric_table(sides(save, "aaaa0001", "aaaa0002").by_run).rows
    assert [(row.label.strip(), row.cells) for row in rows[:4]] == [
        ("test/acc %", ("90.00", "80.00")), ("less A", ("", "-10.00")),
        ("lr", ("0.1", "0.1")), ("less A", ("", "+0.0000")),
    ]  # fmt: skip
    assert not any(row.is_note for row in rows)


def test_runs_that_agree_in_everything_say_so(save: SaveRoot) -> None:
    for n in (1, 2):
        save.teacher(f"aaaa000{n}")
    comparison = sides(save, "aaaa0001", "aaaa0002")
    assert setting_table(comparison.by_run, with_agreements=False).rows[0].label == (
        "These runs agree in every setting."
    )
    assert "repeat each other" in setting_table(comparison.by_group, with_agreements=False).rows[0].label


def test_the_table_of_runs_tells_mark_group_and_as_what_a_run_counts(save: SaveRoot) -> None:
    save.teacher("aaaa0001")
    for n in (1, 2):
        save.student(f"cccc000{n}", "aaaa0001", trial=n, spec={"type": "distill", "student": "vgg8", "trial": n})
    rows = rows_of(sides(save, "cccc0001", "cccc0002"))
    assert [(row["mark"], row["group"], row["repetition"]) for row in rows] == [
        ("A1", "Deterministic", 1), ("A2", "Deterministic", 1),
    ]  # fmt: skip


def test_a_deleted_run_has_a_quiet_colour() -> None:
    assert status_tone("deleted") == "muted"
