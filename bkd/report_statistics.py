"""What is said of a group of repetitions, and of a group against the baseline's."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from math import fsum, sqrt
from typing import Literal

from bkd.errors import SpecError
from bkd.report_groups import Group, Pick, Repetition, Student, Unit, by_repetition
from bkd.stats import (
    MOST_REPETITIONS,
    MeanInterval,
    mean_interval,
    paired_t_test,
    probability_of_superiority,
    repetitions_needed,
    welch_t_test,
)
from bkd.text import clean, count

Pair = tuple[float, float]

_SHARES = ("acc", "acc5", "ece", "noise_acc")
_HIGHER, _LOWER = ("acc", "acc5"), ("nll", "brier", "ece", "loss")
_TITLES = {"acc": "accuracy", "acc5": "top-5 accuracy", "nll": "NLL", "brier": "Brier", "ece": "ECE"}


class Direction(StrEnum):
    """Which way a metric is good."""

    HIGHER = "higher"
    LOWER = "lower"
    NEITHER = "neither"  # a noise: calm alone is no merit


@dataclass(frozen=True)
class Metric:
    """A number of a student.

    Attributes:
        keys: The first of these metrics that a student has counts.
        title: As in a table's heading.
        direction: Which way it is good.
        is_share: Whether it is shown in percent.
    """

    keys: tuple[str, ...]
    title: str
    direction: Direction
    is_share: bool

    def __call__(self, student: Student) -> float | None:
        """Return the number, None where the student lacks it."""
        return next((value for key in self.keys if (value := student.metric(key)) is not None), None)


def metric_named(name: str, students: Iterable[Student]) -> Metric:
    """Return the metric of a key such as "test/acc", of "acc", "nll", "ece", "brier" (on the test set), or of "R".

    Raises:
        SpecError: No student has it.
    """
    if name in ("R", "r"):
        return Metric(("val/grad/noise_ratio", "grad/noise_ratio"), "R", Direction.NEITHER, False)
    key = name if "/" in name else f"test/{name}"
    keys = dict.fromkeys(key for student in students for key in student.metrics)
    if keys and key not in keys:
        from bkd.catalog import nearest

        near = nearest(key, [*keys])
        hint = f"Did you mean {near}?" if near else f"They have {', '.join(map(clean, sorted(keys)))}."
        raise SpecError(f"--metric {clean(name)!r} is a metric of none of the students. {hint}")
    split, _, last = key.rpartition("/")
    title = _TITLES.get(last, last)
    return Metric(
        (key,),
        title if split == "test" else f"{split} {title}" if split == "val" else key,
        Direction.HIGHER if last in _HIGHER else Direction.LOWER if last in _LOWER else Direction.NEITHER,
        last in _SHARES,
    )


# ---- one group


def interval_of(values: Iterable[float]) -> MeanInterval | None:
    """Return the mean of the repetitions and its 95 % interval; None of none."""
    listed = list(values)
    return mean_interval(listed) if listed else None


def ratio_of_sums(pairs: Sequence[Pair]) -> MeanInterval | None:
    """Return sum a / sum b over pairs (a, b) with its 95 % interval; None where the sum of b is not positive.

    A mean of the ratios a / b would be ruled by the pairs with the smallest b. The interval is that of the mean of the
    linearised residuals (a - ratio b) / mean b, shifted to the ratio.

    Source: Cochran, "Sampling Techniques", 3rd ed., section 6.4, with Student's t for the normal quantile.
    """
    total = fsum(b for _, b in pairs)
    if not pairs or total <= 0:
        return None
    ratio = fsum(a for a, _ in pairs) / total
    residuals = mean_interval([(a - ratio * b) / (total / len(pairs)) for a, b in pairs])
    if residuals.half is None:
        return replace(residuals, mean=ratio)
    return replace(residuals, mean=ratio, low=ratio - residuals.half, high=ratio + residuals.half)


def weighted_ratio(group: Group, ratio: Pick, weight: Pick) -> MeanInterval | None:
    """Return a ratio of sums over a group's repetitions from each student's ratio and its denominator.

    The plain mean of the ratios where a student's denominator is unknown.
    """

    def weighted(student: Student) -> float | None:
        a, b = ratio(student), weight(student)
        return None if a is None or b is None else a * b

    def used_weight(student: Student) -> float | None:
        return None if ratio(student) is None else weight(student)

    ratios, above, below = group.values(ratio), group.values(weighted), group.values(used_weight)
    if not (ratios and ratios.keys() == above.keys() == below.keys()):
        return interval_of(ratios.values())
    return ratio_of_sums([(above[key], below[key]) for key in ratios])


def noise_prefix(student: Student) -> str:
    """Return where a student's noise is taken from: validation images, which it has not fitted, else training steps."""
    return "val/grad" if student.metric("val/grad/noise_onehot") is not None else "grad"


def noise_onehot(student: Student) -> float | None:
    """Return V of the last layer's gradient from the labels alone, at temperature 1."""
    return student.metric(f"{noise_prefix(student)}/noise_onehot")


def noise_ratio(student: Student) -> float | None:
    """Return R = (V from the teacher alone, with what its draws share) / V from the labels."""
    return student.metric(f"{noise_prefix(student)}/noise_ratio")


def noise_teacher(student: Student) -> float | None:
    """Return V from the teacher's probabilities alone, with what its draws share, at temperature 1."""
    ratio, onehot = noise_ratio(student), noise_onehot(student)
    return None if ratio is None or onehot is None else ratio * onehot


def bias(student: Student) -> float | None:
    """Return the squared distance of the two mean gradients relative to V from the labels."""
    return student.metric(f"{noise_prefix(student)}/bias")


