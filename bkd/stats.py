"""Statistics over repetitions: intervals, tests and sample sizes, with nothing but the standard library.

Every repetition is one number of one run. Student's t is exact to about 1e-11, so that small counts get wide intervals.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import exp, fsum, inf, lgamma, log, sqrt

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

    The smallest n >= 2 with n >= k (sd / difference)^2 (t_level + t_power)^2, where k is 2, or 1 for pairs, and both t
    quantiles have the test's degrees of freedom; at most 1 repetition away from the noncentral t's answer.

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


@lru_cache(maxsize=4096)
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


def _upper_tail(t: float, df: float) -> float:
    """Return P(T > t) for t >= 0: half the regularised incomplete beta function at df / (df + t^2)."""
    if t == inf:
        return 0.0
    return 0.5 * _incomplete_beta(df / 2, 0.5, df / (df + t * t), t * t / (df + t * t))


def _incomplete_beta(a: float, b: float, x: float, y: float) -> float:
    """Return I_x(a, b), with y = 1 - x given apart so that neither loses digits.

    Source: DLMF 8.17.22, evaluated by Lentz's method on the side where it converges fast.
    """
    if x <= 0.0 or y <= 0.0:
        return float(y <= 0.0)
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log(y))
    if x < (a + 1) / (a + b + 2):
        return front * _beta_fraction(a, b, x) / a
    return 1 - front * _beta_fraction(b, a, y) / b


def _beta_fraction(a: float, b: float, x: float) -> float:
    tiny = 1e-300
    c, d = 1.0, 1 - (a + b) * x / (a + 1)
    d = 1 / (d if abs(d) > tiny else tiny)
    result = d
    for m in range(1, 10_000):
        for numerator in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 + numerator * d
            d = 1 / (d if abs(d) > tiny else tiny)
            c = 1 + numerator / c
            c = c if abs(c) > tiny else tiny
            result *= c * d
        if abs(c * d - 1) < 1e-16:
            break
    return result


def _upper_quantile(tail: float, df: float) -> float:
    """Return the t >= 0 with P(T > t) = tail, for tail <= 1/2, by bisection to the last bit."""
    low, high = 0.0, 1.0
    while _upper_tail(high, df) > tail:
        low, high = high, high * 2
    while True:
        middle = (low + high) / 2
        if not low < middle < high:
            return middle
        if _upper_tail(middle, df) > tail:
            low = middle
        else:
            high = middle


def _smallest(is_enough: Callable[[int], bool]) -> int:
    """Return the smallest n >= 2 that is enough; being enough is monotonic in n."""
    high = 2
    while not is_enough(high):
        high *= 2
        if high > 2 * MOST_REPETITIONS:
            raise ValueError(f"more than {MOST_REPETITIONS:,} repetitions would be needed")
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if is_enough(middle) else (middle, high)
    return max(high, 2)


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise ValueError(f"level must be between 0 and 1, got {level}")


def _check_df(df: float) -> None:
    if not df > 0:
        raise ValueError(f"df must be above 0, got {df}")


def _check_size(values: Sequence[float]) -> None:
    if len(values) < 2:
        raise ValueError(f"a t-test needs at least 2 values a sample, got {len(values)}")


def _variance(values: Sequence[float], mean: float) -> float:
    return fsum((value - mean) ** 2 for value in values) / (len(values) - 1)


def _t_test(difference: float, standard_error: float, df: float, level: float) -> TTest:
    _check_level(level)
    half = t_quantile((1 + level) / 2, df) * standard_error
    if standard_error == 0:
        t = 0.0 if difference == 0 else inf * (1 if difference > 0 else -1)
    else:
        t = difference / standard_error
    return TTest(difference, difference - half, difference + half, t, df, min(1.0, 2 * t_cdf(-abs(t), df)))
