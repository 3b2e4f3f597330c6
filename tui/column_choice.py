"""Every column that a table of runs can have, and the ones that a person chose."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from bkd.text import clean
from tui.run_columns import setting, when
from tui.tree_columns import made_from, own_arch, setting_text
from tui.widgets.columns import Column, Row

FIXED = "Name"
"""Title of the column that is always shown."""

SETTING = "set:"
MOST_CELLS = 18  # of the heading of a metric or setting

_MORE = (
    Column("Id", "id", 8),
    Column("Kind", "kind", 13),
    Column("Own arch", own_arch, 13),
    Column("Setting", setting_text, 13),
    Column("Made from", made_from, 17),
    Column("Trial", "trial", 5, align="right"),
    Column("Started", "started", 11, show=when),
    Column("Ended", "ended", 11, show=when),
    Column("Host", "host", 12),
    Column("Note", "note", 20),
    Column("Path", "path", 30, keeps_end=True),
)


def all_columns(usual: Sequence[Column], rows: Iterable[Row]) -> list[Column]:
    """Return the usual columns, further fields, and one for each metric and setting that rows have."""
    metrics: set[str] = set()
    settings: set[str] = set()
    for row in rows:
        metrics.update(row.get("metrics") or ())
        settings.update(row.get("setting") or ())
    titles = {column.title for column in usual}
    more = [column for column in _MORE if column.title not in titles]
    return [
        *usual,
        *more,
        *map(metric_column, sorted(metrics)),
        *(setting_column(SETTING + name) for name in sorted(settings)),
    ]


def chosen_columns(usual: Sequence[Column], titles: Sequence[str]) -> Sequence[Column]:
    """Return the columns of these titles.

    A narrow table leaves out the usual ones as it always does, and the added ones after them; once the usual ones were
    put in another order, the last ones first.

    Args:
        usual: What the table shows where no titles are given.
        titles: As a person chose them; one that means nothing is passed over.
    """
    if not titles:
        return usual
    known = {column.title: column for column in (*_MORE, *usual)}
    found = [column for title in titles if (column := _column(title, known)) is not None]
    if not any(column.title == FIXED for column in found):
        found.insert(0, known[FIXED])
    return _with_priorities(found, [column.title for column in usual])


def _with_priorities(columns: Sequence[Column], usual: Sequence[str]) -> tuple[Column, ...]:
    places = [usual.index(column.title) for column in columns if column.title in usual]
    if places == sorted(places):
        return tuple(column if column.title in usual else replace(column, priority=1) for column in columns)
    return tuple(
        replace(column, priority=0 if column.title == FIXED else position + 1)
        for position, column in enumerate(columns)
    )


def _column(title: str, known: dict[str, Column]) -> Column | None:
    if title in known:
        return known[title]
    if title.startswith(SETTING):
        return setting_column(title)
    return metric_column(title) if "/" in title else None


def metric_column(key: str) -> Column:
    """Return the column of a metric, titled by its key."""
    width = min(MOST_CELLS, max(7, len(key) + 1))
    return Column(clean(key), lambda row: (row.get("metrics") or {}).get(key), width, align="right", priority=9)


def setting_column(title: str) -> Column:
    """Return the column of a setting, titled by its name after a prefix."""
    name = title.removeprefix(SETTING)
    return Column(clean(title), setting(name), min(MOST_CELLS, max(6, len(title) + 1)), align="right", priority=9)
