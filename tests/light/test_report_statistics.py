"""What a report says of groups: against scipy, numpy, and numbers made by hand."""

import random
from typing import Any

import numpy as np
import pytest
from report_runs import Runs
from scipy import stats as oracle

from bkd.errors import SpecError
from bkd.report import Entry, Report
from bkd.report_statistics import Comparison, Direction, metric_named, ratio_of_sums, verdict
from bkd.report_tables import superiority
from bkd.stats import mean_interval, repetitions_needed

DET = [0.951, 0.947, 0.958, 0.949, 0.955]
VI = [0.958, 0.949, 0.962, 0.957, 0.961]


@pytest.fixture
def runs() -> Runs:
    return Runs()


def entry(report: Report, kind: str) -> Entry:
    (found,) = [entry for entry in report.entries if entry.group.kind == kind]
    return found


def compared(report: Report, kind: str = "Bayesian") -> Comparison:
    found = entry(report, kind).comparison
    assert found is not None
    return found


# ---- means and ratios


def test_a_group_has_the_interval_of_its_teachers(runs: Runs) -> None:
    runs.repeated("Deterministic", DET, metrics={"test/nll": 0.25})
    found = entry(runs.report(), "Deterministic").figures
    low, high = oracle.t.interval(0.95, 4, loc=np.mean(DET), scale=oracle.sem(DET))
    assert found["acc"] is not None
    assert (found["acc"].low, found["acc"].high, found["acc"].n) == pytest.approx((low, high, 5))
    assert found["nll"] is not None
    assert (found["nll"].mean, found["nll"].half) == pytest.approx((0.25, 0), abs=1e-15)
    assert found["ece"] is None


def test_students_of_one_teacher_give_no_interval(runs: Runs) -> None:
    teacher = runs.teacher()
    for trial, acc in enumerate(DET, 1):
        runs.student(teacher, acc, trial=trial)
    found = entry(runs.report(), "Deterministic")
    assert found.figures["acc"] is not None
    assert (found.figures["acc"].mean, found.figures["acc"].half, found.figures["acc"].n) == (
        pytest.approx(np.mean(DET)), None, 1,
    )  # fmt: skip
    assert found.notes == ("5 students of 1 teacher, so there is no interval and no test",)


def test_ratio_of_sums_with_equal_weights_is_the_mean() -> None:
    found, mean = ratio_of_sums([(a, 1.0) for a in VI]), mean_interval(VI)
    assert found is not None
    assert (found.mean, found.low, found.high, found.n) == pytest.approx((mean.mean, mean.low, mean.high, 5))


def test_ratio_of_sums_is_the_textbooks() -> None:
    a, b = np.array([3.0, 5.0, 4.5, 9.0]), np.array([4.0, 9.0, 8.0, 15.0])
    found = ratio_of_sums([*zip(a.tolist(), b.tolist(), strict=True)])
    ratio = a.sum() / b.sum()
    error = np.sqrt(((a - ratio * b) ** 2).sum() / (3 * 4)) / b.mean()
    assert found is not None
    assert (found.mean, found.half) == pytest.approx((ratio, oracle.t.ppf(0.975, 3) * error))


def test_ratio_of_sums_covers_the_true_ratio_about_as_often_as_it_says() -> None:
    draw = random.Random(0)
    held = 0
    for _ in range(400):
        weights = [draw.uniform(5, 15) for _ in range(8)]
        found = ratio_of_sums([(0.4 * weight + draw.gauss(0, 1), weight) for weight in weights])
        assert found is not None
        assert found.low is not None
        assert found.high is not None
        held += found.low < 0.4 < found.high
    assert 0.91 < held / 400 < 0.98


def test_ratio_of_sums_has_limits() -> None:
    assert ratio_of_sums([]) is None
    assert ratio_of_sums([(1.0, 0.0)]) is None
    one = ratio_of_sums([(1.0, 4.0)])
    assert one is not None
    assert (one.mean, one.half, one.n) == (0.25, None, 1)
    exact = ratio_of_sums([(1.0, 2.0), (4.0, 8.0)])
    assert exact is not None
    assert (exact.mean, exact.half) == (0.5, 0)


