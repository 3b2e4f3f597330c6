"""How runs differ in their configuration: their own settings first, then those of the teachers that they came from.

A *column* is one run, or several that repeat each other. A *level* sets columns side by side; below it stand the runs
that these were made from, level by level down the lineage, an ensemble's members too.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bkd.compare_headings import headings
from bkd.report_groups import IDENTITY, WHERE_AND_HOW, Defaults, Run, order, origins_of
from bkd.text import clean, exact

Column = tuple[Run, ...]
Values = tuple[Any, ...]

GONE = "is_gone"
"""Marks what stands for a run that was deleted; only its id, and what its heirs noted of it, is known."""

IDENTITY_PART, OTHER_PART, RUNNING_PART, MACHINE_PART = "Run", "Other", "Running", "Ran on"
_IDENTITY = ("role", "kind", "arch", "student_arch", "dataset", "teacher", "members", "trial")
_TOLD_BY_IDENTITY = IDENTITY | {"trial"}
_IMAGES = {"train": "training images", "val": "validation images", "test": "test images", "fingerprint": "split"}
_DEEPEST = 8  # a lineage longer than this was made by hand


@dataclass(frozen=True)
class Setting:
    """A setting, or what identifies a run.

    Attributes:
        values: Of each column the values of its runs, each once and in order; () of a column of which nothing is known.
    """

    name: str
    values: tuple[Values, ...]

    @property
    def differs(self) -> bool:
        """Whether two columns of which something is known have different values."""
        return len({values for values in self.values if values}) > 1

    @property
    def shared(self) -> Values:
        """The values of the first column of which something is known: of all, where none differs."""
        return next((values for values in self.values if values), ())


@dataclass(frozen=True)
class Part:
    """Settings of one kind under a heading."""

    title: str
    settings: tuple[Setting, ...]


@dataclass(frozen=True)
class Level:
    """Columns side by side.

    Attributes:
        path: How the runs are related to the compared ones: () themselves, ("teachers", "members") their teachers'.
        about: What tells it from other levels of the same path: "Bayesian wrn_16_1"; "" where it is the only one.
        columns: Of each column its runs, () where a column has none here.
        different: Settings in which columns differ.
        same: The others.
        below: The runs that these were made from; nothing where all columns hold the same runs.
    """

    path: tuple[str, ...]
    about: str
    columns: tuple[Column, ...]
    different: tuple[Part, ...] = ()
    same: tuple[Part, ...] = ()
    below: tuple["Level", ...] = ()

    @property
    def title(self) -> str:
        """The path in words: "Teachers' members: Bayesian wrn_16_1"; "" for the compared runs."""
        words = "' ".join(self.path).capitalize()
        return f"{words}: {self.about}" if self.about else words

    @property
    def is_shared(self) -> bool:
        """Whether all columns hold the same runs."""
        return len({frozenset(ids_of(column)) for column in self.columns}) == 1

    def walk(self) -> Iterable["Level"]:
        """Yield this level and all below it, each before what it was made from."""
        yield self
        for level in self.below:
            yield from level.walk()


def configuration(columns: Sequence[Sequence[Run]], origins: Mapping[str, Run], defaults: Defaults) -> Level:
    """Return how columns differ, and where the runs that they came from are different ones, how those differ.

    Args:
        columns: Of each column its runs, at least one.
        origins: Every run that they came from, by id, as far as it is still there.
        defaults: In force where an older run.json does not tell.
    """
    return _Walk(origins, defaults).level((), "", tuple(map(tuple, columns)), 0)


@dataclass(frozen=True)
class _Told:
    """What a run tells of itself.

    Attributes:
        values: By heading and name.
        is_whole: Whether it tells its configuration: a setting that is not among the values is unset.
    """

    values: Mapping[tuple[str, str], Any]
    is_whole: bool

    def known(self, key: tuple[str, str]) -> tuple[Any, ...]:
        """Return the value as a tuple of one; () where nothing is known."""
        if key in self.values:
            return (self.values[key],)
        is_measured = key[0] == MACHINE_PART or key[1] in _IMAGES.values()
        return (None,) if self.is_whole and not is_measured else ()


@dataclass(frozen=True)
class _Walk:
    origins: Mapping[str, Run]
    defaults: Defaults

    def level(self, path: tuple[str, ...], about: str, columns: tuple[Column, ...], depth: int) -> Level:
        if path and Level(path, about, columns).is_shared:
            return Level(path, about, columns)
        parts = self._parts(columns)
        below = self._below(path, columns, depth) if depth < _DEEPEST else ()
        return Level(
            path, about, columns, _chosen(parts, lambda s: s.differs), _chosen(parts, lambda s: not s.differs), below
        )

    def _below(self, path: tuple[str, ...], columns: tuple[Column, ...], depth: int) -> tuple[Level, ...]:
        found = [self._origins_of(column) for column in columns]
        slots = _slots([self._families(runs) for runs in found])
        is_members = any(run.get("members") for column in columns for run in column)
        deeper = (*path, "members" if is_members else "teachers")
        return tuple(self.level(deeper, _about(slot) if len(slots) > 1 else "", slot, depth + 1) for slot in slots)

    def _origins_of(self, column: Column) -> list[Run]:
        known = {origin: run for run in column for origin in origins_of(run)}
        return [self.origins.get(origin) or _gone(origin, heir) for origin, heir in known.items()]

    # ---- settings

    def _parts(self, columns: Sequence[Column]) -> list[Part]:
        told = [[self._told(run) for run in column] for column in columns]
        keys = dict.fromkeys(key for column in told for run in column for key in run.values)
        parts: dict[str, list[Setting]] = {}
        for part, name in keys:
            values = tuple(_distinct(v for run in column for v in run.known((part, name))) for column in told)
            parts.setdefault(part, []).append(Setting(name, values))
        last = [title for title in (OTHER_PART, RUNNING_PART, MACHINE_PART) if title in parts]
        titles = [*(title for title in parts if title not in last), *last]
        return [Part(title, tuple(parts[title])) for title in titles]

    def _told(self, run: Run) -> "_Told":
        identity = {(IDENTITY_PART, name): _none_if_empty(run.get(name)) for name in _IDENTITY}
        if not run.get("spec"):
            return _Told({key: value for key, value in identity.items() if value is not None}, is_whole=False)
        known, spec = headings(), self._spec(run)
        settings = {(known.get(name, OTHER_PART), name): spec[name] for name in spec if name not in _TOLD_BY_IDENTITY}
        split, machine = run.get("split") or {}, run.get("environment") or {}
        images = {("Data", title): split[key] for key, title in _IMAGES.items() if key in split}
        measured = {(MACHINE_PART, name): value for name, value in machine.items()}
        return _Told(identity | settings | images | measured, is_whole=True)

    def _spec(self, run: Run) -> dict[str, Any]:
        spec = run.get("spec") or {}
        return {**self.defaults(str(spec.get("type")), str(spec.get("kind", ""))), **spec}

    # ---- members

    def _families(self, runs: Iterable[Run]) -> dict[Values, Column]:
        """Return runs by what they are, whatever their trial."""
        found: dict[Values, list[Run]] = {}
        for run in runs:
            found.setdefault(self._family(run), []).append(run)
        return {key: tuple(members) for key, members in found.items()}

    def _family(self, run: Run) -> Values:
        aside = WHERE_AND_HOW | IDENTITY
        own = {name: value for name, value in self._spec(run).items() if name not in aside}
        what = {name: run.get(name) for name in ("role", "kind", "arch", "student_arch", "dataset", GONE)}
        return tuple(sorted((name, _frozen(value)) for name, value in (own | what).items() if value is not None))


def _slots(families: Sequence[Mapping[Values, Column]]) -> list[tuple[Column, ...]]:
    """Return levels for each column's families: alike ones beside each other, then those that are most alike."""
    slots: dict[Values, list[Column]] = {}
    for index, column in enumerate(families):
        for key in column:
            slots.setdefault(key, [()] * len(families))[index] = column[key]
    if all(len(column) <= 1 for column in families):
        return [tuple(column.get(next(iter(column), ()), ()) for column in families)] if any(families) else []
    merged: dict[Values, list[Column]] = {}
    for key, columns in slots.items():
        free = [other for other in merged if not any(a and b for a, b in zip(merged[other], columns, strict=True))]
        nearest = min(free, key=lambda other: len(set(other) ^ set(key)), default=None)
        if nearest is None:
            merged[key] = columns
        else:
            merged[nearest] = [a or b for a, b in zip(merged[nearest], columns, strict=True)]
    return [tuple(columns) for columns in merged.values()]


