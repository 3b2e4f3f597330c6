"""Which compared runs repeat each other, and the statistics of their metrics: those of a report."""

import math
from collections import defaultdict

import pytest
from report_runs import Runs

from bkd.compare_groups import (
    Differences,
    group_runs,
    has_repetitions,
    mark_of,
    metric_keys,
    metric_rows,
    no_test,
    single_runs,
)
from bkd.compare_runs import Compared
from bkd.report_statistics import compare


def no_defaults(run_type, kind):
    return {}


def compared(runs: Runs, chosen=None) -> Compared:
    return Compared(tuple(runs.students if chosen is None else chosen), runs.teachers)


def groups_of(runs: Runs, chosen=None):
    return group_runs(compared(runs, chosen), no_defaults)


def described(groups):
    return {group.mark: (group.label, [member.mark for member in group.members], group.n) for group in groups}


# ---- groups


def test_runs_that_differ_in_trial_and_teacher_alone_repeat_each_other():
    runs = Runs()
    runs.repeated("Bayesian", [0.9, 0.91, 0.92])
    runs.repeated("Deterministic", [0.8, 0.81])
    assert described(groups_of(runs)) == {
        "A": ("Bayesian", ["A1", "A2", "A3"], 3), "B": ("Deterministic", ["B1", "B2"], 2),
    }  # fmt: skip


def test_groups_stand_in_the_order_in_which_their_first_run_was_named():
    runs = Runs()
    runs.repeated("Bayesian", [0.9, 0.91])
    runs.repeated("Deterministic", [0.8])
    b1, b2, d = runs.students
    found = groups_of(runs, [d, b2, b1])
    assert [[member.id for member in group.members] for group in found] == [[d["id"]], [b2["id"], b1["id"]]]
    assert [member.mark for group in found for member in group.members] == ["A", "B1", "B2"]


def test_grouping_is_that_of_a_plain_loop_over_pairs():
    runs = Runs()
    for trial in (1, 2):
        for kind, epochs in (("MSE", 20), ("MSE", 30), ("Bayesian", 20)):
            teacher = runs.teacher(kind, trial, spec={"epochs": epochs})
            for alpha in (0.5, 1.0):
                runs.student(teacher, spec={"alpha": alpha, "device": f"cuda:{trial}"})

    def what(run):
        teacher = runs.teachers[run["teacher"]]
        return run["kind"], run["spec"]["alpha"], teacher["spec"]["epochs"]

    expected = defaultdict(list)
    for run in runs.students:
        expected[what(run)].append(run["id"])
    found = groups_of(runs)
    assert [[member.id for member in group.members] for group in found] == list(expected.values())
    assert len({group.label for group in found}) == 6
    assert "MSE alpha=0.5 teacher's epochs=30" in {group.label for group in found}


def test_students_of_one_teacher_count_once():
    runs = Runs()
    teacher = runs.teacher("Bayesian", 1)
    for trial, acc in ((1, 0.9), (2, 0.94)):
        runs.student(teacher, acc, trial=trial)
    runs.student(runs.teacher("Bayesian", 2), 0.96, trial=2)
    [group] = groups_of(runs)
    [row] = metric_rows([group], ["test/acc"])
    assert group.n == row.figures[0].n == 2
    assert row.figures[0].mean == pytest.approx((0.92 + 0.96) / 2)
    assert [member.repetition for member in group.members] == [1, 1, 2]


def test_only_runs_that_are_done_are_measured_and_the_others_belong_to_the_group():
    runs = Runs()
    runs.repeated("Bayesian", [0.9, 0.92])
    runs.student(runs.teacher("Bayesian", 3), 0.1, status="running")
    runs.student(runs.teacher("MSE", 1), 0.1, status="failed")
    first, second = groups_of(runs)
    assert (len(first.members), first.n) == (3, 2)
    assert (second.measured, second.n) == (None, 0)
    [row] = metric_rows([first, second], ["test/acc"])
    assert row.figures[0].mean == pytest.approx(0.91)
    assert row.figures[1] is None
    assert row.comparisons == (None, None)


def test_teachers_repeat_each_other_by_their_own_trial():
    runs = Runs()
    teachers = [runs.teacher("Bayesian", i, metrics={"test/acc": 0.9 + i / 100}) for i in (1, 2, 3)]
    other = runs.teacher("Bayesian", 1, spec={"epochs": 99}, metrics={"test/acc": 0.5})
    found = group_runs(Compared((*teachers, other), {}), no_defaults)
    assert described(found) == {
        "A": ("Bayesian epochs=20", ["A1", "A2", "A3"], 3), "B": ("Bayesian epochs=99", ["B"], 1),
    }  # fmt: skip
    [row] = metric_rows(found, ["test/acc"])
    assert row.figures[0].mean == pytest.approx(0.92)


def test_teachers_made_from_one_teacher_share_its_trial():
    runs = Runs()
    base = runs.teacher("Deterministic", 1)
    made = [
        runs.teacher("Laplace", i, teacher=base["id"], metrics={"test/acc": acc}) for i, acc in ((4, 0.5), (5, 0.7))
    ]
    [group] = group_runs(Compared(tuple(made), {base["id"]: base}), no_defaults)
    assert (len(group.members), group.n) == (2, 1)


