"""The app on a pseudo-terminal of 180x50: first screen, silence, and one run that logs ten steps a second.

Run `python tests/benchmarks/bench_app.py`. Latency is from the append of an event to its step number on the screen;
bytes are what an SSH link would carry; all in the same run. Prints one JSON line a figure.
"""

import json
import os
import re
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parent)]
from bench_list import make_save_root
from terminal import Terminal

from bkd.events import EventWriter
from bkd.locks import acquire
from bkd.paths import RunFolder
from bkd.runfile import this_host, write_run
from bkd.store import Store

ROUNDS = 5
WATCHED_S = 20
BARE = (
    "from textual.app import App\nfrom textual.widgets import Static\n"
    "class Bare(App):\n    def compose(self):\n        yield Static('bare app')\nBare().run()"
)


def report(name: str, value: float, bar: float) -> None:
    """Print a figure beside its bar."""
    print(json.dumps({"name": name, "value": round(value, 3), "bar": bar, "passed": value <= bar}), flush=True)


def names_shown(terminal: Terminal) -> int:
    """Return how many lines of the screen name a run."""
    return sum(bool(re.search(r"a\d{6}b", line)) for line in terminal.screen.display)


def first_screen(root: Path) -> None:
    """Time the last visible name against a bare app's text, in turns; count the bytes of an idle screen."""
    bare, full, idle = [], [], 0
    for _ in range(ROUNDS):
        with Terminal([sys.executable, "-c", BARE]) as terminal:
            bare.append(terminal.until(lambda t=terminal: t.shows("bare app")))
        with Terminal([sys.executable, "-m", "bkd", "--save", str(root), "tui"]) as terminal:
            full.append(terminal.until(lambda t=terminal: names_shown(t) > 40))
            terminal.quiet(3.0)
            idle = max(idle, terminal.quiet(4.0))
    report("1,000 runs: last visible name after a bare app's text, s", median(full) - median(bare), 0.8)
    report("bytes in 4 s when no visible run is running", idle, 0)


def make_live_run(store: Store) -> RunFolder:
    """Write a run that this process keeps alive."""
    run = {
        "v": 1, "id": "live0001", "name": "wrn_16_1_digits_live0001", "role": "teacher", "kind": "Deterministic",
        "arch": "wrn_16_1", "dataset": "digits", "status": "running", "epoch": 0, "epochs": 100, "created": time.time(),
        "started": time.time(), "path": "teachers/Deterministic/wrn_16_1/live0001", "trial": 1, "host": this_host(),
        "metrics": {}, "results": {}, "lineage": {}, "environment": {}, "split": {"train": 1200},
        "spec": {"type": "train", "kind": "Deterministic", "dataset": "digits", "epochs": 100, "batch_size": 100},
    }  # fmt: skip
    folder = store.folder(run["path"])
    folder.path.mkdir(parents=True)
    write_run(folder, run)
    store.register(run)
    return folder


def watch_live(root: Path) -> None:
    """Watch one run that logs ten steps a second: bytes a second and latency."""
    folder = make_live_run(Store(root))
    lock = acquire(folder.lock)
    writer = EventWriter(folder.events)
    shown = re.compile(r"step ([\d,]+)")
    written: dict[int, float] = {}
    latencies: dict[int, float] = {}

    def write(step: int) -> None:
        values = {"train/loss": 2 / (1 + step / 50), "train/acc": 1 - 1 / (1 + step / 50),
                  "grad/noise": 9 / (1 + step / 99),
                  "grad/noise_onehot": 10 / (1 + step / 99), "grad/norm": 1.0, "time/images_per_s": 1000.0}  # fmt: skip
        written[step] = time.monotonic()
        writer.write("step", step=step, epoch=0, values=values)

    for step in range(1, 200):
        write(step)
    with Terminal([sys.executable, "-m", "bkd", "--save", str(root), "tui"]) as terminal:
        terminal.until(lambda: terminal.shows("live0001"))
        terminal.press(b"\r")
        terminal.until(lambda: terminal.shows("step 199"))
        terminal.quiet(3.0)
        step, began, before = 199, time.monotonic(), terminal.num_bytes
        while time.monotonic() - began < WATCHED_S:
            if time.monotonic() - began >= (step - 199) * 0.1:
                step += 1
                write(step)
            if not terminal.read(0.01):
                continue
            found = [int(m.group(1).replace(",", "")) for line in terminal.screen.display for m in shown.finditer(line)]
            for known in [s for s in written if s > 199 and s not in latencies and s <= max(found, default=0)]:
                latencies[known] = time.monotonic() - written[known]
        report("one run of 10 steps/s watched, KB/s", (terminal.num_bytes - before) / WATCHED_S / 1000, 4.0)
        report("event to screen, median s", median(latencies.values()), 0.3)
    os.close(lock)


def main() -> None:
    """Print every figure."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "save"
        make_save_root(root)
        first_screen(root)
    with tempfile.TemporaryDirectory() as folder:
        watch_live(Path(folder))


if __name__ == "__main__":
    main()
