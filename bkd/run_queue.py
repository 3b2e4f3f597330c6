"""The process of runs that wait for each other: it holds their locks and starts the next when one has ended.

Every run has a child and a session of its own, so whoever stops this process stops no run that is at work. A run that
waits is stopped by `stop.request` in its folder.
"""

import argparse
import os
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from bkd.errors import BkdError
from bkd.launch import start_locked
from bkd.paths import RunFolder
from bkd.runfile import HEARTBEAT_S, Status, read_run, read_user, write_run
from bkd.stopping import StopFlag
from bkd.store import Store, root_of

POLL_S = 0.2
STOPPED = "stopped before its turn"


class RunQueue:
    """Runs that wait, and the one at work.

    Args:
        folders: In the order in which they run.
        locks: Descriptors of their locks.
        flag: Set by SIGTERM: nothing more is started.
    """

    def __init__(self, folders: Sequence[RunFolder], locks: Sequence[int], flag: StopFlag) -> None:
        self._waiting = dict(zip(folders, locks, strict=True))
        self._flag = flag
        self._beat_at = 0.0
        self._store = Store(root_of(folders[0]), warn=lambda text: print(text, flush=True))

    def run(self) -> None:
        """Run one after another until none waits, or this process is asked to stop."""
        while self._waiting:
            self._drop_stopped()
            folder = next(iter(self._waiting), None)
            if folder is not None:
                self._work_on(folder)

    def _work_on(self, folder: RunFolder) -> None:
        """Run the next one and wait for its end; one that cannot be started is told of and left."""
        lock = self._waiting.pop(folder)
        try:
            process = start_locked(folder, lock)
        except BkdError as error:
            self._end(folder, Status.FAILED, str(error))
            return
        finally:
            os.close(lock)
        while process.poll() is None:
            self._drop_stopped()
            if self._flag.is_set:
                return
            with suppress(subprocess.TimeoutExpired):
                process.wait(POLL_S)

    def _drop_stopped(self) -> None:
        """Let go of those that were asked to stop, and give a sign of life of the others."""
        for folder, lock in list(self._waiting.items()):
            if self._flag.is_set or folder.stop_request.exists() or not folder.run.exists():
                self._end(folder, Status.STOPPED, STOPPED)
                os.close(lock)
                del self._waiting[folder]
        if time.monotonic() - self._beat_at >= HEARTBEAT_S:
            self._beat_at = time.monotonic()
            for folder in self._waiting:
                with suppress(OSError):
                    os.utime(folder.lock)

    def _end(self, folder: RunFolder, status: Status, message: str) -> None:
        try:
            run = read_run(folder)
            run |= {"status": status.value, "ended": round(time.time(), 3), "message": message}
            write_run(folder, run)
            self._store.register(run, read_user(folder))
        except BkdError as error:
            print(error, flush=True)


def main(arguments: Sequence[str], flag: StopFlag) -> int:
    """Run the folders named on the command line one after another and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bkd queue")
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--lock-fds", required=True)
    given = parser.parse_args(arguments)
    locks = [int(fd) for fd in given.lock_fds.split(",")]
    for lock in locks:
        os.set_inheritable(lock, False)  # each child gets its own lock alone
    RunQueue([RunFolder(path.absolute()) for path in given.folders], locks, flag).run()
    return 0
