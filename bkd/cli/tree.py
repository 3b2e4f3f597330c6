"""`bkd tree`: teachers with the students that came from them; repetitions on one line."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import click
import orjson

from bkd.cli.common import Json, Save, open_store, print_json, single
from bkd.cli.printing import accuracy, print_lines
from bkd.errors import StorageError
from bkd.family import below, parents
from bkd.runfile import read_run
from bkd.spec_defaults import chosen
from bkd.stats import mean_interval
from bkd.store import Store
from bkd.text import clean, count, percent
from registry import LISTED_FIELDS

Row = dict[str, Any]
Family = Mapping[str | None, list[Row]]

_RUNNING = (
    "trial",
    "device",
    "threads",
    "data",
    "compile",
    "log_every",
    "checkpoint_every",
    "teacher_cache",
    "teacher_cache_gib",
)  # settings that repetitions may differ in
_MOST_IDS = 5
_DRAWS = 10  # the default, which goes without saying
_INHERITED = ("teacher", "dataset", "arch", "preact_shortcut", "trial", "train_limit", "data", "device", "threads")


@dataclass
class Node:
    """A line of the tree and what hangs below it."""

    text: str
    below: list["Node"] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        """Yield the lines of this node and all below it."""
        yield self.text
        for node in self.below:
            is_last = node is self.below[-1]
            first, *rest = node.lines()
            yield ("└─ " if is_last else "├─ ") + first
            yield from (("   " if is_last else "│  ") + line for line in rest)


def tree(as_json: Json = False, save: Save = None) -> None:
    """Show teachers with their students under them; repeated trials on one line, with mean and 95 % interval."""
    store = open_store(save)
    rows = store.rows()
    teachers = [row for row in rows if row.get("role") == "teacher"]
    students = [row for row in rows if row.get("role") == "student"]
    family = below(rows, parents(rows))
    orphans = _of_role("student", family.get(None, []))
    if as_json:
        print_json(
            {
                "teachers": _with_students(teachers, students),
                "orphans": [_picked(row) for row in orphans],
            }
        )
        return
    if not rows:
        click.echo(f"There are no runs in {clean(str(store.root))} yet. `bkd demo` makes some.", err=True)
    nodes = [_teachers(store, group, family) for group in groups(store, _of_role("teacher", family.get(None, [])))]
    if orphans:
        nodes.append(
            Node("Students whose teacher is gone", [_students(store, group) for group in groups(store, orphans)])
        )
    print_lines(line for node in nodes for line in node.lines())


def _picked(row: Row) -> Row:
    return {name: row.get(name) for name in LISTED_FIELDS}


def _with_students(teachers: list[Row], students: list[Row]) -> list[Row]:
    of_teacher: dict[Any, list[Row]] = {}
    for row in students:
        of_teacher.setdefault(row.get("teacher"), []).append(_picked(row))
    return [_picked(row) | {"students": of_teacher.get(row["id"], [])} for row in teachers]


# ---- repetitions


def groups(store: Store, rows: Iterable[Row]) -> list[list[Row]]:
    """Return the rows in groups that differ in nothing but their trial and how they were run."""
    found: dict[bytes, list[Row]] = {}
    for row in rows:
        found.setdefault(_setting_key(store, row), []).append(row)
    return list(found.values())


def _setting_key(store: Store, row: Row) -> bytes:
    spec = _spec(store, row)
    if not spec:
        return str(row.get("path")).encode()
    return orjson.dumps({key: spec[key] for key in spec if key not in _RUNNING}, option=orjson.OPT_SORT_KEYS)


def _spec(store: Store, row: Row) -> dict[str, Any]:
    try:
        return read_run(store.folder(str(row.get("path")))).get("spec") or {}
    except StorageError:
        return {}


# ---- lines


def _of_role(role: str, rows: list[Row]) -> list[Row]:
    return [row for row in rows if row.get("role") == role]


def _teachers(store: Store, group: list[Row], family: Family) -> Node:
    nodes = [Node(f"{row['id']}  {_shared(store, row)}  {_trial(row)}  {_standing([row])}") for row in group]
    for row, node in zip(group, nodes, strict=True):
        heirs = family.get(row["id"], [])
        node.below = [_students(store, g) for g in groups(store, _of_role("student", heirs))]
        node.below += [_teachers(store, g, family) for g in groups(store, _of_role("teacher", heirs))]
    if len(nodes) == 1:
        return nodes[0]
    return Node(f"{_shared(store, group[0])}  {count(len(group), 'trial')}  {_standing(group)}", nodes)


def _shared(store: Store, row: Row) -> str:
    """Return what a teacher is; of one made from others also how."""
    parts = [str(row.get("kind")), str(row.get("arch")), str(row.get("dataset"))]
    if row.get("members"):
        parts.append(f"of {' '.join(row['members'])}")
    elif row.get("teacher"):
        own, _ = chosen(_spec(store, row))
        parts += [f"{name} {value}" for name, value in own.items() if name not in _INHERITED and value is not None]
    return clean("  ".join(parts))


def _trial(row: Row) -> str:
    return f"trial {row.get('trial')}"


def _students(store: Store, group: list[Row]) -> Node:
    row, spec = group[0], _spec(store, group[0])
    setting = "  ".join(
        f"{label} {spec[key]:g}"
        for key, label in (("alpha", "alpha"), ("kd_T", "T"), ("kd_S", "S"))
        if spec.get(key) is not None
    )
    if spec.get("fewshot_percent"):
        setting += f"  {spec['fewshot_percent']:g} % of each class"
    if spec.get("bnn_samples") not in (None, _DRAWS):
        setting += f"  {count(spec['bnn_samples'], 'draw')}"
    ids = " ".join(row["id"] for row in group[:_MOST_IDS]) + (" ..." if len(group) > _MOST_IDS else "")
    trials = _trial(row) if len(group) == 1 else count(len(group), "trial")
    lineage = f"{row.get('student_arch')} ← {row.get('kind')} {row.get('arch')}"
    return Node("  ".join(part for part in (clean(ids), clean(lineage), setting, trials, _standing(group)) if part))


def _standing(group: list[Row]) -> str:
    """Return status and accuracy: of several runs the mean of those that are done, with its interval."""
    if len(group) == 1:
        return f"{clean(str(group[0].get('status')))}  {percent(accuracy(group[0]))}"
    statuses = Counter(str(row.get("status")) for row in group)
    text = ", ".join(f"{n} {clean(status)}" if len(statuses) > 1 else clean(status) for status, n in statuses.items())
    values = [acc for row in group if row.get("status") == "done" and (acc := accuracy(row)) is not None]
    if not values:
        return text
    interval = mean_interval(values)
    half = "" if interval.half is None else f" ± {percent(interval.half)}"
    return f"{text}  {percent(interval.mean)}{half} (n = {interval.n})"


app = single(tree)
