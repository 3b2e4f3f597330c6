"""Which finished students repeat one another, and which may be set against each other.

A *group* holds the repetitions of one setting: everything equal but the trial, the seed and which teacher it was. A
*section* holds the groups that may be compared: the same data, the same pair of architectures and the same training of
the student, so that only the teacher and how it is listened to (alpha, temperatures, draws) differ.

A repetition is a teacher's trial. Students of one teacher are not independent of each other and count as one.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import fsum, isfinite
from typing import Any

Run = Mapping[str, Any]
Settings = tuple[tuple[str, Any], ...]
"""Settings that are not None, by name; lists as tuples, so that they can be compared and hashed."""
Defaults = Callable[[str, str], Mapping[str, Any]]
"""From a run type and kind of teacher to the settings' defaults, in force where an older run.json does not tell."""
Repetition = int | str
"""A teacher's trial, or its id where it has no trial."""
Unit = tuple[Repetition, int | None]
"""A repetition and the student's own trial."""

WHERE_AND_HOW = frozenset({
    "trial", "device", "threads", "data", "fewshot_root", "log_every", "checkpoint_every", "compile", "noise_exact",
    "num_chunk", "full_max_gib", "teacher_cache", "teacher_cache_gib", "allow_partial_kl",
})  # fmt: skip
"""Settings that say where, how or for whose eyes a run ran, and change nothing of what it learns."""
IDENTITY = frozenset({"type", "kind", "teacher", "members", "arch", "student", "dataset"})
"""Settings that a group has as fields of its own, and the ids of other runs."""
LISTENING = frozenset({"alpha", "kd_T", "kd_S", "bnn_samples"})
"""Settings of a student that say how it listens to its teacher."""
INHERITED = frozenset({"val_fraction", "split_seed", "protocol"})
"""Settings that a student has from its teacher."""
ONLY_MEASURED = frozenset({"val_limit", "bnn_test_samples"})
"""Settings of a teacher that touch its last weights in nothing; its best weights were chosen under them."""

_DEEPEST = 8  # a lineage longer than this was made by hand


@dataclass(frozen=True)
class Student:
    """A finished student, as far as a report looks at it.

    Attributes:
        trial: Its own trial.
        teacher: The teacher's id.
        repetition: The teacher's trial, by which students of different kinds are paired.
        num_samples: Draws averaged for a target; None if the teacher does not draw.
        settings: The rest of its spec.
        teacher_settings: The teacher's spec and, under "base ...", that of the runs it was made from; None if it is
            gone.
        members: Ids of the teachers that its teacher is an ensemble of.
        images: Training images.
        reliability: The reliability table on the test set.
    """

    id: str
    kind: str
    arch: str
    student_arch: str
    dataset: str
    trial: int | None
    teacher: str
    repetition: Repetition
    alpha: float | None
    kd_T: float | None
    kd_S: float | None
    num_samples: int | None
    settings: Settings
    teacher_settings: Settings | None
    members: frozenset[str]
    images: int | None
    metrics: Mapping[str, Any]
    reliability: tuple[Mapping[str, Any], ...]

    @property
    def setting(self) -> tuple[float | None, float | None, float | None]:
        """Teacher's temperature, student's temperature, alpha."""
        return self.kd_T, self.kd_S, self.alpha

    def metric(self, key: str) -> float | None:
        """Return a metric that is a finite number, else None."""
        value = self.metrics.get(key)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not isfinite(value):
            return None
        return float(value)


Pick = Callable[[Student], float | None]


@dataclass(frozen=True)
class Group:
    """The repetitions of one setting: students that are alike in all that a group is known by."""

    students: tuple[Student, ...]

    @property
    def like(self) -> Student:
        """Any of the students: what the group is known by."""
        return self.students[0]

    @property
    def kind(self) -> str:
        """Kind of the teachers."""
        return self.like.kind

    @property
    def teachers(self) -> int:
        """Number of teachers."""
        return len({student.teacher for student in self.students})

    @property
    def repetitions(self) -> tuple[Repetition, ...]:
        """The teachers' trials, each once."""
        return tuple(sorted({student.repetition for student in self.students}, key=order))

    def units(self, pick: Pick) -> dict[Unit, float]:
        """Return a value for each repetition and student's trial, the mean where a unit was run more than once."""
        found: dict[Unit, list[float]] = {}
        for student in self.students:
            value = pick(student)
            if value is not None:
                found.setdefault((student.repetition, student.trial), []).append(value)
        return {unit: fsum(values) / len(values) for unit, values in found.items()}

    def values(self, pick: Pick) -> dict[Repetition, float]:
        """Return a value for each repetition: the mean over the students of its teacher."""
        return by_repetition(self.units(pick))


