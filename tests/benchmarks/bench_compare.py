"""Curves of 50 runs x 10,000 points put on one grid and averaged, 10 groups of 5 repetitions each.

Run `python tests/benchmarks/bench_compare.py`. It checks first, at some points, that mean and band are those of a plain
loop over runs, then prints one JSON line for runs that log the same steps and one for runs that log different ones: the
best time of several rounds, and the bar that it must not pass.
"""

import json
import math
import sys
import time
from pathlib import Path
from statistics import fmean, stdev

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))
from bkd.compare_curves import Band, Points, group_bands
from bkd.compare_groups import Marked, RunGroup
from bkd.stats import t_quantile

BAR_S = 0.5
RUNS, POINTS, REPETITIONS = 50, 10_000, 5
ROUNDS = 7


def make_curves(*, is_thinned: bool) -> dict[str, Points]:
    """Return curves by run id; thinned ones lack other steps in each run."""
    generator = np.random.default_rng(0)
    curves = {}
    for run in range(RUNS):
        x = np.arange(1.0, POINTS + 1)
        if is_thinned:
            x = np.sort(generator.choice(2 * POINTS, POINTS, replace=False)).astype(np.float64)
        curves[f"run{run}"] = Points(x, np.exp(-x / POINTS) + generator.normal(0, 0.01, POINTS))
    return curves


def make_groups(curves: dict[str, Points]) -> list[RunGroup]:
    """Return the runs in groups of repetitions."""
    ids = list(curves)
    return [
        RunGroup(
            str(at), "", tuple(Marked(run_id, {"id": run_id}, run_id) for run_id in ids[at : at + REPETITIONS]), None
        )
        for at in range(0, RUNS, REPETITIONS)
    ]


def check(band: Band, group: RunGroup, curves: dict[str, Points]) -> None:
    """Compare a band with a loop over its runs, at some points."""
    for at in range(0, len(band.x), 997):
        x = float(band.x[at])
        values = [
            float(np.interp(x, curve.x, curve.y))
            for curve in (curves[member.id] for member in group.members)
            if curve.x[0] <= x <= curve.x[-1]
        ]
        assert band.n[at] == len(values)
        assert math.isclose(band.mean[at], fmean(values))
        if len(values) > 1:
            half = t_quantile(0.975, len(values) - 1) * stdev(values) / math.sqrt(len(values))
            assert math.isclose(band.high[at] - band.mean[at], half, rel_tol=1e-9)


def main() -> None:
    """Print both figures."""
    for name, is_thinned in (("the same steps", False), ("different steps", True)):
        curves = make_curves(is_thinned=is_thinned)
        groups = make_groups(curves)
        for band, group in zip(group_bands(groups, curves), groups, strict=True):
            assert band is not None
            check(band, group, curves)
        times = []
        for _ in range(ROUNDS):
            start = time.perf_counter()
            group_bands(groups, curves)
            times.append(time.perf_counter() - start)
        value = round(min(times), 3)
        print(
            json.dumps(
                {
                    "name": f"bands of {RUNS} runs x {POINTS:,} points, {name}, s",
                    "value": value,
                    "bar": BAR_S,
                    "passed": value <= BAR_S,
                }
            )
        )


if __name__ == "__main__":
    main()