def test_a_teacher_beside_its_student_is_another_group_and_says_so():
    runs = Runs()
    student = runs.student(runs.teacher("Bayesian", 1))
    teacher = runs.teachers[student["teacher"]]
    found = group_runs(Compared((student, teacher), runs.teachers), no_defaults)
    assert [group.label for group in found] == ["Bayesian student", "Bayesian teacher"]
    assert not has_repetitions(found)


def test_an_experiment_can_be_compared():
    spec, base = {"type": "synthetic"}, {"role": "experiment", "kind": None, "status": "done"}
    runs = [base | {"id": f"e{i}", "trial": i, "spec": spec | {"trial": i}, "metrics": {"mse": i / 10}} for i in (1, 2)]
    [group] = group_runs(Compared(tuple(runs), {}), no_defaults)
    assert group.label == "experiment"
    assert next(metric_rows([group], ["mse"])).figures[0].mean == pytest.approx(0.15)


# ---- statistics


def test_the_statistics_are_the_reports():
    runs = Runs()
    runs.repeated("Deterministic", [0.80, 0.82, 0.81, 0.83])
    runs.repeated("Bayesian", [0.84, 0.83, 0.86, 0.85])
    runs.repeated("MSE", {2: 0.7, 9: 0.75})
    entries = {entry.group.kind: entry for entry in runs.report(metric="test/acc").entries}
    found = groups_of(runs)
    [row] = metric_rows(found, ["test/acc"])
    for group, figure, comparison in zip(found, row.figures, row.comparisons, strict=True):
        entry = entries[group.members[0].run["kind"]]
        assert figure == entry.figures["metric"]
        if comparison is not None:
            told, expected = vars(comparison), vars(entry.comparison)
            assert {k: v for k, v in told.items() if k != "baseline"} == {
                k: v for k, v in expected.items() if k != "baseline"
            }
    assert [c and c.test for c in row.comparisons] == [None, "paired", "welch"]


def test_differences_that_are_remembered_are_those_of_a_fresh_comparison():
    runs = Runs()
    runs.repeated("Deterministic", [0.80, 0.82, 0.81])
    runs.repeated("Bayesian", [0.79, 0.83, 0.82])
    differences, calls = Differences(), []

    def counted(*arguments):
        calls.append(arguments)
        return compare(*arguments)

    fresh = [*metric_rows(groups_of(runs), ["test/acc", "val/acc"])]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bkd.compare_groups.compare", counted)
        for _ in range(3):
            again = [*metric_rows(groups_of(runs), ["test/acc", "val/acc"], differences.compare)]
    assert again == fresh
    assert len(calls) == 2
    runs.student(runs.teacher("Bayesian", 4), 0.5)
    [row] = metric_rows(groups_of(runs), ["test/acc"], differences.compare)
    assert row == next(metric_rows(groups_of(runs), ["test/acc"]))
    [quick] = metric_rows(groups_of(runs), ["test/acc"], no_test)
    assert (quick.figures, quick.comparisons) == (row.figures, (None, None))


def test_a_noise_ratio_is_one_of_sums_as_in_a_report():
    runs = Runs()
    for trial, ratio, onehot in ((1, 0.5, 10.0), (2, 3.0, 0.1)):
        metrics = {"val/grad/noise_ratio": ratio, "val/grad/noise_onehot": onehot}
        runs.student(runs.teacher("Bayesian", trial), metrics=metrics)
    found = groups_of(runs)
    [row] = metric_rows(found, ["val/grad/noise_ratio"])
    assert row.figures[0].mean == pytest.approx((0.5 * 10 + 3.0 * 0.1) / 10.1)
    assert row.figures[0] == runs.report(metric="R").entries[0].figures["noise_ratio"]


def test_metrics_that_are_no_numbers_are_left_out():
    runs = Runs()
    runs.repeated("MSE", [0.5, 0.6], metrics={"grad/noise_full": None, "lr": 0.1, "bad": math.nan})
    rows = list(metric_rows(groups_of(runs), ["test/acc", "grad/noise_full", "lr", "bad"]))
    assert [row.key for row in rows] == ["test/acc", "lr"]


def test_single_runs_are_compared_without_a_test_whatever_their_status():
    runs = Runs()
    runs.repeated("Bayesian", [0.9, 0.92])
    runs.student(runs.teacher("MSE", 1), 0.5, status="running")
    chosen = compared(runs)
    singles = single_runs(chosen, group_runs(chosen, no_defaults), no_defaults)
    assert [group.mark for group in singles] == ["A1", "A2", "B"]
    [row] = metric_rows(singles, ["test/acc"])
    assert [figure.mean for figure in row.figures] == [0.9, 0.92, 0.5]
    assert row.comparisons[2].difference == pytest.approx(-0.4)
    assert row.comparisons[2].test == "none"


def test_metrics_stand_in_the_usual_order():
    runs = [{"metrics": {"lr": 1, "grad/norm": 1, "test/acc": 1}}, {"metrics": {"val/acc": 1}}, {}]
    assert metric_keys(runs) == ["test/acc", "val/acc", "grad/norm", "lr"]


def test_marks_go_on_after_z():
    marks = [mark_of(i) for i in range(26 * 27 + 1)]
    assert (marks[0], marks[25], marks[26], marks[27], marks[701], marks[702]) == ("A", "Z", "AA", "AB", "ZZ", "AAA")
    assert len(set(marks)) == len(marks)
