"""Curves of many runs: read from events, aligned, averaged with a band."""

import math
from statistics import fmean, stdev

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from bkd.compare_curves import Axis, MetricCurve, Points, align, group_bands, mean_band
from bkd.compare_groups import Marked, RunGroup
from bkd.events import EventTail, EventWriter


def points(x, y):
    return Points(np.array(x, dtype=float), np.array(y, dtype=float))


def step(n, value, epoch=0, key="train/loss"):
    return {"kind": "step", "step": n, "epoch": epoch, key: value, "t": 100.0 + n}


def curve_of(*records, key="train/loss", **options):
    curve = MetricCurve(key, **options)
    curve.add(records)
    return curve


def shown(curve, axis=Axis.STEP):
    found = curve.points(axis)
    return None if found is None else (found.x.tolist(), [None if math.isnan(y) else y for y in found.y])


# ---- from events


def test_curve_comes_from_an_event_file_and_grows_with_it(tmp_path):
    writer, tail, curve = (
        EventWriter(tmp_path / "events.jsonl"),
        EventTail(tmp_path / "events.jsonl"),
        MetricCurve("a/b"),
    )
    for n in range(1, 4):
        writer.write("step", step=n, epoch=0, values={"a/b": n / 2, "c/d": 1.0})
    curve.add(tail.read())
    assert shown(curve) == ([1, 2, 3], [0.5, 1, 1.5])
    writer.write("step", step=4, epoch=0, values={"a/b": float("nan")})
    writer.write("step", step=5, epoch=0, values={"c/d": 1.0})
    writer.write("step", step=6, epoch=0, values={"a/b": 3.0})
    writer.close()
    curve.add(tail.read())
    assert shown(curve) == ([1, 2, 3, 4, 6], [0.5, 1, 1.5, None, 3])
    assert curve.keys == {"a/b", "c/d"}
    curve.clear()
    assert curve.points(Axis.STEP) is None


def test_a_metric_of_steps_is_preferred_to_the_same_of_epochs():
    epoch = {"kind": "epoch", "step": 10, "epoch": 0, "train/loss": 9.0}
    assert shown(curve_of(step(1, 2.0), epoch)) == ([1], [2.0])
    assert shown(curve_of(epoch)) == ([10], [9.0])
    assert shown(curve_of(step(1, 2.0), key="val/acc")) is None


def test_a_null_before_the_first_value_is_no_gap():
    assert shown(curve_of(step(1, None), step(2, None))) is None
    assert shown(curve_of(step(1, None), step(2, 4.0), step(3, None))) == ([2, 3], [4.0, None])


def test_epochs_end_where_they_end_and_steps_lie_between():
    steps = [step(n, float(n), epoch=(n - 1) // 4) for n in range(1, 9)]
    ends = [{"kind": "epoch", "step": 4 * e, "epoch": e - 1, "val/acc": e / 10} for e in (1, 2)]
    assert shown(curve_of(*steps, *ends), Axis.EPOCH)[0] == [n / 4 for n in range(1, 9)]
    assert shown(curve_of(*steps, *ends, key="val/acc"), Axis.EPOCH) == ([1, 2], [0.1, 0.2])
    assert shown(curve_of(*steps[:3], steps_per_epoch=4), Axis.EPOCH)[0] == [0.25, 0.5, 0.75]
    assert shown(curve_of(*steps[:3]), Axis.EPOCH) is None
    assert curve_of(*steps[:3]).columns().epochs is None


def test_records_that_are_none_are_passed_over():
    odd = [
        {"kind": "log", "step": 0},
        {"kind": "step"},
        {"kind": "step", "step": "x"},
        {"kind": "step", "step": 1, "train/loss": "x"},
    ]
    curve = curve_of(*odd, step(2, True), step(3, 1.0))
    assert shown(curve) == ([3], [1.0])
    assert curve.time_s == 103.0


def test_of_two_values_at_one_step_the_later_counts():
    assert shown(curve_of(step(2, 1.0), step(1, 5.0), step(2, 3.0))) == ([1, 2], [5.0, 3.0])


# ---- one grid


def naive_at(curve, x):
    """Return the value of a curve at x by looking at each of its segments."""
    for i, here in enumerate(curve.x):
        if here == x:
            return curve.y[i]
        if i and curve.x[i - 1] < x < here:
            share = (x - curve.x[i - 1]) / (here - curve.x[i - 1])
            return curve.y[i - 1] + share * (curve.y[i] - curve.y[i - 1])
    return math.nan


def test_curves_of_one_grid_stay_as_they_are():
    curves = [points([1, 2, 4], [1, math.nan, 3]), points([1, 2, 4], [5, 6, 7])]
    grid, values = align(curves)
    assert grid.tolist() == [1, 2, 4]
    np.testing.assert_array_equal(values, [curve.y for curve in curves])


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.dictionaries(st.integers(0, 40), st.sampled_from([0.0, 1.5, -2.0, math.nan]), min_size=1),
        min_size=1,
        max_size=5,
    )
)
def test_alignment_is_that_of_a_loop_over_segments(found):
    curves = [points(sorted(one), [one[x] for x in sorted(one)]) for one in found]
    grid, values = align(curves)
    assert grid.tolist() == sorted({x for curve in curves for x in curve.x})
    expected = [[naive_at(curve, x) for x in grid] for curve in curves]
    np.testing.assert_allclose(values, expected, rtol=1e-12, atol=1e-12)