@dataclass(frozen=True)
class Section:
    """Groups that may be compared."""

    groups: tuple[Group, ...]

    @property
    def like(self) -> Student:
        """Any of the students: data set, architectures and settings are those of all."""
        return self.groups[0].like

    @property
    def images(self) -> int | None:
        """Training images, None where the students differ or do not tell."""
        counts = {student.images for group in self.groups for student in group.students}
        return counts.pop() if len(counts) == 1 else None


def by_repetition(units: Mapping[Unit, float]) -> dict[Repetition, float]:
    """Return the mean of each repetition's units, in the order of the repetitions."""
    found: dict[Repetition, list[float]] = {}
    for (repetition, _), value in units.items():
        found.setdefault(repetition, []).append(value)
    return {repetition: fsum(found[repetition]) / len(found[repetition]) for repetition in sorted(found, key=order)}


# ---- from run.json to students


def read_students(
    runs: Iterable[Run], teachers: Mapping[str, Run], defaults: Defaults = lambda run_type, kind: {}
) -> list[Student]:
    """Return the students of these runs.

    Args:
        runs: run.json of finished students.
        teachers: run.json of every teacher, by id.
        defaults: See `Defaults`.
    """
    teachers = {name: _completed(run, defaults) for name, run in teachers.items()}
    return [_student(_completed(run, defaults), teachers) for run in runs]


def _completed(run: Run, defaults: Defaults) -> Run:
    """Return a run whose spec has every setting, and says whether it was imported: then some are assumptions."""
    spec = run.get("spec") or {}
    if spec:
        spec = {**defaults(str(spec.get("type")), str(spec.get("kind", ""))), **spec}
    return {**run, "spec": spec | {"imported": True} if run.get("imported") else spec}


def _student(run: Run, teachers: Mapping[str, Run]) -> Student:
    spec, lineage = run["spec"], run.get("lineage") or {}
    teacher = str(run.get("teacher") or lineage.get("teacher") or "")
    known = teachers.get(teacher)
    measured = ONLY_MEASURED if spec.get("weights") != "best" else frozenset()
    results = (run.get("results") or {}).get("test") or {}
    return Student(
        id=str(run["id"]), kind=str(run.get("kind")), arch=str(run.get("arch")),
        student_arch=str(run.get("student_arch")), dataset=str(run.get("dataset")), trial=run.get("trial"),
        teacher=teacher, repetition=_repetition_of_student(run, teacher, teachers),
        alpha=spec.get("alpha"), kd_T=spec.get("kd_T"), kd_S=spec.get("kd_S"),
        num_samples=spec.get("bnn_samples") if _draws(run) else None,
        settings=_settings(spec, WHERE_AND_HOW | IDENTITY | LISTENING),
        teacher_settings=_recipe(known, teachers, measured) if known else None,
        members=frozenset(origins_of(known) if known and known.get("members") else ()),
        images=(run.get("split") or {}).get("train"), metrics=run.get("metrics") or {},
        reliability=tuple(results.get("reliability") or ()),
    )  # fmt: skip


def _draws(run: Run) -> bool:
    """Whether the student's targets were averages over draws: only then is the noise that draws share measured."""
    metrics = run.get("metrics") or {}
    return run.get("kind") == "Bayesian" or any(
        metrics.get(key) is not None for key in ("val/grad/noise_shared", "grad/noise_shared")
    )


def _settings(spec: Run, aside: frozenset[str]) -> Settings:
    kept = {name: _frozen(value) for name, value in spec.items() if name not in aside and value is not None}
    return tuple(sorted(kept.items()))


