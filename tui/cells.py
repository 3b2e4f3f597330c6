"""Parts of a line of text by the cells that they take on a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from bkd.text import cell_width

Part = tuple[int, int]
"""First and next character."""


def wrapped(text: str, width: int) -> list[Part]:
    """Return the parts of a text that fill lines of a width; an empty text is one empty part."""
    if text.isascii() or width < 2:
        step = max(1, width)
        return [(at, min(at + step, len(text))) for at in range(0, max(1, len(text)), step)]
    return list(_wrapped(text, width))


def _wrapped(text: str, width: int) -> Iterator[Part]:
    start = used = 0
    for at, c in enumerate(text):
        cells = cell_width(c)
        if used + cells > width:
            yield start, at
            start, used = at, 0
        used += cells
    yield start, len(text)


def words(text: str, width: int) -> list[str]:
    """Return a text in lines of a width, broken between words where that is possible."""
    lines = [""]
    for word in text.split():
        joined = f"{lines[-1]} {word}".lstrip()
        if cell_width(joined) <= width:
            lines[-1] = joined
            continue
        pieces = [word[first:stop] for first, stop in wrapped(word, width)]
        lines = [*(lines if lines[-1] else []), *pieces]
    return lines


def visible(text: str, left: int, width: int) -> tuple[int, Part]:
    """Return the part of a text that lies in `width` cells from the cell `left` on.

    Returns:
        Cells to leave empty before it, where half of a wide character was cut off, and the part.
    """
    if text.isascii():
        return 0, (min(left, len(text)), min(left + width, len(text)))
    start, x = 0, 0
    while start < len(text) and x < left:
        x += cell_width(text[start])
        start += 1
    while start < len(text) and left and cell_width(text[start]) == 0:
        start += 1  # it would join what is not there
    lead, end, used = max(0, x - left) if start else 0, start, x - left if x > left else 0
    while end < len(text) and used + cell_width(text[end]) <= width:
        used += cell_width(text[end])
        end += 1
    return lead, (start, end)
