"""The event file: what is written, torn, rewound and read on."""

import math
from pathlib import Path

import pytest

from bkd.errors import StorageError
from bkd.events import LONGEST_LINE, EventTail, EventWriter, last_events, read_events, truncate


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.jsonl"


def write(path: Path, *steps: int) -> EventWriter:
    writer = EventWriter(path, clock=lambda: 7.0)
    for step in steps:
        writer.write("step", step=step, epoch=0, values={"train/loss": 1.0 / step})
    return writer


def test_a_record_is_what_the_contract_says(path: Path) -> None:
    writer = EventWriter(path, clock=lambda: 7.25)
    writer.write("step", step=3, epoch=1, values={"train/loss": math.nan, "train/acc": 0.5, "lr": None}, sync=True)
    writer.close()
    head = {"v": 1, "t": 7.25, "kind": "step", "step": 3, "epoch": 1}
    assert read_events(path) == [head | {"train/loss": None, "train/acc": 0.5, "lr": None, "bad": True}]


def test_a_tail_reads_on_and_keeps_a_torn_line_back(path: Path) -> None:
    tail = EventTail(path)
    assert tail.read() == []
    write(path, 1, 2).close()
    assert [e["step"] for e in tail.read()] == [1, 2]
    with path.open("ab") as file:
        file.write(b'{"kind":"step","st')
    assert tail.read() == []
    with path.open("ab") as file:
        file.write(b'ep":3}\n')
    assert [e["step"] for e in tail.read()] == [3]


@pytest.mark.parametrize("grows", [0, 5], ids=["shorter", "outgrown"])
def test_a_rewound_file_is_noticed(path: Path, grows: int) -> None:
    writer = write(path, 1, 2, 3)
    offset_after_one = len(path.read_bytes().splitlines(keepends=True)[0])
    tail = EventTail(path)
    assert len(tail.read()) == 3
    truncate(path, offset_after_one)
    for step in range(20, 20 + grows):
        writer.write("step", step=step, epoch=0, values={})
    found = tail.read()
    assert tail.is_rewound
    assert [e["step"] for e in found] == [1, *range(20, 20 + grows)]
    assert tail.read() == []
    assert not tail.is_rewound


def test_foreign_lines_are_passed_over(path: Path) -> None:
    path.write_bytes(b'nonsense\n[1]\n{"kind":"step","step":1}\n\xff\xfe\n')
    assert [e["step"] for e in read_events(path)] == [1]


def test_the_last_events_of_a_long_file(path: Path) -> None:
    write(path, *range(1, 2000)).close()
    found = last_events(path, tail_bytes=1000)
    assert found[-1]["step"] == 1999
    assert 5 < len(found) < 30


def test_no_permission_is_said(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="does not exist"):
        EventWriter(tmp_path / "missing" / "events.jsonl")


def test_what_goes_on_without_an_end_of_line_is_passed_over(path: Path) -> None:
    """A hole that a fault of the disk left; its parts are read once each, whatever its size."""
    write(path, 1).close()
    size = path.stat().st_size + 5 * LONGEST_LINE + 77
    with path.open("r+b") as file:
        file.truncate(size)
    with path.open("ab") as file:
        file.write(b"\n")
    write(path, 2).close()
    tail, steps, offsets = EventTail(path), [], [0]
    while True:
        records = tail.read(limit_bytes=1000)
        if tail.offset == offsets[-1]:
            break
        steps += [record["step"] for record in records]
        offsets.append(tail.offset)
    assert steps == [1, 2]
    assert not tail.is_rewound
    assert len(offsets) < 12


def test_a_line_longer_than_a_read_is_read(path: Path) -> None:
    writer = EventWriter(path)
    writer.write("log", step=1, epoch=0, values={"message": "x" * 50_000})
    writer.close()
    [record] = EventTail(path).read(limit_bytes=1000)
    assert len(record["message"]) == 50_000
