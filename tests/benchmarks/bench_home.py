"""The app and the command line with 10,000 runs, 1,000 of them teachers; the app on a pseudo-terminal of 180x50.

Run `python tests/benchmarks/bench_home.py`, or with `app` or `commands` for one half. Prints one JSON line a figure:
times of commands and of the first screen are beyond those of a bare program that is timed in turns with them.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import psutil

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parent)]
from bench_app import BARE, names_shown
from many_runs import RUNS, TEACHERS, live_run, make_save_root, run_id, write_folder
from terminal import Terminal

from bkd.locks import acquire
from bkd.paths import RunFolder
from bkd.store import Store

ROUNDS = 5
IDLE_S = 6
CHANGES = 12
TYPED = ("acc > .1357 kind ~ lap", "trial_1_a00123")  # most keys of a filter change its rows; part of a name
MIB = 1 << 20
BARE_COMMAND = [sys.executable, "-c", "import typer, rich.table, tinydb"]


def report(name: str, value: float, bar: float) -> None:
    """Print a figure beside its bar."""
    print(json.dumps({"name": name, "value": round(value, 3), "bar": bar, "passed": value <= bar}), flush=True)


@contextmanager
def app(root: Path) -> Iterator[Terminal]:
    """Run the app until its first screen is full and quiet."""
    with Terminal([sys.executable, "-m", "bkd", "--save", str(root), "tui"]) as terminal:
        terminal.until(lambda: names_shown(terminal) > 40)
        terminal.quiet(2.0)
        yield terminal


# ---- the first screen, memory, silence


def first_screen(root: Path) -> None:
    """Time the last visible name against a bare app's text, in turns."""
    bare, full = [], []
    for _ in range(ROUNDS):
        with Terminal([sys.executable, "-c", BARE]) as terminal:
            bare.append(terminal.until(lambda t=terminal: t.shows("bare app")))
        with Terminal([sys.executable, "-m", "bkd", "--save", str(root), "tui"]) as terminal:
            full.append(terminal.until(lambda t=terminal: names_shown(t) > 40))
    report("last visible name after a bare app's text, s", median(full) - median(bare), 1.0)


def idle(root: Path, what: str, most_bytes: int) -> None:
    """Count bytes and processor time while nothing is pressed."""
    with app(root) as terminal:
        process = psutil.Process(terminal.pid)
        before, began = sum(process.cpu_times()[:2]), time.monotonic()
        num_bytes = terminal.quiet(IDLE_S)
        used = sum(process.cpu_times()[:2]) - before
        report(f"idle, {what}: bytes/s", num_bytes / IDLE_S, most_bytes)
        report(f"idle, {what}: share of a core", used / (time.monotonic() - began), 0.05)


def say_memory(terminal: Terminal, when: str) -> None:
    """Print what the app holds."""
    info = psutil.Process(terminal.pid).memory_full_info()
    report(f"memory {when}, RSS MiB", info.rss / MIB, 300)
    report(f"memory {when}, PSS MiB", info.pss / MIB, 300)


def ui_ms(terminal: Terminal) -> float:
    """Return the processor time that the app's first thread has used, in ms: it tells also on a busy machine."""
    return int(Path(f"/proc/{terminal.pid}/schedstat").read_text().split()[0]) / 1e6


# ---- the filter


def expected_matches(root: Path, text: str) -> int | None:
    """Return how many teachers a filter leaves, None where it does not parse yet."""
    from bkd.errors import FilterError
    from bkd.where import compile_filter

    try:
        matches = compile_filter(text)
    except FilterError:
        return None
    return sum(matches(row) for row in Store(root).registry.rows("teacher"))


def type_filters(root: Path) -> None:
    """Time each keystroke from the press to the screen that shows its rows, named in the table's title."""
    times, work = [], []
    for typed in TYPED:
        counts = [expected_matches(root, typed[: n + 1]) for n in range(len(typed))]
        with app(root) as terminal:
            terminal.press(b"/")
            terminal.quiet(1.0)
            last: int | None = TEACHERS
            for key, count in zip(typed, counts, strict=True):
                began, used = time.monotonic(), ui_ms(terminal)
                terminal.press(key.encode())
                if count is not None and count != last:
                    wanted = f"{count:,} of {TEACHERS:,}"
                    terminal.until(lambda t=terminal, w=wanted: t.shows(w), limit_s=120)
                    times.append(time.monotonic() - began)
                    work.append(ui_ms(terminal) - used)
                    last = count
                terminal.quiet(0.2)
            if typed is TYPED[0]:
                say_memory(terminal, "after typing a filter")
    report(f"filter keystroke to screen, median of {len(times)}, ms", 1000 * median(times), 100)
    report(f"filter keystroke to screen, worst of {len(times)}, ms", 1000 * max(times), 100)
    report(f"filter keystroke, processor time of the app's first thread, median of {len(work)}, ms", median(work), 80)


# ---- rows that change


