"""How many charts stand beside and below each other."""

from __future__ import annotations

LEAST_COLUMNS, LEAST_ROWS = 39, 10
"""Cells that a chart needs to be read."""

SHAPE = 4.5
"""Cells across for one line down at which a chart is as wide as it is needed."""


def grid_shape(num_charts: int, width: int, height: int) -> tuple[int, int]:
    """Return (columns, rows) of the grid in which charts are largest; of one page, where not all of them have room.

    Args:
        num_charts: How many there are.
        width: Cells for all of them.
        height: Lines for all of them.
    """
    most_columns, most_rows = max(1, width // LEAST_COLUMNS), max(1, height // LEAST_ROWS)
    best, best_size = (most_columns, most_rows), 0.0
    for columns in range(1, most_columns + 1):
        rows = -(-num_charts // columns)
        size = min(width / columns / SHAPE, height / max(rows, 1))
        if rows <= most_rows and size > best_size:
            best, best_size = (columns, max(rows, 1)), size
    return best
