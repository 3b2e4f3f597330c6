"""Statistics over repetitions: intervals, tests and sample sizes, with nothing but the standard library.

Every repetition is one number of one run. Student's t is exact to about 1e-12, so small counts get their wide intervals.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, expm1, fsum, inf, isclose, lgamma, log, log1p, pi, sqrt

ASYMPTOTIC_FROM = 20.0
MOST_REPETITIONS = 100_000


@dataclass(frozen=True)
class MeanInterval:
    """A mean and its Student-t confidence interval; of one value there is neither interval nor standard deviation.

    Attributes:
        mean: Arithmetic mean.
        low: Lower end.
        high: Upper end.
        half: Half of the interval's width, as in "mean +- half".
        sd: Sample standard deviation, with n - 1.
        n: Number of values.
    """

    mean: float
    low: float | None
    high: float | None
    half: float | None
    sd: float | None
    n: int


@dataclass(frozen=True)
class TTest:
    """A two-sided t-test of equal means.

    Attributes:
        difference: Mean of the first sample less mean of the second.
        low: Lower end of the difference's confidence interval.
        high: Upper end.
        t: Test statistic; infinite where the values do not vary but differ.
        df: Degrees of freedom; need not be whole.
        p: Probability of a |t| at least as large if the means were equal.
    """

    difference: float
    low: float
    high: float
    t: float
    df: float
    p: float


def mean_interval(values: Sequence[float], level: float = 0.95) -> MeanInterval:
    """Return the mean of at least one value with its confidence interval.

    Raises:
        ValueError: There is no value, or the level is not between 0 and 1.
    """
    _check_level(level)
    n = len(values)
    if n == 0:
        raise ValueError("a mean needs at least one value")
    mean = fsum(values) / n
    if n == 1:
        return MeanInterval(mean, None, None, None, None, 1)
    sd = sqrt(_variance(values, mean))
    half = t_quantile((1 + level) / 2, n - 1) * sd / sqrt(n)
    return MeanInterval(mean, mean - half, mean + half, half, sd, n)


def paired_t_test(a: Sequence[float], b: Sequence[float], level: float = 0.95) -> TTest:
    """Test whether pairs (a_i, b_i), for instance two students of one trial, have the same mean.

    Raises:
        ValueError: The samples differ in length or hold fewer than two values.
    """
    if len(a) != len(b):
        raise ValueError(f"paired samples must have the same length, got {len(a)} and {len(b)}")
    _check_size(a)
    differences = [x - y for x, y in zip(a, b, strict=True)]
    mean = fsum(differences) / len(differences)
    return _t_test(mean, sqrt(_variance(differences, mean) / len(a)), len(a) - 1, level)


def welch_t_test(a: Sequence[float], b: Sequence[float], level: float = 0.95) -> TTest:
    """Test whether two independent samples have the same mean, whatever their variances.

    Raises:
        ValueError: A sample holds fewer than two values.
    """
    _check_size(a)
    _check_size(b)
    mean_a, mean_b = fsum(a) / len(a), fsum(b) / len(b)
    part_a, part_b = _variance(a, mean_a) / len(a), _variance(b, mean_b) / len(b)
    total = part_a + part_b
    if total == 0:
        return _t_test(mean_a - mean_b, 0.0, len(a) + len(b) - 2, level)
    share = part_a / total
    df = 1 / (share**2 / (len(a) - 1) + (1 - share) ** 2 / (len(b) - 1))
    return _t_test(mean_a - mean_b, sqrt(total), df, level)


def probability_of_superiority(a: Sequence[float], b: Sequence[float]) -> float:
    """Return the fraction of pairs (a_i, b_j) with a_i > b_j, ties counted half: 1/2 where neither sample is ahead.

    Raises:
        ValueError: A sample is empty.
    """
    if not a or not b:
        raise ValueError("superiority needs at least one value on each side")
    return sum((x > y) + 0.5 * (x == y) for x in a for y in b) / (len(a) * len(b))


def repetitions_needed(
    difference: float, sd: float, *, level: float = 0.95, power: float = 0.8, paired: bool = False
) -> int:
    """Return how many repetitions of each of two settings show a difference of their means with probability `power`.

    The smallest n >= 2 with n >= k (sd / difference)^2 (t_level + t_power)^2, where k is 2, or 1 for pairs, and both t quantiles
    have the test's degrees of freedom; at most 1 repetition away from the noncentral t's answer.

    Args:
        difference: Of the true means; its sign does not matter.
        sd: Of one setting's values over repetitions; for pairs, of the differences.
        level: 1 less the two-sided test's error rate.
        power: From 0.5 up.
        paired: Whether the runs are compared pair by pair.

    Raises:
        ValueError: A value is out of range, or more than 100,000 would be needed.
    """
    _check_level(level)
    if not 0.5 <= power < 1:
        raise ValueError(f"power must be from 0.5 to below 1, got {power}")
    if difference == 0 or sd < 0:
        raise ValueError(f"difference must not be 0 and sd not below 0, got {difference} and {sd}")
    settings = 1 if paired else 2

    def is_enough(n: int) -> bool:
        df = settings * (n - 1)
        quantiles = t_quantile((1 + level) / 2, df) + t_quantile(power, df)
        return n >= settings * (sd / difference * quantiles) ** 2

    return _smallest(is_enough)


def t_cdf(t: float, df: float) -> float:
    """Return the probability that Student's t with `df` > 0 degrees of freedom is at most t."""
    _check_df(df)
    tail = _upper_tail(abs(t), df)
    return 1 - tail if t > 0 else tail


def t_quantile(probability: float, df: float) -> float:
    """Return the t below which Student's distribution with `df` > 0 degrees of freedom has the given probability.

    Raises:
        ValueError: The probability is not strictly between 0 and 1.
    """
    _check_df(df)
    if not 0 < probability < 1:
        raise ValueError(f"probability must be between 0 and 1, got {probability}")
    if probability < 0.5:
        return -_upper_quantile(probability, df)
    return _upper_quantile(1 - probability, df)