def noise(ratio: float, onehot: float | None, bias: float = 0.01, split: str = "val/grad") -> dict[str, Any]:
    return {f"{split}/noise_ratio": ratio, f"{split}/noise_onehot": onehot, f"{split}/bias": bias}


def test_r_and_bias_are_ratios_of_sums_not_means_of_ratios(runs: Runs) -> None:
    for trial, (ratio, onehot, bias) in enumerate([(6.0, 0.01, 3.0), (0.5, 1.0, 0.02)], 1):
        runs.student(runs.teacher(trial=trial), metrics=noise(ratio, onehot, bias))
    found = entry(runs.report(), "Deterministic").figures
    assert found["noise_ratio"] is not None
    assert found["noise_ratio"].mean == pytest.approx((0.06 + 0.5) / 1.01)
    assert found["bias"] is not None
    assert found["bias"].mean == pytest.approx((0.03 + 0.02) / 1.01)
    assert found["noise_teacher"] is not None
    assert found["noise_teacher"].mean == pytest.approx(0.28)


def test_r_without_its_denominator_is_a_plain_mean(runs: Runs) -> None:
    for trial, ratio in enumerate([0.4, 0.6], 1):
        runs.student(runs.teacher(trial=trial), metrics={"grad/noise_ratio": ratio})
    found = entry(runs.report(), "Deterministic").figures["noise_ratio"]
    assert found is not None
    assert found.mean == pytest.approx(0.5)


def test_r_and_bias_come_from_one_place(runs: Runs) -> None:
    """A student whose validation images give no R does not borrow the training steps' R beside validation's bias."""
    both = noise(0.4, 2.0, 0.3) | noise(0.9, 5.0, 0.7, "grad")
    runs.student(runs.teacher(trial=1), metrics=both)
    runs.student(runs.teacher(trial=2), metrics=both | {"val/grad/noise_ratio": None})
    figures = entry(runs.report(), "Deterministic").figures
    assert figures["noise_ratio"] is not None
    assert (figures["noise_ratio"].mean, figures["noise_ratio"].n) == (0.4, 1)


def test_where_noise_is_from_training_steps_for_some_it_is_said(runs: Runs) -> None:
    runs.student(runs.teacher(trial=1), metrics=noise(0.4, 2.0))
    runs.student(runs.teacher(trial=2), metrics=noise(0.5, 2.0, split="grad"))
    (note,) = runs.report().notes
    assert note.startswith("R and bias of 1 student are from the last training steps")


# ---- comparisons


def test_the_paired_test_is_scipys(runs: Runs) -> None:
    runs.repeated("Deterministic", DET)
    runs.repeated("Bayesian", VI)
    found, expected = compared(runs.report()), oracle.ttest_rel(VI, DET)
    interval = expected.confidence_interval()
    assert (found.test, found.n, found.unpaired) == ("paired", 5, ())
    assert (found.difference, found.p) == pytest.approx((np.mean(VI) - np.mean(DET), expected.pvalue))
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    assert found.superiority == np.mean([(x > y) + (x == y) / 2 for x in VI for y in DET])
    assert found.is_separated
    assert found.more is None
    assert entry(runs.report(), "Deterministic").comparison is None


def test_pairs_are_by_trial_whatever_the_order(runs: Runs) -> None:
    runs.repeated("Deterministic", {3: 0.8, 1: 0.5, 2: 0.6})
    runs.repeated("Bayesian", {2: 0.61, 1: 0.52, 3: 0.83})
    found = compared(runs.report())
    assert found.difference == pytest.approx(0.02)
    assert found.p == pytest.approx(oracle.ttest_rel([0.52, 0.61, 0.83], [0.5, 0.6, 0.8]).pvalue)