def test_a_shorter_run_ends_where_it_ends():
    grid, values = align([points([1, 2, 3], [1, 2, 3]), points([1, 2], [5, 5])])
    assert grid.tolist() == [1, 2, 3]
    np.testing.assert_array_equal(values[1], [5, 5, math.nan])


def test_a_grid_has_no_more_points_than_asked_and_both_ends():
    curves = [points(np.arange(0, 1000, 2), np.zeros(500)), points(np.arange(1, 1001, 2), np.zeros(500))]
    grid, values = align(curves, most=100)
    assert (len(grid), grid[0], grid[-1]) == (100, 0, 999)
    assert values.shape == (2, 100)
    assert (np.diff(grid) > 0).all()


# ---- mean and band


@pytest.mark.parametrize("runs", [1, 2, 3, 7, 30])
def test_band_is_scipys_t_interval_point_by_point(runs):
    generator, length = np.random.default_rng(runs), 40
    values = generator.normal(5, 2, (runs, length))
    values[generator.random((runs, length)) < 0.4] = math.nan
    band = mean_band(np.arange(float(length)), values)
    for at in range(length):
        there = [value for value in values[:, at] if not math.isnan(value)]
        assert band.n[at] == len(there)
        if not there:
            assert math.isnan(band.mean[at])
            continue
        assert band.mean[at] == pytest.approx(fmean(there))
        if len(there) == 1:
            assert math.isnan(band.low[at])
            assert math.isnan(band.high[at])
            continue
        low, high = stats.t.interval(0.95, len(there) - 1, fmean(there), stdev(there) / math.sqrt(len(there)))
        assert (band.low[at], band.high[at]) == (pytest.approx(low), pytest.approx(high))


def test_runs_of_one_repetition_are_averaged_first():
    values = np.array([[1.0, 2.0], [3.0, math.nan], [8.0, 8.0]])
    band = mean_band(np.array([0.0, 1.0]), values, [7, 7, 9])
    alone = mean_band(np.array([0.0, 1.0]), np.array([[2.0, 2.0], [8.0, 8.0]]))
    for name in ("mean", "low", "high", "n"):
        np.testing.assert_array_equal(getattr(band, name), getattr(alone, name))


def test_repetitions_that_agree_have_a_band_without_width():
    band = mean_band(np.array([0.0]), np.array([[2.0], [2.0]]))
    assert (band.low[0], band.mean[0], band.high[0]) == (2.0, 2.0, 2.0)


def test_infinite_and_huge_values_warn_of_nothing():
    band = mean_band(np.array([0.0, 1.0]), np.array([[math.inf, 1e308], [1.0, -1e308], [2.0, 1e308]]))
    assert (band.mean[0], band.n[0]) == (1.5, 2)
    assert band.n[1] == 3


def group(mark, members):
    runs = tuple(Marked(f"{mark}{i}", {"id": run_id}, trial) for i, (run_id, trial) in enumerate(members.items(), 1))
    return RunGroup(mark, mark, runs, None)


def test_groups_have_a_band_each_over_the_runs_that_have_a_curve():
    curves = {"a1": points([1, 2], [1, 2]), "a2": points([1, 2], [3, 4]), "b1": points([5], [5])}
    groups = [group("A", {"a1": 1, "a2": 2, "a3": 3}), group("B", {"b1": 1}), group("C", {"c1": 1})]
    first, second, third = group_bands(groups, curves)
    assert (first.mean.tolist(), first.n.tolist()) == ([2, 3], [2, 2])
    assert (second.mean.tolist(), second.n.tolist()) == ([5], [1])
    assert third is None
