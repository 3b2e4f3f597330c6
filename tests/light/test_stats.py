"""Statistics against scipy and against their definitions."""

import math
import random
import subprocess
import sys

import pytest
from scipy import special
from scipy import stats as oracle

from bkd import stats

DFS = [0.5, 1, 1.7, 2, 3, 4, 9, 30, 39.9, 40.1, 250.5, 1e4, 1e6]


@pytest.mark.parametrize("df", DFS)
def test_t_cdf_equals_scipy(df: float) -> None:
    for t in (0.0, 1e-9, 1e-3, 0.3, 1.0, 2.0, 2.776, 5.0, 12.0, 40.0, 1e3, 1e8):
        for signed in (t, -t):
            expected = float(special.stdtr(df, signed))
            assert stats.t_cdf(signed, df) == pytest.approx(expected, rel=1e-9, abs=1e-300), (t, df)


@pytest.mark.parametrize("df", DFS)
def test_t_quantile_equals_scipy(df: float) -> None:
    for probability in (1e-8, 1e-3, 0.025, 0.2, 0.4999, 0.5, 0.6, 0.8, 0.975, 0.995, 0.9999, 1 - 1e-8):
        expected = float(special.stdtrit(df, probability))
        found = stats.t_quantile(probability, df)
        tolerance = 1e-9 if df >= 1 else 1e-7  # the oracle itself is less exact below
        assert found == pytest.approx(expected, rel=tolerance, abs=1e-12), (probability, df)


def test_t_quantile_inverts_t_cdf() -> None:
    draw = random.Random(0)
    for _ in range(200):
        df, probability = draw.uniform(1, 60), draw.uniform(1e-6, 1 - 1e-6)
        assert stats.t_cdf(stats.t_quantile(probability, df), df) == pytest.approx(probability, rel=1e-12)


def test_known_quantiles() -> None:
    assert stats.t_quantile(0.975, 1) == pytest.approx(math.tan(0.475 * math.pi), rel=1e-13)
    assert stats.t_quantile(0.975, 4) == pytest.approx(2.7764451051977987, rel=1e-13)
    assert stats.t_quantile(0.5, 7) == 0
    assert stats.t_cdf(math.inf, 3) == 1
    assert stats.t_cdf(-math.inf, 3) == 0
    assert math.isnan(stats.t_cdf(math.nan, 3))


@pytest.mark.parametrize("n", [2, 3, 5, 40])
@pytest.mark.parametrize("level", [0.5, 0.95, 0.999])
def test_mean_interval_equals_scipy(n: int, level: float) -> None:
    draw = random.Random(n)
    values = [draw.gauss(75, 2) for _ in range(n)]
    found = stats.mean_interval(values, level)
    test = oracle.ttest_1samp(values, 0)
    low, high = test.confidence_interval(level)
    assert (found.low, found.high) == pytest.approx((float(low), float(high)), rel=1e-9)
    assert found.mean == pytest.approx(sum(values) / n)
    assert found.half == pytest.approx((found.high - found.low) / 2)
    assert found.sd == pytest.approx(float(oracle.tstd(values)), rel=1e-9)
    assert found.n == n


def test_one_value_has_no_interval() -> None:
    assert stats.mean_interval([0.7]) == stats.MeanInterval(0.7, None, None, None, None, 1)
    assert stats.mean_interval([0.5, 0.5, 0.5]) == stats.MeanInterval(0.5, 0.5, 0.5, 0.0, 0.0, 3)


def test_interval_covers_the_mean_as_often_as_it_says() -> None:
    draw = random.Random(1)
    covered = 0
    for _ in range(4000):
        interval = stats.mean_interval([draw.gauss(3, 2) for _ in range(4)], 0.9)
        covered += interval.low < 3 < interval.high
    assert covered / 4000 == pytest.approx(0.9, abs=0.02)


def test_large_values_keep_their_spread() -> None:
    assert stats.mean_interval([1e9 + 1, 1e9 + 2, 1e9 + 3]).sd == 1


