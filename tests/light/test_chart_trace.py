"""Growing curves hold what a look at every point finds, however their points came."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bkd.chart import ema
from bkd.chart_lane import BLOCK, Lane
from bkd.chart_smoothing import Ema
from bkd.chart_trace import Trace

VALUES = st.lists(st.one_of(st.floats(-1e6, 1e6), st.just(float("nan")), st.just(float("inf"))), max_size=300)


def split(values, cuts):
    """Return values in parts."""
    return np.split(np.asarray(values, dtype=np.float64), sorted(cut % (len(values) + 1) for cut in cuts))


def naive_extremes(values, bounds):
    low, high = [], []
    for start, stop in itertools.pairwise(bounds):
        known = [value for value in values[start:stop] if np.isfinite(value)]
        low.append(min(known, default=np.nan))
        high.append(max(known, default=np.nan))
    return low, high


def naive_alone(values):
    known = [False, *(bool(np.isfinite(value)) for value in values), False]
    return [i for i in range(len(values)) if known[i + 1] and not known[i] and not known[i + 2]]


@settings(max_examples=60, deadline=None)
@given(VALUES, st.lists(st.integers(0, 400), max_size=5), st.lists(st.integers(0, 400), min_size=1, max_size=9))
def test_extremes_and_lonely_values_are_those_of_a_loop(values, cuts, bounds):
    lane = Lane()
    for part in split(values, cuts):
        lane.extend(part)
    ends = np.array(sorted(min(bound, len(values)) for bound in bounds))
    np.testing.assert_array_equal(lane.extremes(ends), naive_extremes(values, ends))
    assert lane.lonely(0, len(values)).tolist() == naive_alone(values)
    start, stop = int(ends[0]), int(ends[-1])
    assert lane.lonely(start, stop).tolist() == [i for i in naive_alone(values) if start <= i < stop]
    np.testing.assert_array_equal(
        [lane.lowest, lane.highest], np.ravel(naive_extremes(values, [0, len(values)])).tolist()
    )


@pytest.mark.parametrize("n", [BLOCK - 1, BLOCK, BLOCK + 1, 10 * BLOCK + 7])
def test_extremes_at_the_ends_of_blocks(n):
    values = np.random.default_rng(n).normal(size=n)
    lane = Lane()
    lane.extend(values)
    for bounds in ([0, n], [1, n - 1], [0, BLOCK // 2, n], [n // 2, n // 2, n], list(range(0, n, 13))):
        np.testing.assert_array_equal(lane.extremes(np.array(bounds)), naive_extremes(values, bounds))


@settings(max_examples=60, deadline=None)
@given(VALUES, st.lists(st.integers(0, 400), max_size=5), st.sampled_from([0.0, 0.3, 0.9, 0.999]))
def test_an_average_that_goes_on_is_that_of_the_whole(values, cuts, smoothing):
    average = Ema(smoothing)
    parts = [average.extend(part) for part in split(values, cuts)]
    np.testing.assert_allclose(np.concatenate(parts), ema(np.array(values), smoothing), rtol=1e-9, atol=1e-7)


@pytest.mark.parametrize("smoothing", [0.0, 0.9])
@pytest.mark.parametrize("is_log", [False, True])
def test_lanes_catch_up_with_what_was_appended(smoothing, is_log):
    y = np.random.default_rng(0).normal(size=500)
    y[[3, 77]] = np.nan
    trace = Trace("step")
    for step, value in enumerate(y):
        trace.append(None if np.isnan(value) else value, step)
        if step % 50 == 0:
            trace.lane(smoothing, is_log)
    expected = ema(y, smoothing)
    if is_log:
        expected[~(expected > 0)] = np.nan
    np.testing.assert_allclose(trace.lane(smoothing, is_log).values, expected, rtol=1e-9, atol=1e-12)


def test_another_smoothing_starts_again():
    y = np.random.default_rng(0).normal(size=300)
    trace = Trace.of(np.arange(300), y)
    for smoothing in (0.9, 0.5, 0.9, 0.0):
        np.testing.assert_allclose(trace.lane(smoothing).values, ema(y, smoothing), rtol=1e-9)
        np.testing.assert_array_equal(
            trace.lane(smoothing, is_log=True).values, np.where(ema(y, smoothing) > 0, ema(y, smoothing), np.nan)
        )


def test_values_above_zero_need_no_lane_of_their_own():
    trace = Trace.of([0, 1], [1.0, 2.0])
    assert trace.lane(is_log=True) is trace.lane()
    trace.extend([0.0], [2])
    assert trace.lane(is_log=True) is not trace.lane()


def test_views_stay_what_they_were_while_the_trace_grows():
    trace = Trace("step")
    trace.extend(np.arange(100.0), np.arange(100.0))
    before = trace.y
    for step in range(100, 5000):
        trace.append(-1.0, step)
    assert len(trace) == 5000
    assert before.tolist() == list(range(100))
    assert trace.y[:100].tolist() == before.tolist()


def test_several_axes_and_one_that_is_made_from_another():
    trace = Trace("step", "time")
    trace.scale("epoch", "step", 0.1)
    trace.extend([1, 2, 3], [10, 20, 30], [5, 6, 9])
    trace.append(4, 40, 11)
    assert trace.axes == ("step", "time", "epoch")
    assert [trace.positions(axis).ends for axis in trace.axes] == [(10, 40), (5, 11), (1, 4)]
    assert trace.positions("hours") is None
    epoch = trace.positions("epoch")
    assert [epoch.nearest(x) for x in (-1, 1.4, 1.6, 2.2, 9)] == [0, 0, 1, 1, 3]
    assert epoch.before([0, 1, 1.5, 4, 5]).tolist() == [0, 0, 1, 3, 4]
    assert (epoch.until(4), epoch.until(3.9)) == (4, 3)


def test_plain_arrays_go_by_any_axis():
    assert Trace.of([1, 2], [3, 4]).positions("epoch").ends == (1, 2)
    assert Trace.of([1, 2], [3, 4]).axes == ()


def test_an_x_that_goes_back_is_held_and_one_that_is_missing_left_out():
    trace = Trace("time")
    trace.extend([1, 2, 3, 4], [5, 4, np.nan, 6])
    trace.append(5, 3)
    trace.append(6, float("inf"))
    assert trace.x.tolist() == [5, 5, 6, 6]
    assert trace.y.tolist() == [1, 2, 4, 5]


def test_a_point_needs_all_of_its_positions():
    with pytest.raises(ValueError, match="a value and 2 positions, got 2 numbers"):
        Trace("step", "time").extend([1.0], [2.0])
    with pytest.raises(ValueError, match="a value and 1 positions, got 3 numbers"):
        Trace("step").append(1.0, 2.0, 3.0)
