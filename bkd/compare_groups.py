"""Which of the compared runs repeat each other, and how far apart their metrics are.

Groups and statistics are those of a report: a group holds what is alike in everything but the trial, the seed and which
teacher it was; students of one teacher are averaged first, so that a repetition is a teacher.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bkd.compare_runs import Compared
from bkd.report_groups import Defaults, Group, Pick, Repetition, Run, Student, read_students, sections_of
from bkd.report_statistics import (
    Comparison,
    Direction,
    Metric,
    compare,
    interval_of,
    metric_named,
    weighted_ratio,
)
from bkd.report_words import setting_text, telling
from bkd.runfile import Status
from bkd.stats import MeanInterval
from bkd.text import clean

Test = Callable[[Group, Group, Metric], Comparison | None]
"""From a group, the one that it is compared with, and a metric."""

_SHARES_OF_NOISE = ("noise_ratio", "bias")  # relative to the labels' variance


@dataclass(frozen=True)
class Marked:
    """A run with the sign that stands for it.

    Attributes:
        mark: "A", or "A2" as the second of a group.
        repetition: Its teacher's trial, of a teacher its own: runs with the same one count once.
    """

    mark: str
    run: Run
    repetition: Repetition

    @property
    def id(self) -> str:
        """The run's id."""
        return str(self.run["id"])


@dataclass(frozen=True)
class RunGroup:
    """Runs that repeat each other.

    Attributes:
        mark: "A".
        label: What tells it from the others: "Bayesian alpha=0.5".
        members: Its runs.
        measured: Those whose metrics count.
    """

    mark: str
    label: str
    members: tuple[Marked, ...]
    measured: Group | None

    @property
    def runs(self) -> tuple[Run, ...]:
        """Its run.json."""
        return tuple(member.run for member in self.members)

    @property
    def n(self) -> int:
        """Repetitions whose metrics count."""
        return len(self.measured.repetitions) if self.measured else 0


@dataclass(frozen=True)
class MetricRow:
    """A metric of all groups.

    Attributes:
        figures: Of each group the mean over its repetitions, None where it lacks the metric.
        comparisons: Of each group with the first one, None of the first, and where one of both lacks the metric.
    """

    metric: Metric
    figures: tuple[MeanInterval | None, ...]
    comparisons: tuple[Comparison | None, ...]

    @property
    def key(self) -> str:
        """The metric's key."""
        return self.metric.keys[0]

    @property
    def is_ratio(self) -> bool:
        """Whether the means are ratios of sums: a mean of ratios would be ruled by the smallest denominators."""
        return self.key.rpartition("/")[2] in _SHARES_OF_NOISE


def group_runs(compared: Compared, defaults: Defaults) -> list[RunGroup]:
    """Return the runs in groups, in the order in which the first run of each was named; runs that are done count."""
    students = _students(compared, defaults)
    position = {student.id: i for i, student in enumerate(students)}
    known = {str(run["id"]): run for run in compared.runs}
    groups = [_in_order(group, position) for section in sections_of(students, ()) for group in section.groups]
    groups.sort(key=lambda group: position[group.like.id])
    found = []
    for index, (group, label) in enumerate(zip(groups, _labels(groups, known), strict=True)):
        mark, students = mark_of(index), list(group.students)
        numbers = [str(i) for i in range(1, len(students) + 1)] if len(students) > 1 else [""]
        members = tuple(
            Marked(f"{mark}{number}", known[student.id], student.repetition)
            for number, student in zip(numbers, students, strict=True)
        )
        done = tuple(student for student in students if known[student.id].get("status") == Status.DONE)
        found.append(RunGroup(mark, label, members, Group(done) if done else None))
    return found


def single_runs(compared: Compared, groups: Sequence[RunGroup], defaults: Defaults) -> list[RunGroup]:
    """Return each run of these groups as a group of its own, whatever its status."""
    students = {student.id: student for student in _students(compared, defaults)}
    return [
        RunGroup(member.mark, member.id, (member,), Group((students[member.id],)))
        for group in groups
        for member in group.members
    ]


def has_repetitions(groups: Iterable[RunGroup]) -> bool:
    """Whether there is anything to average."""
    return any(len(group.members) > 1 for group in groups)


def metric_keys(runs: Iterable[Run]) -> list[str]:
    """Return the metrics that any of the runs has: test, validation, gradient noise, then the rest."""
    starts = ("test/", "val/", "grad/")
    keys = dict.fromkeys(key for run in runs for key in run.get("metrics") or {})
    return sorted(
        keys, key=lambda key: next((i for i, start in enumerate(starts) if key.startswith(start)), len(starts))
    )


