"""Several trials of one setting: how they are written, and how they are launched one after another.

Runs at the same time would share the processors and slow each other down far more than by their number; who wants that
launches them apart, with `--threads` each.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from bkd import actions
from bkd.errors import BkdError, SpecError
from bkd.launch import spawn_queue
from bkd.paths import RunFolder
from bkd.runfile import read_run, write_run
from bkd.specs import DistillSpec, RunSpec, make_spec
from bkd.store import Store
from bkd.sweep_specs import SeedsSweep

MOST_TRIALS = 100
FORM = "Give whole numbers >= 0, as 1-5 or 1,2,5."


def parse_trials(text: str) -> list[int]:
    """Read "1-3,7" as [1, 2, 3, 7], each once.

    Raises:
        ValueError: Saying what it must be, if it is something else.
    """
    found: list[int] = []
    for word in text.replace(",", " ").split():
        first, dash, last = word.partition("-")
        ends = (first, last if dash else first)
        if not all(end.isascii() and end.isdigit() and len(end) < 16 for end in ends) or int(ends[0]) > int(ends[1]):
            raise ValueError(f"must be whole numbers >= 0, as 1-5 or 1,2,5, got {word!r}")
        if int(ends[1]) - int(ends[0]) >= MOST_TRIALS:
            raise ValueError(f"must be at most {MOST_TRIALS}, got {word}")
        found += range(int(ends[0]), int(ends[1]) + 1)
    if not found:
        raise ValueError(f"must not be empty: whole numbers >= 0, as 1-5 or 1,2,5, got {text!r}")
    trials = list(dict.fromkeys(found))
    if len(trials) > MOST_TRIALS:
        raise ValueError(f"must be at most {MOST_TRIALS}, got {len(trials)}")
    return trials


def seeds_values(cls: type[RunSpec], values: Mapping[str, Any], trials: Sequence[int]) -> dict[str, Any] | None:
    """Return the values of the sweep that repeats a student over trials; None where no sweep does that."""
    if not issubclass(cls, DistillSpec):
        return None
    own = {name: value for name, value in values.items() if name != "trial"}
    student = own.pop("student", DistillSpec.model_fields["student"].default)
    if not own.keys() <= SeedsSweep.model_fields.keys():
        return None
    return own | {"students": [student], "trials": list(trials)}


def spec_of_trials(cls: type[RunSpec], values: Mapping[str, Any], trials: Sequence[int]) -> RunSpec:
    """Return the spec that a plan of several trials is made of: the sweep's, or the first trial's.

    Raises:
        SpecError: As `make_spec`.
    """
    sweep = seeds_values(cls, values, trials) if len(trials) > 1 else None
    if sweep is not None:
        spec: RunSpec = make_spec(SeedsSweep, sweep)
    else:
        spec = make_spec(cls, {**values, "trial": trials[0]})
    return spec


def launch_trials(
    store: Store, cls: type[RunSpec], values: Mapping[str, Any], trials: Sequence[int], *, tags: Sequence[str] = ()
) -> list[RunFolder]:
    """Launch a run for each trial, one after another, and return their folders; students as a sweep, which is one run.

    Those that wait are queued. Their process goes on without this one.

    Raises:
        SpecError, RunNotFound, StorageError: As `actions.create`; then nothing is left behind.
    """
    spec = spec_of_trials(cls, values, trials)
    if len(trials) == 1 or isinstance(spec, SeedsSweep):
        return [actions.launch(store, spec, tags=tags)]
    folders: list[RunFolder] = []
    try:
        for trial in trials:
            folders.append(actions.create(store, make_spec(cls, {**values, "trial": trial}), tags=tags))
            if len(folders) > 1:
                _note_wait(folders[-1], read_run(folders[-2]))
        spawn_queue(folders)
    except BkdError:
        for folder in folders:
            actions.delete(store, str(folder.path), force=True)
        raise
    return folders


def _note_wait(folder: RunFolder, before: Mapping[str, Any]) -> None:
    write_run(folder, read_run(folder) | {"message": f"Waits for {before['id']}, trial {before['trial']}, to end."})


def trials_of(text: str) -> list[int]:
    """Return the trials that a flag names.

    Raises:
        SpecError: If it cannot be read.
    """
    try:
        return parse_trials(text)
    except ValueError as error:
        raise SpecError(f"trials {error}. {FORM}") from None
