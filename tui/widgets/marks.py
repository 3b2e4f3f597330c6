"""Runs that were marked, shared by tables that may show the same runs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator


class Marks:
    """Ids in the order in which they were marked."""

    def __init__(self) -> None:
        self._ids: dict[str, None] = {}

    def __contains__(self, run_id: object) -> bool:
        return run_id in self._ids

    def __iter__(self) -> Iterator[str]:
        return iter(self._ids)

    def __len__(self) -> int:
        return len(self._ids)

    def toggle(self, run_id: str) -> None:
        """Mark a run, or take its mark away."""
        if run_id in self._ids:
            del self._ids[run_id]
        else:
            self._ids[run_id] = None

    def add(self, run_ids: Iterable[str]) -> None:
        """Mark runs."""
        self._ids |= dict.fromkeys(run_ids)

    def drop(self, run_ids: Iterable[str]) -> None:
        """Take marks away."""
        for run_id in run_ids:
            self._ids.pop(run_id, None)

    def replace(self, run_ids: Iterable[str]) -> None:
        """Mark these runs and no others."""
        self._ids = dict.fromkeys(run_ids)

    def keep(self, known: Collection[str]) -> bool:
        """Forget runs that are gone; return whether there were any."""
        gone = [run_id for run_id in self._ids if run_id not in known]
        self.drop(gone)
        return bool(gone)
