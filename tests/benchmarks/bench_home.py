"""The app with 10,000 runs, 1,000 of them teachers, on a pseudo-terminal of 180x50.

Run `python tests/benchmarks/bench_home.py`. Prints one JSON line a figure; exit code 1 if one fails its bar. The first
screen's time is beyond that of a bare app that is timed in turns with it. Beside the time from a key to the screen
stands the processor time of the app's first thread: it tells also on a busy machine.
"""

import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import psutil

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parent)]
from figure import Figure, report
from many_runs import TEACHERS, live_run, make_save_root, write_folder
from terminal import Terminal
from watched_app import app, beyond_bare_s, is_full

from bkd.errors import FilterError
from bkd.locks import acquire
from bkd.paths import RunFolder
from bkd.store import Store
from bkd.where import compile_filter

ROUNDS = 3
IDLE_S = 5
CHANGES = 8
TYPED = ("acc > .1357 kind ~ lap", "trial_1_a00123")  # most keys of a filter change its rows; part of a name
HELD = 40  # times that a key repeats while it is held down
TABS = (("2", "Teacher"), ("3", "Students"), ("1", "Curve"))  # and a heading that only this table has
MIB = 1 << 20


@contextmanager
def quiet_app(root: Path) -> Iterator[Terminal]:
    """Run the app until its first screen is full and quiet."""
    with app(root) as terminal:
        terminal.until(lambda: is_full(terminal))
        terminal.quiet(2.0)
        yield terminal


def memory(terminal: Terminal, when: str) -> Figure:
    """Return what the app holds."""
    return Figure(f"10,000 runs: memory {when}, RSS MiB", psutil.Process(terminal.pid).memory_info().rss / MIB, 300)


def idle(terminal: Terminal, what: str, most_bytes: int) -> Iterator[Figure]:
    """Count bytes and processor time while nothing is pressed."""
    process = psutil.Process(terminal.pid)
    before, began = sum(process.cpu_times()[:2]), time.monotonic()
    num_bytes = terminal.quiet(IDLE_S)
    used = sum(process.cpu_times()[:2]) - before
    yield Figure(f"10,000 runs, {what}: B/s", num_bytes / IDLE_S, most_bytes)
    yield Figure(f"10,000 runs, {what}: share of a core", used / (time.monotonic() - began), 0.05)


def ui_ms(terminal: Terminal) -> float:
    """Return the processor time that the app's first thread has used, in ms."""
    return int(Path(f"/proc/{terminal.pid}/schedstat").read_text().split()[0]) / 1e6


# ---- keys


class Keys:
    """Keys that were pressed, how long each took to the screen, and what it cost the app's first thread, in ms."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.work: list[float] = []

    def press(self, terminal: Terminal, keys: str, shown: str) -> None:
        """Press keys and wait for what they bring to the screen."""
        began, used = time.monotonic(), ui_ms(terminal)
        terminal.press(keys.encode())
        terminal.until(lambda: terminal.shows(shown), limit_s=60)
        self.times.append(1000 * (time.monotonic() - began))
        terminal.quiet(0.2)
        self.work.append(ui_ms(terminal) - used)


def expected_matches(store: Store, text: str) -> int | None:
    """Return how many teachers a filter leaves, None where it does not parse yet."""
    try:
        matches = compile_filter(text)
    except FilterError:
        return None
    return sum(matches(row) for row in store.registry.rows("teacher"))


def type_filters(root: Path) -> Iterator[Figure]:
    """Time each keystroke to the screen that shows its rows, named in the table's title."""
    keys = Keys()
    for typed in TYPED:
        counts = [expected_matches(Store(root), typed[: n + 1]) for n in range(len(typed))]
        with quiet_app(root) as terminal:
            terminal.press(b"/")
            terminal.quiet(1.0)
            last: int | None = TEACHERS
            for key, count in zip(typed, counts, strict=True):
                if count is not None and count != last:
                    keys.press(terminal, key, f"{count:,} of {TEACHERS:,}")
                    last = count
                else:
                    terminal.press(key.encode())
                    terminal.quiet(0.2)
            if typed is TYPED[0]:
                yield memory(terminal, "after typing a filter")
    number = len(keys.times)
    yield Figure(f"10,000 runs, filter keystroke to screen: median of {number}, ms", median(keys.times), 100)
    yield Figure(f"10,000 runs, filter keystroke to screen: worst of {number}, ms", max(keys.times), 100)
    yield Figure("10,000 runs, filter keystroke and what follows it: median ms of the first thread",
                 median(keys.work), 50)  # fmt: skip


