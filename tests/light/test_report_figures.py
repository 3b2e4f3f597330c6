"""Figures: what is drawn is what the report says, and the files are what they say they are."""

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from matplotlib import rc_context
from report_runs import Runs

from bkd.figures import (
    COLOURS,
    STYLE,
    accuracy,
    draw,
    group_bins,
    kind_colours,
    noise,
    pooled_bins,
    reliability,
    save,
)

DET, VI = [0.90, 0.92, 0.91], [0.93, 0.94, 0.95]


def bins(*filled: tuple[int, int, float, float]) -> list[dict[str, Any]]:
    """Return a table of 15 bins from (index, count, confidence, accuracy)."""
    table: list[dict[str, Any]] = [
        {"low": i / 15, "high": (i + 1) / 15, "count": 0, "confidence": None, "accuracy": None} for i in range(15)
    ]
    for i, count, confidence, right in filled:
        table[i] |= {"count": count, "confidence": confidence, "accuracy": right}
    return table


@pytest.fixture
def runs() -> Runs:
    runs = Runs()
    table = bins((9, 10, 0.65, 0.5), (14, 90, 0.98, 0.95))
    for kind, accs, ratio in (("Deterministic", DET, 0.6), ("Bayesian", VI, 0.4)):
        found = {"val/grad/noise_ratio": ratio, "val/grad/noise_onehot": 8.0, "val/grad/bias": 0.02}
        runs.repeated(kind, accs, metrics=found, results={"test": {"reliability": table}})
    return runs


def test_every_figure_is_written_as_png_and_svg(runs: Runs, tmp_path: Path) -> None:
    files = draw(runs.report(), tmp_path)
    names = ["accuracy.png", "accuracy.svg", "noise.png", "noise.svg", "reliability.png", "reliability.svg"]
    assert [file.name for file in files] == names
    for file in files:
        content = file.read_bytes()
        if file.suffix == ".png":
            assert content.startswith(b"\x89PNG")
            assert int.from_bytes(content[16:20], "big") >= 1200  # pixels across
        else:
            assert ElementTree.fromstring(content).tag.endswith("svg")


def test_the_same_report_gives_the_same_svg(runs: Runs, tmp_path: Path) -> None:
    with rc_context(STYLE):
        first, second = (accuracy(runs.report()) for _ in range(2))
        assert first is not None
        assert second is not None
        files = save(first, tmp_path / "a.svg"), save(second, tmp_path / "b.svg")
    assert files[0].read_bytes() == files[1].read_bytes()


def test_accuracy_shows_means_intervals_and_each_teacher(runs: Runs) -> None:
    figure = accuracy(runs.report())
    assert figure is not None
    (axis,) = figure.axes
    drawn = [sorted(map(float, line.get_xdata())) for line in axis.lines]  # type: ignore[arg-type]
    assert sorted(100 * value for value in DET) in [pytest.approx(values) for values in drawn]
    assert [91.0] in [pytest.approx(values) for values in drawn]
    half = 100 * 4.302653 * 0.01 / 3**0.5
    assert [91 - half, 91 + half] in [pytest.approx(values, abs=1e-4) for values in drawn]
    assert axis.get_xlabel() == "test accuracy (%)"
    assert [label.get_text() for label in axis.get_yticklabels()] == ["Deterministic 1:1:1", "Bayesian 1:1:1 S=4"]


def test_noise_shows_both_noises_the_ratio_and_the_bias(runs: Runs) -> None:
    figure = noise(runs.report())
    assert figure is not None
    left, right = figure.axes
    assert {8.0} < {round(float(x), 6) for line in left.lines for x in line.get_xdata()}  # type: ignore[union-attr]
    assert {4.8, 3.2} < {round(float(x), 6) for line in left.lines for x in line.get_xdata()}  # type: ignore[union-attr]
    assert {0.6, 0.4, 1.0} <= {round(float(x), 6) for line in right.lines for x in line.get_xdata()}  # type: ignore[union-attr]
    assert [text.get_text() for text in right.texts] == ["0.02", "0.02", "bias"]
    assert left.get_xscale() == "linear"


def test_noises_far_apart_are_drawn_on_a_logarithmic_axis(runs: Runs) -> None:
    found = {"val/grad/noise_ratio": 0.01, "val/grad/noise_onehot": 8.0}
    runs.student(runs.teacher("MSE"), metrics=found)
    figure = noise(runs.report())
    assert figure is not None
    assert figure.axes[0].get_xscale() == "log"
    assert [text.get_text() for text in figure.axes[1].texts] == ["0.02", "0.02", "-", "bias"]


def test_bins_are_pooled_by_counts() -> None:
    pooled = pooled_bins([bins((3, 1, 0.20, 1.0), (7, 2, 0.5, 0.5)), bins((3, 3, 0.24, 0.0)), bins()])
    assert pooled == [
        {"low": 3 / 15, "high": 4 / 15, "count": 4, "confidence": pytest.approx(0.23), "accuracy": 0.25},
        {"low": 7 / 15, "high": 8 / 15, "count": 2, "confidence": 0.5, "accuracy": 0.5},
    ]


def test_reliability_draws_a_diagram_a_group_with_its_pooled_error(runs: Runs) -> None:
    report = runs.report()
    figure = reliability(report)
    assert figure is not None
    assert [part["count"] for part in group_bins(report.entries[0].group)] == [30, 270]
    shown = [axis for axis in figure.axes if axis.get_visible()]
    assert len(shown) == 4
    # (30 * .15 + 270 * .03) / 300
    assert shown[0].texts[0].get_text() == "pooled ECE 4.20 %"


def test_nothing_to_draw_draws_nothing(tmp_path: Path) -> None:
    runs = Runs()
    runs.student(runs.teacher())
    assert [file.name for file in draw(runs.report(), tmp_path)] == ["accuracy.png", "accuracy.svg"]
    assert draw(Runs().report(), tmp_path) == []


def test_long_names_still_fit(runs: Runs, tmp_path: Path) -> None:
    name = "A kind" + " of teachers with a rather long name" * 3
    found = {"val/grad/noise_ratio": 0.5, "val/grad/noise_onehot": 8.0, "val/grad/bias": 0.02}
    table = {"test": {"reliability": bins((14, 90, 0.98, 0.95))}}
    runs.repeated(name, [0.9, 0.91], metrics=found, results=table)
    assert len(draw(runs.report(), tmp_path)) == 6  # a layout that collapses warns, and warnings are errors here


def test_each_kind_has_its_colour_the_baselines_first(runs: Runs) -> None:
    for kind in ("MSE", "Laplace", "MCMI", "Ensemble", "TTDA", "One more"):
        runs.student(runs.teacher(kind))
    colours = kind_colours(runs.report())
    assert colours["Deterministic"] == COLOURS[0]
    assert set(colours.values()) == set(COLOURS)
