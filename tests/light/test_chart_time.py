"""Axes that count seconds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bkd.chart_time import time_label, time_ticks


@pytest.mark.parametrize(
    ("low", "high", "labels"),
    [
        (0, 60, ["0", "15s", "30s", "45s", "1m"]),
        (0, 5000, ["0", "30m", "1h"]),
        (7200, 7260, ["2h", "2h15s", "2h30s", "2h45s", "2h1m"]),
        (0, 3 * 86400, ["0", "1d", "2d", "3d"]),
        (0, 90 * 3600, ["0", "1d", "2d", "3d"]),
        (0, 400 * 86400, ["0", "100d", "200d", "300d", "400d"]),
        (0, 1, ["0", "0.2s", "0.4s", "0.6s", "0.8s", "1.0s"]),
        (-60, 60, ["-1m", "-30s", "0", "30s", "1m"]),
    ],
)
def test_ticks_are_round_times(low, high, labels):
    assert [text for _, text in time_ticks(low, high, 5)] == labels


@given(st.floats(0, 1e9), st.floats(1e-3, 1e9), st.integers(2, 12))
def test_ticks_lie_inside_and_their_labels_differ(low, span, most):
    found = time_ticks(low, low + span, most)
    assert len(found) <= most + 1
    assert all(low - span * 1e-6 <= value <= low + span * (1 + 1e-6) for value, _ in found)
    if span > 1e-5 * low:
        assert len({text for _, text in found}) == len(found)


def test_long_times_are_days():
    assert time_label(86400 * 2e4, 86400 * 5e3) == "20kd"
