"""The child of a sweep: launches its students group by group, each group a process of its own, and waits for them.

A student is a run like any other. Whoever stops or loses the sweep loses no student: a resumed sweep takes up what its
run.json lists, whether a student is done, still at work, waiting for a resume, or not launched yet.
"""

import time
from collections.abc import Sequence
from typing import Any

from bkd import actions
from bkd.checkpoint import steps
from bkd.child import Child
from bkd.errors import BkdError, StorageError
from bkd.launch import spawn, stop_together
from bkd.locks import is_locked
from bkd.paths import RunFolder
from bkd.recorder import Record
from bkd.runfile import Status, read_run, read_user
from bkd.specs import load
from bkd.text import count, percent

POLL_S = 0.2
DELETED = "deleted"
Student = dict[str, Any]  # an entry of run.json's "students": group, id, path, spec


class SweepChild(Child):
    """Works on one sweep."""

    def work(self) -> None:
        """Launch and follow every group that is not done yet; end as done, stopped, or failed with who failed."""
        [name] = self.open_specs()
        record = self.records[name]
        record.save()
        self.register(record)
        students: list[Student] = record.run["students"]
        for group in sorted({student["group"] for student in students}):
            waiting = [s for s in students if s["group"] == group and self._status(s) not in (Status.DONE, DELETED)]
            if self.flag.is_set:
                self._stop(waiting)  # some may be at work since an earlier life of the sweep
            elif waiting:
                self._work_on(record, waiting)
        left = [student for student in students if self._status(student) != Status.DONE]
        if self.flag.is_set and left:
            record.end(Status.STOPPED, step=record.run["epoch"])
        elif left:
            named = ", ".join(f"{s['id'] or describe(s)} {self._status(s)}" for s in left[:5])
            more = " ..." if len(left) > 5 else ""
            only_stopped = all(self._status(student) == Status.STOPPED for student in left)
            record.end(
                Status.STOPPED if only_stopped else Status.FAILED, step=record.run["epoch"],
                message=f"{count(len(left), 'student')} of {len(students)} not done: {named}{more}.",
            )  # fmt: skip
        else:
            record.end(Status.DONE, step=record.run["epoch"])

    def _work_on(self, record: Record, group: Sequence[Student]) -> None:
        """Launch the students of a group, or go on with them, and wait until none is at work."""
        if all(student["id"] is None for student in group):
            record.log(f"Group {group[0]['group'] + 1}: {count(len(group), 'student')} on the same batches.")
        for student in group:
            if student["id"] is None:
                self._create(record, student)
        idle = [s for s in group if s["id"] and not is_locked(self._folder(s).lock) and self._is_queued(record, s)]
        for together in self._processes(idle):
            self._start(record, together)
        told: set[str] = set()
        while True:
            self._tell(record, group, told)
            if not any(s["id"] and is_locked(self._folder(s).lock) for s in group):
                break
            if self.flag.is_set:
                self._stop(group)
            time.sleep(POLL_S)
        self._tell(record, group, told)
        self._note_progress(record)

    def _create(self, record: Record, student: Student) -> None:
        """Write a student's folder; one that is refused is told of and left out."""
        tags = read_user(record.folder)["tags"]
        try:
            folder = actions.create(
                self.store, load(student["spec"]), tags=tags, lineage={"experiment": record.run["id"]}
            )
        except BkdError as error:
            record.log(f"A student was refused: {error}")
            return
        run = read_run(folder)
        student |= {"id": run["id"], "path": run["path"]}
        record.save()  # now, so that whoever goes on after a loss does not make it twice

    def _is_queued(self, record: Record, student: Student) -> bool:
        """Queue a student; one whose folder is gone or not writable is told of and left out."""
        try:
            actions.requeue(self._folder(student))
        except BkdError as error:
            record.log(f"{student['id']} cannot go on: {error}")
            return False
        return True

    def _start(self, record: Record, together: Sequence[Student]) -> None:
        """Start one process for students; one that cannot be started is told of."""
        try:
            spawn([self._folder(student) for student in together], resume=any(map(self._has_begun, together)))
        except BkdError as error:
            record.log(f"{', '.join(student['id'] for student in together)} not started: {error}")

    def _processes(self, idle: Sequence[Student]) -> list[list[Student]]:
        """Return who can go on in one process: those that have a checkpoint of one step, the others on their own."""
        fresh = [s for s in idle if not self._has_begun(s)]
        begun = [s for s in idle if self._has_begun(s)]
        kept = [set(steps(self._folder(s).checkpoints)) for s in begun]
        together = [begun] if begun and set.intersection(*kept) else [[s] for s in begun]
        return [*together, *([fresh] if fresh else [])]

    def _has_begun(self, student: Student) -> bool:
        return bool(steps(self._folder(student).checkpoints))

    def _stop(self, group: Sequence[Student]) -> None:
        stop_together([self._folder(s) for s in group if s["id"] and is_locked(self._folder(s).lock)])

    # ---- telling

    def _tell(self, record: Record, group: Sequence[Student], told: set[str]) -> None:
        """Say once of each student that it has ended."""
        for student in group:
            if student["id"] in told or student["id"] is None or is_locked(self._folder(student).lock):
                continue
            told.add(student["id"])
            record.log(f"{student['id']} {self._status(student)}: {describe(student)}  {self._result(student)}")
            self._note_progress(record)

    def _result(self, student: Student) -> str:
        """Return in a few words how a student ended."""
        try:
            run = self.store.load(self._folder(student))
        except StorageError as error:
            return str(error)
        accuracy = run["metrics"].get("test/acc") if run["status"] == Status.DONE else None
        return f"test accuracy {percent(accuracy)}" if accuracy is not None else str(run.get("message") or "")

    def _note_progress(self, record: Record) -> None:
        students = record.run["students"]
        done = sum(self._status(student) == Status.DONE for student in students)
        if done == record.run["epoch"]:
            return
        record.run["epoch"] = done
        record.run["metrics"] = {"students/done": done, "students/all": len(students)}
        record.writer.write("epoch", step=done, epoch=done - 1, values=record.run["metrics"], sync=True)
        record.save()
        self.register(record)

    def _folder(self, student: Student) -> RunFolder:
        return self.store.folder(student["path"])

    def _status(self, student: Student) -> str:
        """Return how a student stands; "not launched" if it was never written, DELETED or "unreadable" if it was."""
        if student["id"] is None:
            return "not launched"
        folder = self._folder(student)
        try:
            return str(self.store.load(folder)["status"])
        except StorageError:
            return "unreadable" if folder.run.exists() else DELETED


def describe(student: Student) -> str:
    """Return what tells a student from the others of its sweep."""
    spec = student["spec"]
    few = f"  {spec['fewshot_percent']:g} %" if spec.get("fewshot_percent") else ""
    return (
        f"{spec['student']}  trial {spec['trial']}  Tt {spec['kd_T']:g} Ts {spec['kd_S']:g} alpha {spec['alpha']:g}"
        f"  S {spec['bnn_samples']}{few}"
    )
