"""The runs that one came from and those that came from it, as the lines of a tree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from bkd.text import clean, percent
from tui.lineage import heirs_of
from tui.run_columns import metric

Run = Mapping[str, Any]


class Relative(NamedTuple):
    """A line of the tree.

    Attributes:
        branch: The lines that join it to the others.
        run_id: Of the run.
        row: Of the run; None if it was deleted.
        is_self: Whether it is the run whose tree this is.
    """

    branch: str
    run_id: str
    row: Run | None
    is_self: bool = False


def family(run: Run, rows: Sequence[Run]) -> list[Relative]:
    """Return a run's tree: the teachers above it, itself, all that came from it.

    Args:
        run: run.json.
        rows: All runs.
    """
    known = {str(row.get("id")): row for row in rows}
    chain = _chain(run, known)
    found: list[Relative] = []
    for depth, (run_id, row) in enumerate(chain):
        lead = "   " * (depth - 1)
        members = [str(member) for member in (row or {}).get("members") or ()]
        for index, member in enumerate(members):
            corner = "├─ " if index else "┌─ "
            found.append(Relative(f"{'   ' * depth}{corner}", member, known.get(member)))
        found.append(Relative(f"{lead}└─ " if depth else "", run_id, row, run_id == str(run.get("id"))))
    seen = {run_id for run_id, _ in chain}
    found += _below(str(run.get("id")), "   " * (len(chain) - 1), rows, seen)
    return found


def _chain(run: Run, known: Mapping[str, Run]) -> list[tuple[str, Run | None]]:
    """Return the run with the teachers above it, the topmost first."""
    chain: list[tuple[str, Run | None]] = [(str(run.get("id")), run)]
    parent = run.get("teacher")
    while parent and str(parent) not in {run_id for run_id, _ in chain}:
        row = known.get(str(parent))
        chain.insert(0, (str(parent), row))
        parent = (row or {}).get("teacher")
    return chain


def _below(run_id: str, lead: str, rows: Sequence[Run], seen: set[str]) -> Iterator[Relative]:
    heirs = [row for row in heirs_of(run_id, rows) if str(row.get("id")) not in seen]
    for row in heirs:
        heir, is_last = str(row.get("id")), row is heirs[-1]
        seen.add(heir)
        yield Relative(lead + ("└─ " if is_last else "├─ "), heir, row)
        yield from _below(heir, lead + ("   " if is_last else "│  "), rows, seen)


def what_text(row: Run | None) -> str:
    """Return what a run is: "Bayesian teacher wrn_16_1", "student vgg8", "grid sweep 1/4"."""
    if row is None:
        return "was deleted"
    kind, arch = clean(str(row.get("kind"))), clean(str(row.get("arch")))
    if row.get("role") == "student":
        return f"student {clean(str(row.get('student_arch')))}"
    if row.get("role") == "experiment":
        return f"{kind} sweep {row.get('epoch') or 0}/{row.get('epochs') or '?'}"
    return f"{kind} teacher {arch}"


def accuracy_text(row: Run | None) -> str:
    """Return a run's accuracy as percent, "" without one."""
    value = None if row is None else metric("acc")(row)
    return "" if value is None else percent(value)
