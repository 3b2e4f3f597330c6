"""A report's figures: accuracy, gradient noise, reliability; each as PNG and SVG.

Drawn without pyplot, so that no window system and no global state is touched.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from bkd.report import Block, Entry, Report
from bkd.report_groups import Group
from bkd.stats import MeanInterval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""One a kind. Source: Okabe and Ito, "Color Universal Design", told apart with every common colour blindness."""
INK, GREY, PALE = "#222222", "#8a8a8a", "#d9d9d9"
DASHES = (0, (4, 3))
WIDEST_LINEAR = 30  # the largest noise over the smallest that one linear axis shows
WIDTH_IN = 7.0
LINE_IN, HEAD_IN, FOOT_IN = 0.17, 0.85, 0.3  # heights: a line of a name, a panel's title and axis, the key
NAME_CHARACTERS = 28  # longer names go on in the next line
PANEL_IN, PANELS = 2.3, 3  # of reliability: width of a panel, panels a line
MOST_PIXELS, DPI = 30_000, 200
STYLE: dict[Any, Any] = {
    "font.size": 9, "axes.edgecolor": GREY, "axes.labelcolor": INK, "text.color": INK, "xtick.color": INK,
    "ytick.color": INK, "axes.spines.top": False, "axes.spines.right": False, "axes.linewidth": 0.8,
    "axes.titlesize": 9, "axes.titlelocation": "left", "svg.hashsalt": "bkd", "axes.axisbelow": True,
}  # fmt: skip


def draw(report: Report, folder: Path) -> list[Path]:
    """Write the figures that the report has numbers for and return their files.

    Raises:
        OSError: A file cannot be written.
    """
    from matplotlib import rc_context

    files = []
    with rc_context(STYLE):
        for name, make in {"accuracy": accuracy, "noise": noise, "reliability": reliability}.items():
            figure = make(report)
            if figure is not None:
                files += [save(figure, folder / f"{name}.{ending}") for ending in ("png", "svg")]
    return files


def save(figure: Figure, path: Path) -> Path:
    """Write a figure in the format of its file's name and return the file; the same figure gives the same bytes.

    Raises:
        OSError: It cannot be written.
    """
    metadata = {"Date": None} if path.suffix == ".svg" else {}
    figure.savefig(path, dpi=min(DPI, MOST_PIXELS / max(figure.get_size_inches())), metadata=metadata)
    return path


def kind_colours(report: Report) -> dict[str, str]:
    """Return a colour for each kind of teacher, the same in every figure of a report."""
    kinds = dict.fromkeys([report.baseline, *sorted({entry.group.kind for entry in report.entries})])
    return {kind: COLOURS[i % len(COLOURS)] for i, kind in enumerate(kinds)}


def _stacked(blocks: Sequence[Block], columns: int = 1) -> tuple[Figure, list[list[Axes]]]:
    """Return a figure with a line of panels a section, each as high as its groups' names need."""
    from matplotlib.figure import Figure as NewFigure

    rows = [max(2, *(_name(entry).count("\n") + 2 for entry in block.entries)) for block in blocks]
    heights = [HEAD_IN + LINE_IN * row * len(block.entries) for row, block in zip(rows, blocks, strict=True)]
    figure = NewFigure(figsize=(WIDTH_IN, sum(heights) + FOOT_IN), layout="constrained")
    axes = figure.subplots(len(blocks), columns, squeeze=False, height_ratios=heights)
    return figure, [list(line) for line in axes]


def _name(entry: Entry) -> str:
    return "\n".join(wrap(entry.name, NAME_CHARACTERS))


def _lines_of_groups(axis: Axes, entries: Sequence[Entry], *, is_named: bool = True) -> None:
    """Give each group a line, the first one on top."""
    axis.set_ylim(len(entries) - 0.5, -0.5)
    axis.set_yticks(range(len(entries)), [_name(entry) if is_named else "" for entry in entries])
    axis.tick_params(axis="y", length=0)
    axis.grid(axis="x", color=PALE, linewidth=0.6)
    axis.spines["left"].set_visible(False)


def _key(figure: Figure, meanings: Mapping[str, Mapping[str, Any]]) -> None:
    """Say below the panels what the marks mean."""
    from matplotlib.lines import Line2D

    marks = [Line2D([], [], color=GREY, **{"linestyle": "none", **style}) for style in meanings.values()]
    figure.legend(
        marks, [*meanings], loc="outside lower center", ncols=len(marks), frameon=False, fontsize=7.5,
        handletextpad=0.5,
    )  # fmt: skip


def _interval(axis: Axes, y: float, found: MeanInterval, scale: float, colour: str) -> None:
    if found.half is not None:
        axis.plot(
            [scale * (found.mean - found.half), scale * (found.mean + found.half)], [y, y], color=colour, linewidth=2,
            solid_capstyle="butt",
        )  # fmt: skip
    axis.plot([scale * found.mean], [y], marker="o", color=colour, markersize=6.5, linestyle="none", zorder=3)


