"""What there is to say of compared runs, once with repetitions averaged and once run by run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bkd.compare_config import Level, configuration
from bkd.compare_groups import MetricRow, RunGroup, group_runs, has_repetitions, metric_keys, metric_rows, single_runs
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


def compare_all(compared: Compared, defaults: Defaults) -> Comparison:
    """Work out all that there is to say."""
    groups = group_runs(compared, defaults)
    return Comparison(
        compared,
        _side(groups, compared, defaults),
        _side(single_runs(compared, groups, defaults), compared, defaults),
    )


def _side(groups: Sequence[RunGroup], compared: Compared, defaults: Defaults) -> Side:
    level = configuration([group.runs for group in groups], compared.origins, defaults)
    return Side(groups, level, metric_rows(groups, metric_keys(compared.runs)))
