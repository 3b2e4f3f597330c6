"""Every bar of the app, on a pseudo-terminal of 180x50: first screens, live runs, silence, 10,000 runs.

Run `python tests/benchmarks/bench_app.py`, or with `--only NAME ...` some parts of it. Latency is from the append of an
event to its step on the screen; bytes are what an SSH link would carry; CPU is the app's; all in the same run. Prints
one JSON line a figure; exit code 1 if one fails its bar.
"""

import argparse
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parent)]
from bench_home import home10k
from bench_list import make_save_root
from figure import Figure, report
from live_runs import BEGUN_STEPS, LiveRuns, Reader, follow, step_anywhere, step_in_row
from terminal import SSH, Terminal
from watched_app import app, beyond_bare_s, is_full

from bkd.store import Store

ROUNDS = 3
WATCHED_S = 15.0
SETTLED_S = 3.0  # after which a new screen has nothing more to paint
KB = 1000
LINK = 4.0  # KB/s that a watched app may send
MARK_ALL, DOWN, ENTER = b" " * 8, b"\x1b[B", b"\r"


@contextmanager
def listed_runs() -> Iterator[Path]:
    """Make a save root of 1,000 runs that have ended."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "save"
        make_save_root(root)
        yield root


@contextmanager
def live_runs(number: int) -> Iterator[tuple[Terminal, LiveRuns]]:
    """Start the app on some live runs, and wait until it lists them."""
    with (
        tempfile.TemporaryDirectory() as folder,
        LiveRuns(Store(folder), number) as live,
        app(Path(folder)) as terminal,
    ):
        terminal.until(lambda: all(terminal.shows(run.id) for run in live.runs))
        yield terminal, live


def start() -> Iterator[Figure]:
    """Time the last visible name of 1,000 runs against a bare app's text, in turns; listen to an idle screen."""
    with listed_runs() as root:
        yield Figure("1,000 runs: last visible name after a bare app's text, s", beyond_bare_s(root, ROUNDS), 0.8)
        with app(root) as terminal:
            terminal.until(lambda: is_full(terminal))
            terminal.quiet(SETTLED_S)
            yield Figure("home, no visible run is running: B/s", terminal.quiet(5.0) / 5.0, 0)


def ssh() -> Iterator[Figure]:
    """Count the bytes of the first screen over SSH, and how often its cells are painted."""
    with listed_runs() as root, app(root, SSH) as terminal:
        terminal.until(lambda: is_full(terminal))
        terminal.quiet(SETTLED_S)
        yield Figure("first screen over SSH in 16 colours, KB", terminal.num_bytes / KB, 40)
        cells = terminal.screen.columns * terminal.screen.lines
        yield Figure(
            "first screen over SSH, cells painted over cells there are", terminal.screen.num_cells / cells, 1.1
        )


def watch() -> Iterator[Figure]:
    """Watch one run in its own view."""
    with live_runs(1) as (terminal, live):
        terminal.press(ENTER)
        terminal.until(lambda: terminal.shows(f"step {BEGUN_STEPS}"))
        terminal.quiet(SETTLED_S)
        seen = follow(terminal, live, WATCHED_S, {live.runs[0].id: step_anywhere})
        yield Figure("run view, 10 steps/s: KB/s", seen.bytes_per_s / KB, LINK)
        yield Figure("run view, event to screen: median s", seen.median_s(), 0.3)
        yield Figure("run view with its chart grid: share of a core", seen.cpu, 0.15)


def home() -> Iterator[Figure]:
    """Watch eight runs in the table, one of them selected with its curve beside the table."""
    with live_runs(8) as (terminal, live):
        terminal.quiet(SETTLED_S)
        names = re.findall(r"live000\d", "\n".join(terminal.lines))
        focused = names[0]  # the cursor is on the first row
        readers: dict[str, Reader] = {run.id: step_in_row for run in live.runs}
        seen = follow(terminal, live, WATCHED_S, readers)
        yield Figure("home, 8 runs of 10 steps/s: KB/s", seen.bytes_per_s / KB, LINK)
        yield Figure("home, event to screen of the selected run: median s", seen.median_s(of=focused), 0.3)
        yield Figure("home, event to screen of the other 7: median s", seen.median_s(but=focused), 1.0)
        yield Figure("home, events not on the screen within 1.5 s: share", 1 - seen.within(1.5), 0.01)
        yield Figure("home, table and one chart: share of a core", seen.cpu, 0.05)


def compare() -> Iterator[Figure]:
    """Watch eight compared runs: their curves of the loss of every step over each other."""
    with live_runs(8) as (terminal, live):
        terminal.press(MARK_ALL)
        terminal.until(lambda: terminal.shows("8 marked"))
        terminal.press(b"c")
        terminal.until(lambda: terminal.shows("Differences"))
        for _ in range(12):
            if terminal.shows("train/loss"):
                break
            terminal.press(b"]")
            terminal.quiet(1.0)
        terminal.quiet(SETTLED_S)
        seen = follow(terminal, live, WATCHED_S, {})
        yield Figure("8 compared runs of 10 steps/s: KB/s", seen.bytes_per_s / KB, LINK)


def silence() -> Iterator[Figure]:
    """Listen to a running run that writes nothing, at home and in its own view, and to one that has ended."""
    with live_runs(1) as (terminal, _):
        terminal.quiet(SETTLED_S)
        yield Figure("home, a silent run: B/s", terminal.quiet(6.0) / 6, 100)
        terminal.press(ENTER)
        terminal.until(lambda: terminal.shows(f"step {BEGUN_STEPS}"))
        terminal.quiet(SETTLED_S)
        yield Figure("run view, a silent run: B/s", terminal.quiet(6.0) / 6, 100)


PARTS: dict[str, Callable[[], Iterator[Figure]]] = {
    part.__name__: part for part in (start, ssh, watch, home, compare, silence, home10k)
}


def figures(names: list[str]) -> Iterator[Figure]:
    """Measure some parts, one after the other."""
    for name in names:
        yield from PARTS[name]()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="parts to run")
    sys.exit(report(figures(parser.parse_args().only)))
