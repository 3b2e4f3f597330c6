"""A cold `bkd list` of 1,000 runs over a bare `python -c "import typer, rich.table, tinydb"`.

Run `python tests/benchmarks/bench_list.py`. It checks first that every row is printed, then times both in turns and
prints one JSON line: the ratio of the medians and the bar that it must not pass.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[2]))
from registry import Registry, row_of
from registry.storage import AtomicStorage

BAR = 2.5
RUNS = 1000
ROUNDS = 15
BARE = [sys.executable, "-c", "import typer, rich.table, tinydb"]
LIST = [sys.executable, "-m", "bkd", "list"]


def make_save_root(root: Path) -> None:
    """Write a registry of finished runs, one student to every teacher."""
    tables: dict[str, dict[str, object]] = {"teachers": {}, "students": {}}
    for i in range(RUNS):
        run_id, is_student = f"a{i:06d}b", i % 2 == 1
        row = {
            "id": run_id, "name": f"wrn_16_1_digits_trial_1_{run_id}", "role": "student" if is_student else "teacher",
            "kind": "Bayesian", "arch": "wrn_16_1", "student_arch": "wrn_16_2" if is_student else None,
            "dataset": "digits", "status": "done", "epoch": 20, "epochs": 20, "created": 1.76e9 + i,
            "path": f"teachers/Bayesian/wrn_16_1/wrn_16_1_digits_trial_1_{run_id}", "trial": 1, "tags": ["demo"],
            "teacher": f"a{i - 1:06d}b" if is_student else None,
            "metrics": {"test/acc": 0.9 + i / 1e5, "test/ece": 0.02, "val/acc": 0.9, "grad/noise_ratio": 0.4 + i / 1e4},
        }  # fmt: skip
        tables["students" if is_student else "teachers"][str(i + 1)] = row_of(row)
    root.mkdir(parents=True)
    AtomicStorage(root / "registry.json").write(tables)
    assert len(Registry(root / "registry.json").rows()) == RUNS


def seconds(command: list[str], environment: dict[str, str]) -> float:
    """Return how long a command takes, its output read through a pipe."""
    start = time.perf_counter()
    subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
    return time.perf_counter() - start


def main() -> None:
    """Print the ratio."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "save")
        make_save_root(root)
        environment = os.environ | {"BKD_SAVE": str(root)}
        printed = subprocess.run(LIST, env=environment, capture_output=True, text=True, check=True).stdout.splitlines()
        assert [line.split()[0] for line in printed[2:]] == [f"a{i:06d}b" for i in range(RUNS)]
        seconds(BARE, environment)  # warms the disk cache of both
        times = [(seconds(BARE, environment), seconds(LIST, environment)) for _ in range(ROUNDS)]
    bare, full = (median(column) for column in zip(*times, strict=True))
    print(
        json.dumps(
            {
                "name": "list",
                "ratio": round(full / bare, 2),
                "bar": BAR,
                "bare_s": round(bare, 3),
                "list_s": round(full, 3),
            }
        )
    )


if __name__ == "__main__":
    main()
