"""What a person does with runs: launch, resume, stop, delete, tag. Command line and app call the same functions."""

import os
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bkd.errors import RunBusy, SpecError, StorageError
from bkd.files import storage_error
from bkd.kinds.table import load_kind
from bkd.launch import spawn, stop
from bkd.locks import is_locked
from bkd.paths import RunFolder, data_root
from bkd.plan import Plan, check_draws, check_source, inherit, plan_student, plan_sweep, plan_synthetic, plan_teacher
from bkd.runfile import UNFINISHED, Status, is_unknown, read_run, this_host, write_run, write_user
from bkd.specs import DataSpec, DistillSpec, RunSpec, Weights, load
from bkd.store import Store, heirs_text
from bkd.subsets import SubsetSource, check_made
from bkd.sweep_specs import SamplesSweep, SweepSpec
from bkd.synthetic_spec import SyntheticSpec
from registry import RegistryError


def plan(store: Store, spec: RunSpec) -> Plan:
    """Return what a spec would launch; a student's teacher is looked up and checked.

    Raises:
        SpecError: If spec and teacher do not go together.
        RunNotFound: If there is no such teacher.
    """
    if isinstance(spec, SyntheticSpec):
        return plan_synthetic(spec)
    assert isinstance(spec, DataSpec), type(spec)
    sources = [_source(store, spec, ref) for ref in spec.sources]
    _check_subsets(store, inherit(spec, sources))
    if isinstance(spec, DistillSpec):
        return plan_student(spec, sources[0])
    if isinstance(spec, SweepSpec):
        if isinstance(spec, SamplesSweep):
            check_draws(spec, sources[0], has_draws=_has_draws(store, sources[0]))
        return plan_sweep(spec, sources[0])
    assert spec.kind, type(spec)
    return plan_teacher(spec, sources)


def _check_subsets(store: Store, spec: DataSpec) -> None:
    percents = spec.percents if isinstance(spec, SweepSpec) else [getattr(spec, "fewshot_percent", None)]
    for percent in percents:
        if percent is not None:
            check_made(SubsetSource.of(spec, data_root(spec.data, store.root)), percent)


def _source(store: Store, spec: RunSpec, ref: str) -> dict[str, Any]:
    """Return the run.json of a run that another is made from, checked."""
    folder, run = store.read(ref)
    which = getattr(spec, "weights", Weights.LAST)
    weights = folder.best_weights if which is Weights.BEST else folder.last_weights
    check_source(spec, run, run["status"], has_weights=_has(run, weights))
    return run | {"path": _relative(store, folder)}


def _has(run: dict[str, Any], weights: Path) -> bool:
    """Whether a run left what a teacher needs: its weights, if its kind has any."""
    kind = load_kind(str(run.get("kind"))) if run.get("role") == "teacher" else None
    return weights.is_file() if kind is None or kind.has_weights else run["status"] == Status.DONE


def _has_draws(store: Store, run: Mapping[str, Any]) -> bool:
    """Whether a teacher answers with draws, or one that it combines does."""
    kind, spec = load_kind(str(run["kind"])), load(run["spec"])
    if kind.combine is None:
        return kind.draws(spec)
    return any(_has_draws(store, store.read(ref)[1]) for ref in spec.sources)


def spec_of(plan: Plan) -> RunSpec:
    """Return the spec that a plan will run, with everything filled in."""
    spec: RunSpec = load(plan.run["spec"])
    return spec


def _relative(store: Store, folder: RunFolder) -> str:
    try:
        return str(folder.path.resolve().relative_to(store.root.resolve()))
    except ValueError:
        raise SpecError(
            f"distill.teacher {folder.path} lies outside the save root {store.root}. Give its own with --save."
        ) from None


def create(
    store: Store, spec: RunSpec, *, tags: Sequence[str] = (), lineage: Mapping[str, Any] | None = None
) -> RunFolder:
    """Write a run's folder as queued and register it.

    Args:
        store: Where.
        spec: Of the run.
        tags: Words of the person's.
        lineage: What to add to the run's lineage.

    Raises:
        SpecError, RunNotFound: As `plan`.
        StorageError: If the folder cannot be written; nothing is left behind.
    """
    run = plan(store, _absolute_folders(spec)).run
    run["lineage"] = run["lineage"] | (lineage or {})
    folder = store.folder(run["path"])
    try:
        folder.path.mkdir(parents=True)
    except OSError as error:
        raise storage_error(folder.path, error) from error
    try:
        write_run(folder, run)
        user = write_user(folder, tags=list(tags)) if tags else None
    except StorageError:
        shutil.rmtree(folder.path, ignore_errors=True)
        raise
    store.register(run, user)
    return folder


def _absolute_folders(spec: RunSpec) -> RunSpec:
    """The child may be resumed elsewhere: relative folders of data, subsets and answers are meant from here."""
    if not isinstance(spec, DataSpec):
        return spec
    given = {"data": spec.data or os.environ.get("DATASETS_PATH"), "fewshot_root": getattr(spec, "fewshot_root", None)}
    if getattr(spec, "teacher_cache", "auto") not in ("auto", "off"):
        given["teacher_cache"] = getattr(spec, "teacher_cache", None)
    absolute = {name: str(Path(path).expanduser().absolute()) for name, path in given.items() if path}
    return spec.model_copy(update=absolute)


