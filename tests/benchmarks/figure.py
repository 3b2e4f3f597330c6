"""Measured figures beside their bars."""

import json
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """A measured value and the bar that it must not pass; `name` ends in the unit."""

    name: str
    value: float
    bar: float

    @property
    def passed(self) -> bool:
        """Whether the value is at or under its bar; one that is not a number is not."""
        return self.value <= self.bar

    def line(self) -> str:
        """Return the figure as one line of JSON."""
        value = round(self.value, 3)
        return json.dumps({"name": self.name, "value": value, "bar": self.bar, "passed": self.passed})


def report(figures: Iterable[Figure]) -> int:
    """Print figures as they come; return the exit code: 1 if one fails its bar."""
    code = 0
    for figure in figures:
        print(figure.line(), flush=True)
        code |= not figure.passed
    return int(code)