def test_what_has_no_partner_is_left_out_and_told(runs: Runs) -> None:
    runs.repeated("Deterministic", {1: 0.80, 2: 0.82, 5: 0.10})
    runs.repeated("Bayesian", {1: 0.81, 2: 0.84, 3: 0.99, 4: 0.99})
    report = runs.report()
    found = compared(report)
    assert (found.n, found.difference) == (2, pytest.approx(0.015))
    assert entry(report, "Bayesian").notes == (
        "without a partner, and not in the difference: Bayesian trials 3, 4; Deterministic trial 5",
    )


def test_pairs_are_by_the_students_trial_too(runs: Runs) -> None:
    for kind, gain in (("Deterministic", 0.0), ("Bayesian", 0.02)):
        for trial in (1, 2):
            teacher = runs.teacher(kind, trial)
            runs.student(teacher, 0.8 + gain, trial=1)
            runs.student(teacher, 0.9 + gain * trial, trial=2)
    extra = next(t for t in runs.teachers.values() if t["kind"] == "Bayesian")
    runs.student(extra, 0.1, trial=3)
    found = compared(runs.report())
    # per teacher: (.02 + .02) / 2 and (.02 + .04) / 2
    assert (found.n, found.difference) == (2, pytest.approx(0.025))
    assert entry(runs.report(), "Bayesian").notes[0].endswith("Bayesian trial 1 (student trial 3)")


def test_without_pairs_the_test_is_welchs_and_says_so(runs: Runs) -> None:
    runs.repeated("Deterministic", dict(enumerate(DET, 1)))
    runs.repeated("Bayesian", dict(enumerate(VI[:3], 11)))
    report = runs.report()
    found, expected = compared(report), oracle.ttest_ind(VI[:3], DET, equal_var=False)
    assert (found.test, found.n) == ("welch", 3)
    assert found.p == pytest.approx(expected.pvalue)
    assert entry(report, "Bayesian").notes == (
        "fewer than two trials have a partner, so the test is Welch's, unpaired",
    )


def test_one_teacher_gives_a_difference_and_no_test(runs: Runs) -> None:
    for kind, gain in (("Deterministic", 0.0), ("Bayesian", 0.02)):
        teacher = runs.teacher(kind)
        for trial in (1, 2, 3):
            runs.student(teacher, 0.9 + gain + trial / 100, trial=trial)
    found = compared(runs.report())
    assert (found.test, found.n, found.p, found.low, found.is_separated) == ("none", 1, None, None, None)
    assert found.difference == pytest.approx(0.02)
    assert verdict(found, runs.report().metric) == "no test: n = 1"


def test_how_many_more_trials_would_separate(runs: Runs) -> None:
    differences = [0.02, -0.01, 0.015, 0.0]
    runs.repeated("Deterministic", [0.9] * 4)
    runs.repeated("Bayesian", [0.9 + d for d in differences])
    found = compared(runs.report())
    total = repetitions_needed(float(np.mean(differences)), float(np.std(differences, ddof=1)), paired=True)
    assert found.is_separated is False
    assert found.more == total - 4 > 0
    assert verdict(found, runs.report().metric) == f"{total - 4} more trials"


@pytest.mark.parametrize(
    ("gains", "word"),
    [
        ([0.01, -0.01], "equal"), ([0.01, -0.0100001], ">100,000 more"), ([0.01, 0.01], "better"),
        ([-0.01, -0.01], "worse"),
    ],
)  # fmt: skip
def test_verdicts_at_the_limits(runs: Runs, gains: list[float], word: str) -> None:
    runs.repeated("Deterministic", [0.5, 0.5])
    runs.repeated("Bayesian", [0.5 + gain for gain in gains])
    found = compared(runs.report())
    assert verdict(found, runs.report().metric) == word


