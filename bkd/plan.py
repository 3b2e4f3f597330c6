"""From a checked spec to a run that can be launched: identity, folder, lineage, and what must fit together."""

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bkd.catalog import DATASETS, NETWORK_FIELDS, SPLIT_FIELDS
from bkd.errors import SpecError
from bkd.paths import SYNTHETIC, experiment_folder, run_name, student_folder, teacher_folder
from bkd.runfile import Status, this_host
from bkd.specs import DataSpec, DerivedSpec, DistillSpec, RunSpec, dump, make_spec
from bkd.sweep_specs import SweepSpec

LONGEST_LABEL = 120  # bytes of architectures in a file name, which may have 255
USABLE_TEACHER = frozenset({Status.DONE, Status.STOPPED, Status.FAILED, Status.LOST})

Run = Mapping[str, Any]


@dataclass(frozen=True)
class Plan:
    """A run as it will be written: its run.json and its folder relative to the save root."""

    run: dict[str, Any]

    @property
    def path(self) -> str:
        """Folder relative to the save root."""
        return str(self.run["path"])


def new_id() -> str:
    """Return a fresh 8-character id; never all digits, so that no shell or table takes it for a number."""
    while True:
        candidate = secrets.token_hex(4)
        if not candidate.isdigit() and "e" not in candidate[1:-1]:
            return candidate


def inherit(spec: DataSpec, sources: Sequence[Run]) -> Any:
    """Return the spec with the data set and split of the runs that it is made from; a derived teacher also takes over
    their network and, unless told otherwise, how many images it is trained on.

    Args:
        spec: As given.
        sources: run.json of each of `spec.sources`; none leaves the spec as it is.

    Raises:
        SpecError: If the spec names something different, or the sources differ: it would be validated on what they
            learnt from.
    """
    if not sources:
        return spec
    first = sources[0]
    update = {name: _inherited(spec, name, first, _why) for name in SPLIT_FIELDS}
    for other in sources[1:]:
        _check_alike(spec, first, other)
    if isinstance(spec, DerivedSpec):
        update |= {name: _inherited(spec, name, first, _why_network) for name in NETWORK_FIELDS}
    if spec.kind and "train_limit" not in spec.model_fields_set:
        update["train_limit"] = first["spec"].get("train_limit")
    if spec.data is None and first["spec"].get("data"):
        update["data"] = first["spec"]["data"]
    given = {name: getattr(spec, name) for name in spec.model_fields_set}
    return make_spec(type(spec), given | update)


def _inherited(spec: DataSpec, name: str, source: Run, why: Callable[[str, Any, Any], str]) -> Any:
    theirs = source["spec"].get(name)
    mine = getattr(spec, name)
    mine = getattr(mine, "value", mine)
    if name in spec.model_fields_set and mine is not None and mine != theirs:
        raise SpecError(
            f"{spec.command()}.{name} is {mine}, but teacher {source['id']} was trained with {theirs}: "
            f"{why(name, mine, theirs)} Leave --{name.replace('_', '-')} out to inherit the teacher's."
        )
    return theirs


def _why(name: str, mine: Any, theirs: Any) -> str:
    if name != "dataset":
        return "the run would be validated on images that its teacher was trained on."
    a, b = DATASETS[mine], DATASETS[theirs]
    if a.classes != b.classes:
        return f"{a.classes} classes against {b.classes}."
    if (a.channels, a.side) != (b.channels, b.side):
        return f"images of {a.channels}x{a.side}x{a.side} against {b.channels}x{b.side}x{b.side}."
    return "the classes mean different things."


def _why_network(name: str, mine: Any, theirs: Any) -> str:
    return "it is made from that teacher's network."


def _check_alike(spec: RunSpec, first: Run, other: Run) -> None:
    for name in SPLIT_FIELDS:
        mine, theirs = first["spec"].get(name), other["spec"].get(name)
        if mine != theirs:
            raise SpecError(
                f"{spec.command()}: {first['id']} and {other['id']} differ in {name} ({mine} and {theirs}): "
                f"{_why(name, mine, theirs)} Take teachers of one data set and split."
            )


def check_source(spec: RunSpec, source: Run, status: str, *, has_weights: bool) -> None:
    """Check that a run can be the source of another.

    Raises:
        SpecError: If it is no teacher, a teacher of the wrong kind, is still training, or left no weights.
    """
    ref, field = f"{source['id']} ({source['name']})", f"{spec.command()}.{_source_field(spec)}"
    if source.get("role") != "teacher":
        raise SpecError(f"{field} must be a teacher, {ref} is none. `bkd list --role teacher` lists them.")
    if isinstance(spec, DerivedSpec) and source.get("kind") not in spec.made_from:
        wanted = " or ".join(spec.made_from)
        raise SpecError(
            f"{field} must be a {wanted} teacher, {ref} is of kind {source.get('kind')}. "
            f"`bkd list --role teacher --kind {spec.made_from[0]}` lists those that will do."
        )
    if status not in USABLE_TEACHER:
        raise SpecError(f"{field} {ref} is {status}. Wait until it is done (`bkd watch {source['id']}`).")
    if not has_weights:
        raise SpecError(
            f"{field} {ref} is {status} and left no weights. Finish it with `bkd resume {source['id']}` first."
        )


def check_draws(spec: RunSpec, teacher: Run, *, has_draws: bool) -> None:
    """Check that a teacher answers with draws, of which a sweep can take more or fewer.

    Raises:
        SpecError: If it does not.
    """
    if not has_draws:
        raise SpecError(
            f"{spec.command()}.teacher must be a teacher that draws, {teacher['id']} is of kind {teacher['kind']} and "
            "answers the same each time. `bkd list --role teacher --kind Bayesian` lists those that will do."
        )


