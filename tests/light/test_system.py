"""system.jsonl: what is appended, thinned out, followed, and told in words."""

import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from bkd.errors import StorageError
from bkd.events import EventTail, read_events
from bkd.paths import RunFolder
from bkd.system import append_sample, describe_peaks, describe_sample, flat, gpus, latest, peaks, thinned

GPU = {"index": 1, "util_percent": 87, "mem_mib": 5222.4, "device_mem_mib": 9000.0, "mem_total_mib": 81920.0}


def sample(t: float, rss_mib: float = 400.0, **values: Any) -> dict[str, Any]:
    base = {
        "v": 1, "t": t, "cpu_percent": 98.4, "rss_mib": rss_mib, "threads": 12, "host_cpu_percent": 61.2,
        "host_mem_percent": 43.0, "process_runs": 1, "gpu": [],
    }  # fmt: skip
    return base | values


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path)


# ---- the file


def test_samples_are_appended_and_followed(folder: RunFolder) -> None:
    tail = EventTail(folder.system)
    assert latest(folder) is None
    append_sample(folder.system, sample(5.0))
    append_sample(folder.system, sample(10.0, gpu=[GPU]))
    assert tail.read() == [sample(5.0), sample(10.0, gpu=[GPU])]
    append_sample(folder.system, sample(15.0))
    assert tail.read() == [sample(15.0)]
    assert latest(folder) == sample(15.0)


def test_a_torn_last_line_costs_no_more_than_two_samples(folder: RunFolder) -> None:
    append_sample(folder.system, sample(5.0))
    with folder.system.open("ab") as file:
        file.write(b'{"v":1,"t":10.0,"cpu_p')  # killed in the middle of a write
    assert latest(folder) == sample(5.0)
    for t in (15.0, 20.0):
        append_sample(folder.system, sample(t))
    assert [s["t"] for s in read_events(folder.system)] == [5.0, 20.0]


def test_a_folder_that_is_gone_is_said_and_not_made_again(tmp_path: Path) -> None:
    gone = RunFolder(tmp_path / "gone")
    with pytest.raises(StorageError, match=r"system\.jsonl"):
        append_sample(gone.system, sample(1.0))
    assert not gone.path.exists()


def test_the_file_stays_bounded_keeps_both_ends_and_tells_its_tail(folder: RunFolder) -> None:
    limit, tail, largest, rewinds = 1 << 18, EventTail(folder.system), 0, 0
    seen: list[float] = []
    for i in range(4000):
        append_sample(folder.system, sample(5.0 * i), limit_bytes=limit)
        largest = max(largest, folder.system.stat().st_size)
        if i % 200 == 0 or i == 3999:
            new = [s["t"] for s in tail.read()]
            rewinds += tail.is_rewound
            seen = new if tail.is_rewound else seen + new
    length = len(sample(0.0).__repr__())
    assert limit / 2 < largest <= limit + 2 * length
    times = [s["t"] for s in read_events(folder.system)]
    assert times[0] == 0.0
    assert times[-720:] == [5.0 * i for i in range(3280, 4000)]  # the last hour is whole
    assert times == sorted(times)
    assert rewinds >= 2
    assert seen == times
    assert [path.name for path in folder.path.iterdir()] == ["system.jsonl"]


# ---- thinning