@pytest.mark.parametrize(
    ("metric", "lower", "higher"),
    [
        ("acc", "worse", "better"), ("test/acc5", "worse", "better"), ("val/acc", "worse", "better"),
        ("nll", "better", "worse"), ("ece", "better", "worse"), ("brier", "better", "worse"),
        ("R", "lower", "higher"), ("converge/noise_loss", "lower", "higher"),
    ],
)  # fmt: skip
def test_better_is_lower_where_lower_is_better(runs: Runs, metric: str, lower: str, higher: str) -> None:
    key = {"R": "val/grad/noise_ratio"}.get(metric, metric if "/" in metric else f"test/{metric}")
    for kind, values in (
        ("Deterministic", [0.5, 0.51, 0.52]), ("Bayesian", [0.4, 0.411, 0.42]), ("MSE", [0.6, 0.611, 0.62])
    ):  # fmt: skip
        for trial, value in enumerate(values, 1):
            runs.student(runs.teacher(kind, trial), metrics={key: value})
    report = runs.report(metric=metric)
    assert verdict(compared(report, "Bayesian"), report.metric) == lower
    assert verdict(compared(report, "MSE"), report.metric) == higher
    ahead = superiority(entry(report, "Bayesian"), report.metric)
    assert ahead == (1 if report.metric.direction is Direction.LOWER else 0)


def test_an_unknown_metric_is_named_with_its_neighbour(runs: Runs) -> None:
    runs.student(runs.teacher(), metrics={"test/nll": 0.3})
    with pytest.raises(SpecError, match=r"'nlll' is a metric of none .* Did you mean test/nll\?"):
        metric_named("nlll", runs.read())


def test_a_metric_that_some_lack_is_told(runs: Runs) -> None:
    runs.repeated("Deterministic", [0.9, 0.91])
    runs.student(runs.teacher(trial=3), None)
    found = entry(runs.report(), "Deterministic")
    assert found.notes == ("accuracy is unknown of trial 3",)
    assert found.figures["metric"] is not None
    assert found.figures["metric"].n == 2


def test_ensembles_that_share_members_are_told_of(runs: Runs) -> None:
    ids = [runs.teacher(trial=trial)["id"] for trial in (1, 2, 3)]
    runs.student(runs.teacher("Ensemble", 1, members=ids[:2]))
    runs.student(runs.teacher("Ensemble", 2, members=ids[1:]))
    assert "its teachers share members" in entry(runs.report(), "Ensemble").notes[0]
    runs.students = runs.students[:1]
    assert len(entry(runs.report(), "Ensemble").notes) == 1


# ---- which baseline


def test_the_baseline_has_the_same_setting_data_and_architectures(runs: Runs) -> None:
    runs.repeated("Deterministic", [0.7, 0.71])
    runs.repeated("Deterministic", [0.8, 0.81], spec={"kd_T": 4.0})
    runs.repeated("Bayesian", [0.82, 0.83], spec={"kd_T": 4.0})
    runs.repeated("Bayesian", [0.95, 0.96], spec={"kd_T": 4.0, "train_limit": 100})
    report = runs.report()
    found = {entry.comparison.difference for entry in report.entries if entry.comparison}
    assert [*found] == [pytest.approx(0.02)]
    assert [len(block.entries) for block in report.blocks] == [1, 3]
    assert report.blocks[0].entries[0].notes == (
        "no Deterministic group with the same data, architectures and training, so no difference",
    )


def test_a_group_without_baseline_says_so(runs: Runs) -> None:
    runs.repeated("Deterministic", [0.7, 0.71])
    runs.repeated("Bayesian", [0.8, 0.81], spec={"alpha": 0.7})
    found = entry(runs.report(), "Bayesian")
    assert found.comparison is None
    assert found.notes[0].startswith("no Deterministic group with the same setting")


def test_a_report_without_baseline_says_what_to_run(runs: Runs) -> None:
    runs.repeated("Bayesian", [0.8, 0.81])
    report = runs.report()
    (note,) = report.notes
    assert "no finished student of a Deterministic teacher" in note
    assert "`bkd train deterministic --arch wrn_16_1`" in note
    assert report.entries[0].notes == ()