def _source_field(spec: RunSpec) -> str:
    return "teacher" if "teacher" in type(spec).model_fields else "members"


def with_ids(spec: RunSpec, sources: Sequence[Run]) -> Any:
    """Return the spec with its sources named by their ids."""
    if not sources:
        return spec
    ids = [source["id"] for source in sources]
    field = _source_field(spec)
    return spec.model_copy(update={field: ids[0] if field == "teacher" else ids})


def plan_teacher(spec: DataSpec, sources: Sequence[Run] = ()) -> Plan:
    """Return the plan of a teacher run.

    Args:
        spec: As given, resolved.
        sources: run.json of each of `spec.sources`.

    Raises:
        SpecError: If the spec does not go with its sources.
    """
    spec = with_ids(inherit(spec, sources), sources)
    own = getattr(spec, "arch", None)
    archs = [own] if own else _archs(sources)
    run_id = new_id()
    name = run_name(_label(archs), spec.dataset, spec.trial, run_id)
    run = _run(spec, run_id, name, teacher_folder(spec.kind, _label(archs), name))
    run |= {"role": "teacher", "kind": spec.kind, "arch": "+".join(archs)}
    if sources and _source_field(spec) == "members":
        run["members"] = _distinct(spec, sources)
    elif sources:
        run |= {"teacher": sources[0]["id"], "lineage": _lineage(sources[0])}
    return Plan(run)


def _archs(sources: Sequence[Run]) -> list[str]:
    """Return the distinct architectures of runs, some of which may combine several."""
    return list(dict.fromkeys(arch for source in sources for arch in source["arch"].split("+")))


def _label(archs: Sequence[str]) -> str:
    """Return architectures as part of a file name, of which there may be too many to tell them all."""
    joined = "+".join(archs)
    return joined if len(joined) <= LONGEST_LABEL else f"{archs[0]}+{len(archs) - 1}_more"


def _distinct(spec: RunSpec, sources: Sequence[Run]) -> list[str]:
    ids = [source["id"] for source in sources]
    twice = next((run_id for run_id in ids if ids.count(run_id) > 1), None)
    if twice is not None:
        raise SpecError(f"{spec.command()}.members names {twice} more than once. Name every teacher once.")
    return ids


def plan_student(spec: DistillSpec, teacher: Run) -> Plan:
    """Return the plan of a student run.

    Args:
        spec: As given; data set and split are taken from the teacher.
        teacher: The teacher's run.json.

    Raises:
        SpecError: If data set or split differ from the teacher's.
    """
    spec = with_ids(inherit(spec, [teacher]), [teacher])
    run_id = new_id()
    name = run_name(spec.student, spec.dataset, spec.trial, run_id)
    setting = (spec.alpha, spec.kd_T, spec.kd_S)
    path = student_folder(teacher["arch"], spec.student, teacher["kind"], setting, name)
    return Plan(
        _run(spec, run_id, name, path)
        | {
            "role": "student", "kind": teacher["kind"], "arch": teacher["arch"], "student_arch": spec.student,
            "teacher": teacher["id"], "lineage": _lineage(teacher),
        }
    )  # fmt: skip


def plan_sweep(spec: SweepSpec, teacher: Run) -> Plan:
    """Return the plan of a sweep: an experiment that launches its students group by group.

    Args:
        spec: As given; data set and split are taken from the teacher.
        teacher: The teacher's run.json.

    Raises:
        SpecError: If a student would be refused.
    """
    spec = with_ids(inherit(spec, [teacher]), [teacher])
    students = [
        {"group": index, "id": None, "path": None, "spec": dump(student)}
        for index, group in enumerate(spec.groups())
        for student in group.specs()
    ]
    run_id, trial = new_id(), (spec.trials or [spec.trial])[0]
    name = run_name(_label(spec.students), spec.dataset, trial, run_id)
    run = _run(spec, run_id, name, experiment_folder(spec.sweep, name))
    run |= {
        "role": "experiment", "trial": trial, "kind": spec.sweep, "arch": teacher["arch"],
        "student_arch": "+".join(spec.students), "teacher": teacher["id"], "lineage": _lineage(teacher),
        "epochs": len(students), "students": students,
    }  # fmt: skip
    return Plan(run)


def plan_synthetic(spec: RunSpec) -> Plan:
    """Return the plan of the synthetic experiment, which makes its own data."""
    run_id = new_id()
    name = run_name("mlp", SYNTHETIC, spec.trial, run_id)
    run = _run(spec, run_id, name, experiment_folder(SYNTHETIC, name))
    return Plan(run | {"role": "experiment", "kind": SYNTHETIC, "arch": "mlp"})


def _lineage(teacher: Run) -> dict[str, Any]:
    return {
        "teacher": teacher["id"], "teacher_name": teacher["name"], "teacher_path": teacher["path"],
        "teacher_kind": teacher["kind"], "teacher_trial": teacher["trial"],
    }  # fmt: skip


def _run(spec: RunSpec, run_id: str, name: str, path: str) -> dict[str, Any]:
    return {
        "v": 1, "id": run_id, "name": name, "role": None, "kind": None, "arch": None, "student_arch": None,
        "dataset": getattr(spec, "dataset", SYNTHETIC), "status": Status.QUEUED.value,
        "epoch": 0, "epochs": getattr(spec, "epochs", 1),
        "created": round(time.time(), 3), "started": None, "ended": None, "path": path, "teacher": None,
        "members": None, "trial": spec.trial, "host": this_host(), "boot_id": None, "pid": None, "message": None,
        "metrics": {}, "results": {}, "lineage": {}, "environment": {}, "spec": dump(spec),
    }  # fmt: skip