@pytest.mark.parametrize("num_samples", [0, 1, 2, 3, 10, 721, 5000])
def test_thinning_halves_what_is_older_than_the_recent_ones(num_samples: int) -> None:
    samples = [sample(5.0 * i) for i in range(num_samples)]
    kept = thinned(samples, num_recent=4)
    num_old = max(0, num_samples - 4)
    assert len(kept) <= 4 + max(1, num_old // 2)
    assert len(kept) >= min(num_samples, 4 + num_old // 4)
    assert kept[-4:] == samples[-4:]
    assert all(s in samples for s in (kept if num_samples < 1000 else kept[:50]))


def test_thinning_again_and_again_covers_the_whole_run_evenly() -> None:
    samples: list[dict[str, Any]] = []
    for i in range(20_000):  # more than a day
        samples.append(sample(5.0 * i))
        if len(samples) > 1200:
            samples = thinned(samples, num_recent=100)
    times = [s["t"] for s in samples[:-700]]
    gaps = [b - a for a, b in pairwise(times)]
    assert times[0] < 5.0 * 20_000 / 100
    assert max(gaps) <= 5.0 * 20_000 / 100


def test_thinning_keeps_peaks_of_memory() -> None:
    samples = [sample(5.0 * i, rss_mib=9000.0 if i == 777 else 400.0 + i % 3) for i in range(3000)]
    for _ in range(3):
        samples = thinned(samples, num_recent=10)
    assert max(s["rss_mib"] for s in samples) == 9000.0
    busy = [sample(5.0 * i, gpu=[GPU | {"mem_mib": 70000.0 if i == 9 else 1.0}]) for i in range(40)]
    assert peaks(thinned(busy, num_recent=2))["gpu1/mem_mib"] == 70000.0


def test_a_long_pause_costs_no_samples_before_it() -> None:
    before = [sample(5.0 * i) for i in range(1000)]
    month = 30 * 86400.0
    kept = thinned([*before, *(sample(month + 5.0 * i) for i in range(1000))], num_recent=0)
    assert sum(s["t"] < month for s in kept) == 500


def test_thinning_survives_foreign_times() -> None:
    foreign: list[dict[str, Any]] = [{"t": None}, {}, {"t": "x"}, *(sample(-5.0 * i) for i in range(20))]
    assert 1 <= len(thinned(foreign, num_recent=2)) < len(foreign)


# ---- words


def test_a_sample_on_one_level() -> None:
    figures = flat(sample(5.0, gpu=[GPU]))
    assert "gpu" not in figures
    assert "v" not in figures
    assert figures["t"] == 5.0
    assert figures["gpu1/util_percent"] == 87
    assert figures["gpu1/device_mem_mib"] == 9000.0
    assert "gpu1/index" not in figures


def test_a_sample_in_one_line() -> None:
    assert describe_sample(sample(5.0)) == "CPU 98%  400 MiB  machine CPU 61%, memory 43%"
    shared = describe_sample(sample(5.0, rss_mib=1536.0, gpu=[GPU], process_runs=3))
    assert shared == ("CPU 98%  1.5 GiB  GPU 1 87%, 5.1 GiB of 80.0 GiB  machine CPU 61%, memory 43%  shared by 3 runs")
    without_nvml = GPU | {"util_percent": None, "device_mem_mib": None}
    assert "GPU 1, 5.1 GiB of 80.0 GiB" in describe_sample(sample(5.0, gpu=[without_nvml]))


@pytest.mark.parametrize(
    "foreign",
    [{}, {"cpu_percent": "\x1b[31m", "rss_mib": None, "gpu": "x"}, {"gpu": [1, {}, {"index": "\x1b[2J"}], "t": []}],
)  # fmt: skip
def test_foreign_samples_harm_nobody(foreign: dict[str, Any]) -> None:
    assert describe_sample(foreign) == "CPU -  -  machine CPU -, memory -"
    assert gpus(foreign) == []
    assert isinstance(flat(foreign), dict)
    assert all(isinstance(value, float) for value in peaks([foreign]).values())


def test_peaks_in_one_line() -> None:
    found = peaks([sample(1.0, 300.0, gpu=[GPU]), sample(2.0, 500.0), sample(3.0, 400.0)])
    assert found == {"rss_mib": 500.0, "gpu1/mem_mib": 5222.4}
    assert describe_peaks(found) == "memory 500 MiB  GPU 1 5.1 GiB"


def test_reading_loads_nothing_heavy() -> None:
    code = "import sys, bkd.system; print(*sorted({m.split('.')[0] for m in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    forbidden = {"torch", "numpy", "scipy", "psutil", "pynvml", "pydantic", "typer", "click", "rich", "textual"}
    assert not forbidden & set(loaded)
