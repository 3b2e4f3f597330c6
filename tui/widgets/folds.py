"""Which runs of a tree are folded."""

from __future__ import annotations

from collections.abc import Iterable

MOST = 1000
"""Runs that are remembered to differ from the others."""


class Folds:
    """All runs of a tree are folded, or none, but for some.

    Attributes:
        is_all: Whether runs are folded that are no exceptions.
        others: The exceptions, the one that was folded or unfolded last at the end.
    """

    def __init__(self, *, is_all: bool = False, others: Iterable[str] = ()) -> None:
        self.is_all = is_all
        self.others = dict.fromkeys(others)

    def is_folded(self, run_id: str) -> bool:
        """Whether what hangs under a run is out of view."""
        return (run_id in self.others) is not self.is_all

    def set(self, run_id: str, *, is_folded: bool) -> None:
        """Fold or unfold a run."""
        self.others.pop(run_id, None)
        if is_folded is not self.is_all:
            self.others[run_id] = None

    def set_all(self, *, is_folded: bool) -> None:
        """Fold or unfold every run."""
        self.is_all = is_folded
        self.others.clear()

    def told(self) -> dict[str, object]:
        """Return what `of` takes."""
        return {"all": self.is_all, "others": list(self.others)[-MOST:]}

    @classmethod
    def of(cls, told: dict[str, object]) -> Folds:
        """Return the folds that `told` gave; none, where it is something else."""
        others = told.get("others")
        return cls(is_all=told.get("all") is True, others=map(str, others) if isinstance(others, list) else ())
