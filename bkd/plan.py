"""From a checked spec to a run that can be launched: identity, folder, lineage, and what must fit together."""

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bkd.catalog import DATASETS
from bkd.errors import SpecError
from bkd.paths import run_name, student_folder, teacher_folder
from bkd.runfile import Status, this_host
from bkd.specs import DistillSpec, RunSpec, TrainSpec, dump

SPLIT_FIELDS = ("dataset", "val_fraction", "split_seed", "protocol")  # a student's are its teacher's
USABLE_TEACHER = frozenset({Status.DONE, Status.STOPPED, Status.FAILED, Status.LOST})


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


def inherit_split(spec: DistillSpec, teacher: Mapping[str, Any]) -> DistillSpec:
    """Return the student's spec with its teacher's data set and split.

    Raises:
        SpecError: If the spec names a different one: the student would be validated on what its teacher learnt from.
    """
    theirs = teacher["spec"]
    update = {}
    for name in SPLIT_FIELDS:
        mine, given = getattr(spec, name), name in spec.model_fields_set
        mine = getattr(mine, "value", mine)
        if given and mine != theirs[name]:
            raise SpecError(
                f"distill.{name} is {mine}, but teacher {teacher['id']} was trained with {theirs[name]}: "
                f"{_why(name, mine, theirs[name])} Leave --{name.replace('_', '-')} out to inherit the teacher's."
            )
        update[name] = theirs[name]
    if spec.data is None and theirs.get("data"):
        update["data"] = theirs["data"]
    return type(spec).model_validate(spec.model_dump(exclude_none=True) | update).resolved()


def _why(name: str, mine: Any, theirs: Any) -> str:
    if name != "dataset":
        return "the student would be validated on images that its teacher was trained on."
    a, b = DATASETS[mine], DATASETS[theirs]
    if a.classes != b.classes:
        return f"{a.classes} classes against {b.classes}."
    if (a.channels, a.side) != (b.channels, b.side):
        return f"images of {a.channels}x{a.side}x{a.side} against {b.channels}x{b.side}x{b.side}."
    return "the classes mean different things."


def check_teacher(teacher: Mapping[str, Any], status: str, *, has_weights: bool) -> None:
    """Check that a run can teach.

    Raises:
        SpecError: If it is no teacher, is still training, or left no weights.
    """
    ref = f"{teacher['id']} ({teacher['name']})"
    if teacher.get("role") != "teacher":
        raise SpecError(f"distill.teacher must be a teacher, {ref} is none. `bkd list --role teacher` lists them.")
    if status not in USABLE_TEACHER:
        raise SpecError(f"distill.teacher {ref} is {status}. Wait until it is done (`bkd watch {teacher['id']}`).")
    if not has_weights:
        raise SpecError(
            f"distill.teacher {ref} is {status} and left no weights. Finish it with `bkd resume {teacher['id']}` first."
        )


def plan_teacher(spec: TrainSpec) -> Plan:
    """Return the plan of a teacher run; `spec` is resolved."""
    run_id = new_id()
    name = run_name(spec.arch, spec.dataset, spec.trial, run_id)
    path = teacher_folder(spec.kind, spec.arch, name)
    return Plan(_run(spec, run_id, name, path) | {"role": "teacher", "kind": spec.kind, "arch": spec.arch})


def plan_student(spec: DistillSpec, teacher: Mapping[str, Any]) -> Plan:
    """Return the plan of a student run.

    Args:
        spec: As given; data set and split are taken from the teacher.
        teacher: The teacher's run.json.

    Raises:
        SpecError: If data set or split differ from the teacher's.
    """
    spec = inherit_split(spec, teacher).model_copy(update={"teacher": teacher["id"]})
    run_id = new_id()
    name = run_name(spec.student, spec.dataset, spec.trial, run_id)
    setting = (spec.alpha, spec.kd_T, spec.kd_S)
    path = student_folder(teacher["arch"], spec.student, teacher["kind"], setting, name)
    lineage = {
        "teacher": teacher["id"], "teacher_name": teacher["name"], "teacher_path": teacher["path"],
        "teacher_kind": teacher["kind"], "teacher_trial": teacher["trial"],
    }  # fmt: skip
    return Plan(
        _run(spec, run_id, name, path)
        | {
            "role": "student", "kind": teacher["kind"], "arch": teacher["arch"], "student_arch": spec.student,
            "teacher": teacher["id"], "lineage": lineage,
        }
    )  # fmt: skip


def _run(spec: RunSpec, run_id: str, name: str, path: str) -> dict[str, Any]:
    return {
        "v": 1, "id": run_id, "name": name, "role": None, "kind": None, "arch": None, "student_arch": None,
        "dataset": spec.dataset, "status": Status.QUEUED.value, "epoch": 0, "epochs": spec.epochs,
        "created": round(time.time(), 3), "started": None, "ended": None, "path": path, "teacher": None,
        "trial": spec.trial, "host": this_host(), "boot_id": None, "pid": None, "message": None,
        "metrics": {}, "results": {}, "lineage": {}, "environment": {}, "spec": dump(spec),
    }  # fmt: skip
