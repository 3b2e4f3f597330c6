"""What a reader must know beside a report's figures: who had no partner, what rests on one teacher, what differs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from bkd.report_groups import Group, Repetition, Settings
from bkd.report_statistics import Comparison, Metric, noise_prefix, noise_ratio
from bkd.report_words import n_text, setting_text, value_text
from bkd.text import clean, count

if TYPE_CHECKING:
    from bkd.report import Block, Report

_MOST = 4  # settings named in one note


def notes_of(report: Report) -> list[str]:
    """Return what concerns the whole report, a sentence each: also what would be said below each of its sections."""
    notes = [_missing_baseline(report), _mixed_sources(report)]
    return [clean(note) for note in (*notes, *_said_everywhere(report)) if note]


def block_notes(block: Block, report: Report) -> list[str]:
    """Return what concerns one section alone, a sentence each."""
    everywhere = _said_everywhere(report)
    return [note for note in _own_notes(block) if note not in everywhere]


def _own_notes(block: Block) -> list[str]:
    return [f"{clean(entry.name)}: {clean(note)}." for entry in block.entries for note in entry.notes]


def _said_everywhere(report: Report) -> list[str]:
    if len(report.blocks) < 2:
        return []
    first, *others = map(_own_notes, report.blocks)
    return [note for note in first if all(note in other for other in others)]


def _missing_baseline(report: Report) -> str:
    kind = report.baseline
    if not report.entries or any(entry.is_baseline for entry in report.entries):
        return ""
    return (
        f"There is no finished student of a {kind} teacher here, so nothing is compared. Train one with "
        f"`bkd train {kind.lower()} --arch {report.entries[0].group.like.arch}` and distil from it, or name another "
        "kind with --baseline."
    )


def _mixed_sources(report: Report) -> str:
    students = [student for entry in report.entries for student in entry.group.students]
    prefixes = [noise_prefix(student) for student in students if noise_ratio(student) is not None]
    if len(set(prefixes)) < 2:
        return ""
    of = count(prefixes.count("grad"), "student")
    return f"R and bias of {of} are from the last training steps, those of the others from validation images."


def entry_notes(group: Group, comparison: Comparison | None, metric: Metric) -> list[str]:
    """Return what must be known of a group: how few its repetitions are, and what its comparison leaves out."""
    measured = group.values(metric)
    notes = []
    if len(group.repetitions) == 1:
        notes.append(f"{n_text(group)}, so there is no interval and no test")
    elif len(group.repetitions) < group.teachers:
        trials = count(len(group.repetitions), "trial")
        notes.append(f"{group.teachers} teachers share {trials}, and a trial counts once")
    members = {student.teacher: student.members for student in group.students}
    if sum(map(len, members.values())) > len(frozenset().union(*members.values())):
        notes.append(
            "its teachers share members, so its repetitions are not independent and the interval is too narrow"
        )
    if missing := [str(repetition) for repetition in group.repetitions if repetition not in measured]:
        notes.append(f"{metric.title} is unknown of trial {', '.join(missing)}")
    return notes + (_comparison_notes(group, comparison) if comparison else [])


def no_baseline_note(baseline: str, *, has_other_settings: bool) -> str:
    """Return what is said of a group that has nothing to be compared with.

    Args:
        baseline: Kind of the baseline.
        has_other_settings: Whether it is there with other temperatures or another alpha.
    """
    if has_other_settings:
        return f"no {baseline} group with the same setting, so no difference; --across-settings takes each kind's best"
    return f"no {baseline} group with the same data, architectures and training, so no difference"


def _comparison_notes(group: Group, found: Comparison) -> list[str]:
    notes = []
    if found.test == "welch":
        notes.append("fewer than two trials have a partner, so the test is Welch's, unpaired")
    elif found.unpaired:
        notes.append(f"without a partner, and not in the difference: {_units_text(found.unpaired)}")
    mine, theirs = group.like.teacher_settings, found.baseline.like.teacher_settings
    if told := [
        f"{setting_text(name, training(mine)[name])} against {value_text(training(theirs)[name])}"
        for name in differences(mine, theirs)
    ]:
        more = f" and {count(len(told) - _MOST, 'other setting')}" if len(told) > _MOST else ""
        listed = ", ".join(told[:_MOST])
        notes.append(f"its teachers were trained otherwise than the {found.baseline.kind} ones: {listed}{more}")
    return notes


def _units_text(units: Iterable[tuple[str, Repetition, int | None]]) -> str:
    """Return "Deterministic trials 3, 4; Bayesian trial 2 (student trial 7)"."""
    of_kind: dict[str, list[str]] = {}
    for kind, repetition, trial in units:
        own = "" if trial == repetition else f" (student trial {trial})"
        of_kind.setdefault(kind, []).append(f"{repetition}{own}")
    return "; ".join(
        f"{kind} {'trial' if len(trials) == 1 else 'trials'} {', '.join(trials)}" for kind, trials in of_kind.items()
    )


def differences(mine: Settings | None, theirs: Settings | None) -> list[str]:
    """Return the names of the settings that two teachers both have, with different values."""
    a, b = training(mine), training(theirs)
    return [name for name in a if name in b and a[name] != b[name]]


def training(settings: Settings | None) -> dict[str, Any]:
    """Return how a teacher was trained; of one made from others how those were: the rest is its kind's own way."""
    known = dict(settings or ())
    base = {name.removeprefix("base "): value for name, value in known.items() if name.startswith("base ")}
    return base or known
