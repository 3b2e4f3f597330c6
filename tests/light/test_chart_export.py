"""What a chart shows, as a drawing and as a table."""

import csv
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from bkd.chart import Level, Look, Series, Trace, ema
from bkd.chart_csv import Table, to_csv
from bkd.chart_svg import COLOURS, LEFT, RIGHT, Caption, to_svg

SVG = "{http://www.w3.org/2000/svg}"


def table(series, **look):
    return list(csv.DictReader(to_csv(series, Look(**look)).splitlines()))


def paths(series, caption=None, width=900, height=480, **look):
    """Return the stroked paths inside the plot as (attributes, points of each unbroken part)."""
    root = ET.fromstring(to_svg(series, Look(**look), caption or Caption("Loss", {}), width=width, height=height))
    found = root.findall(f".//{SVG}g[@clip-path]/{SVG}path")
    return [(path.attrib, parts(path.attrib["d"])) for path in found]


def parts(commands):
    texts = [part for part in commands.split("M") if part]
    return [np.array([[float(v) for v in p.split(",")] for p in re.findall(r"[-\d.]+,[-\d.]+", t)]) for t in texts]


def series_of(n=500, name="a"):
    x = np.arange(float(n))
    return Series(name, x, np.exp(-x / 100))


def test_a_table_holds_every_point_exactly():
    y = np.random.default_rng(0).normal(size=300)
    y[[3, 7]] = [np.nan, np.inf]
    rows = table([Series("a, b", np.arange(300) / 7, y)])
    assert [row["series"] for row in rows] == ["a, b"] * 300
    assert [float(row["step"]) for row in rows] == (np.arange(300) / 7).tolist()
    assert [row["value"] for row in rows if not row["value"]] == ["", ""]
    assert [float(row["value"] or "nan") for row in rows if row["value"]] == y[np.isfinite(y)].tolist()


def test_a_table_holds_what_is_in_view_and_nothing_that_is_hidden():
    rows = table([series_of(), series_of(name="b")], x_range=(20, 10), hidden=frozenset("b"))
    assert [row["step"] for row in rows] == [str(step) for step in range(10, 21)]
    assert {row["series"] for row in rows} == {"a"}


def test_a_table_has_the_columns_that_there_is_something_for():
    banded = Series("mean", [0, 1], [2, 3], ([1, np.nan], [3, np.nan]))
    trace = Trace("step", "time")
    trace.extend([5, 6], [0, 1], [0.25, 0.5])
    rows = table([banded, Series.of("run", trace)], smoothing=0.5, levels=[Level("teacher", 1.5)])
    assert list(rows[0]) == ["series", "step", "time", "value", "smoothed", "low", "high"]
    assert [float(row["smoothed"]) for row in rows[2:4]] == ema(np.array([5.0, 6.0]), 0.5).tolist()
    assert (rows[0]["low"], rows[1]["low"], rows[0]["time"]) == ("1", "", "")
    assert (rows[2]["time"], rows[2]["low"]) == ("0.25", "")
    assert (rows[4]["series"], rows[4]["step"], rows[4]["value"]) == ("teacher", "", "1.5")
    assert list(table([series_of()])[0]) == ["series", "step", "value"]


def test_a_table_is_a_copy_in_parts():
    trace = Trace("step")
    trace.extend(np.arange(25_000.0), np.arange(25_000.0))
    held = Table([Series.of("a", trace)], Look())
    trace.extend(np.arange(100.0), np.arange(25_000.0, 25_100.0))
    chunks = list(held.parts())
    assert len(chunks) > 3
    assert "".join(chunks) == held.text()
    assert held.text().count("\n") == 25_001


def test_a_drawing_has_a_path_a_series_through_its_points():
    y = np.array([0.0, 1.0, np.nan, 0.5, np.nan, 0.0, 1.0])
    [(attributes, [first, alone, last])] = paths([Series("a", range(7), y)], x_range=(0, 6), y_range=(0, 1))
    assert attributes["stroke"] == COLOURS[0]
    wide = 900 - LEFT - RIGHT - 1
    np.testing.assert_allclose(
        np.concatenate([first, alone, last])[:, 0], np.array([0, 1, 3, 5, 6]) / 6 * wide, atol=0.1
    )
    assert first[0, 1] > alone[0, 1] > first[1, 1] == last[1, 1] == 0


def test_a_drawing_of_many_points_keeps_spikes_and_gaps_and_is_small():
    n = 200_000
    y = np.ones(n)
    y[123_456] = 9.0
    y[20_000:60_000] = np.nan
    [(_, [first, second])] = paths([Series("a", np.arange(n), y)], y_range=(0, 9), x_range=(0, n))
    wide = 900 - LEFT - RIGHT - 1
    assert first[-1, 0] == pytest.approx(wide / 10, abs=1.5)
    assert second[0, 0] == pytest.approx(0.3 * wide, abs=1.5)
    assert second[np.argmin(second[:, 1]), 0] == pytest.approx(123_456 / n * wide, abs=1.5)
    assert second[:, 1].min() == 0
    assert len(to_svg([Series("a", np.arange(n), y)], Look(), Caption("a", {}))) < 60_000


def test_a_drawing_shows_bands_raw_values_levels_and_the_crosshair():
    x = np.arange(300.0)
    series = [Series("mean", x, np.sin(x / 9), (np.sin(x / 9) - 1, np.sin(x / 9) + 1))]
    found = paths(series, Caption("a", {}, mark=150.0), smoothing=0.9, levels=[Level("teacher", 0.5)])
    kinds = [(a.get("fill-opacity"), a.get("stroke-opacity"), a.get("stroke-dasharray")) for a, _ in found]
    assert kinds == [(".16", None, None), (None, ".3", None), (None, None, None), (None, None, "5 4"), (None,) * 3]


def test_a_drawing_writes_foreign_text_harmlessly_and_the_legend_as_given():
    caption = Caption("L<oss> & \x1b[31mmore", {"a<b>": "0.5", "teacher": "0.9"}, at="step 7")
    svg = to_svg(
        [series_of(name="a<b>"), series_of(name="off")],
        Look(hidden=frozenset({"off"}), levels=[Level("teacher", 0.9)]),
        caption,
    )
    text = " ".join(ET.fromstring(svg).itertext())
    assert "L<oss> & more" in text
    assert "a<b> 0.5" in text
    assert "teacher 0.9" in text
    assert "off" not in text


def test_a_long_legend_makes_the_drawing_taller():
    many = [series_of(50, f"run with a long name {k}") for k in range(12)]
    heights = [float(ET.fromstring(to_svg(s, Look(), Caption("a", {}))).attrib["height"]) for s in (many[:1], many)]
    assert heights[1] > heights[0]


@pytest.mark.parametrize("look", [Look(), Look(log_y=True), Look(x_axis="epoch", smoothing=0.5)])
@pytest.mark.parametrize(
    "series",
    [
        [],
        [Series("a", [], [])],
        [Series("a", [0], [np.nan])],
        [Series("a", [0, 1, 2], [1e308, -1e308, 1e-308])],
        [Series("a", [0, 1], [-1, 2], ([-2, -2], [-1, 3]))],
    ],
)
def test_any_series_makes_a_drawing_and_a_table(series, look):
    svg = to_svg(series, look, Caption("a", {}, mark=1e300))
    ET.fromstring(svg)
    assert "nan" not in svg
    assert "inf" not in svg
    assert to_csv(series, look).startswith(f"series,{look.x_axis},value")
