"""Real child processes on the real digits, small enough to be quick: what tests share."""

import os
import time
from collections.abc import Callable
from typing import Any

from bkd import actions
from bkd.events import read_events
from bkd.kinds.table import load_kind
from bkd.paths import RunFolder
from bkd.specs import DistillSpec, make_spec
from bkd.store import Store

DEADLINE_S = 240.0
SMALL = {"dataset": "digits", "train_limit": 400, "epochs": 4, "checkpoint_every": 0.001, "learning_rate": 2e-3}


def until(is_true: Callable[[], bool], what: str) -> None:
    """Wait for something that a child does; the deadline only ends a test that would hang."""
    deadline = time.monotonic() + DEADLINE_S
    while not is_true():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.02)


def ended(store: Store, folder: RunFolder) -> dict[str, Any]:
    """Wait until a run has ended and return run.json with its status."""
    until(lambda: store.load(folder)["status"] not in ("queued", "running"), f"{folder.path.name} ends")
    return store.load(folder)


def teacher_spec(kind: str, **values: Any) -> Any:
    return make_spec(load_kind(kind).spec, SMALL | {"arch": "wrn_16_1"} | values)


def student_spec(teacher: str, **values: Any) -> Any:
    base = {key: value for key, value in SMALL.items() if key != "dataset"}
    return make_spec(DistillSpec, base | {"teacher": teacher, "student": "wrn_16_1", "bnn_samples": 2} | values)


def steps_of(folder: RunFolder) -> int:
    return max((int(event["step"]) for event in read_events(folder.events)), default=0)


def timeless(folder: RunFolder) -> list[dict[str, Any]]:
    """Return a run's events without their times."""
    return [
        {key: value for key, value in event.items() if key != "t" and not key.startswith("time/")}
        for event in read_events(folder.events)
    ]


def finished(store: Store, spec: Any) -> dict[str, Any]:
    run = ended(store, actions.launch(store, spec))
    assert run["status"] == "done", run["message"]
    return run


def kill(folder: RunFolder) -> None:
    from bkd.launch import owner

    pid = owner(folder)
    assert pid is not None
    os.killpg(pid, 9)
    until(lambda: owner(folder) is None, "the killed child's lock is free")