# ---- the compared metric


def accuracy(report: Report) -> Figure | None:
    """Draw the compared metric: a line a group, its mean and 95 % interval, and every repetition as a point."""
    blocks = [block for block in report.blocks if any(entry.figures["metric"] for entry in block.entries)]
    if not blocks:
        return None
    metric, colours = report.metric, kind_colours(report)
    scale = 100 if metric.is_share else 1
    figure, axes = _stacked(blocks)
    for block, (axis,) in zip(blocks, axes, strict=True):
        _lines_of_groups(axis, block.entries)
        for y, entry in enumerate(block.entries):
            points = [scale * value for value in entry.group.values(metric).values()]
            axis.plot(
                points, [y + 0.24] * len(points), marker="o", markersize=3.5, linestyle="none", alpha=0.7,
                markerfacecolor="none", markeredgecolor=colours[entry.group.kind],
            )  # fmt: skip
            if (found := entry.figures["metric"]) is not None:
                _interval(axis, y, found, scale, colours[entry.group.kind])
        axis.set_title(block.title)
        axis.set_xlabel(f"{_where(report)}{metric.title}{' (%)' if metric.is_share else _unit(metric.keys[0])}")
    _key(figure, {
        "mean": {"marker": "o", "markersize": 6.5},
        "95 % interval over teachers": {"linestyle": "solid", "linewidth": 2},
        "students of one teacher": {"marker": "o", "markersize": 3.5, "markerfacecolor": "none"},
    })  # fmt: skip
    return figure


def _where(report: Report) -> str:
    return "test " if report.metric.keys[0].startswith("test/") else ""


def _unit(key: str) -> str:
    return " (nats)" if key.endswith(("/nll", "/loss")) else ""


# ---- gradient noise


def noise(report: Report) -> Figure | None:
    """Draw gradient noise: left that of labels and of the teacher's targets, right their ratio R with the bias."""
    blocks = [block for block in report.blocks if any(entry.figures["noise_ratio"] for entry in block.entries)]
    if not blocks:
        return None
    colours = kind_colours(report)
    figure, axes = _stacked(blocks, columns=2)
    for block, (left, right) in zip(blocks, axes, strict=True):
        _lines_of_groups(left, block.entries)
        _lines_of_groups(right, block.entries, is_named=False)
        right.axvline(1, color=GREY, linewidth=1, linestyle=DASHES)
        for y, entry in enumerate(block.entries):
            _dumbbell(left, y, entry, colours[entry.group.kind])
            _ratio(right, y, entry, colours[entry.group.kind])
        _scale(left, block.entries)
        right.set_xlim(0, 1.03 * max(1, right.get_xlim()[1]))
        left.set_title(block.title)
        left.set_xlabel("variance V of the last layer's gradient")
        right.set_xlabel("noise ratio R = V(teacher) / V(labels)")
        _beside(right, -0.5, "bias", GREY)
    _key(figure, {
        "V with labels as targets": {"marker": "s", "markersize": 6, "markerfacecolor": "white"},
        "V with the teacher's probabilities": {"marker": "o", "markersize": 6.5},
        "R = 1; below it a calmer SGD": {"linestyle": DASHES, "linewidth": 1},
    })  # fmt: skip
    return figure


def _scale(axis: Axes, entries: Sequence[Entry]) -> None:
    """Let lengths be amounts where they can be seen, else take logarithms."""
    from matplotlib.ticker import LogLocator

    found = [entry.figures[name] for entry in entries for name in ("noise_onehot", "noise_teacher")]
    means = [one.mean for one in found if one is not None and one.mean > 0]
    if means and max(means) > WIDEST_LINEAR * min(means):
        axis.set_xscale("log")
        axis.xaxis.set_major_locator(LogLocator(subs=(1, 3) if max(means) < 1000 * min(means) else (1,)))
        axis.xaxis.set_major_formatter("{x:g}")
        axis.xaxis.set_minor_formatter("")
    else:
        axis.set_xlim(0, 1.08 * max(means, default=1))


def _beside(axis: Axes, y: float, text: str, colour: str) -> None:
    """Write right of a panel."""
    axis.annotate(
        text, (1, y), xycoords=("axes fraction", "data"), xytext=(5, 0), textcoords="offset points", va="center",
        fontsize=8, color=colour, annotation_clip=False,
    )  # fmt: skip


def _dumbbell(axis: Axes, y: int, entry: Entry, colour: str) -> None:
    onehot, teacher = entry.figures["noise_onehot"], entry.figures["noise_teacher"]
    ends = [found.mean for found in (onehot, teacher) if found is not None and found.mean > 0]
    axis.plot(ends, [y] * len(ends), color=colour, linewidth=1.2, alpha=0.6)
    for found, marker, face in ((onehot, "s", "white"), (teacher, "o", colour)):
        if found is not None and found.mean > 0:
            axis.plot(
                [found.mean], [y], marker=marker, markersize=6.5, markerfacecolor=face, markeredgecolor=colour,
                linestyle="none", zorder=3,
            )  # fmt: skip


