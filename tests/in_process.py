"""Runs whose child's work is done in this process: the code of a child, without its three seconds of imports."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import torch

from bkd import actions
from bkd.locks import acquire
from bkd.paths import RunFolder
from bkd.run import _worker
from bkd.stopping import StopFlag
from bkd.store import Store


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute on one thread, as the children of tests do: bits depend on it."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def work_on(folders: Sequence[RunFolder], *, resume: bool = False, flag: StopFlag | None = None) -> int:
    """Do what one child would do for these runs and return its exit code."""
    locks = [acquire(folder.lock) for folder in folders]
    module, name = _worker(folders[0]).split(":")
    child = getattr(import_module(module), name)(folders, locks, flag or StopFlag(), is_resume=resume)
    try:
        with one_thread():
            return int(child.run())
    finally:
        for lock in child.locks.values():  # those of a child that has one run go with its process
            os.close(lock)


def done(store: Store, spec: Any) -> dict[str, Any]:
    """Return a finished run."""
    folder = actions.create(store, spec)
    code = work_on([folder])
    run = store.load(folder)
    assert (code, run["status"]) == (0, "done"), run["message"]
    return run
