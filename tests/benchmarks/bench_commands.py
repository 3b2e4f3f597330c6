"""The command line with 10,000 runs, 1,000 of them teachers.

Run `python tests/benchmarks/bench_commands.py`. Prints one JSON line a figure: the time of a command beyond that of a
bare one, which imports the libraries that it needs and is timed in turns with it; exit code 1 if one fails its bar.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parent)]
from figure import Figure, report
from many_runs import RUNS, make_save_root, run_id

ROUNDS = 3
BARE_COMMAND = [sys.executable, "-c", "import typer, rich.table, tinydb"]


def seconds(command: list[str], root: Path) -> float:
    """Return how long a command takes, its output read through a pipe."""
    start = time.perf_counter()
    subprocess.run(command, env=os.environ | {"BKD_SAVE": str(root)}, stdout=subprocess.PIPE, check=True)
    return time.perf_counter() - start


def commands(root: Path) -> Iterator[Figure]:
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
        for _ in range(ROUNDS):
            bare.append(seconds(BARE_COMMAND, root))
            full.append(seconds([*bkd, *words], root))
        yield Figure(f"bkd {name} beyond a bare command, s", median(full) - median(bare), bar)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        make_save_root(Path(folder) / "save", with_folders=True)
        sys.exit(report(commands(Path(folder) / "save")))