def _ratio(axis: Axes, y: int, entry: Entry, colour: str) -> None:
    ratio, bias = entry.figures["noise_ratio"], entry.figures["bias"]
    if ratio is None:
        return
    _interval(axis, y, ratio, 1, colour)
    _beside(axis, y, "-" if bias is None else f"{bias.mean:.2g}", INK)


# ---- reliability


def pooled_bins(tables: Iterable[Sequence[Mapping[str, Any]]]) -> list[dict[str, float]]:
    """Return the bins of several reliability tables as one: counts added, means weighted by counts; empty ones dropped.

    Args:
        tables: Each a list of bins with low, high, count, confidence, accuracy.
    """
    sums: dict[tuple[float, float], list[float]] = {}
    for table in tables:
        for part in table:
            if part.get("count") and part.get("confidence") is not None and part.get("accuracy") is not None:
                held = sums.setdefault((part["low"], part["high"]), [0.0, 0.0, 0.0])
                held[0] += part["count"]
                held[1] += part["count"] * part["confidence"]
                held[2] += part["count"] * part["accuracy"]
    return [
        {"low": low, "high": high, "count": held[0], "confidence": held[1] / held[0], "accuracy": held[2] / held[0]}
        for (low, high), held in sorted(sums.items())
    ]


def group_bins(group: Group) -> list[dict[str, float]]:
    """Return the pooled reliability table of a group's students."""
    return pooled_bins(student.reliability for student in group.students)


def reliability(report: Report) -> Figure | None:
    """Draw a reliability diagram a group: accuracy against confidence, and below it where the images lie."""
    from matplotlib.figure import Figure as NewFigure

    found = [(block, [(entry, group_bins(entry.group)) for entry in block.entries]) for block in report.blocks]
    held = [(block, [(entry, bins) for entry, bins in panels if bins]) for block, panels in found]
    held = [(block, panels) for block, panels in held if panels]
    if not held:
        return None
    lines = [-(-len(panels) // PANELS) for _, panels in held]
    heights = [0.3 + 1.45 * PANEL_IN * line for line in lines]
    figure = NewFigure(figsize=(PANEL_IN * PANELS, sum(heights)), layout="constrained")
    parts = figure.subfigures(len(held), 1, squeeze=False, height_ratios=heights)
    colours = kind_colours(report)
    for (part,), line, (block, panels) in zip(parts, lines, held, strict=True):
        part.suptitle(block.title, x=0.01, ha="left", fontsize=9)
        axes = part.subplots(2 * line, PANELS, squeeze=False, sharex=True, height_ratios=[3, 1] * line)
        for axis in axes.flat:
            axis.set_visible(False)
        for i, (entry, bins) in enumerate(panels):
            row, column = divmod(i, PANELS)
            _panel(axes[2 * row, column], axes[2 * row + 1, column], entry, bins, colours[entry.group.kind])
    return figure


def _panel(top: Axes, bottom: Axes, entry: Entry, bins: Sequence[Mapping[str, float]], colour: str) -> None:
    for axis in (top, bottom):
        axis.set_visible(True)
    _diagram(top, bins, colour)
    _histogram(bottom, bins, colour)
    top.set_title(_name(entry), fontsize=8)
    top.set_ylabel("accuracy (%)")
    bottom.set_ylabel("images (%)")


def _diagram(axis: Axes, bins: Sequence[Mapping[str, float]], colour: str) -> None:
    """Draw the diagonal, and each bin's distance from it."""
    total = sum(part["count"] for part in bins)
    ece = sum(part["count"] * abs(part["accuracy"] - part["confidence"]) for part in bins) / total
    confidences = [100 * part["confidence"] for part in bins]
    accuracies = [100 * part["accuracy"] for part in bins]
    axis.plot([0, 100], [0, 100], color=GREY, linewidth=0.9, linestyle=DASHES)
    axis.vlines(confidences, confidences, accuracies, color=colour, linewidth=1, alpha=0.5)
    axis.plot(confidences, accuracies, color=colour, marker="o", markersize=3.5, linewidth=1)
    axis.set(xlim=(0, 100), ylim=(0, 100), xticks=[0, 50, 100], yticks=[0, 50, 100])
    axis.text(97, 4, f"pooled ECE {100 * ece:.2f} %", ha="right", fontsize=7.5)
    axis.tick_params(labelbottom=False)


def _histogram(axis: Axes, bins: Sequence[Mapping[str, float]], colour: str) -> None:
    total = sum(part["count"] for part in bins)
    axis.bar(
        [100 * part["low"] for part in bins], [100 * part["count"] / total for part in bins],
        width=[100 * (part["high"] - part["low"]) for part in bins], align="edge", color=colour, alpha=0.35,
        edgecolor="white", linewidth=0.5,
    )  # fmt: skip
    axis.set(ylim=(0, 100), yticks=[0, 100], xlabel="confidence (%)")
    axis.tick_params(labelbottom=True)
