"""Reliability diagrams show each bin where it belongs, whatever the table holds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bkd.chart import ansi_lines
from bkd.chart_frame import LEVEL, MARK, faint_paint, line_paint
from bkd.chart_reliability import Reliability, draw_reliability


def rows_of(counts, error=0.0):
    n = len(counts)
    return [
        {
            "low": i / n,
            "high": (i + 1) / n,
            "count": count,
            "confidence": (i + 0.5) / n if count else None,
            "accuracy": (i + 0.5) / n - error if count else None,
        }
        for i, count in enumerate(counts)
    ]


def table(counts=(1, 2, 3, 4), error=0.0, name="teacher"):
    return Reliability.read(name, rows_of(counts, error))


def test_the_error_is_the_mean_distance_of_the_images():
    assert table((0, 100, 300), 0.1).ece == pytest.approx(0.1)
    mixed = Reliability.read("a", [*rows_of((0, 30), 0.2), *rows_of((10, 0))])
    assert mixed.ece == pytest.approx(0.2 * 30 / 40)
    assert mixed.images == 40
    assert Reliability.read("a", []).ece is None


def test_bins_without_images_and_what_is_no_bin_are_left_out():
    broken = [{}, {"low": 0}, {"low": "a", "high": 1, "count": 3, "confidence": 1, "accuracy": 1}]
    broken += [{"low": 0, "high": 1, "count": 2, "confidence": float("nan"), "accuracy": 1}]
    assert len(Reliability.read("a", [*rows_of((0, 5, 0, 7)), *broken]).bins) == 2


def test_calibrated_bins_lie_on_the_diagonal_and_others_as_far_off_as_they_are():
    calibrated, off = (draw_reliability([table(error=e)], width=60, height=24) for e in (0, 0.12))
    assert not (calibrated.paints == faint_paint(0)).any()
    assert (off.paints == faint_paint(0)).any()
    height = calibrated.plot.height
    for frame, error in ((calibrated, 0), (off, 0.12)):
        for confidence in (0.125, 0.375, 0.625, 0.875):
            column, accuracy = frame.plot.column_of(100 * confidence), confidence - error
            rows = np.flatnonzero(frame.paints[:height, column] == line_paint(0))
            row = (1 - accuracy) * (4 * height - 1) / 4
            assert rows.min() - 1 <= row <= rows.max() + 2


def test_counts_stand_under_their_bins():
    frame = draw_reliability([table((8, 0, 1, 4))], width=48, height=12)
    text = ansi_lines(frame, colour=False)[-2].ljust(48)[frame.plot.left :]
    quarter = len(text) // 4
    assert [text[i * quarter + 4] for i in range(4)] == ["█", " ", "▂", "█"]
    above = ansi_lines(frame, colour=False)[-3].ljust(48)[frame.plot.left :]
    assert [above[i * quarter + 4] for i in range(4)] == ["█", " ", " ", " "]


def test_a_bin_with_one_image_of_many_is_seen():
    frame = draw_reliability([table((1, 10**9))], width=40, height=14)
    assert "▁" in ansi_lines(frame, colour=False)[-2]


def test_several_tables_have_a_row_of_counts_each_and_no_distances():
    frame = draw_reliability([table(name="a"), table(error=0.1, name="b")], width=60, height=20)
    assert not (frame.paints == faint_paint(0)).any()
    assert {line_paint(0), line_paint(1), LEVEL} <= set(frame.paints.ravel().tolist())
    counts = frame.paints[-3:-1, frame.plot.left :]
    assert (counts[0].max(), counts[1].max()) == (line_paint(0), line_paint(1))


def test_the_chosen_bin_is_marked():
    plain, chosen = (draw_reliability([table()], width=60, height=20, chosen=c) for c in (None, 0.6))
    assert not (plain.paints == MARK).any()
    marked = chosen.paints == MARK
    assert marked[: chosen.plot.height, chosen.plot.column_of(60)].sum() > 5
    low, high = chosen.plot.column_of(50), chosen.plot.column_of(75)
    assert set(np.flatnonzero(marked[-2])) == set(range(low, high))


def test_without_tables_it_says_so():
    assert "not evaluated yet" in "\n".join(ansi_lines(draw_reliability([], width=40, height=9), colour=False))


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 200), st.integers(1, 60), st.lists(st.integers(0, 10**6), min_size=1, max_size=40), st.integers(1, 5)
)
def test_every_size_and_table_can_be_drawn(width, height, counts, num_tables):
    tables = [table(counts, 0.05 * k, str(k)) for k in range(num_tables)]
    frame = draw_reliability(tables, width=width, height=height, chosen=0.5, is_monochrome=True)
    assert (frame.width, frame.height) == (width, height)
    assert frame.plot.height >= min(2, height)