def test_another_kind_can_be_the_baseline(runs: Runs) -> None:
    runs.repeated("Deterministic", [0.7, 0.71])
    runs.repeated("Bayesian", [0.8, 0.81])
    found = compared(runs.report(baseline="Bayesian"), "Deterministic")
    assert found.difference == pytest.approx(-0.1)


def test_of_several_baselines_the_most_alike_is_taken_and_the_difference_told(runs: Runs) -> None:
    for epochs in (20, 100):
        for trial in (1, 2):
            teacher = runs.teacher(trial=trial, spec={"epochs": epochs, "bnn_test_samples": 3})
            runs.student(teacher, 0.7 + epochs / 1000)
    for trial in (1, 2):
        teacher = runs.teacher("Bayesian", trial, spec={"epochs": 100, "vi": "ffg", "learning_rate": 0.01})
        runs.student(teacher, 0.9)
    report = runs.report()
    assert compared(report).difference == pytest.approx(0.1)
    assert entry(report, "Bayesian").notes == ()
    for teacher in runs.teachers.values():
        if teacher["spec"]["epochs"] == 100 and teacher["kind"] == "Deterministic":
            teacher["spec"]["epochs"] = 20
            teacher["spec"]["arch_detail"] = 1
    assert entry(runs.report(), "Bayesian").notes == (
        "its teachers were trained otherwise than the Deterministic ones: epochs=100 against 20",
    )


def test_across_settings_takes_the_best_on_validation_never_on_test(runs: Runs) -> None:
    for kd_t, test, val in ((1.0, 0.99, 0.70), (4.0, 0.80, 0.90)):
        runs.repeated("Deterministic", [test, test + 0.01], spec={"kd_T": kd_t}, metrics={"val/acc": val})
    runs.repeated("Bayesian", [0.85, 0.86], spec={"kd_T": 4.0, "alpha": 0.7}, metrics={"val/acc": 0.9})
    report = runs.report(is_across_settings=True)
    assert [entry.group.like.setting for entry in report.entries] == [(4, 1, 1.0), (4, 1, 0.7)]
    assert compared(report).difference == pytest.approx(0.05)
    assert report.notes == ("Deterministic: 4:1:1 of 2 settings, by mean validation accuracy.",)


def test_the_reduction_of_noise_is_of_paired_sums(runs: Runs) -> None:
    for trial, (onehot, det, vi) in enumerate([(10.0, 0.5, 0.25), (20.0, 0.6, 0.45), (8.0, 0.9, None)], 1):
        for kind, ratio in (("Deterministic", det), ("Bayesian", vi)):
            if ratio is not None:
                moves = {"converge/noise_loss": ratio / 100, "converge/noise_acc": None}
                runs.student(runs.teacher(kind, trial), metrics=noise(ratio, onehot) | moves)
    found = entry(runs.report(), "Bayesian").figures
    assert found["noise_reduction"] is not None
    assert found["noise_reduction"].mean == pytest.approx(1 - (2.5 + 9) / (5 + 12))
    assert found["noise_reduction"].n == 2
    assert found["noise_reduction"].low is not None
    assert found["noise_reduction"].low < found["noise_reduction"].mean
    assert found["converge_loss_reduction"] is not None
    assert found["converge_loss_reduction"].mean == pytest.approx(1 - 0.7 / 1.1)
    assert found["converge_acc_reduction"] is None
    assert entry(runs.report(), "Deterministic").figures["noise_reduction"] is None


def test_losses_of_different_scale_are_not_compared(runs: Runs) -> None:
    both = {"converge/noise_loss": 0.01, "converge/noise_acc": 0.01}
    runs.repeated("Deterministic", [0.7, 0.71], metrics=both)
    runs.repeated("Bayesian", [0.7, 0.71], metrics=both, spec={"kd_T": 4.0})
    found = entry(runs.report(is_across_settings=True), "Bayesian").figures
    assert found["converge_loss_reduction"] is None
    assert found["converge_acc_reduction"] is not None