def _about(slot: Iterable[Column]) -> str:
    """Return the kinds and architectures of a level's runs."""
    words = dict.fromkeys(f"{run.get('kind')} {run.get('arch') or ''}".strip() for column in slot for run in column)
    return clean(", ".join(words))


def _gone(run_id: str, heir: Run) -> Run:
    """Return what stands for a deleted run, with what its heir noted of it."""
    told = heir.get("lineage") or {}
    if told.get("teacher") != run_id:
        return {"id": run_id, GONE: True}
    noted = {"name": told.get("teacher_name"), "kind": told.get("teacher_kind"), "trial": told.get("teacher_trial")}
    return {"id": run_id, GONE: True} | noted


def _chosen(parts: Iterable[Part], test: Callable[[Setting], bool]) -> tuple[Part, ...]:
    found = (Part(part.title, tuple(filter(test, part.settings))) for part in parts)
    return tuple(part for part in found if part.settings)


def _distinct(values: Iterable[Any]) -> Values:
    return tuple(sorted(set(map(_frozen, values)), key=order))


def _frozen(value: Any) -> Any:
    """Return a JSON value that can be compared and hashed."""
    if isinstance(value, list | tuple):
        return tuple(map(_frozen, value))
    return tuple(sorted((key, _frozen(v)) for key, v in value.items())) if isinstance(value, dict) else value


def _none_if_empty(value: Any) -> Any:
    return None if value == [] else value


def ids_of(column: Column) -> list[str]:
    """Return the ids of a column's runs."""
    return [str(run.get("id")) for run in column]


# ---- in words


def column_text(column: Column) -> str:
    """Return which runs a column holds: "bb5a3f19", "bb5a3f19 (deleted)", "none"."""
    texts = sorted(f"{run.get('id')}{' (deleted)' if run.get(GONE) else ''}" for run in column)
    return clean(", ".join(texts)) or "none"


def values_text(values: Values) -> str:
    """Return a column's values: "1-5" for trials 1 to 5, "10, 20", "" where nothing is known."""
    if len(values) > 2 and all(type(value) is int for value in values) and values[-1] - values[0] == len(values) - 1:
        return f"{values[0]}-{values[-1]}"
    return ", ".join(map(value_text, values))


def value_text(value: Any) -> str:
    """Return a value so that different ones read differently: yes and no, "100,150", "-" for nothing."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return exact(value)
    return ",".join(map(value_text, value)) if isinstance(value, tuple) else clean(str(value))