@pytest.mark.parametrize("sizes", [(2, 2), (5, 5), (3, 8)])
def test_t_tests_equal_scipy(sizes: tuple[int, int]) -> None:
    draw = random.Random(2)
    a, b = [draw.gauss(75, 1) for _ in range(sizes[0])], [draw.gauss(76, 3) for _ in range(sizes[1])]
    pairs = [(stats.welch_t_test(a, b, 0.9), oracle.ttest_ind(a, b, equal_var=False))]
    if len(a) == len(b):
        pairs.append((stats.paired_t_test(a, b, 0.9), oracle.ttest_rel(a, b)))
    for found, expected in pairs:
        low, high = expected.confidence_interval(0.9)
        got = (found.t, found.p, found.df, found.low, found.high)
        exact = (expected.statistic, expected.pvalue, expected.df, low, high)
        assert got == pytest.approx(tuple(float(v) for v in exact), rel=1e-9)
        assert found.difference == pytest.approx((found.low + found.high) / 2)


@pytest.mark.parametrize("test", [stats.paired_t_test, stats.welch_t_test])
def test_values_that_do_not_vary(test) -> None:  # type: ignore[no-untyped-def]
    same, above, below = test([1, 1], [1, 1]), test([2, 2], [1, 1]), test([1, 1], [2, 2])
    assert (same.t, same.p) == (0, 1)
    assert (above.t, above.p, above.low, above.high) == (math.inf, 0, 1, 1)
    assert (below.t, below.p) == (-math.inf, 0)


def test_probability_of_superiority_equals_mann_whitney() -> None:
    draw = random.Random(3)
    a, b = [draw.randint(0, 9) for _ in range(13)], [draw.randint(2, 9) for _ in range(7)]
    u = oracle.mannwhitneyu(a, b, method="asymptotic").statistic
    assert stats.probability_of_superiority(a, b) == pytest.approx(u / (13 * 7))
    assert stats.probability_of_superiority([2, 3], [0, 1]) == 1
    assert stats.probability_of_superiority([0, 1], [2, 3]) == 0
    assert stats.probability_of_superiority([1], [1]) == 0.5


def exact_power(n: int, difference: float, level: float, paired: bool) -> float:
    """Power of the two-sided test at sd 1, by the noncentral t."""
    df, scale = (n - 1, 1) if paired else (2 * (n - 1), 2)
    shift, edge = difference * math.sqrt(n / scale), float(special.stdtrit(df, (1 + level) / 2))
    return float(1 - special.nctdtr(df, shift, edge) + special.nctdtr(df, shift, -edge))


@pytest.mark.parametrize("paired", [False, True])
@pytest.mark.parametrize("difference", [0.3, 0.8, 1.5, 3.0])
@pytest.mark.parametrize("power", [0.5, 0.8, 0.95])
def test_repetitions_needed_give_the_power_asked_for(paired: bool, difference: float, power: float) -> None:
    found = stats.repetitions_needed(-2 * difference, 2.0, power=power, paired=paired)
    exact = next(n for n in range(2, 1000) if exact_power(n, difference, 0.95, paired) >= power)
    assert abs(found - exact) <= 1


def test_repetitions_needed_at_the_edges() -> None:
    assert stats.repetitions_needed(1.0, 0.0) == 2
    assert stats.repetitions_needed(10.0, 0.1) == 2
    with pytest.raises(ValueError, match="more than 100000 repetitions"):
        stats.repetitions_needed(1e-6, 1.0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: stats.mean_interval([]), "at least one value"),
        (lambda: stats.mean_interval([1, 2], 1.0), "level must be between 0 and 1, got 1.0"),
        (lambda: stats.paired_t_test([1, 2], [1]), "same length, got 2 and 1"),
        (lambda: stats.paired_t_test([1], [1]), "at least two values on each side, got 1"),
        (lambda: stats.welch_t_test([1, 2], [1]), "at least two values on each side, got 1"),
        (lambda: stats.probability_of_superiority([], [1]), "at least one value on each side"),
        (lambda: stats.t_quantile(1.0, 3), "probability must be between 0 and 1, got 1.0"),
        (lambda: stats.t_cdf(1.0, 0), "df must be above 0"),
        (lambda: stats.repetitions_needed(0, 1), "difference must not be 0"),
        (lambda: stats.repetitions_needed(1, 1, power=0.2), "power must be from 0.5"),
    ],
)
def test_impossible_questions_are_refused(call, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=message):
        call()


def test_loads_the_standard_library_only() -> None:
    code = "import sys; import bkd.stats; print([m for m in ('numpy', 'scipy', 'torch', 'pydantic') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
