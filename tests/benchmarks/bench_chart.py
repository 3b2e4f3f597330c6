"""Time of drawing a chart: four series of 100,000 points, against a plain loop over the points of one of them.

    python tests/benchmarks/bench_chart.py [points] [width] [height]

First checks that a column's least and greatest dots are those that a loop finds, then prints one JSON object a case:
median milliseconds of drawing, of drawing and making rows, and how many times faster than the loop.
"""

import json
import sys
import time

import numpy as np

from bkd.chart import Look, Series, draw
from bkd.chart_frame import Frame

SERIES, ROUNDS, TARGET_MS = 4, 15, 11.0
CASES: dict[str, dict[str, float]] = {
    "plain": {},
    "log": {"log_y": True},
    "smoothing": {"smoothing": 0.9},
    "smoothing 0.99": {"smoothing": 0.99},
}


def curves(points: int) -> list[Series]:
    """Return noisy falling losses."""
    rng = np.random.default_rng(0)
    x = np.arange(float(points))
    return [
        Series(f"series {k}", x, 2 * np.exp(-5 * x / points) + 0.1 + 0.3 * k + rng.normal(size=points) * 0.05)
        for k in range(SERIES)
    ]


def median_ms(work: object) -> float:
    """Return the median time of a call."""
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        work()  # type: ignore[operator]
        times.append(time.perf_counter() - start)
    return float(np.median(times)) * 1000


def loop_envelope(series: Series, frame: Frame) -> dict[int, tuple[float, float]]:
    """Return each cell column's least and greatest value, point by point."""
    found: dict[int, tuple[float, float]] = {}
    column_of = frame.plot.column_of
    for x, y in zip(np.asarray(series.x).tolist(), np.asarray(series.y).tolist(), strict=True):
        column = column_of(x)
        low, high = found.get(column, (y, y))
        found[column] = min(low, y), max(high, y)
    return found


def check_envelope(series: Series, frame: Frame, found: dict[int, tuple[float, float]]) -> None:
    """Compare the rows that a drawing covers with those of a loop's envelope."""
    low, high = frame.plot.y_range
    for column, (least, greatest) in found.items():
        rows = np.flatnonzero(frame.glyphs[: frame.plot.height, column] > 0x2800)
        dots = (high - np.array([greatest, least])) / (high - low) * (4 * frame.plot.height - 1)
        top, bottom = np.rint(dots).astype(int) // 4
        assert rows[0] <= top, (column, rows, top)
        assert rows[-1] >= bottom, (column, rows, bottom)
        assert rows[-1] - rows[0] <= bottom - top + 1, (column, rows, top, bottom)


def main() -> None:
    """Check, measure, print."""
    points, width, height = (int(a) for a in [*sys.argv[1:], "100000", "170", "45"][:3])
    series = curves(points)
    frame = draw(series[:1], width=width, height=height)
    start = time.perf_counter()
    found = loop_envelope(series[0], frame)
    loop_ms = (time.perf_counter() - start) * 1000 * SERIES
    check_envelope(series[0], frame, found)
    for name, options in CASES.items():
        draw_ms = median_ms(lambda options=options: draw(series, width=width, height=height, look=Look(**options)))
        rows_ms = median_ms(lambda options=options: draw(series, width=width, height=height, look=Look(**options)).rows())
        figures = {"case": name, "points": points, "draw_ms": round(draw_ms, 2), "with_rows_ms": round(rows_ms, 2)}
        print(json.dumps({**figures, "target_ms": TARGET_MS, "times_faster_than_loop": round(loop_ms / draw_ms)}))


if __name__ == "__main__":
    main()
