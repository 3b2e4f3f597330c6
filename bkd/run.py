"""The child process of a run: takes over its lock, gives signs of life, samples its machine, does its work."""

import argparse
import os
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path

from bkd.kinds.table import load_kind
from bkd.locks import acquire
from bkd.paths import RunFolder
from bkd.runfile import HEARTBEAT_S, read_run
from bkd.stopping import StopFlag
from bkd.system_probe import Sampler

CHILDREN = {
    "train": "bkd.child_train:TrainChild",
    "distill": "bkd.child_train:TrainChild",
    "sweep": "bkd.child_sweep:SweepChild",
    "synthetic": "bkd.child_synthetic:SyntheticChild",
}
"""What works on runs of each type, by its first word."""
MAKER = "bkd.child_make:MakeChild"  # teachers of kinds that the loop does not train


def main(arguments: Sequence[str], flag: StopFlag) -> int:
    """Run the folders named on the command line and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bkd run")
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--lock-fds", default="")
    parser.add_argument("--resume", action="store_true")
    given = parser.parse_args(arguments)
    folders = [RunFolder(path.absolute()) for path in given.folders]
    locks = [int(fd) for fd in given.lock_fds.split(",") if fd] or [acquire(folder.lock) for folder in folders]
    for lock in locks:
        os.set_inheritable(lock, False)
    _start_heartbeat(folders)
    with Sampler(folders, locks):
        module, name = _worker(folders[0]).split(":")
        return int(getattr(import_module(module), name)(folders, locks, flag, is_resume=given.resume).run())


def _worker(folder: RunFolder) -> str:
    spec = read_run(folder)["spec"]
    if spec["type"] == "train" and not load_kind(spec["kind"]).is_trained:
        return MAKER
    return CHILDREN[spec["type"].split()[0]]


def _start_heartbeat(folders: Sequence[RunFolder]) -> None:
    def beat() -> None:
        while True:
            for folder in folders:
                with suppress(OSError):  # a run that ended before the others of this process may be deleted
                    os.utime(folder.lock)
            time.sleep(HEARTBEAT_S)

    threading.Thread(target=beat, daemon=True, name="heartbeat").start()