def _frozen(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(map(_frozen, value))
    return tuple(sorted((key, _frozen(v)) for key, v in value.items())) if isinstance(value, dict) else value


def _recipe(run: Run, teachers: Mapping[str, Run], measured: frozenset[str], depth: int = 0) -> Settings:
    """Return a teacher's settings and, under "base ...", those of the teachers that it was made from."""
    found = dict(_settings(run["spec"], WHERE_AND_HOW | IDENTITY | INHERITED | measured))
    origins = origins_of(run)
    if run.get("members"):
        found["members"] = len(origins)
    bases = [teachers[origin] for origin in origins if origin in teachers]
    if bases and depth < _DEEPEST:
        recipes = [
            dict(_recipe(base, teachers, measured, depth + 1)) | {"kind": base.get("kind"), "arch": base.get("arch")}
            for base in bases
        ]
        for name in dict.fromkeys(name for recipe in recipes for name in recipe):
            values = sorted({recipe.get(name) for recipe in recipes}, key=order)
            found[f"base {name}"] = values[0] if len(values) == 1 else tuple(values)
    return tuple(sorted(found.items()))


def origins_of(run: Run) -> list[str]:
    """Return the ids of the teachers that a teacher was made from; none if it was trained from the data alone."""
    members = run.get("members")
    if members and isinstance(members, list):
        return [str(member) for member in members]
    teacher = run.get("teacher") or (run.get("lineage") or {}).get("teacher")
    return [str(teacher)] if teacher else []


def _repetition_of_student(run: Run, teacher: str, teachers: Mapping[str, Run]) -> Repetition:
    if teacher in teachers:
        return _repetition(teachers[teacher], teachers)
    trial = (run.get("lineage") or {}).get("teacher_trial")
    return trial if isinstance(trial, int) else teacher


def _repetition(run: Run, teachers: Mapping[str, Run], depth: int = 0) -> Repetition:
    """Return a teacher's trial; of one made from teachers of one trial, that: they share its training."""
    known = [teachers[origin] for origin in origins_of(run) if origin in teachers]
    bases = {_repetition(base, teachers, depth + 1) for base in known} if depth < _DEEPEST else set()
    if len(bases) == 1:
        return bases.pop()
    trial = run.get("trial")
    if not known:  # deleted, if it ever was
        trial = (run.get("lineage") or {}).get("teacher_trial", trial)
    return trial if isinstance(trial, int) else str(run["id"])


# ---- from students to sections


def sections_of(students: Iterable[Student], kinds: Sequence[str]) -> list[Section]:
    """Return the sections by data set, architectures and settings; groups by temperatures and alpha, then kind.

    Args:
        students: In any order.
        kinds: Kinds in the order in which they stand, the baseline first; others follow by name.
    """
    found: dict[tuple[Any, ...], dict[tuple[Any, ...], list[Student]]] = {}
    for s in students:
        section = (s.dataset, s.arch, s.student_arch, s.settings)
        group = (s.setting, s.kind, s.num_samples, s.teacher_settings)
        found.setdefault(section, {}).setdefault(group, []).append(s)

    def rank(group: Group) -> tuple[Any, ...]:
        s = group.like
        kind = (kinds.index(s.kind), "") if s.kind in kinds else (len(kinds), s.kind)
        return order(s.setting), kind, order(s.num_samples), order(s.teacher_settings)

    def in_order(group: Iterable[Student]) -> Group:
        return Group(tuple(sorted(group, key=lambda s: (order(s.repetition), order(s.trial), s.id))))

    return [
        Section(tuple(sorted(map(in_order, found[key].values()), key=rank))) for key in sorted(found, key=order)
    ]  # fmt: skip


def order(value: Any) -> tuple[Any, ...]:
    """Return what to sort a setting by: nothing first, then numbers, then texts; tuples by their parts."""
    if value is None:
        return (0,)
    if isinstance(value, (int, float)):
        return 1, value
    return (3, *map(order, value)) if isinstance(value, tuple) else (2, str(value))


def varying(all_settings: Iterable[Settings | None]) -> list[str]:
    """Return the names of the settings in which these differ; what is unknown as a whole is left out of account."""
    known = [dict(settings) for settings in all_settings if settings is not None]
    names = dict.fromkeys(name for settings in known for name in settings)
    return [name for name in names if len({settings.get(name) for settings in known}) > 1]
