"""Several trials as real processes: one after another, stopped while they wait, going on without who launched them."""

import os
import signal
import time
from typing import Any

import pytest
from children import SMALL, ended, until

from bkd import actions
from bkd.errors import RunBusy
from bkd.kinds.table import load_kind
from bkd.launch import owner
from bkd.paths import RunFolder
from bkd.runfile import read_run
from bkd.store import Store
from bkd.trials import launch_trials

TINY = SMALL | {"arch": "wrn_16_1", "epochs": 1, "train_limit": 200, "threads": 1}


def launch(store: Store, trials: list[int], **values: Any) -> list[RunFolder]:
    return launch_trials(store, load_kind("Deterministic").spec, TINY | values, trials)


def status(store: Store, folder: RunFolder) -> str:
    return str(store.load(folder)["status"])


def test_trials_run_one_after_another_in_processes_of_their_own(store: Store) -> None:
    first, second, third = launch(store, [1, 2, 3])
    assert status(store, second) == status(store, third) == "queued"
    assert "Waits for" in read_run(third)["message"]
    with pytest.raises(RunBusy):
        actions.resume(store, str(second.path))
    runs = [ended(store, folder) for folder in (first, second, third)]
    assert [(run["trial"], run["status"], run["message"]) for run in runs] == [(n, "done", None) for n in (1, 2, 3)]
    assert runs[0]["ended"] <= runs[1]["started"]
    assert runs[1]["ended"] <= runs[2]["started"]
    assert len({run["pid"] for run in runs}) == 3
    until(lambda: {row["status"] for row in store.registry.rows()} == {"done"}, "the registry knows")
    assert runs[0]["metrics"]["train/loss"] != runs[1]["metrics"]["train/loss"]


def test_one_that_waits_is_stopped_and_the_others_go_on(store: Store) -> None:
    first, second, third = launch(store, [1, 2, 3], epochs=400)
    until(lambda: status(store, first) == "running", "the first is at work")
    assert actions.stop_run(store, str(second.path)) == "stopped"
    assert read_run(second)["message"] == "stopped before its turn"
    assert status(store, first) == "running"
    assert actions.stop_run(store, str(first.path)) == "stopped"
    until(lambda: status(store, third) == "running", "the third has its turn")
    assert actions.stop_run(store, str(third.path)) == "stopped"
    actions.resume(store, str(second.path))
    until(lambda: status(store, second) == "running", "the second goes on")
    actions.stop_run(store, str(second.path))


def test_a_failed_trial_leaves_the_others_alive(store: Store) -> None:
    first, second = launch(store, [1, 2], epochs=30)
    until(lambda: status(store, first) == "running", "the first is at work")
    pid = owner(first)
    assert pid is not None
    os.killpg(pid, signal.SIGKILL)
    until(lambda: status(store, first) == "lost", "the first is lost")
    until(lambda: status(store, second) == "running", "the second has its turn")
    actions.stop_run(store, str(second.path))


def test_who_ends_the_queue_loses_no_run_that_is_at_work(store: Store) -> None:
    first, second, third = launch(store, [1, 2, 3], epochs=400)
    until(lambda: status(store, first) == "running", "the first is at work")
    queue = owner(second)
    assert queue is not None
    assert queue != owner(first)
    os.kill(queue, signal.SIGTERM)
    until(lambda: status(store, third) == "stopped", "those that wait are told to be stopped")
    assert status(store, second) == "stopped"
    time.sleep(0.1)
    assert status(store, first) == "running"
    actions.stop_run(store, str(first.path))


def test_a_killed_queue_leaves_those_that_wait_to_be_resumed(store: Store) -> None:
    first, second = launch(store, [1, 2], epochs=2)
    queue = owner(second)
    assert queue is not None
    os.kill(queue, signal.SIGKILL)
    until(lambda: status(store, second) == "lost", "nobody owns the second")
    ended(store, first)
    actions.resume(store, str(second.path))
    assert ended(store, second)["status"] == "done"
