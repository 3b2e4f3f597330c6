"""Runs that go on: kept alive and written to by this process as a child would, each event stamped."""

import os
import random
import re
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import chain
from statistics import median
from typing import Any

from terminal import Terminal

from bkd.events import EventWriter
from bkd.locks import acquire
from bkd.runfile import this_host, write_run
from bkd.store import Store

STEPS_PER_S = 10.0
STEPS_PER_EPOCH, EPOCHS = 120, 100
BEGUN_STEPS = 200  # logged before anybody looks
STEP = re.compile(r"\bstep ([\d,]+)")


class LiveRun:
    """A run whose lock this process holds; the loss of each of its steps is one that no other step of it has.

    Attributes:
        id: Of the run.
        written: When each step was appended, monotonic seconds; the first is step 1.
        by_loss: Step by its loss, a figure of four digits.
    """

    def __init__(self, store: Store, index: int) -> None:
        self.id = f"live000{index}"
        self.written: list[float] = []
        self.by_loss: dict[str, int] = {}
        self._random = random.Random(index)
        self._run = _run_json(self.id, index)
        self._folder = store.folder(self._run["path"])
        self._folder.path.mkdir(parents=True)
        write_run(self._folder, self._run)
        store.register(self._run)
        self._lock = acquire(self._folder.lock)
        self._writer = EventWriter(self._folder.events)

    def close(self) -> None:
        """Let go of the lock: the run is lost."""
        self._writer.close()
        os.close(self._lock)

    def write(self) -> None:
        """Append the next step, and after the last one of an epoch the epoch."""
        step = len(self.written) + 1
        epoch = (step - 1) // STEPS_PER_EPOCH
        self._append("step", step, epoch, {"train/loss": self._loss(step), **self._figures(step)})
        self.written.append(time.monotonic())
        if step % STEPS_PER_EPOCH == 0:
            accuracy = round(1 - 1 / (2 + epoch), 4)
            self._append("epoch", step, epoch, {"val/acc": accuracy, "val/ece": 0.05, "val/nll": 0.4 / (1 + epoch)})
            self._run |= {"epoch": epoch + 1, "metrics": {"val/acc": accuracy, "val/ece": 0.05}}
            write_run(self._folder, self._run)

    def _append(self, kind: str, step: int, epoch: int, values: dict[str, Any]) -> None:
        self._writer.write(kind, step=step, epoch=epoch, values=values)

    def _figures(self, step: int) -> dict[str, float]:
        noise = self._random.uniform(0.9, 1.1)
        return {
            "train/acc": 1 - 1 / (1 + step / 50), "grad/noise": 9 * noise / (1 + step / 99),
            "grad/noise_onehot": 10 * noise / (1 + step / 99), "grad/norm": noise, "lr": 0.001,
            "time/images_per_s": round(1000 * noise, 1),
        }  # fmt: skip

    def _loss(self, step: int) -> float:
        """Return a noisy loss that goes down, never twice the same."""
        while True:
            loss = f"{(0.4 + 2 / (1 + step / 100)) * self._random.uniform(0.85, 1.15):.4g}"
            if self.by_loss.setdefault(loss, step) == step:
                return float(loss)


def _run_json(run_id: str, index: int) -> dict[str, Any]:
    spec = {"type": "train", "kind": "Deterministic", "dataset": "digits", "epochs": EPOCHS, "batch_size": 100,
            "learning_rate": 0.001 * (index + 1)}  # fmt: skip
    return {
        "v": 1, "id": run_id, "name": f"wrn_16_1_digits_trial_1_{run_id}", "role": "teacher", "kind": "Deterministic",
        "arch": "wrn_16_1", "dataset": "digits", "status": "running", "epoch": 0, "epochs": EPOCHS,
        "created": time.time() + index, "started": time.time(), "trial": 1, "host": this_host(),
        "path": f"teachers/Deterministic/wrn_16_1/wrn_16_1_digits_trial_1_{run_id}",
        "metrics": {}, "results": {}, "lineage": {}, "environment": {},
        "split": {"train": 100 * STEPS_PER_EPOCH}, "spec": spec,
    }  # fmt: skip


