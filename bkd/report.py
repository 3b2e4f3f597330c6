"""The paper's question, answered from whatever the registry holds: do students of other teachers do better than those
of Deterministic ones, is SGD calmer with them, and how sure can one be."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bkd.errors import StorageError
from bkd.kinds.table import KINDS
from bkd.report_groups import Defaults, Group, Pick, Run, Section, Student, read_students, sections_of
from bkd.report_notes import differences, entry_notes, no_baseline_note, notes_of
from bkd.report_statistics import (
    Comparison,
    Metric,
    bias,
    compare,
    interval_of,
    metric_named,
    noise_onehot,
    noise_ratio,
    noise_teacher,
    reduction,
    weighted_ratio,
)
from bkd.report_words import group_setting, section_title, telling
from bkd.runfile import Status, read_run
from bkd.stats import MeanInterval
from bkd.store import Store
from bkd.text import count

BASELINE = "Deterministic"
_MEANS = {
    "acc": "test/acc", "nll": "test/nll", "ece": "test/ece",
    "converge_loss": "converge/noise_loss", "converge_acc": "converge/noise_acc",
}  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """A group and what is said of it.

    Attributes:
        setting: How it differs from the others of its section, in words: "4:1:0.5 S=1".
        figures: By name, each a mean over repetitions with its 95 % interval: metric, acc, nll, ece, noise_onehot,
            noise_teacher, noise_ratio, bias, converge_loss, converge_acc, and against the baseline's group
            noise_reduction, converge_loss_reduction, converge_acc_reduction. None where nothing is known.
        comparison: Of the metric with the baseline's group; None of the baseline itself and where there is none.
        is_baseline: Whether the others are compared with it.
        notes: What must be known beside the figures, without the name in front and the full stop behind.
    """

    group: Group
    setting: str
    figures: Mapping[str, MeanInterval | None]
    comparison: Comparison | None
    is_baseline: bool
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The kind and the setting."""
        return f"{self.group.kind} {self.setting}"


@dataclass(frozen=True)
class Block:
    """A section with its title and entries."""

    section: Section
    title: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class Report:
    """All that a report says.

    Attributes:
        notes: What concerns the whole report, a sentence each.
    """

    metric: Metric
    baseline: str
    blocks: tuple[Block, ...]
    notes: tuple[str, ...]

    @property
    def entries(self) -> list[Entry]:
        """The entries of all blocks."""
        return [entry for block in self.blocks for entry in block.entries]


@dataclass(frozen=True)
class Question:
    """What is asked.

    Attributes:
        metric: Key of the metric that is compared.
        baseline: Kind of teacher with which the others are compared.
        is_across_settings: Whether each kind is represented by its best setting on validation accuracy.
    """

    metric: str = "test/acc"
    baseline: str = BASELINE
    is_across_settings: bool = False


def gather(store: Store, rows: Sequence[Run], defaults: Defaults) -> list[Student]:
    """Return the finished students of these rows of the registry, as their folders tell."""
    runs = [run for row in rows if is_finished_student(row) and (run := _read(store, row)) is not None]
    teachers = {row["id"]: run for row in store.rows() if row.get("role") == "teacher" and (run := _read(store, row))}
    return read_students(runs, teachers, defaults)


def is_finished_student(row: Run) -> bool:
    """Whether a row of the registry is a student that was trained to its end."""
    return row.get("role") == "student" and row.get("status") == Status.DONE


def _read(store: Store, row: Run) -> dict[str, Any] | None:
    try:
        return read_run(store.folder(str(row.get("path"))))
    except StorageError as error:
        store.warn(f"Left out: {error}")
        return None


def make_report(students: Sequence[Student], question: Question) -> Report:
    """Return the report on these students.

    Raises:
        SpecError: No student has the metric.
    """
    metric = metric_named(question.metric, students)
    kinds = [question.baseline, *(kind for kind in KINDS if kind != question.baseline)]
    sections = sections_of(students, kinds)
    notes: list[str] = []
    if question.is_across_settings:
        sections = [_best_of_each_kind(section, question.baseline, notes) for section in sections]
    shown = telling(section.like.settings for section in sections)
    is_comparable = any(group.kind == question.baseline for section in sections for group in section.groups)
    blocks = tuple(
        Block(section, section_title(section, shown), _entries(section, metric, question, is_comparable))
        for section in sections
    )
    report = Report(metric, question.baseline, blocks, ())
    return replace(report, notes=(*notes, *notes_of(report)))


