"""run.json of teachers and students as reports read them, as short as tests allow."""

from collections.abc import Mapping
from typing import Any

from bkd.report import Question, Report, make_report
from bkd.report_groups import Student, read_students

Run = dict[str, Any]

STUDENT_SPEC = {
    "type": "distill", "dataset": "digits", "student": "wrn_16_1", "alpha": 1.0, "kd_T": 1.0, "kd_S": 1.0,
    "bnn_samples": 4, "epochs": 30, "learning_rate": 0.001, "val_limit": 1000, "weights": "last", "device": "auto",
}  # fmt: skip
TEACHER_SPEC = {"type": "train", "dataset": "digits", "arch": "wrn_16_1", "epochs": 20, "val_limit": 1000}


class Runs:
    """A few teachers and their students."""

    def __init__(self) -> None:
        self.teachers: dict[str, Run] = {}
        self.students: list[Run] = []

    def teacher(self, kind: str = "Deterministic", trial: int | None = 1, **fields: Any) -> Run:
        """Add a teacher; `spec` is laid over the usual one, the other fields over the run."""
        run_id = f"t{len(self.teachers):07d}"
        spec = TEACHER_SPEC | {"kind": kind, "trial": trial} | fields.pop("spec", {})
        run = {"id": run_id, "role": "teacher", "kind": kind, "arch": "wrn_16_1", "trial": trial, "spec": spec}
        self.teachers[run_id] = run | {"dataset": "digits", "status": "done"} | fields
        return self.teachers[run_id]

    def student(self, teacher: Run, acc: float | None = 0.9, trial: int | None = None, **fields: Any) -> Run:
        """Add a student, by default of the teacher's trial; `spec` and `metrics` are laid over the usual ones."""
        trial = teacher["trial"] if trial is None else trial
        spec = STUDENT_SPEC | {"teacher": teacher["id"], "trial": trial} | fields.pop("spec", {})
        metrics = {"test/acc": acc, "val/acc": acc} | fields.pop("metrics", {})
        run = {
            "id": f"s{len(self.students):07d}", "role": "student", "kind": teacher["kind"], "arch": teacher["arch"],
            "student_arch": "wrn_16_1", "dataset": "digits", "status": "done", "teacher": teacher["id"],
            "trial": trial, "lineage": {"teacher": teacher["id"], "teacher_trial": teacher["trial"]},
            "split": {"train": 1293}, "spec": spec, "metrics": metrics, "results": {},
        }  # fmt: skip
        self.students.append(run | fields)
        return self.students[-1]

    def repeated(self, kind: str, accs: Mapping[int, float] | list[float], **fields: Any) -> None:
        """Add a teacher and its student for each trial."""
        values = accs if isinstance(accs, Mapping) else dict(enumerate(accs, 1))
        for trial, acc in values.items():
            copied = {name: dict(value) if isinstance(value, dict) else value for name, value in fields.items()}
            self.student(self.teacher(kind, trial), acc, **copied)

    def read(self) -> list[Student]:
        """Return the students as a report sees them."""
        return read_students(self.students, self.teachers)

    def report(self, **question: Any) -> Report:
        """Return the report on all of them."""
        return make_report(self.read(), Question(**question))