def metric_rows(groups: Sequence[RunGroup], keys: Iterable[str], test: Test = compare) -> Iterator[MetricRow]:
    """Yield mean and difference to the first group of each of these metrics that a group has as a number.

    Args:
        groups: The columns.
        keys: Of the metrics.
        test: Compares a metric of a group with the first one's; of non-separated groups it takes long to say how many
            more repetitions would do (10 ms).
    """
    for key in keys:
        row = _metric_row(groups, _metric(key), test)
        if any(figure is not None for figure in row.figures):
            yield row


def no_test(group: Group, first: Group, metric: Metric) -> None:
    """Leave out what takes long."""


class Differences:
    """Compares groups and remembers the outcome: the figures of finished runs stay."""

    def __init__(self) -> None:
        self._known: dict[tuple[Any, ...], Comparison | None] = {}

    def compare(self, group: Group, first: Group, metric: Metric) -> Comparison | None:
        """Return what `bkd.report_statistics.compare` does."""
        units = (tuple(one.units(metric).items()) for one in (group, first))
        key = (metric, *units, group.kind, first.kind)
        if key not in self._known:
            self._known[key] = compare(group, first, metric)
        found = self._known[key]
        return found and replace(found, baseline=first)


def mark_of(index: int) -> str:
    """Return A, B, ..., Z, AA, AB, ... for 0, 1, ..."""
    letters = ""
    index += 1
    while index:
        index, letter = divmod(index - 1, 26)
        letters = chr(ord("A") + letter) + letters
    return letters


# ---- groups


def _students(compared: Compared, defaults: Defaults) -> list[Student]:
    """Return the runs as a report sees students; a teacher or an experiment as what came from itself alone."""
    own = {str(run["id"]): run for run in compared.runs if run.get("role") != "student"}
    runs = [{**run, "teacher": run["id"]} if str(run["id"]) in own else run for run in compared.runs]
    return read_students(runs, {**compared.origins, **own}, defaults)


def _in_order(group: Group, position: dict[str, int]) -> Group:
    return Group(tuple(sorted(group.students, key=lambda student: position[student.id])))


def _labels(groups: Sequence[Group], runs: Mapping[str, Run]) -> list[str]:
    """Return of each group its kind, and the few settings that tell it from others of its kind."""
    likes = [runs[group.like.id] for group in groups]
    is_mixed = len({run.get("role") for run in likes}) > 1
    heads = [_head(run, is_mixed) for run in likes]
    settings = [_settings(group.like) for group in groups]
    shown = {
        head: telling(tuple(own.items()) for own, other in zip(settings, heads, strict=True) if other == head)
        for head in set(heads)
    }
    return [
        clean(" ".join([head, *(setting_text(name, own.get(name)) for name in shown[head])]))
        for head, own in zip(heads, settings, strict=True)
    ]


def _is_student(student: Student) -> bool:
    return student.teacher != student.id


def _head(run: Run, is_mixed: bool) -> str:
    kind, role = run.get("kind"), run.get("role")
    return f"{kind or ''} {role if is_mixed or not kind else ''}".strip()


def _settings(student: Student) -> dict[str, Any]:
    found = {"arch": student.arch, "dataset": student.dataset, **dict(student.settings)}
    if not _is_student(student):
        return found | dict(student.teacher_settings or ())
    kd_T, kd_S, alpha = student.setting
    listening = {"student": student.student_arch, "alpha": alpha, "Tt": kd_T, "Ts": kd_S, "S": student.num_samples}
    if student.teacher_settings is None:
        return found | listening | {"teacher": "deleted"}
    return found | listening | {f"teacher's {name}": value for name, value in student.teacher_settings}


# ---- metrics


def _metric(key: str) -> Metric:
    if "/" in key:
        return metric_named(key, ())  # none of the measured students needs to have it
    return Metric((key,), key, Direction.NEITHER, is_share=False)


def _metric_row(groups: Sequence[RunGroup], metric: Metric, test: Test) -> MetricRow:
    first, *others = (group.measured for group in groups)
    compared = [test(group, first, metric) if group and first else None for group in others]
    return MetricRow(metric, tuple(_figure(group.measured, metric) for group in groups), (None, *compared))


def _figure(group: Group | None, metric: Metric) -> MeanInterval | None:
    if group is None:
        return None
    prefix, _, name = metric.keys[0].rpartition("/")
    if name in _SHARES_OF_NOISE:
        return weighted_ratio(group, metric, _pick(f"{prefix}/noise_onehot"))
    return interval_of(group.values(metric).values())


def _pick(key: str) -> Pick:
    return lambda student: student.metric(key)
