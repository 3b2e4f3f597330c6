"""Statistics over repetitions against scipy, and their limits."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as oracle

from bkd.stats import (
    mean_interval,
    paired_t_test,
    probability_of_superiority,
    repetitions_needed,
    t_cdf,
    t_quantile,
    welch_t_test,
)

A = [0.951, 0.947, 0.958, 0.949, 0.955]
B = [0.944, 0.946, 0.951, 0.941, 0.949]


@settings(deadline=None)
@given(st.floats(-40, 40), st.sampled_from([1, 2, 3, 4, 7.5, 30, 200, 5000]))
def test_cdf_is_scipys(t: float, df: float) -> None:
    assert t_cdf(t, df) == pytest.approx(oracle.t.cdf(t, df), abs=1e-11, rel=1e-9)


@settings(deadline=None)
@given(st.floats(0.0005, 0.9995), st.sampled_from([1, 2, 3, 4, 7.5, 30, 200, 5000]))
def test_quantile_is_scipys(probability: float, df: float) -> None:
    assert t_quantile(probability, df) == pytest.approx(oracle.t.ppf(probability, df), abs=1e-9, rel=1e-9)


def test_interval_is_scipys() -> None:
    found = mean_interval(A)
    low, high = oracle.t.interval(0.95, len(A) - 1, loc=found.mean, scale=oracle.sem(A))
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-12)
    assert found.n == 5
    assert found.half == pytest.approx((high - low) / 2)


def test_one_value_has_no_interval() -> None:
    found = mean_interval([0.5])
    assert (found.mean, found.low, found.high, found.half, found.sd, found.n) == (0.5, None, None, None, None, 1)
    with pytest.raises(ValueError, match="at least one"):
        mean_interval([])


def test_paired_and_welch_are_scipys() -> None:
    paired, welch = paired_t_test(A, B), welch_t_test(A, B[:4])
    assert (paired.t, paired.p) == pytest.approx(tuple(oracle.ttest_rel(A, B)), rel=1e-9)
    expected = oracle.ttest_ind(A, B[:4], equal_var=False)
    assert (welch.t, welch.p, welch.df) == pytest.approx((expected.statistic, expected.pvalue, expected.df), rel=1e-9)
    interval = oracle.ttest_rel(A, B).confidence_interval()
    assert (paired.low, paired.high) == pytest.approx((interval.low, interval.high), abs=1e-12)


def test_values_that_do_not_vary() -> None:
    assert paired_t_test([1, 1], [1, 1]).p == 1
    certain = paired_t_test([2, 2], [1, 1])
    assert math.isinf(certain.t)
    assert certain.p == 0


def test_superiority_counts_ties_half() -> None:
    assert probability_of_superiority([1, 2], [1, 1]) == 0.75
    assert probability_of_superiority(A, A) == 0.5


@pytest.mark.parametrize("is_paired", [True, False])
def test_repetitions_reach_their_power(is_paired: bool) -> None:
    n = repetitions_needed(1.0, 1.5, paired=is_paired)
    settings_count = 1 if is_paired else 2
    df = settings_count * (n - 1)
    noncentrality = math.sqrt(n / settings_count) / 1.5
    power = 1 - oracle.nct.cdf(oracle.t.ppf(0.975, df), df, noncentrality)
    assert 0.78 < power < 0.87
    with pytest.raises(ValueError, match="difference"):
        repetitions_needed(0, 1)