PROBED = """
import asyncio, json, sys, threading, time
from tui.app import BkdApp
gaps = {{"loop": 0.0, "thread": 0.0}}
def tick():
    last = time.perf_counter()
    while True:
        time.sleep(0.001)
        now = time.perf_counter()
        gaps["thread"], last = max(gaps["thread"], now - last), now
class Probed(BkdApp):
    def on_ready(self):
        super().on_ready()
        self.set_timer(3, self.begin)
    def begin(self):
        threading.Thread(target=tick, daemon=True).start()
        asyncio.get_running_loop().create_task(self.probe())
    async def probe(self):
        last = time.perf_counter()
        while True:
            await asyncio.sleep(0.001)
            now = time.perf_counter()
            gaps["loop"], last = max(gaps["loop"], now - last), now
            if open({asked!r}).read():
                open({told!r}, "w").write(json.dumps(gaps))
                open({asked!r}, "w").close()
                gaps.update(loop=0.0, thread=0.0)
Probed({root!r}).run()
"""


def blocked(root: Path, work: Path) -> None:
    """Print how long event loop and interpreter were blocked by a row that changes now and then."""
    asked, told = work / "asked", work / "told"
    asked.write_text("")
    store = Store(root)
    rows = store.registry.rows()
    code = PROBED.format(root=str(root), asked=str(asked), told=str(told))
    loop, thread = [], []
    with Terminal([sys.executable, "-c", code]) as terminal:
        terminal.until(lambda: names_shown(terminal) > 40)
        terminal.quiet(4.0)
        for n in range(CHANGES + 1):
            store.registry.update(rows[-1 - n]["id"], epoch=n + 1)
            terminal.quiet(1.6)
            asked.write_text("x")
            terminal.quiet(0.2)
            gaps = json.loads(told.read_text())
            if n:  # the first one has seen the start
                loop.append(gaps["loop"])
                thread.append(gaps["thread"])
        say_memory(terminal, f"after {CHANGES} changes")
    report("one row changes: event loop blocked, median ms", 1000 * median(loop), 50)
    report("one row changes: event loop blocked, worst ms", 1000 * max(loop), 100)
    report("one row changes: other threads blocked, worst ms", 1000 * max(thread), 100)


def write_rows(root: Path) -> None:
    """Time what a run does to tell how it stands."""
    store, times = Store(root), []
    rows = store.registry.rows()
    for n in range(9):
        began = time.perf_counter()
        store.registry.put(rows[n * 1000] | {"epoch": n})
        times.append(time.perf_counter() - began)
    report("a run writes its row, median ms", 1000 * median(times), 250)


# ---- commands


def seconds(command: list[str], root: Path) -> float:
    """Return how long a command takes, its output read through a pipe."""
    start = time.perf_counter()
    subprocess.run(command, env=os.environ | {"BKD_SAVE": str(root)}, stdout=subprocess.PIPE, check=True)
    return time.perf_counter() - start


def commands(root: Path) -> None:
    """Time commands against the import of the libraries that they need, in turns."""
    bkd = [sys.executable, "-m", "bkd"]
    listed = subprocess.run([*bkd, "list"], env=os.environ | {"BKD_SAVE": str(root)}, capture_output=True, text=True)
    assert len(re.findall(r"^a\d{6}b ", listed.stdout, re.M)) == RUNS
    for name, words, bar in (
        ("list", ["list"], 1.0),
        ("list --json", ["list", "--json"], 1.0),
        ("list --where", ["list", "--where", "kind = bayesian acc > 90%"], 0.5),
        ("list --limit 20", ["list", "--limit", "20"], 0.5),
        ("show", ["show", run_id(5000)], 0.6),
        ("compare of two", ["compare", run_id(5001), run_id(5002)], 1.0),
        ("tree", ["tree"], 3.0),
        ("report", ["report"], 5.0),
        ("registry check", ["registry", "check"], 3.0),
    ):
        bare, full = [], []
        for _ in range(3):
            bare.append(seconds(BARE_COMMAND, root))
            full.append(seconds([*bkd, *words], root))
        report(f"bkd {name} beyond a bare command, s", median(full) - median(bare), bar)


def measure_app(work: Path) -> None:
    """Print the figures of the app."""
    root = work / "app"
    make_save_root(root)
    first_screen(root)
    with app(root) as terminal:
        say_memory(terminal, "at the first screen")
    idle(root, "no run at work, 300 lost", 0)
    type_filters(root)
    blocked(root, work)
    write_rows(root)
    store, locks = Store(root), []
    for i in range(10):
        run = live_run(i)
        folder = RunFolder(write_folder(root, run))
        locks.append(acquire(folder.lock))
        store.register(run)
    idle(root, "10 silent runs at work, 300 lost", 100)


def main() -> None:
    """Print every figure."""
    halves = sys.argv[1:] or ["app", "commands"]
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        if "app" in halves:
            measure_app(work)
        if "commands" in halves:
            make_save_root(work / "commands", with_folders=True)
            commands(work / "commands")


if __name__ == "__main__":
    main()
