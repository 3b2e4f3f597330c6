"""Charts are drawn as a plain loop over points and lines would draw them, and change little while a run grows."""

import itertools
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bkd import chart
from bkd.chart import Look, Series, ansi_lines, ema
from bkd.chart_axis import growing_range, label, nice_step, ticks, value_range
from bkd.chart_frame import MARK, faint_paint, line_paint
from bkd.chart_raster import DOT_BITS

FINITE = st.floats(allow_nan=False, allow_infinity=False)


def draw(series, *, width, height, **look):
    return chart.draw(series, width=width, height=height, look=Look(**look))


def dots(frame):
    """Return the set dots of a frame's plot, (rows, columns), decoded character by character."""
    plot = frame.plot
    found = np.zeros((plot.height * 4, plot.width * 2), dtype=bool)
    for y in range(plot.height):
        for x in range(plot.width):
            code = int(frame.glyphs[plot.top + y, plot.left + x])
            if 0x2800 <= code < 0x2900:
                for down in range(4):
                    for across in range(2):
                        found[4 * y + down, 2 * x + across] = bool((code - 0x2800) & DOT_BITS[down][across])
    return found


def plain_dots(x, y, frame):
    """Draw lines between neighbouring points by walking along each in tiny steps."""
    plot = frame.plot
    found = np.zeros((plot.height * 4, plot.width * 2), dtype=bool)
    for i in range(len(x) - 1):
        share = np.linspace(0, 1, 4001)
        px, py = x[i] + share * (x[i + 1] - x[i]), y[i] + share * (y[i + 1] - y[i])
        column = (px - plot.x_range[0]) / (plot.x_range[1] - plot.x_range[0]) * (found.shape[1] - 1)
        row = (plot.y_range[1] - py) / (plot.y_range[1] - plot.y_range[0]) * (found.shape[0] - 1)
        found[np.rint(row).astype(int), np.rint(column).astype(int)] = True
    return found


def near(found):
    """Return the dots within one dot of a set one."""
    padded = np.pad(found, 1)
    rows, columns = found.shape
    shifted = [padded[r : r + rows, c : c + columns] for r in range(3) for c in range(3)]
    return np.logical_or.reduce(shifted)


def naive_ema(y, b):
    mean, out, total, weight = None, [], 0.0, 0.0
    for value in y:
        if not np.isfinite(value):
            out.append(np.nan)
            continue
        total, weight = b * total + value, b * weight + 1
        mean = total / weight
        out.append(mean)
    return np.array(out)


@pytest.mark.parametrize("b", [0.0, 0.1, 0.5, 0.9, 0.99, 0.999])
@pytest.mark.parametrize("gaps", [False, True])
def test_ema_equals_the_recursion(b, gaps):
    y = np.random.default_rng(1).normal(size=3001)
    if gaps:
        y[[0, 5, 6, 2999]] = [np.nan, np.inf, -np.inf, np.nan]
    np.testing.assert_allclose(ema(y, b), naive_ema(y, b), rtol=1e-10, atol=1e-12)


def test_ema_leaves_its_argument_alone_and_refuses_a_weight_of_one():
    y = np.array([1.0, 2.0, np.nan])
    ema(y, 0.5)
    assert y[:2].tolist() == [1.0, 2.0]
    with pytest.raises(ValueError, match="smoothing must be in"):
        ema(y, 1.0)


@pytest.mark.parametrize("n", [2, 7, 40, 400])
def test_lines_cover_what_a_plain_walk_covers(n):
    rng = np.random.default_rng(n)
    x = np.sort(rng.uniform(0, 100, n))
    y = rng.normal(size=n)
    frame = draw([Series("a", x, y)], width=60, height=12, x_range=(0, 100))
    walked, drawn = plain_dots(x, y, frame), dots(frame)
    assert not (walked & ~near(drawn)).any()
    assert not (drawn & ~near(walked)).any()
    assert (walked & ~drawn).sum() <= 0.02 * walked.sum() + 1  # ties between two dots may fall either way