# ---- entries


def _entries(section: Section, metric: Metric, question: Question, is_comparable: bool) -> tuple[Entry, ...]:
    own = {
        kind: telling(group.like.teacher_settings for group in section.groups if group.kind == kind)
        for kind in {group.kind for group in section.groups}
    }
    baselines = [group for group in section.groups if group.kind == question.baseline]
    entries = []
    for group in section.groups:
        is_baseline = group.kind == question.baseline
        other = None if is_baseline else _baseline_of(group, baselines, question.is_across_settings)
        comparison = compare(group, other, metric) if other else None
        notes = entry_notes(group, comparison, metric)
        if is_comparable and other is None and not is_baseline:
            notes.append(no_baseline_note(question.baseline, has_other_settings=bool(baselines)))
        figures = _figures(group, other, metric)
        setting = group_setting(group, own[group.kind])
        entries.append(Entry(group, setting, figures, comparison, is_baseline, tuple(notes)))
    return tuple(entries)


def _baseline_of(group: Group, baselines: Sequence[Group], is_across_settings: bool) -> Group | None:
    """Return the baseline's group with the same setting; of several the one whose teachers were trained most alike."""
    same = [other for other in baselines if is_across_settings or other.like.setting == group.like.setting]
    mine = (group.like.teacher_settings, group.like.num_samples)
    return min(
        same,
        key=lambda other: (
            other.like.teacher_settings is None,
            len(differences(mine[0], other.like.teacher_settings)),
            other.like.num_samples != mine[1],
            -len(other.repetitions),
        ),
        default=None,
    )


def _figures(group: Group, baseline: Group | None, metric: Metric) -> dict[str, MeanInterval | None]:
    picks: dict[str, Pick] = {"metric": metric, **{name: _pick(key) for name, key in _MEANS.items()}}
    found = {name: interval_of(group.values(pick).values()) for name, pick in picks.items()}
    found |= {
        "noise_onehot": interval_of(group.values(noise_onehot).values()),
        "noise_teacher": interval_of(group.values(noise_teacher).values()),
        "noise_ratio": weighted_ratio(group, noise_ratio, noise_onehot),
        "bias": weighted_ratio(group, bias, noise_onehot),
        "noise_reduction": None, "converge_loss_reduction": None, "converge_acc_reduction": None,
    }  # fmt: skip
    if baseline is not None:
        found["noise_reduction"] = reduction(group, baseline, noise_teacher)
        found["converge_acc_reduction"] = reduction(group, baseline, picks["converge_acc"])
        if group.like.setting == baseline.like.setting:  # the loss in use is on the scale of alpha Tt Ts
            found["converge_loss_reduction"] = reduction(group, baseline, picks["converge_loss"])
    return found


def _best_of_each_kind(section: Section, baseline: str, notes: list[str]) -> Section:
    """Return the section with one group a kind: the best on validation accuracy, never on the test set."""
    chosen = []
    for kind in dict.fromkeys(group.kind for group in section.groups):
        groups = [group for group in section.groups if group.kind == kind]
        scores = {i: interval_of(group.values(_pick("val/acc")).values()) for i, group in enumerate(groups)}
        known = {i: score.mean for i, score in scores.items() if score is not None}
        if len(groups) > 1 and not known:
            notes.append(f"{kind}: without validation accuracies no setting can be chosen; its first one stands here.")
        best = max(known, key=lambda i: known[i], default=0)
        chosen.append(groups[best])
        if len(groups) > 1 and known:
            setting = group_setting(groups[best], telling(group.like.teacher_settings for group in groups))
            notes.append(f"{kind}: {setting} of {count(len(groups), 'setting')}, by mean validation accuracy.")
    return Section(tuple(sorted(chosen, key=lambda group: group.kind != baseline)))


def _pick(key: str) -> Pick:
    return lambda student: student.metric(key)
