"""Write what a chart shows into a file: a drawing or a table."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path

from bkd.chart import Series
from bkd.chart_csv import Table
from bkd.chart_svg import Caption, to_svg
from bkd.files import storage_error
from tui.widgets.chart_picture import HIDDEN, View

CAPTION_WIDTH = 400
"""Columns of a chart as fine as the drawing: what the crosshair reads has to be that near."""


def svg_parts(series: Sequence[Series], view: View) -> Iterator[bytes]:
    """Return a drawing of what is shown."""
    heading = view.heading(series, CAPTION_WIDTH)
    values = {entry.name: entry.value for entry in heading.entries if entry.value != HIDDEN}
    words = [word for word in heading.settings if word != "zoom"]
    title = ", ".join([view.title, *words])
    return iter([to_svg(series, view.look, Caption(title, values, heading.at, view.crosshair)).encode()])


def csv_parts(series: Sequence[Series], view: View) -> Iterator[bytes]:
    """Return a table of what is shown, part by part: they may be made on another thread while the series grow."""
    table = Table(series, view.look)
    return (part.encode() for part in table.parts())


FORMATS: dict[str, Callable[[Sequence[Series], View], Iterator[bytes]]] = {"svg": svg_parts, "csv": csv_parts}


def export_path(folder: Path, title: str, ending: str, now: datetime | None = None) -> Path:
    """Return a path that does not exist yet, named after a chart and the time."""
    name = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-") or "chart"
    stem = f"{name}-{now or datetime.now():%Y%m%d-%H%M%S}"
    paths = (folder / f"{stem}{'' if n == 1 else f'-{n}'}.{ending}" for n in range(1, 1000))
    return next((path for path in paths if not path.exists()), folder / f"{stem}.{ending}")


def write(path: Path, parts: Iterable[bytes]) -> None:
    """Write a new file; one that could not be written whole is taken away.

    Raises:
        StorageError: The file exists, the disk is full, or the folder is missing or not writable.
    """
    try:
        with path.open("xb") as file:
            try:
                file.writelines(parts)
                file.flush()
            except BaseException:
                path.unlink(missing_ok=True)
                raise
    except OSError as error:
        raise storage_error(path, error) from error