class LiveRuns(ExitStack):
    """Some live runs, each at ten steps a second and at its own time; a context manager that ends them."""

    def __init__(self, store: Store, number: int) -> None:
        super().__init__()
        self.runs = [LiveRun(store, index) for index in range(number)]
        for run in self.runs:
            self.callback(run.close)
            for _ in range(BEGUN_STEPS):
                run.write()

    def pace(self) -> Callable[[], None]:
        """Return a function that appends what is due since now, and is to be called all the time."""
        began, before = time.monotonic(), [len(run.written) for run in self.runs]

        def write_due() -> None:
            for place, run in enumerate(self.runs):
                due = (time.monotonic() - began) * STEPS_PER_S + place / len(self.runs)
                if len(run.written) - before[place] < due - 1:
                    run.write()

        return write_due


Reader = Callable[[Sequence[str], LiveRun], int]
"""Returns the last step of a run that stands on the screen, 0 for none."""


def step_anywhere(lines: Sequence[str], run: LiveRun) -> int:
    """Return the largest "step N" on the screen."""
    return max((int(match[1].replace(",", "")) for line in lines for match in STEP.finditer(line)), default=0)


def step_in_row(lines: Sequence[str], run: LiveRun) -> int:
    """Return the step in the run's row: "step N", the number itself, or the step that has the loss in it."""
    line = next((line for line in lines if run.id in line), "")
    if stated := STEP.search(line):
        return int(stated[1].replace(",", ""))
    return max((run.by_loss.get(word.rstrip("0"), 0) for word in re.findall(r"\d\.\d+", line)), default=0)


@dataclass
class Followed:
    """What was seen of live runs over some seconds.

    Attributes:
        bytes_per_s: That came over the terminal.
        cpu: Share of a core that the program used.
        latencies: Seconds from append to screen, by run id, one a step.
    """

    bytes_per_s: float
    cpu: float
    latencies: dict[str, list[float]] = field(default_factory=dict)

    def median_s(self, *, of: str = "", but: str = "") -> float:
        """Return the median of one run, or of all but one; not a number where a run has never been seen."""
        lists = [self.latencies[of]] if of else [found for run_id, found in self.latencies.items() if run_id != but]
        return median(chain(*lists)) if all(lists) else float("nan")

    def within(self, seconds: float) -> float:
        """Return the share of all events that were seen in time."""
        found = list(chain(*self.latencies.values()))
        return sum(latency <= seconds for latency in found) / max(1, len(found))


def follow(terminal: Terminal, live: LiveRuns, seconds: float, readers: dict[str, Reader]) -> Followed:
    """Append events and read the screen.

    Args:
        terminal: With the program that shows the runs.
        live: The runs.
        seconds: How long.
        readers: How to find a run's last step, by the id of each run to be found.
    """
    write_due, began, cpu_s, num_bytes = live.pace(), time.monotonic(), terminal.cpu_s, terminal.num_bytes
    seen = {run.id: len(run.written) for run in live.runs}
    latencies: dict[str, list[float]] = {run_id: [] for run_id in readers}
    while (now := time.monotonic()) - began < seconds:
        write_due()
        if not terminal.read(0.01):
            continue
        for run in live.runs:
            if run.id not in readers:
                continue
            step = min(readers[run.id](terminal.lines, run), len(run.written))
            latencies[run.id] += [time.monotonic() - at for at in run.written[seen[run.id] : step]]
            seen[run.id] = max(seen[run.id], step)
    took = now - began
    for run in live.runs:  # what has not been seen for long counts as that old
        latencies.get(run.id, []).extend(now - at for at in run.written[seen[run.id] :] if now - at > 1.0)
    return Followed((terminal.num_bytes - num_bytes) / took, (terminal.cpu_s - cpu_s) / took, latencies)
