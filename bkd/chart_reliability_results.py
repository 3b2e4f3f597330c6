"""What a run's results hold about its calibration, split by split, beside its teacher's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bkd.chart_reliability import Reliability

Run = Mapping[str, Any]
FIRST_SPLITS = ("test", "val")


@dataclass(frozen=True)
class Evaluated:
    """One evaluation of a run on a split.

    Attributes:
        table: Its reliability table, by which it is named.
        figures: acc, nll, ece, brier, images and what else was measured, by name.
    """

    table: Reliability
    figures: Mapping[str, Any]


@dataclass(frozen=True)
class Split:
    """The evaluations on one split: the run's own first, then its teacher's if that has one there too."""

    name: str
    evaluations: tuple[Evaluated, ...]


def splits_of(run: Run, teacher: Run | None = None) -> tuple[Split, ...]:
    """Return every split on which a run was evaluated, its own test and validation images first.

    Args:
        run: run.json.
        teacher: Its teacher's run.json; None without one, or where it was deleted.
    """
    results = run.get("results") or {}
    names = [name for name in FIRST_SPLITS if name in results]
    names += sorted(name for name in results if name not in FIRST_SPLITS)
    own, other = _names(run, teacher or {})
    found = []
    for name in names:
        mine, theirs = _evaluated(own, run, name), _evaluated(other, teacher or {}, name)
        if mine:
            found.append(Split(name, tuple(one for one in (mine, theirs) if one)))
    return tuple(found)


def _evaluated(name: str, run: Run, split: str) -> Evaluated | None:
    """Return a run's evaluation on a split; None where there is none, or nothing that can be drawn."""
    result = (run.get("results") or {}).get(split)
    if not isinstance(result, Mapping) or not isinstance(table := result.get("reliability"), list):
        return None
    read = Reliability.read(name, [part for part in table if isinstance(part, Mapping)])
    return Evaluated(read, result) if read.bins else None


def _names(run: Run, teacher: Run) -> tuple[str, str]:
    """Return what the run and its teacher are called beside each other."""
    if run.get("role") == "student":
        return "student", "teacher"
    own, other = (str(one.get("kind") or "teacher") for one in (run, teacher))
    return own, other if other != own else f"its {other}"
