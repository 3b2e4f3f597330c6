"""Parts of lines by cells: wide and combining characters are never torn."""

from hypothesis import given
from hypothesis import strategies as st

from bkd.text import cell_width
from tui.cells import visible, words, wrapped

TEXTS = st.text(alphabet="ab 漢字🚀e\u0301ش", max_size=40)


@given(TEXTS, st.integers(2, 9))
def test_wrapping_keeps_every_character_within_the_width(text: str, width: int) -> None:
    parts = [text[a:b] for a, b in wrapped(text, width)]
    assert "".join(parts) == text
    assert all(cell_width(part) <= width for part in parts)


@given(TEXTS, st.integers(0, 30), st.integers(1, 9))
def test_what_is_visible_stands_in_its_cells(text: str, left: int, width: int) -> None:
    lead, (start, end) = visible(text, left, width)
    seen = " " * lead + text[start:end]
    assert cell_width(seen) <= width
    cells = "".join(c + "\0" * (cell_width(c) - 1) for c in text if cell_width(c))
    plain = "".join(c + "\0" * (cell_width(c) - 1) for c in seen if cell_width(c))
    window = cells[left : left + width]
    assert plain.replace(" ", "\0").rstrip("\0") == window.replace(" ", "\0").rstrip("\0") or _half(window, plain)


def _half(window: str, seen: str) -> bool:
    """Whether they differ only in a wide character that the right edge cuts."""
    return window.replace(" ", "\0")[:-1].rstrip("\0") == seen.replace(" ", "\0").rstrip("\0")


def test_words_are_broken_only_where_they_must_be() -> None:
    assert words("one two three", 7) == ["one two", "three"]
    assert words("abcdefghij k", 4) == ["abcd", "efgh", "ij k"]
    assert words("", 4) == [""]
