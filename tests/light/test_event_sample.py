"""A sample of a long event file shows the whole curve, whatever stands in the file."""

from itertools import pairwise
from pathlib import Path

import orjson
import pytest

from bkd.event_sample import EventSample, sample_events
from bkd.events import EventTail

STEPS, PER_EPOCH = 30_000, 1000


def line(**record: object) -> bytes:
    return orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)


def step(n: int) -> bytes:
    return line(t=float(n), kind="step", step=n, epoch=(n - 1) // PER_EPOCH, **{"train/loss": 1 / n, "note": "x" * 100})


def run_of(steps: int) -> list[bytes]:
    lines = []
    for n in range(1, steps + 1):
        lines.append(step(n))
        if n % PER_EPOCH == 0:
            lines.append(line(t=float(n), kind="epoch", step=n, epoch=n // PER_EPOCH - 1, **{"val/loss": 1 / n}))
    return lines


def taken(path: Path, **options: float) -> EventSample:
    sample = sample_events(path, **options)
    assert sample is not None
    return sample


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "events.jsonl"
    found.write_bytes(b"".join(run_of(STEPS)))
    return found


def test_it_reaches_from_the_first_to_the_last_step_without_a_wide_gap(path: Path) -> None:
    sample = taken(path, budget_s=60)
    steps = [r["step"] for r in sample.records if r["kind"] == "step"]
    assert (steps[0], steps[-1]) == (1, STEPS)
    assert steps == sorted(set(steps))
    assert max(b - a for a, b in pairwise(steps)) < STEPS / 200
    assert sample.size == path.stat().st_size


def test_it_holds_every_epoch_though_they_are_few(path: Path) -> None:
    found = [r["epoch"] for r in taken(path, budget_s=60).records if r["kind"] == "epoch"]
    assert found == list(range(STEPS // PER_EPOCH))


def test_a_slow_disk_gives_fewer_records_spread_as_evenly(path: Path) -> None:
    now = iter(range(10**6))
    steps = [r["step"] for r in taken(path, budget_s=8, clock=lambda: float(next(now))).records if r["kind"] == "step"]
    middles = [n for n in steps if 100 < n < STEPS - 1000]
    assert {round(4 * n / STEPS) for n in middles} == {1, 2, 3} | {round(4 * n / STEPS) for n in middles}
    assert len(steps) < STEPS / 20
    assert steps[-1] == STEPS


def test_who_follows_goes_on_behind_it_and_a_torn_line_is_kept_back(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b'{"kind":"step","step":30001')
    sample = taken(path)
    assert sample.records[-1]["step"] == STEPS
    tail = EventTail(path)
    tail.start_at(sample.size)
    assert tail.read() == []
    with path.open("ab") as file:
        file.write(b',"epoch":30}\n')
    assert [r["step"] for r in tail.read()] == [30001]
    assert not tail.is_rewound
    path.write_bytes(b"".join(run_of(1200)))
    assert len(tail.read()) == 1201
    assert tail.is_rewound


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no json\n" * 5000,
        b"\xff\xfe" * 100_000,
        (b"x" * 10_000 + b"\n") * 500,
        b'{"kind":"step","step":"1","epoch":[2]}\n[1]\n3\n' * 5000,
        b'{"kind":"epoch","step":1,"epoch":-3}\n{"kind":"step","step":true,"epoch":99999999999}\n' * 5000,
    ],
    ids=["empty", "text", "no line", "long lines", "wrong types", "odd epochs"],
)
def test_any_file_is_survived(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(data)
    sample = taken(path)
    assert sample.size <= len(data)
    assert all(isinstance(record, dict) for record in sample.records)


def test_long_lines_between_records_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"".join(step(n) + b"#" * 10_000 + b"\n" for n in range(1, 500)))
    steps = [r["step"] for r in taken(path, budget_s=60).records]
    assert steps[0] == 1
    assert steps[-1] >= 490


def test_without_a_file_there_is_none(tmp_path: Path) -> None:
    assert sample_events(tmp_path / "missing.jsonl") is None