def launch(store: Store, spec: RunSpec, *, tags: Sequence[str] = ()) -> RunFolder:
    """Create a run and start its child.

    Raises:
        SpecError, RunNotFound, StorageError: As `create`.
    """
    folder = create(store, spec, tags=tags)
    spawn([folder])
    return folder


def resume(store: Store, ref: str, *, force: bool = False) -> RunFolder:
    """Start a run's child again from its last checkpoint.

    Raises:
        RunBusy: If it is done, is running, or ran on another host and `force` is not given.
        RunNotFound, StorageError: As `Store.read`.
    """
    folder, run = store.read(ref)
    if run["status"] == Status.DONE:
        raise RunBusy(f"{run['id']} is done: there is nothing to resume. Launch a new run to train again.")
    if is_locked(folder.lock):
        raise RunBusy(f"{run['id']} is {run['status']}. Watch it with `bkd watch {run['id']}` or stop it first.")
    if run.get("host") not in (None, this_host()) and not force:
        raise RunBusy(
            f"{run['id']} ran on {run['host']}, which may still be at work on it. If it is not, resume with --force."
        )
    stored = requeue(folder)
    spawn([folder], resume=True)
    store.register(stored, {key: run[key] for key in ("tags", "note")})
    return folder


def requeue(folder: RunFolder) -> dict[str, Any]:
    """Write that a run is about to go on, and return its run.json.

    Raises:
        StorageError: If its folder is gone or not writable.
    """
    run = read_run(folder)
    run |= {"status": Status.QUEUED.value, "host": this_host(), "message": None, "ended": None}
    run.pop("exit_code", None)
    write_run(folder, run)
    return run


def stop_run(store: Store, ref: str, *, wait: bool = True) -> str:
    """Stop a run after its step, with a checkpoint; return the status it ends with.

    Raises:
        RunBusy: If it is not running here.
        RunNotFound, StorageError: As `Store.read`.
    """
    folder, run = store.read(ref)
    status = stop(folder, run, wait=wait)
    if wait:
        store.register(store.load(folder))
    return status


def deletable(store: Store, ref: str, *, force: bool = False) -> tuple[RunFolder, dict[str, Any]]:
    """Return the folder and run.json of a run that may be deleted.

    Raises:
        RunBusy: If it is running; unless `force` is given, also if it may be running on another host or students came
            from it.
        RunNotFound, StorageError: As `Store.read`.
        SpecError: If it lies outside the save root.
    """
    folder, run = store.read(ref)
    if not store.holds(folder):
        raise SpecError(f"{folder.path} lies outside the save root {store.root}. Give its own with --save.")
    if run["status"] in UNFINISHED or is_locked(folder.lock):
        raise RunBusy(f"{run['id']} is {run['status']}. Stop it first: `bkd stop {run['id']}`.")
    if is_unknown(run["status"]) and not force:
        raise RunBusy(
            f"{run['id']} may be running on {run['host']}: its last sign of life is less than a minute old. Stop it "
            "there, or give --force to delete it all the same."
        )
    heirs = store.heirs_of(run["id"])
    if heirs and not force:
        raise RunBusy(
            f"{heirs_text(heirs)} came from {run['id']} ({', '.join(h['id'] for h in heirs[:5])}). "
            "Delete them first, or give --force to leave them without their teacher."
        )
    return folder, run


def delete(store: Store, ref: str, *, force: bool = False) -> dict[str, Any]:
    """Delete a run's folder and its row; return its run.json.

    Raises:
        RunBusy, RunNotFound, StorageError, SpecError: As `deletable`.
    """
    folder, run = deletable(store, ref, force=force)
    doomed = folder.path.with_name(f".deleted-{folder.path.name}-{int(time.time())}")
    try:
        folder.path.rename(doomed)  # one step: a half-deleted run is never seen
        shutil.rmtree(doomed)
    except OSError as error:
        raise storage_error(folder.path, error) from error
    _drop_empty_parents(folder.path.parent, store.root)
    try:
        store.registry.remove(run["id"])
    except RegistryError as error:
        store.warn(f"The registry still lists {run['id']} ({error}) `bkd registry rebuild` mends the index.")
    return run


def _drop_empty_parents(path: Path, root: Path) -> None:
    while path != root and root in path.parents and not any(path.iterdir()):
        path.rmdir()
        path = path.parent


def describe(
    store: Store, ref: str, *, add: Sequence[str] = (), drop: Sequence[str] = (), note: str | None = None
) -> dict[str, Any]:
    """Change a run's tags and note and return its run.json with them.

    Raises:
        RunNotFound, StorageError: As `Store.read`; also if user.json cannot be written.
    """
    folder, run = store.read(ref)
    tags = [tag for tag in dict.fromkeys([*run["tags"], *add]) if tag not in drop]
    user = write_user(folder, tags=tags, note=note)
    try:
        if not store.registry.update(run["id"], **user):
            store.register(run, user)
    except RegistryError as error:
        store.warn(f"The registry was not updated ({error}) `bkd registry rebuild` mends the index.")
    return run | user
