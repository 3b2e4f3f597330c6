"""A student's child from process start to its first step on disk, over `python -c "import torch, torch._dynamo"`.

Run `python tests/benchmarks/bench_start.py`. Real children on the real digits, in turns with the import; prints medians
and one JSON line. It checks that neither sklearn nor torchvision was imported on the way.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parents[1])]
from children import finished, student_spec, teacher_spec

from bkd import actions
from bkd.events import read_events
from bkd.store import Store

BAR, ROUNDS = 1.5, 5


def first_step_s(store: Store, teacher: str) -> float:
    """Return the seconds from launch to the first step event, and stop the run."""
    spec = student_spec(teacher, epochs=50)
    folder = actions.create(store, spec)
    began = time.monotonic()
    actions.spawn([folder])
    while not any(event["kind"] == "step" for event in read_events(folder.events)):
        assert time.monotonic() - began < 60, folder.log.read_text()
        time.sleep(0.005)
    seconds = time.monotonic() - began
    actions.stop_run(store, str(folder.path))
    return seconds


def main() -> None:
    """Print the ratio."""
    os.environ["OMP_NUM_THREADS"] = "1"
    check = "import sys, bkd.run; assert not {'sklearn', 'torchvision'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", check], check=True)
    ours, bare = [], []
    with tempfile.TemporaryDirectory() as folder:
        store = Store(folder)
        teacher = finished(store, teacher_spec("Deterministic", epochs=1))["id"]
        for _ in range(ROUNDS):
            began = time.monotonic()
            subprocess.run([sys.executable, "-c", "import torch, torch._dynamo"], check=True)
            bare.append(time.monotonic() - began)
            ours.append(first_step_s(store, teacher))
    ratio = median(ours) / median(bare)
    figures = {"name": "child to first step over import torch", "ratio": round(ratio, 3), "bar": BAR}
    print(json.dumps(figures | {"ours_s": median(ours), "import_s": median(bare), "passed": ratio <= BAR}))


if __name__ == "__main__":
    main()
