"""What the paper's scripts logged: `metrics.pkl`, a list per figure, and `metrics.txt`, the last evaluation.

All of it is measured on test images, the accuracy of every epoch as well.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from bkd.errors import CheckpointError
from bkd.foreign.pickles import read_figures

PICKLE = "metrics.pkl"
TEXT = "metrics.txt"
MAX_TEXT_BYTES = 1 << 16
_PERCENT = 100.0
_STEP_FIGURES = {"loss": "train/loss", "nll": "train/nll", "kl": "train/kl"}  # one value a step
_LINE = re.compile(r"Top-(?P<k>[15]) (?P<which>Final |Best )?Accuracy:\s*(?P<percent>\d+(?:\.\d+)?)%")


@dataclass(frozen=True)
class History:
    """Figures of each epoch, in bkd's units.

    Attributes:
        epochs: One dict of metrics per epoch, from the first.
        steps_per_epoch: Training steps of an epoch, 0 if they were not logged.
    """

    epochs: list[dict[str, float]] = field(default_factory=list)
    steps_per_epoch: int = 0


def read_history(content: bytes, *, is_percent: bool) -> History:
    """Return the figures in a `metrics.pkl`.

    Args:
        content: Of the file.
        is_percent: Whether accuracies are percents, as students' are; teachers' are fractions.

    Raises:
        CheckpointError: It holds anything but figures, or not those that the scripts write.
    """
    figures = read_figures(content)
    if not isinstance(figures, Mapping) or "acc" not in figures:
        raise CheckpointError("It has no list of accuracies named acc. It is no metrics.pkl of the paper's scripts.")
    scale = _PERCENT if is_percent else 1.0
    accuracies = [value / scale for value in _numbers(figures, "acc")]
    if any(not 0 <= value <= 1 for value in accuracies):
        unit = "percents from 0 to 100" if is_percent else "fractions from 0 to 1"
        raise CheckpointError(f"Its accuracies must be {unit}, they reach {scale * max(accuracies):g}.")
    epochs = [{"test/acc": value} for value in accuracies]
    for epoch, value in zip(epochs, _numbers(figures, "val_loss"), strict=False):
        epoch["test/nll"] = value
    steps = {name: _numbers(figures, name) for name in _STEP_FIGURES}
    lengths = {len(values) for values in steps.values() if values}
    if len(lengths) != 1 or not epochs or (length := lengths.pop()) % len(epochs):
        return History(epochs)
    return History(epochs, _add_means(epochs, steps, length // len(epochs)))


def _add_means(epochs: list[dict[str, float]], steps: Mapping[str, list[float]], per_epoch: int) -> int:
    for name, values in steps.items():
        for i, epoch in enumerate(epochs if values else ()):
            epoch[_STEP_FIGURES[name]] = sum(values[i * per_epoch : (i + 1) * per_epoch]) / per_epoch
    return per_epoch


def _numbers(figures: Mapping[str, Any], name: str) -> list[float]:
    values = figures.get(name, [])
    if not isinstance(values, list) or any(type(value) not in (int, float) for value in values):
        raise CheckpointError(f"Its entry {name} must be a list of numbers.")
    return [float(value) for value in values]


def read_text(content: bytes) -> dict[str, float]:
    """Return the accuracies in a `metrics.txt` as fractions: acc, acc5 of the last weights, and their best on test."""
    lines = content.decode("utf-8", "replace").splitlines()
    found = {}
    for match in chain.from_iterable(_LINE.finditer(line) for line in lines):
        name = ("acc" if match["k"] == "1" else "acc5") + ("_best" if match["which"] == "Best " else "")
        if (percent := float(match["percent"])) <= _PERCENT:
            found[name] = percent / _PERCENT
    return found
