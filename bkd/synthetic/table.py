"""The synthetic experiment's comparison as text. Standard library only: a result is printed without torch."""

from collections.abc import Iterator, Mapping
from typing import Any

from bkd.text import Column, count, duration, format_table

NOTES = (
    "Gap, sd and accuracy: validation examples, last quarter of the steps.",
    "V ratio: gradient noise where the output is P(y | x), over the one-hot",
    "arm's; theory 1 / (1 + c) for targets drawn from Dirichlet(c P).",
)
_MISSING = "-"


def comparison_lines(result: Mapping[str, Any], width: int | None = None) -> Iterator[str]:
    """Format a result of `run_synthetic`: what was run, a row an arm, what the columns are.

    Args:
        result: As `run_synthetic` returned it or as JSON gave it back.
        width: Cells of the terminal; None: every column at its full width.

    Yields:
        Lines without line ends.
    """
    arms = list(result["arms"].values())
    ran = f"seed {result['seed']}, {count(result['steps'], 'step')} in {duration(result['seconds'])}"
    yield f"Bayes loss {_fixed(result['bayes_loss'], 4)} nats, accuracy {_fixed(result['bayes_acc'], 4)}; {ran}"
    if not result["finished"]:
        yield "Stopped early: the last quarter is of the steps taken, V was not measured."
    yield ""
    yield from format_table(arms, COLUMNS, width)
    yield ""
    yield from NOTES


def _fixed(value: float | None, digits: int) -> str:
    return _MISSING if value is None else f"{value:.{digits}f}"


def _column(title: str, key: str, digits: int, priority: int = 0) -> Column:
    return Column(title, lambda arm: _fixed(arm[key], digits), align="right", priority=priority)


COLUMNS = (
    Column("arm", "title", align="left"),
    _column("gap to Bayes loss", "gap", 4),
    _column("sd of val loss", "loss_sd", 5, priority=1),
    _column("V ratio", "noise_ratio", 3),
    _column("theory", "noise_theory", 3),
    _column("accuracy", "acc", 4, priority=2),
)
"""From left to right; a narrow terminal loses accuracy first, then sd."""
