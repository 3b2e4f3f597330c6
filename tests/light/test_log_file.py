"""Logs of any size: every line is found from either end, however long; searching; what is in view."""

import tempfile
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tui.log_file
from tui.log_file import LogFile, LogLine, spans
from tui.log_search import LogSearch
from tui.log_window import LogWindow

EVERYTHING = 1 << 30


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tui.log_file, "BLOCK", 16)
    monkeypatch.setattr("tui.log_search.BLOCK", 16)
    monkeypatch.setattr("tui.log_search.GROUP", 3)


def written(folder: Path, content: bytes) -> LogFile:
    path = folder / "output.log"
    path.write_bytes(content)
    return LogFile(path)


def bounds(lines: list[LogLine]) -> list[tuple[int, int]]:
    return [(line.start, line.end) for line in lines]


@given(st.lists(st.sampled_from([b"a", b"bc" * 5, b"\n", b"\r", b"\r\n", "é漢".encode(), b"\x1b[1m"]), max_size=60))
def test_lines_cover_the_file_from_either_end(pieces: list[bytes]) -> None:
    content = b"".join(pieces)
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(tui.log_file, "BLOCK", 16)
        file = written(Path(folder), content)
        forward = bounds(file.after(0, EVERYTHING))
        assert forward == bounds(file.before(len(content), EVERYTHING))
        assert all(a[1] == b[0] for a, b in pairwise(forward))
        assert [forward[0][0], forward[-1][1]] == [0, len(content)] if content else forward == []
        assert all(0 < end - start <= 32 for start, end in forward)
        longest = max(map(len, content.splitlines()), default=0)
        if longest < 15:  # none is cut
            assert [content[a:b].rstrip(b"\r\n") for a, b in forward] == content.splitlines()
        for start, end in forward:
            assert bounds(file.after(start, 1)) == [(start, end)]
            assert bounds(file.before(end, 1)) == [(start, end)]
            assert (start, end) in bounds(file.around(end - 1, 3))


def test_lines_are_harmless_text(tmp_path: Path) -> None:
    content = b"\x1b[31mred\x1b[0m\x1b[2J\x07\n 10%|#\r 20%|##\r\na\tb\n" + "漢字 \u202eabc\n".encode() + b"\xff\n"
    texts = [line.text for line in written(tmp_path, content).after(0, 99)]
    assert texts == ["red\\x07", " 10%|#", " 20%|##", "a       b", "漢字 \\u202eabc", "�"]


def test_a_line_of_many_megabytes_is_read_part_by_part(tmp_path: Path) -> None:
    file = written(tmp_path, b"first\n" + b"x" * (3 << 20) + b"\nlast\n")
    tail = file.before(file.size, 5)
    assert tail[-1].text == "last"
    assert all(len(line.text) <= 2 * tui.log_file.BLOCK for line in tail)
    assert file.around(1 << 20, 4)[0].start < 1 << 20


def test_missing_and_empty_files(tmp_path: Path) -> None:
    assert written(tmp_path, b"").before(0, 9) == []
    assert LogFile(tmp_path / "output.log").after(0, 9) == []
    with pytest.raises(FileNotFoundError):
        LogFile(tmp_path / "none.log").after(0, 9)


@pytest.mark.parametrize(
    ("text", "needle", "expected"),
    [
        ("An Error, error", "error", [(3, 8), (10, 15)]),
        ("An Error, error", "Error", [(3, 8)]),
        ("aaaa", "aa", [(0, 2), (2, 4)]),
        ("İstanbul error", "error", [(9, 14)]),
        ("any", "", []),
    ],
)
def test_capitals_matter_only_where_one_is_typed(text: str, needle: str, expected: list[tuple[int, int]]) -> None:
    assert list(spans(text, needle)) == expected


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("place", [0, 100, 399])
def test_search_finds_each_line_once_wherever_it_begins(tmp_path: Path, place: int) -> None:
    lines = [f"line {n} {'hit' if n % 7 == 0 else ''}" for n in range(60)]
    lines[5] = "\x1b[1mh\x1b[0mit é"  # found as it is shown
    lines[6] = "é \x1b]0;title\x07h\u200bit"
    content = "\n".join(lines).encode() + b"\n"
    file = written(tmp_path, content)
    search = LogSearch(file, "hit", place)
    list(search.scan())
    expected = [at.start for at in file.after(0, EVERYTHING) if "hit" in at.text]
    assert (search.found, search.is_complete, len(expected)) == (expected, True, 11)


@pytest.mark.usefixtures("small_blocks")
def test_search_goes_on_where_the_file_has_grown(tmp_path: Path) -> None:
    file = written(tmp_path, b"a hit\nno\nhalf a h")
    search = LogSearch(file, "hit")
    list(search.scan())
    assert search.found == [0]
    with file.path.open("ab") as log:
        log.write(b"it\n" + b"nothing here\n" * 20 + b"hit\n")
    list(search.scan())
    assert search.found == [line.start for line in file.after(0, EVERYTHING) if "hit" in line.text]
    file.path.write_bytes(b"no\nhit\n")
    list(search.scan())
    assert search.found == [3]


def window_of(texts: list[str], width: int = 10, height: int = 4) -> LogWindow:
    window, at, lines = LogWindow(), 0, []
    for text in texts:
        lines.append(LogLine(at, at + len(text) + 1, text))
        at += len(text) + 1
    window.resize(width, height)
    window.replace(lines, at)
    return window


def shown(window: LogWindow) -> list[str]:
    return [row.line.text if row.part is None else row.line.text[slice(*row.part)] for row in window.rows()]


def test_window_keeps_to_the_end_until_one_goes_up() -> None:
    window = window_of([str(n) for n in range(10)])
    assert shown(window) == ["6", "7", "8", "9"]
    window.move(-2)
    assert (shown(window)[0], window.is_following) == ("4", False)
    window.move(5)
    assert (shown(window)[-1], window.is_following) == ("9", True)


def test_window_goes_through_a_wrapped_line_row_by_row() -> None:
    window = window_of(["a", "b", "0123456789ABCDEFGHIJ!", "c", "d"])
    window.wrap(True)
    assert shown(window) == ["ABCDEFGHIJ", "!", "c", "d"]
    window.move(-1)
    assert shown(window) == ["0123456789", "ABCDEFGHIJ", "!", "c"]
    window.move(-9)
    assert shown(window)[:2] == ["a", "b"]


def test_window_holds_a_bounded_part_and_asks_for_more() -> None:
    window = window_of([str(n) for n in range(2000)])
    assert window.wants is None
    window.lines = window.lines[1000:]
    window._top -= 1000
    window.move(-990)
    assert window.wants == ("before", window.lines[0].start)
    before = shown(window)
    window.add("before", [LogLine(0, window.lines[0].start, "earlier")])
    assert shown(window) == before
    window.add("before", [LogLine(5, 7, "joins nothing")])
    assert window.lines[0].text == "earlier"
