"""What there is to say of compared runs, once with repetitions averaged and once run by run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from bkd.compare_config import Level, configuration
from bkd.compare_groups import (
    MetricRow,
    RunGroup,
    Test,
    group_runs,
    has_repetitions,
    metric_keys,
    metric_rows,
    no_test,
    single_runs,
)
from bkd.compare_runs import Compared
from bkd.report_groups import Defaults


@dataclass(frozen=True)
class Side:
    """One way to put the runs into columns.

    Attributes:
        groups: A column each.
        level: How they differ in their configuration.
        rows: Their metrics.
    """

    groups: Sequence[RunGroup]
    level: Level
    rows: Sequence[MetricRow]


@dataclass(frozen=True)
class Comparison:
    """Runs side by side in both ways."""

    compared: Compared
    by_group: Side
    by_run: Side

    @property
    def has_repetitions(self) -> bool:
        """Whether there is anything to average."""
        return has_repetitions(self.by_group.groups)

    def side(self, is_grouped: bool) -> Side:
        """Return one of both ways."""
        return self.by_group if is_grouped else self.by_run


def compare_all(compared: Compared, defaults: Defaults, test: Test = no_test) -> Comparison:
    """Work out all that there is to say; between means only what `test` does."""
    groups = group_runs(compared, defaults)
    singles = single_runs(compared, groups, defaults)
    keys = metric_keys(compared.runs)
    return Comparison(
        compared,
        Side(groups, _level(groups, compared, defaults), list(metric_rows(groups, keys, test))),
        Side(singles, _level(singles, compared, defaults), list(metric_rows(singles, keys))),
    )


def with_tests(comparison: Comparison, test: Test, is_cancelled: Callable[[], bool]) -> Comparison | None:
    """Return a comparison with the tests between means; None if cancelled: they may take seconds."""
    side, rows = comparison.by_group, []
    for row in metric_rows(side.groups, [row.key for row in side.rows], test):
        if is_cancelled():
            return None
        rows.append(row)
    return replace(comparison, by_group=replace(side, rows=rows))


def _level(groups: Sequence[RunGroup], compared: Compared, defaults: Defaults) -> Level:
    return configuration([group.runs for group in groups], compared.origins, defaults)
