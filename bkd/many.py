"""One action on many runs: what fails for one run does not keep it from the others."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any

from bkd.errors import BkdError
from bkd.text import count

Row = Mapping[str, Any]
MOST_FAULTS = 5
AT_ONCE = 8


@dataclass(frozen=True)
class Outcome:
    """What came of it.

    Attributes:
        done: Ids of the runs with which it worked.
        faults: Why it did not work, by run.
    """

    done: Sequence[str]
    faults: Mapping[str, str]

    def told(self, did: str) -> str:
        """Return it as text: `did` is what was done, as "stopped"."""
        number = len(self.done) + len(self.faults)
        if not self.faults:
            return f"{count(number, 'run')} {did}."
        told = "\n".join(list(self.faults.values())[:MOST_FAULTS])
        more = len(self.faults) - MOST_FAULTS
        return f"{len(self.done)} of {count(number, 'run')} {did}; the others:\n{told}" + (
            f"\n... and {more} more." if more > 0 else ""
        )


def on_each(run_ids: Sequence[str], act: Callable[[str], object], *, at_once: int = 1) -> Outcome:
    """Act on each run.

    Args:
        run_ids: In the order in which they are acted on.
        act: Takes a run's id; a BkdError that it raises is noted.
        at_once: On how many runs it acts at the same time.
    """

    def fault_of(run_id: str) -> str:
        try:
            act(run_id)
        except BkdError as error:
            return str(error)
        return ""

    if at_once == 1:
        faults = [fault_of(run_id) for run_id in run_ids]
    else:
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(min(at_once, max(1, len(run_ids)))) as pool:
            faults = list(pool.map(fault_of, run_ids))
    pairs = list(zip(run_ids, faults, strict=True))
    return Outcome([run_id for run_id, fault in pairs if not fault], {r: fault for r, fault in pairs if fault})


def heirs_first(runs: Iterable[Row]) -> list[Row]:
    """Return runs so that each comes after the runs that were made from it: the order in which they can be deleted."""
    known = {str(row["id"]): row for row in runs}
    sources = {run_id: [source for source in sources_of(row) if source in known] for run_id, row in known.items()}
    try:
        order = list(TopologicalSorter(sources).static_order())
    except CycleError:  # rows that say so are wrong; then no order is better than another
        order = list(known)
    return [known[run_id] for run_id in reversed(order)]


def sources_of(row: Row) -> list[str]:
    """Return the ids of the runs that a run was made from."""
    return [str(source) for source in (row.get("teacher"), *(row.get("members") or ())) if source]


def heirs_left(rows: Iterable[Row], doomed: Iterable[Row]) -> list[Row]:
    """Return the runs that came from some of the doomed runs and are not doomed themselves.

    Args:
        rows: All runs.
        doomed: The runs that are to be deleted.
    """
    gone = {str(row["id"]) for row in doomed}
    return [row for row in rows if row["id"] not in gone and not gone.isdisjoint(sources_of(row))]