# ---- a group against another


@dataclass(frozen=True)
class Comparison:
    """A group less the baseline's group.

    Attributes:
        baseline: The baseline's group.
        test: "paired" by trial, "welch" where fewer than two trials have a partner, "none" of one repetition.
        n: Pairs, or repetitions of the smaller group.
        difference: Mean of the group less mean of the baseline, in the metric's unit.
        low, high: 95 % interval of the difference.
        p: Of the two-sided t-test that the difference is 0; not corrected for the number of groups.
        superiority: P(A > B) of a repetition of each, ties half.
        more: Further repetitions after which a true difference of this size would be found in 4 of 5 studies; None
            where the groups are separated, or where nothing or more than 100,000 would do.
        unpaired: The units without a partner, as (kind, repetition, student's trial).
    """

    baseline: Group
    test: Literal["paired", "welch", "none"]
    n: int
    difference: float
    low: float | None = None
    high: float | None = None
    p: float | None = None
    superiority: float | None = None
    more: int | None = None
    unpaired: tuple[tuple[str, Repetition, int | None], ...] = ()

    @property
    def is_separated(self) -> bool | None:
        """Whether the interval excludes 0; None without an interval."""
        if self.low is None or self.high is None:
            return None
        return self.low > 0 or self.high < 0


def pairs_of(group: Group, baseline: Group, pick: Pick) -> dict[Repetition, Pair]:
    """Return (group's value, baseline's value) for each teacher's trial, over the student's trials that both have."""
    a, b = group.units(pick), baseline.units(pick)
    common = [unit for unit in a if unit in b]
    mine, theirs = by_repetition({unit: a[unit] for unit in common}), by_repetition({unit: b[unit] for unit in common})
    return {repetition: (mine[repetition], theirs[repetition]) for repetition in mine}


def compare(group: Group, baseline: Group, metric: Metric) -> Comparison | None:
    """Return the difference of a metric between two groups, paired by trial where two trials have a partner.

    None where a group lacks the metric.
    """
    a, b = group.values(metric), baseline.values(metric)
    if not a or not b:
        return None
    pairs = [*pairs_of(group, baseline, metric).values()]
    unpaired = (*_without_partner(group, baseline, metric), *_without_partner(baseline, group, metric))
    if len(pairs) >= 2:
        return _paired(pairs, baseline, unpaired)
    if len(a) >= 2 and len(b) >= 2:
        return _welch([*a.values()], [*b.values()], baseline, unpaired)
    first, second = zip(*pairs, strict=True) if pairs else (a.values(), b.values())
    difference = fsum(first) / len(first) - fsum(second) / len(second)
    return Comparison(baseline, "none", min(len(first), len(second)), difference, unpaired=unpaired)


def _without_partner(
    group: Group, other: Group, metric: Metric
) -> tuple[tuple[str, Repetition, int | None], ...]:  # fmt: skip
    theirs: Mapping[Unit, float] = other.units(metric)
    return tuple((group.kind, *unit) for unit in group.units(metric) if unit not in theirs)


def _paired(pairs: list[Pair], baseline: Group, unpaired: tuple[tuple[str, Repetition, int | None], ...]) -> Comparison:
    first, second = zip(*pairs, strict=True)
    test = paired_t_test(first, second)
    sd = mean_interval([a - b for a, b in pairs]).sd
    found = Comparison(
        baseline, "paired", len(pairs), test.difference, test.low, test.high, test.p,
        probability_of_superiority(first, second), unpaired=unpaired,
    )  # fmt: skip
    return replace(found, more=_more(found, sd, is_paired=True))


def _welch(
    a: list[float], b: list[float], baseline: Group, unpaired: tuple[tuple[str, Repetition, int | None], ...]
) -> Comparison:
    test = welch_t_test(a, b)
    sds = [mean_interval(values).sd or 0.0 for values in (a, b)]
    found = Comparison(
        baseline, "welch", min(len(a), len(b)), test.difference, test.low, test.high, test.p,
        probability_of_superiority(a, b), unpaired=unpaired,
    )  # fmt: skip
    return replace(found, more=_more(found, sqrt(fsum(sd * sd for sd in sds) / 2), is_paired=False))


def _more(found: Comparison, sd: float | None, *, is_paired: bool) -> int | None:
    if found.is_separated or found.difference == 0 or sd is None:
        return None
    try:
        return max(1, repetitions_needed(found.difference, sd, paired=is_paired) - found.n)
    except ValueError:  # more than MOST_REPETITIONS
        return None


def reduction(group: Group, baseline: Group, pick: Pick) -> MeanInterval | None:
    """Return 1 - (sum over the group) / (sum over the baseline), over paired repetitions; None without a pair."""
    ratio = ratio_of_sums([*pairs_of(group, baseline, pick).values()])
    if ratio is None:
        return None
    if ratio.low is None or ratio.high is None:
        return replace(ratio, mean=1 - ratio.mean)
    return replace(ratio, mean=1 - ratio.mean, low=1 - ratio.high, high=1 - ratio.low)


def verdict(found: Comparison, metric: Metric) -> str:
    """Return what a comparison says, in a word or two."""
    if found.is_separated is None:
        return "no test: n = 1"
    if found.is_separated:
        is_higher = found.difference > 0
        if metric.direction is Direction.NEITHER:
            return "higher" if is_higher else "lower"
        return "better" if is_higher is (metric.direction is Direction.HIGHER) else "worse"
    if found.difference == 0:
        return "equal"
    return f">{MOST_REPETITIONS:,} more" if found.more is None else count(found.more, "more trial")