def test_a_spike_of_one_step_in_a_hundred_thousand_is_seen():
    y = np.ones(100_000)
    y[61_803] = 9.0
    frame = draw([Series("a", np.arange(y.size), y)], width=80, height=20, y_range=(0, 9))
    top = np.flatnonzero(dots(frame)[0])
    assert top.size == 1
    assert abs(frame.plot.x_at(frame.plot.left + int(top[0]) // 2) - 61_803) < 1500


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_leaves_a_gap(bad):
    x, y = np.arange(101.0), np.full(101, 0.5)
    y[40:60] = bad
    frame = draw([Series("a", x, y)], width=80, height=8, x_range=(0, 100), y_range=(0, 1))
    seen = dots(frame).any(axis=0)
    columns = np.rint(np.array([39, 40, 59, 60]) / 100 * (seen.size - 1)).astype(int)
    assert seen[columns[0]]
    assert seen[columns[3]]
    assert not seen[columns[0] + 1 : columns[3]].any()


def test_a_single_point_and_a_point_between_gaps_are_blocks():
    assert dots(draw([Series("a", [5], [0.5])], width=40, height=10)).sum() == 4
    y = [0.1, np.nan, 0.9, np.nan, 0.4]
    assert dots(draw([Series("a", range(5), y)], width=40, height=10)).sum() == 12


def test_a_constant_series_is_one_flat_line():
    found = dots(draw([Series("a", [0, 50, 100], [0.3] * 3)], width=40, height=10, x_range=(0, 100)))
    assert found.any(axis=0).all()
    assert found.any(axis=1).sum() == 1


@pytest.mark.parametrize(
    ("series", "log_y", "note"),
    [
        ([], False, "no data yet"),
        ([Series("a", [], [])], False, "no data yet"),
        ([Series("a", [0, 1], [np.nan, np.inf])], False, "no finite values here"),
        ([Series("a", [0, 1], [-1.0, 0.0])], True, "no values above 0 here for a log axis"),
    ],
)
def test_an_empty_chart_says_why(series, log_y, note):
    frame = draw(series, width=60, height=10, log_y=log_y)
    assert note in "\n".join(ansi_lines(frame, colour=False))


def test_a_later_series_lies_on_top_and_shares_its_cell():
    low, high = Series("low", [0, 10], [0.55, 0.55]), Series("high", [0, 10], [0.58, 0.58])
    frame = draw([low, high], width=40, height=10, x_range=(0, 10), y_range=(0, 1))
    cells = frame.paints[frame.glyphs > 0x2800]
    assert set(cells.tolist()) == {line_paint(1)}
    assert dots(frame)[:, 10].sum() == 2


def test_bands_and_raw_values_lie_faintly_under_the_line():
    x = np.arange(50.0)
    y = np.sin(x)
    banded = draw([Series("a", x, y / 9, (y / 9 - 1, y / 9 + 1))], width=40, height=12)
    smooth = draw([Series("a", x, y)], width=40, height=12, smoothing=0.9)
    for frame in (banded, smooth):
        assert {line_paint(0), faint_paint(0)} <= set(frame.paints.ravel().tolist())
    plain = draw([Series("a", x, y)], width=40, height=12)
    assert faint_paint(0) not in plain.paints


def test_a_band_that_reaches_below_zero_fills_to_the_bottom_of_a_log_axis():
    x = np.arange(10.0)
    series = Series("a", x, np.full(10, 0.1), (np.full(10, -0.1), np.full(10, 0.3)))
    frame = draw([series], width=40, height=12, log_y=True, y_range=(0.001, 1))
    assert (frame.paints[frame.plot.height - 1] == faint_paint(0)).sum() > 10


def test_runs_are_one_per_colour_and_add_up_to_the_row():
    x = np.arange(300.0)
    series = [Series(str(k), x, np.sin(x / 30 + k)) for k in range(4)]
    frame = draw(series, width=70, height=16)
    for y, row in enumerate(frame.rows()):
        assert "".join(run.text for run in row) == frame.text(y)
        assert len(frame.text(y)) == 70
        keys = [run.paint for run in row]
        assert all(a != b for a, b in itertools.pairwise(keys))
    assert {run.series for row in frame.rows() for run in row} == {None, 0, 1, 2, 3}


def test_ansi_rows_hold_the_same_text_and_only_sixteen_colours():
    frame = draw([Series("a", [0, 1, 2], [0, 1, 0])], width=40, height=10)
    coloured, plain = ansi_lines(frame), ansi_lines(frame, colour=False)
    assert [re.sub(r"\x1b\[[0-9;]*m", "", line).rstrip() for line in coloured] == plain
    assert all(
        0 <= int(c) <= 97 for line in coloured for code in re.findall(r"\[([0-9;]*)m", line) for c in code.split(";")
    )
    assert "\x1b" not in "".join(plain)
    assert all(line.endswith("\x1b[0m") for line in coloured if "\x1b" in line)


def test_an_appended_point_changes_few_cells_and_the_axis_moves_in_jumps():
    rng = np.random.default_rng(3)
    x = np.arange(1200.0)
    y = 2 * np.exp(-x / 300) + 0.1 + rng.normal(size=x.size) * 0.02
    frames = [draw([Series("a", x[:n], y[:n])], width=90, height=16) for n in range(300, 1200, 3)]
    cells = [sum(s.stop - s.start for s in b.changes(a)) for a, b in itertools.pairwise(frames)]
    assert np.median(cells) <= 4
    assert len({f.plot.x_range for f in frames}) <= 8
    assert sum(c > 60 for c in cells) <= 8


def test_a_mark_fills_the_blank_cells_of_its_column():
    frame = draw([Series("a", [0, 10], [0.5, 0.5])], width=40, height=12, x_range=(0, 10))
    column = frame.plot.column_of(5.0)
    marked = frame.marked(column)
    assert {span.start for span in marked.changes(frame)} == {column}
    assert (marked.paints[:, column] == MARK).sum() == frame.plot.height - 1
    assert abs(frame.plot.x_at(column) - 5.0) < 0.2


@settings(max_examples=30, deadline=None)
@given(st.lists(FINITE.filter(lambda v: abs(v) < 1e6), min_size=1, max_size=30), st.integers(1, 30))
def test_changes_are_all_that_differs(values, cut):
    before = draw([Series("a", range(len(values[:cut])), values[:cut])], width=40, height=9)
    after = draw([Series("a", range(len(values)), values)], width=40, height=9)
    patched = before.glyphs.copy()
    for row, start, stop in after.changes(before):
        assert 0 <= start < stop <= 40
        patched[row, start:stop] = after.glyphs[row, start:stop]
    np.testing.assert_array_equal(patched, after.glyphs)
    assert after.changes(after) == []
    assert len(after.changes(None)) == 9


@pytest.mark.parametrize("size", [(1, 1), (2, 1), (5, 3), (23, 5), (24, 6), (200, 60)])
@pytest.mark.parametrize("log_y", [False, True])
def test_every_size_and_every_kind_of_value_can_be_drawn(size, log_y):
    series = [
        Series("huge", [0, 1, 2], [1e308, -1e308, 1e-308]),
        Series("tiny", [0, 1e-300], [5e-324, 1e-310]),
        Series("ints", np.arange(3, dtype=np.int32), np.array([1, 2, 3], dtype=np.float32)),
        Series("bad x", [np.nan, 1, np.inf], [1, 2, 3]),
        Series("far", [1e16, 1e16], [1, 1]),
    ]
    for chosen in (series, *([s] for s in series)):
        frame = draw(chosen, width=size[0], height=size[1], log_y=log_y, smoothing=0.5)
        assert (frame.width, frame.height) == size


def test_points_out_of_order_are_drawn_as_in_order():
    x, y = np.arange(40.0), np.sin(np.arange(40.0))
    order = np.random.default_rng(0).permutation(40)
    one, other = (draw([Series("a", x[o], y[o])], width=40, height=10) for o in (slice(None), order))
    assert one.changes(other) == []


def test_zooming_shows_the_lines_that_lead_out_of_the_window():
    frame = draw([Series("a", [0, 100], [0, 1])], width=40, height=10, x_range=(40, 60), y_range=(0, 1))
    assert dots(frame).any(axis=0).all()
    fitted = draw([Series("a", np.arange(100), np.arange(100))], width=40, height=10, x_range=(40, 60))
    assert fitted.plot.y_range == (40, 60)


def test_lengths_that_differ_are_refused():
    with pytest.raises(ValueError, match="needs arrays of one length"):
        draw([Series("a", [0, 1], [1])], width=40, height=10)


def test_log_decades_are_equally_far_apart():
    frame = draw([Series("a", [0, 1, 2, 3], [1e-3, 1e-2, 1e-1, 1])], width=60, height=33, log_y=True)
    rows = {frame.text(y)[: frame.plot.left - 1].strip(): y for y in range(frame.plot.height) if "┤" in frame.text(y)}
    assert rows["0.001"] - rows["0.01"] == rows["0.01"] - rows["0.1"] == rows["0.1"] - rows["1"]


@given(FINITE, FINITE)
def test_ranges_hold_the_data(a, b):
    low, high = sorted(max(min(v, 1e300), -1e300) for v in (a, b))
    for start, stop in (growing_range(low, high), value_range(low, high)):
        assert start < stop
        assert start <= low + (stop - start) * 1e-9
        assert stop >= high - (stop - start) * 1e-9


@given(st.floats(1e-280, 1e280), st.floats(1, 1e10))
def test_log_ranges_hold_the_data(low, factor):
    high = min(low * factor, 1e280)
    start, stop = value_range(low, high, log=True)
    assert 0 < start <= low * (1 + 1e-9)
    assert stop >= high * (1 - 1e-9)


@given(st.floats(1, 1e9), st.floats(1.001, 3))
def test_a_growing_range_keeps_three_quarters_in_use(highest, factor):
    for value in (highest, highest * factor):
        start, stop = growing_range(0, value)
        assert start == 0
        assert value >= 0.74 * stop


@given(st.floats(-1e9, 1e9), st.floats(1e-6, 1e9), st.integers(2, 12))
def test_ticks_lie_inside_and_their_labels_differ(low, span, most):
    high = low + span
    if high - low < 1e-9 * abs(low):
        return
    found = ticks(low, high, most)
    assert 1 <= len(found) <= most + 1
    assert all(low - span * 1e-6 <= value <= high + span * 1e-6 for value, _ in found)
    if span > 1e-5 * abs(low):
        assert len({text for _, text in found}) == len(found)


@pytest.mark.parametrize(
    ("value", "step", "text"),
    [
        (0.0, 0.5, "0"),
        (0.25, 0.25, "0.25"),
        (2.5, 2.5, "2.5"),
        (-1.0, 0.5, "-1.0"),
        (2000, 500, "2000"),
        (20_000, 5000, "20k"),
        (12_500, 2500, "12.5k"),
        (3e6, 1e6, "3M"),
        (2e-4, 1e-4, "2e-4"),
        (1e15, 1e15, "1e15"),
    ],
)
def test_labels(value, step, text):
    assert label(value, step) == text


def test_nice_steps():
    assert [nice_step(span, 5) for span in (1.0, 5.0, 8.0, 12.0, 13.0)] == [0.2, 1.0, 2.0, 2.5, 5.0]