def walk(root: Path) -> Iterator[Figure]:
    """Hold a key down, and go from table to table."""
    tabs = Keys()
    with quiet_app(root) as terminal:
        used = ui_ms(terminal)
        for _ in range(HELD):
            terminal.press(b"j")
            terminal.quiet(0.03)
        terminal.quiet(1.0)
        yield Figure("10,000 runs, cursor held down: ms of the first thread a row", (ui_ms(terminal) - used) / HELD, 30)
        for key, heading in TABS * 2:
            tabs.press(terminal, key, heading)
    yield Figure("10,000 runs, another table to screen: worst ms", max(tabs.times), 200)


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


def blocked(root: Path, work: Path) -> Iterator[Figure]:
    """Tell how long event loop and interpreter were blocked by a row that changes now and then."""
    asked, told = work / "asked", work / "told"
    asked.write_text("")
    store = Store(root)
    rows = store.registry.rows()
    code = PROBED.format(root=str(root), asked=str(asked), told=str(told))
    loop, thread = [], []
    with Terminal([sys.executable, "-c", code]) as terminal:
        terminal.until(lambda: is_full(terminal))
        terminal.quiet(4.0)
        for n in range(CHANGES + 1):
            store.registry.update(rows[-1 - n]["id"], epoch=n + 1)
            terminal.quiet(1.6)
            asked.write_text("x")
            terminal.quiet(0.2)
            gaps = json.loads(told.read_text())
            if n:  # the first one has seen the start
                loop.append(1000 * gaps["loop"])
                thread.append(1000 * gaps["thread"])
        yield memory(terminal, f"after {CHANGES} changes")
    yield Figure("10,000 runs, one row changes: event loop blocked, median ms", median(loop), 50)
    yield Figure("10,000 runs, one row changes: event loop blocked, worst ms", max(loop), 100)
    yield Figure("10,000 runs, one row changes: other threads blocked, worst ms", max(thread), 100)


def write_rows(store: Store) -> Figure:
    """Time what a run does to tell how it stands."""
    times = []
    rows = store.registry.rows()
    for n in range(9):
        began = time.perf_counter()
        store.registry.put(rows[n * 1000] | {"epoch": n})
        times.append(1000 * (time.perf_counter() - began))
    return Figure("10,000 runs: a run writes its row, median ms", median(times), 250)


def home10k() -> Iterator[Figure]:
    """Measure the home screen of 10,000 runs."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "save"
        make_save_root(root)
        yield Figure("10,000 runs: last visible name after a bare app's text, s", beyond_bare_s(root, ROUNDS), 1.0)
        with quiet_app(root) as terminal:
            yield memory(terminal, "at the first screen")
            yield from idle(terminal, "no run at work, 300 lost", 0)
        yield from type_filters(root)
        yield from walk(root)
        yield from blocked(root, Path(folder))
        store, locks = Store(root), []
        yield write_rows(store)
        for i in range(10):
            run = live_run(i)
            locks.append(acquire(RunFolder(write_folder(root, run)).lock))
            store.register(run)
        with quiet_app(root) as terminal:
            yield from idle(terminal, "10 silent runs at work", 100)


if __name__ == "__main__":
    sys.exit(report(home10k()))
