"""What of the curves is looked at, and how: levels, hidden series, axes, patterns, small sizes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bkd import chart
from bkd.chart import Level, Look, Series, Trace, ansi_lines
from bkd.chart_frame import LEVEL, faint_paint, line_paint
from bkd.chart_raster import PATTERNS
from bkd.chart_scene import beyond, weights


def draw(series, *, width=60, height=16, **look):
    return chart.draw(series, width=width, height=height, look=Look(**look))


def painted(frame, paint):
    """Return which cells of the plot are drawn in a paint."""
    return (frame.paints == paint) & (frame.glyphs > 0x2800)


def flat(name, value, n=50):
    return Series(name, np.arange(n), np.full(n, float(value)))


def test_a_level_is_a_dashed_line_at_its_value():
    frame = draw([flat("a", 0.25)], levels=[Level("teacher", 0.75)], y_range=(0, 1))
    cells = painted(frame, LEVEL)
    [row] = np.flatnonzero(cells.any(axis=1))
    assert row == round(0.25 * (4 * frame.plot.height - 1)) // 4
    assert cells[row].sum() == pytest.approx(frame.plot.width / 2, abs=1)
    assert not (np.flatnonzero(cells[row])[:-1] + 1 == np.flatnonzero(cells[row])[1:]).any()


def test_the_whole_is_fitted_to_levels_a_part_of_it_is_not():
    series, levels = [flat("a", 0.2)], [Level("teacher", 9.0)]
    assert draw(series, levels=levels).plot.y_range[1] >= 9
    zoomed = draw(series, levels=levels, x_range=(10, 20))
    assert zoomed.plot.y_range[1] < 1
    assert not painted(zoomed, LEVEL).any()


@pytest.mark.parametrize("log_y", [False, True])
def test_a_level_far_from_the_curves_does_not_press_them_flat(log_y):
    falling = Series("a", np.arange(50), np.linspace(2, 1, 50))
    for near, far in ((3.5, 9.0), (0.3, -9.0 if not log_y else 1e-4)):
        levels = [Level("far", far), Level("near", near)]
        y_range = draw([falling], levels=levels, log_y=log_y).plot.y_range
        assert (beyond(near, y_range), beyond(far, y_range)) == (0, 1 if far > 0.5 else -1)


@pytest.mark.parametrize("value", [0.0, -1.0, np.nan, np.inf])
def test_a_level_that_has_no_place_is_left_out(value):
    frame = draw([flat("a", 0.2)], levels=[Level("teacher", value)], log_y=True)
    assert not painted(frame, LEVEL).any()
    assert frame.plot.y_range == draw([flat("a", 0.2)], log_y=True).plot.y_range


def test_lines_lie_over_levels():
    frame = draw([flat("a", 0.5)], levels=[Level("teacher", 0.5)], x_range=(0, 49))
    assert not painted(frame, LEVEL).any()
    assert painted(frame, line_paint(0)).any()


def test_hidden_series_keep_their_colours_and_are_not_fitted():
    series = [flat("a", 1), flat("b", 500), flat("c", 2)]
    frame = draw(series, hidden=frozenset({"b"}), levels=[Level("d", 3.9)])
    assert painted(frame, line_paint(2)).any()
    assert not painted(frame, line_paint(1)).any()
    assert frame.plot.y_range[1] >= 3.9
    assert draw(series, hidden=frozenset({"b", "d"}), levels=[Level("d", 900)]).plot.y_range[1] < 10
    assert "all series are hidden" in "\n".join(ansi_lines(draw(series, hidden=frozenset("abc")), colour=False))


def trace_of(steps, axes=("step", "time")):
    trace = Trace(*axes)
    trace.extend(np.linspace(1, 0, steps), *(np.arange(1.0, steps + 1) * (i + 1) for i in range(len(axes))))
    return trace


def test_the_axis_is_named_and_series_that_do_not_know_it_are_left_out():
    series = [Series.of("both", trace_of(50)), Series.of("step only", trace_of(50, ("step",)))]
    by_step, by_time = draw(series), draw(series, x_axis="time")
    assert by_step.text(15).endswith(" step")
    assert by_time.text(15).endswith(" time")
    assert (by_step.plot.x_range, by_time.plot.x_range) == ((0, 50), (0, 100))
    assert not painted(by_time, line_paint(1)).any()
    assert "no epoch is known here" in "\n".join(ansi_lines(draw(series, x_axis="epoch"), colour=False))


def test_an_axis_that_is_scaled_shows_the_same_curve():
    trace = trace_of(1000)
    trace.scale("epoch", "step", 1 / 100)
    by_step, by_epoch = draw([Series.of("a", trace)]), draw([Series.of("a", trace)], x_axis="epoch")
    area = np.s_[: by_step.plot.height, by_step.plot.left :]
    assert by_epoch.plot.x_range == (0, 10)
    np.testing.assert_array_equal(by_step.glyphs[area], by_epoch.glyphs[area])


def test_a_grown_series_is_drawn_as_its_arrays_are():
    rng = np.random.default_rng(0)
    x, y = np.arange(3000.0), rng.normal(size=3000)
    y[rng.integers(0, 3000, 300)] = np.nan
    trace = Trace("step")
    for options in ({}, {"smoothing": 0.9}, {"log_y": True}, {"log_y": True, "smoothing": 0.9}):
        for stop in (1, 10, 700, 3000):
            trace.extend(y[len(trace) : stop], x[len(trace) : stop])
            grown = draw([Series.of("a", trace)], **options)
            plain = draw([Series("a", x[: len(trace)], y[: len(trace)])], **options)
            assert grown.changes(plain) == []


def test_a_curve_that_is_all_gaps_between_points_is_all_dots():
    y = np.where(np.arange(60) % 2, np.nan, 0.5)
    frame = draw([Series("a", np.arange(60), y)], width=160, x_range=(0, 60), y_range=(0, 1))
    assert painted(frame, line_paint(0)).sum() == 30


def test_a_band_with_a_gap_is_drawn_on_both_sides_of_it():
    x, mean = np.arange(100.0), np.full(100, 0.5)
    half = np.where((x > 40) & (x < 60), np.nan, 0.3)
    frame = draw([Series("a", x, mean, (mean - half, mean + half))], x_range=(0, 100), y_range=(0, 1))
    columns = painted(frame, faint_paint(0)).any(axis=0)[frame.plot.left :]
    assert columns[:18].sum() > 15
    assert columns[35:].sum() > 15
    assert not columns[23:29].any()


def test_series_beyond_the_colours_and_all_without_colours_have_patterns():
    series = [flat(str(k), k) for k in range(6)]
    colours = draw(series, height=40)
    plain = draw(series, height=40, is_monochrome=True)

    def share(frame, index):
        return painted(frame, line_paint(index)).sum() / frame.plot.width

    assert [round(share(colours, k), 1) for k in range(6)] == [1, 1, 1, 1, 0.6, 0.6]
    shares = [on / period for on, period in PATTERNS]
    assert [share(plain, k) for k in range(4)] == pytest.approx(shares, abs=0.05)


def test_raw_values_are_thinned_without_colours():
    x = np.arange(400.0)
    series = [Series("a", x, np.sin(x))]
    colours, plain = (
        draw(series, smoothing=0.99, is_monochrome=mono, y_range=(-1, 1)).glyphs for mono in (False, True)
    )
    bits = [np.bitwise_count(glyphs[(glyphs > 0x2800)] - 0x2800).sum() for glyphs in (colours, plain)]
    assert bits[1] < 0.7 * bits[0]


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 210), st.integers(1, 70), st.booleans(), st.sampled_from(["step", "time"]))
def test_every_size_can_be_drawn(width, height, log_y, x_axis):
    series, levels = [flat("a", 0.5), flat("b", 3e7)], [Level("teacher", 4e7)]
    frame = draw(series, width=width, height=height, log_y=log_y, x_axis=x_axis, levels=levels)
    assert (frame.width, frame.height) == (width, height)


@pytest.mark.parametrize("width", [20, 24, 39, 40, 80, 200])
@pytest.mark.parametrize("height", [3, 4, 5, 6, 11, 60])
def test_from_twenty_columns_on_values_can_be_read_off(width, height):
    x = np.arange(12345.0)
    frame = draw([Series("a", x, 1000 * np.exp(-x / 3000))], width=width, height=height)
    rows = ansi_lines(frame, colour=False)
    assert sum("┤" in row for row in rows) >= 2
    assert frame.plot.width >= 12
    assert frame.plot.height >= min(3, height - 1)
    if height >= 4:
        assert "0" in rows[-1]
        assert "k" in rows[-1]


def test_sparse_series_are_smoothed_over_as_much_of_x():
    rng = np.random.default_rng(0)
    x = np.arange(1, 4001.0)
    steps, tenths, epochs = (Series(str(k), x[k - 1 :: k], rng.normal(size=4000 // k)) for k in (1, 10, 400))
    look = Look(smoothing=0.9)
    assert weights([steps, tenths, epochs], look) == [0.9, pytest.approx(0.9**8), 0.0]
    assert weights([epochs], look) == [0.9]
    assert weights([Series("a", [], []), Series("b", [1], [1]), steps], look) == [0.9] * 3
    assert weights([steps, epochs], Look()) == [0.0, 0.0]
    frame = draw([steps, epochs], smoothing=0.9)
    assert (faint_paint(0) in frame.paints, faint_paint(1) in frame.paints) == (True, False)
