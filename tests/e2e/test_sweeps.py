"""Sweeps: their students are those that would be trained alone, and each life and death is its own."""

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from children import SMALL, ended, kill, steps_of, student_spec, teacher_spec, timeless, until
from in_process import done, work_on

from bkd import actions, checkpoint
from bkd.child_sweep import SweepChild
from bkd.events import read_events
from bkd.launch import owner, spawn
from bkd.locks import is_locked
from bkd.paths import RunFolder
from bkd.runfile import read_run
from bkd.specs import load, make_spec
from bkd.store import Store
from bkd.sweep_specs import GridSweep, SamplesSweep, SweepSpec

SETTINGS = [(4.0, 1.0, 0.5), (2.0, 1.0, 0.7)]
GRID = "4:1:0.5;2:1:0.7"
STEPS = 4  # an epoch: 400 images in batches of 100


@pytest.fixture(scope="module")
def save(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A save root that the tests of this module share."""
    return Store(tmp_path_factory.mktemp("sweeps") / "save")


@pytest.fixture(scope="module")
def bayesian(save: Store) -> dict[str, Any]:
    return done(save, teacher_spec("Bayesian", epochs=2, bnn_ml_epochs=0, bnn_annealing_epochs=1))


def sweep_spec(cls: type[SweepSpec], teacher: str, **values: Any) -> Any:
    base = {key: value for key, value in SMALL.items() if key != "dataset"}
    return make_spec(cls, base | {"teacher": teacher, "students": "wrn_16_1"} | values)


def group_of(store: Store, spec: Any) -> list[RunFolder]:
    """Write the students of a sweep's only group, queued."""
    [group] = spec.groups()
    return [actions.create(store, student) for student in group.specs()]


def students_of(store: Store, sweep: RunFolder) -> list[RunFolder]:
    return [store.folder(student["path"]) for student in read_run(sweep)["students"] if student["path"]]


def assert_same(store: Store, one: RunFolder, other: RunFolder) -> None:
    """Compare all that two runs of the same settings computed, to the last bit."""
    assert one.last_weights.read_bytes() == other.last_weights.read_bytes()
    assert one.best_weights.read_bytes() == other.best_weights.read_bytes()
    assert timeless(one) == timeless(other)
    a, b = store.load(one), store.load(other)
    for key in ("status", "epoch", "metrics", "results", "best", "split"):
        assert a[key] == b[key], key


def alone(store: Store, folder: RunFolder) -> RunFolder:
    """Distil a student by itself with the settings of one that was trained in a group."""
    return store.folder(done(store, load(read_run(folder)["spec"]))["path"])


# ---- as alone


def test_a_grid_sweeps_students_are_those_distilled_alone(save: Store, bayesian: dict[str, Any]) -> None:
    sweep = actions.launch(save, sweep_spec(GridSweep, bayesian["id"], grid=GRID, bnn_samples=2), tags=["grid"])
    by_hand = [
        save.folder(done(save, student_spec(bayesian["id"], kd_T=kd_t, kd_S=kd_s, alpha=alpha))["path"])
        for kd_t, kd_s, alpha in SETTINGS
    ]
    run = ended(save, sweep)
    assert run["status"] == "done", sweep.log.read_text()
    assert (run["epoch"], run["epochs"], run["metrics"]) == (2, 2, {"students/done": 2, "students/all": 2})
    students = students_of(save, sweep)
    for student, other in zip(students, by_hand, strict=True):
        assert_same(save, student, other)
        row = save.load(student)
        assert (row["tags"], row["lineage"]["experiment"]) == (["grid"], run["id"])
        assert row["spec"] == save.load(other)["spec"]
        assert row["id"] in sweep.log.read_text()
    rows = {row["id"]: row for row in save.rows()}
    assert {rows[save.load(student)["id"]]["status"] for student in students} == {"done"}
    assert rows[run["id"]]["role"] == "experiment"
    assert str(students[0].log) in students[1].log.read_text()


def test_a_samples_sweeps_student_s_sees_the_first_s_of_the_same_draws(save: Store, bayesian: dict[str, Any]) -> None:
    spec = sweep_spec(SamplesSweep, bayesian["id"], bnn_samples=3, epochs=2)
    students = group_of(save, spec)
    assert work_on(students) == 0
    assert [read_run(student)["spec"]["bnn_samples"] for student in students] == [1, 2, 3]
    for student in students:
        assert_same(save, student, alone(save, student))
    assert len({student.last_weights.read_bytes() for student in students}) == 3


def test_students_of_other_architectures_share_batches_too(save: Store, bayesian: dict[str, Any]) -> None:
    spec = sweep_spec(GridSweep, bayesian["id"], grid="1:1:1", students="wrn_16_1,resnet8x4", bnn_samples=1, epochs=1)
    students = group_of(save, spec)
    assert work_on(students) == 0
    for student in students:
        assert_same(save, student, alone(save, student))


# ---- one student's failure


def test_a_student_whose_loss_is_not_finite_fails_alone(save: Store, bayesian: dict[str, Any]) -> None:
    spec = sweep_spec(GridSweep, bayesian["id"], grid="1e-40:1:1;4:1:0.5", bnn_samples=1, epochs=2)
    bad, good = group_of(save, spec)
    assert work_on([bad, good]) == 1
    run = save.load(bad)
    assert (run["status"], "not finite" in run["message"]) == ("failed", True)
    assert_same(save, good, alone(save, good))
    assert next(row for row in save.rows() if row["id"] == run["id"])["status"] == "failed"


def test_a_student_whose_folder_is_deleted_while_it_trains_is_lost_alone(
    save: Store, bayesian: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    gone, left = group_of(save, sweep_spec(GridSweep, bayesian["id"], grid=GRID, bnn_samples=1, epochs=2))
    _after_step(monkeypatch, 5, lambda: shutil.rmtree(gone.path))
    assert work_on([gone, left]) == 1
    assert not gone.path.exists()
    assert_same(save, left, alone(save, left))


def _after_step(monkeypatch: pytest.MonkeyPatch, step: int, act: Callable[[], object]) -> None:
    """Do something after a step of the loop, once, as a person might from outside."""
    from bkd.recorder import Recorder

    original = Recorder.after_step

    def after_step(self: Recorder, active: Any, position: Any) -> Any:
        if position.total == step:
            monkeypatch.setattr(Recorder, "after_step", original)
            act()
        return original(self, active, position)

    monkeypatch.setattr(Recorder, "after_step", after_step)


def test_a_student_that_cannot_be_finished_fails_alone(
    save: Store, bayesian: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Weights are written last: where a folder stands in their place they cannot be."""
    bad, good = group_of(save, sweep_spec(GridSweep, bayesian["id"], grid=GRID, bnn_samples=1, epochs=1))
    bad.last_weights.mkdir()
    assert work_on([bad, good]) == 1
    assert save.load(bad)["status"] == "failed"
    assert save.load(good)["status"] == "done"


def test_a_sweep_goes_on_without_those_that_fail_or_are_deleted_and_names_them(
    save: Store, bayesian: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the students' own work left out: what the sweep makes of how they ended."""
    spec = sweep_spec(GridSweep, bayesian["id"], grid="1:1:1;2:1:1;3:1:1;4:1:1", trials="1,2", epochs=1)
    sweep = actions.create(save, spec)
    spawned: list[list[str]] = []

    def spawn_nothing(folders: list[RunFolder], *, resume: bool = False) -> int:
        spawned.append([folder.path.name for folder in folders])
        for folder in folders:
            run = read_run(folder) | {"status": "failed" if read_run(folder)["spec"]["kd_T"] == 2 else "done"}
            actions.write_run(folder, run)
        if len(spawned) == 1:
            shutil.rmtree(folders[0].path)
        return 0

    monkeypatch.setattr("bkd.child_sweep.spawn", spawn_nothing)
    assert work_on([sweep]) == 1
    run = save.load(sweep)
    assert [len(names) for names in spawned] == [4, 4]
    first, second, *_, sixth, _, _ = (student["id"] for student in run["students"])
    assert run["status"] == "failed"
    assert run["message"] == (f"3 students of 8 not done: {first} deleted, {second} failed, {sixth} failed.")
    spawned.append([])  # none is deleted this time
    assert work_on([sweep], resume=True) == 1
    resumed = spawned[3:]
    assert [len(names) for names in resumed] == [1, 1]
    assert [names[0][-8:] for names in resumed] == [second, sixth]
    assert save.load(sweep)["metrics"] == {"students/done": 5, "students/all": 8}


def test_a_sweep_of_which_one_student_was_stopped_is_stopped(
    save: Store, bayesian: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep = actions.create(save, sweep_spec(GridSweep, bayesian["id"], grid="1:1:1;2:1:1", trials="1", epochs=1))

    def spawn_nothing(folders: list[RunFolder], *, resume: bool = False) -> int:
        for folder, status in zip(folders, ("done", "stopped"), strict=True):
            actions.write_run(folder, read_run(folder) | {"status": status})
        return 0

    monkeypatch.setattr("bkd.child_sweep.spawn", spawn_nothing)
    assert work_on([sweep]) == 0
    run = save.load(sweep)
    stopped = run["students"][1]["id"]
    assert (run["status"], run["message"]) == ("stopped", f"1 student of 2 not done: {stopped} stopped.")


def test_a_sweep_whose_teacher_is_gone_launches_nobody_and_says_so(save: Store) -> None:
    teacher = done(save, teacher_spec("Deterministic", epochs=1, trial=9))
    sweep = actions.create(save, sweep_spec(GridSweep, teacher["id"], grid=GRID))
    actions.delete(save, teacher["id"], force=True)
    assert work_on([sweep]) == 1
    run = save.load(sweep)
    assert run["message"].startswith("2 students of 2 not done: wrn_16_1  trial 1  Tt 4 Ts 1 alpha 0.5")
    assert "not launched" in run["message"]
    assert "A student was refused" in str(read_events(sweep.events))


# ---- killed, stopped, resumed


def test_killed_and_resumed_students_of_a_group_end_as_unbroken(
    save: Store, bayesian: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed while one had written its checkpoint and the other had not; the newest common one is torn besides."""
    folders = group_of(save, sweep_spec(GridSweep, bayesian["id"], grid=GRID, bnn_samples=1, epochs=3))

    class Killed(BaseException):
        pass

    def die() -> None:
        raise Killed

    _after_step(monkeypatch, 6, die)
    with pytest.raises(Killed):
        work_on(folders)
    ahead, behind = folders
    tensors = checkpoint.read(ahead.checkpoints)
    assert tensors is not None
    assert checkpoint.steps(ahead.checkpoints) == checkpoint.steps(behind.checkpoints) == [6, 5]
    shutil.copytree(ahead.checkpoints / "000000006", ahead.checkpoints / "000000007")
    (behind.checkpoints / "000000006" / "model.safetensors").write_bytes(b"torn")
    assert {save.load(folder)["status"] for folder in folders} == {"lost"}

    assert work_on(folders, resume=True) == 0
    for folder in folders:
        assert_same(save, folder, alone(save, folder))


def test_students_without_a_common_checkpoint_are_resumed_each_on_its_own(
    save: Store, bayesian: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep = actions.create(save, sweep_spec(GridSweep, bayesian["id"], grid="1:1:1;2:1:1;3:1:1;4:1:1;5:1:1"))
    child = SweepChild([sweep], [0], None, is_resume=False)  # type: ignore[arg-type]
    kept = {"a": [8, 9], "b": [9, 10], "c": [3], "d": [], "e": []}
    for name, steps in kept.items():
        for step in steps:
            (save.root / name / "checkpoints" / f"{step:09d}").mkdir(parents=True)

    def processes(*names: str) -> list[list[str]]:
        return [[s["path"] for s in group] for group in child._processes([{"path": name} for name in names])]

    assert processes("a", "b") == [["a", "b"]]
    assert processes("a", "b", "d", "e") == [["a", "b"], ["d", "e"]]
    assert processes("a", "b", "c", "d") == [["a"], ["b"], ["c"], ["d"]]
    assert processes("d") == [["d"]]
    assert processes() == []


@pytest.fixture
def launched(save: Store, bayesian: dict[str, Any]) -> tuple[RunFolder, list[RunFolder]]:
    """A sweep at work on a group of two, each some steps on its way."""
    sweep = actions.launch(save, sweep_spec(GridSweep, bayesian["id"], grid=GRID, bnn_samples=1, epochs=8))
    until(lambda: len(students_of(save, sweep)) == 2, "both students are written")
    students = students_of(save, sweep)
    until(lambda: min(map(steps_of, students)) >= 2, "two steps of both")
    return sweep, students


@contextmanager
def paused(pid: int | None) -> Iterator[None]:
    """Let a process stand still, so that it is not done before what is done to it."""
    assert pid is not None
    os.killpg(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.killpg(pid, signal.SIGCONT)


def test_a_sweep_lost_stopped_and_lost_with_its_students_ends_as_if_nothing_had_been(
    save: Store, launched: tuple[RunFolder, list[RunFolder]]
) -> None:
    sweep, students = launched
    pid = owner(students[0])
    assert pid == owner(students[1]) is not None

    with paused(pid):
        kill(sweep)  # its students live on, and are taken up again
        assert save.load(sweep)["status"] == "lost"
        assert owner(students[0]) == pid
        actions.resume(save, str(sweep.path))
        until(lambda: save.load(sweep)["status"] == "running", "the sweep is back")
        assert {owner(student) for student in students} == {pid}
        assert len(students_of(save, sweep)) == 2
        before = min(map(steps_of, students))

    assert actions.stop_run(save, str(sweep.path)) == "stopped"  # after one step of both
    assert before < min(map(steps_of, students)) < 8 * STEPS
    assert [save.load(student)["status"] for student in students] == ["stopped", "stopped"]
    newest = {checkpoint.steps(student.checkpoints)[0] for student in students}
    assert len(newest) == 1
    assert [max(e["step"] for e in read_events(student.events)) for student in students] == [*newest, *newest]

    actions.resume(save, str(sweep.path))
    until(lambda: min(map(steps_of, students)) > max(newest), "a step after the resume")
    kill(sweep)
    os.killpg(owner(students[0]) or 0, 9)
    until(lambda: not any(is_locked(student.lock) for student in students), "both are dead")
    assert [save.load(student)["status"] for student in students] == ["lost", "lost"]

    actions.resume(save, str(sweep.path))
    by_hand = [alone(save, student) for student in students]
    assert ended(save, sweep)["status"] == "done", sweep.log.read_text()
    log = students[0].log.read_text().split("Resuming at step ")
    assert len(log) == 1 + 2 * 2  # two resumes of two students, both times in one process
    assert log[-1].split()[0] == log[-2].split()[0]
    for student, other in zip(students, by_hand, strict=True):
        assert_same(save, student, other)


def test_stopping_one_student_frees_it_and_leaves_the_other_and_the_sweep(
    save: Store, launched: tuple[RunFolder, list[RunFolder]]
) -> None:
    sweep, (first, second) = launched
    assert actions.stop_run(save, str(first.path)) == "stopped"
    assert not is_locked(first.lock)
    at = steps_of(second)
    until(lambda: steps_of(second) > at, "the other goes on")
    assert save.load(sweep)["status"] == "running"
    with paused(owner(second)):
        actions.resume(save, str(first.path))  # it goes on by itself, beside the other
        until(lambda: save.load(first)["status"] == "running", "it runs again")
        assert owner(first) != owner(second)
    assert actions.stop_run(save, str(sweep.path)) == "stopped"  # both of them, in whatever process
    assert [save.load(student)["status"] for student in (first, second)] == ["stopped", "stopped"]


def test_a_student_can_be_stopped_before_its_process_has_begun(save: Store, bayesian: dict[str, Any]) -> None:
    """The others of a process that is still importing must not be stopped with it."""
    first, second = group_of(save, sweep_spec(GridSweep, bayesian["id"], grid=GRID, bnn_samples=1, epochs=1))
    spawn([first, second])
    actions.stop_run(save, str(first.path), wait=False)
    assert ended(save, second)["status"] == "done", first.log.read_text()
    assert ended(save, first)["status"] == "stopped"
    assert checkpoint.steps(first.checkpoints) == [1]
