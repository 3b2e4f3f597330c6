"""What the child samples, when it stops, and that nothing in it reaches the run."""

import errno
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from bkd import system_probe
from bkd.events import read_events
from bkd.files import storage_error
from bkd.locks import acquire
from bkd.paths import RunFolder
from bkd.system import Sample
from bkd.system_probe import MIB, GpuProbe, Probe, Sampler

DEADLINE_S = 60.0


def until(is_true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not is_true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


# ---- process and machine


def test_a_sample_has_the_figures_of_process_and_machine() -> None:
    sample = Probe(clock=lambda: 7.25).sample()
    assert list(sample) == [
        "v", "t", "cpu_percent", "rss_mib", "threads", "host_cpu_percent", "host_mem_percent", "gpu",
    ]  # fmt: skip
    assert (sample["v"], sample["t"]) == (1, 7.25)
    own = psutil.Process()
    assert sample["rss_mib"] == pytest.approx(own.memory_info().rss / MIB, rel=0.2)
    assert sample["threads"] >= 1
    assert 0 < sample["host_mem_percent"] <= 100


def test_cpu_is_what_was_used_over_what_passed() -> None:
    probe = Probe()
    probe.sample()
    cpu, wall = time.process_time(), time.monotonic()
    while time.process_time() - cpu < 0.3:
        sum(range(1000))
    expected = 100 * (time.process_time() - cpu) / (time.monotonic() - wall)
    assert probe.sample()["cpu_percent"] == pytest.approx(expected, rel=0.25, abs=5)


def test_the_first_figure_of_cpu_is_the_mean_since_the_process_began() -> None:
    code = (
        "import time\n"
        "from bkd.system_probe import Probe\n"
        "while time.process_time() < 0.3: pass\n"
        "print(Probe().sample()['cpu_percent'])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 1 < float(found.stdout) < 150


@pytest.fixture
def child() -> Iterator[subprocess.Popen[str]]:
    """A child that holds 64 MiB, burns CPU when told, and ends with its input."""
    code = (
        "import sys, time\n"
        "held = bytearray(b'x' * (64 << 20))\n"
        "print('ready', flush=True)\n"
        "for line in sys.stdin:\n"
        "    began = time.process_time()\n"
        "    while time.process_time() - began < 0.3: pass\n"
        "    print('burnt', flush=True)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    yield process
    process.communicate()


def test_children_count_from_the_sample_that_sees_them(child: subprocess.Popen[str]) -> None:
    assert child.stdin is not None
    assert child.stdout is not None
    probe = Probe()
    first = probe.sample()
    assert first["rss_mib"] > psutil.Process().memory_info().rss / MIB + 60
    began = time.monotonic()
    child.stdin.write("burn\n")
    child.stdin.flush()
    assert child.stdout.readline() == "burnt\n"
    assert probe.sample()["cpu_percent"] >= 100 * 0.29 / (time.monotonic() - began)
    child.communicate()
    left = probe.sample()
    assert left["rss_mib"] < first["rss_mib"] - 60
    assert left["cpu_percent"] < 200


def test_looking_for_children_costs_little(monkeypatch: pytest.MonkeyPatch) -> None:
    now, looks = [0.0], [0]
    probe = Probe()

    def slow_look(recursive: bool) -> list[Any]:
        assert recursive
        looks[0] += 1
        return []

    cpu = iter([0.0, 0.030] * 10)  # a look takes 30 ms of CPU
    clock = SimpleNamespace(monotonic=lambda: now[0], thread_time=lambda: next(cpu), time=time.time)
    monkeypatch.setattr(system_probe, "time", clock)
    monkeypatch.setattr(probe._own, "children", slow_look)
    for _ in range(120):  # ten minutes
        now[0] += 5.0
        probe.sample()
    assert looks[0] == 10


# ---- GPUs


class FakeCuda:
    def __init__(self, reserved_mib: list[int], *, has_uuid: bool = True) -> None:
        self.reserved = [mib * MIB for mib in reserved_mib]
        self.has_uuid = has_uuid

    def is_initialized(self) -> bool:
        return True

    def device_count(self) -> int:
        return len(self.reserved)

    def memory_reserved(self, index: int) -> int:
        return self.reserved[index]

    def get_device_properties(self, index: int) -> SimpleNamespace:
        values: dict[str, Any] = {"total_memory": 1000 * MIB}
        return SimpleNamespace(**values | ({"uuid": f"uuid-{index}"} if self.has_uuid else {}))


class NvmlFault(Exception):
    pass


class FakeNvml:
    NVMLError = NvmlFault

    def __init__(self, users: list[SimpleNamespace], *, knows: bool = True) -> None:
        self.users, self.knows, self.inits = users, knows, 0

    def nvmlInit(self) -> None:
        self.inits += 1

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> str:
        if not self.knows:
            raise NvmlFault
        assert uuid.startswith("GPU-uuid-")
        return uuid

    def nvmlDeviceGetMemoryInfo(self, device: str) -> SimpleNamespace:
        return SimpleNamespace(used=900 * MIB, total=1024 * MIB)

    def nvmlDeviceGetUtilizationRates(self, device: str) -> SimpleNamespace:
        return SimpleNamespace(gpu=87)

    def nvmlDeviceGetComputeRunningProcesses(self, device: str) -> list[SimpleNamespace]:
        return self.users


def user(pid: int, mib: int | None) -> SimpleNamespace:
    return SimpleNamespace(pid=pid, usedGpuMemory=None if mib is None else mib * MIB)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Callable[..., GpuProbe]:
    def make(cuda: Any, nvml: Any = None) -> GpuProbe:
        monkeypatch.setitem(sys.modules, "torch.cuda", cuda)
        monkeypatch.setitem(sys.modules, "pynvml", nvml)  # None: the import fails
        return GpuProbe()

    return make


TORCH_ENTRY = {"index": 1, "util_percent": None, "mem_mib": 300.0, "device_mem_mib": None, "mem_total_mib": 1000.0}
NVML_ENTRY = {"index": 1, "util_percent": 87, "mem_mib": 650.0, "device_mem_mib": 900.0, "mem_total_mib": 1024.0}
IN_CONTAINER = NVML_ENTRY | {"mem_mib": 300.0}  # NVML sees other process ids than the process itself


@pytest.mark.parametrize(
    ("nvml", "expected"),
    [
        (None, TORCH_ENTRY),
        (FakeNvml([user(10, 600), user(11, 50), user(99, 250)]), NVML_ENTRY),
        (FakeNvml([user(99, 600)]), IN_CONTAINER),
        (FakeNvml([user(10, None)]), IN_CONTAINER),
        (FakeNvml([], knows=False), TORCH_ENTRY),
        (object(), TORCH_ENTRY),
    ],
    ids=["no nvml", "nvml", "foreign ids", "no memory by process", "device unknown", "another package"],
)
def test_the_gpus_in_use(machine: Callable[..., GpuProbe], nvml: Any, expected: dict[str, Any]) -> None:
    probe = machine(FakeCuda([0, 300]), nvml)
    assert probe.sample([10, 11]) == [expected]
    assert probe.sample([10, 11]) == [expected]
    if isinstance(nvml, FakeNvml):
        assert nvml.inits == 1


def test_a_device_without_uuid_has_torch_figures(machine: Callable[..., GpuProbe]) -> None:
    probe = machine(FakeCuda([0, 300], has_uuid=False), FakeNvml([user(10, 1)]))
    assert probe.sample([10]) == [TORCH_ENTRY]


@pytest.mark.parametrize("cuda", [None, SimpleNamespace(), SimpleNamespace(is_initialized=lambda: False)])
def test_cuda_that_the_run_has_not_started_is_left_alone(machine: Callable[..., GpuProbe], cuda: Any) -> None:
    nvml = FakeNvml([])
    assert machine(cuda, nvml).sample([1]) == []
    assert nvml.inits == 0


# ---- the thread


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system_probe, "FIRST_AFTER_S", 0.002)
    monkeypatch.setattr(system_probe, "SAMPLE_EVERY_S", 0.002)


@pytest.fixture
def runs(tmp_path: Path) -> tuple[list[RunFolder], list[int]]:
    folders = [RunFolder(tmp_path / name) for name in ("one", "two")]
    for folder in folders:
        folder.path.mkdir()
    return folders, [acquire(folder.lock) for folder in folders]


def fixed() -> Callable[[], Sample]:
    return lambda: {"v": 1, "t": 1.0}


def num_samples(folder: RunFolder) -> int:
    return len(read_events(folder.system))


@pytest.mark.usefixtures("quick")
def test_runs_of_one_process_have_the_same_figures_until_one_is_let_go(
    runs: tuple[list[RunFolder], list[int]], tmp_path: Path
) -> None:
    (one, two), (first_lock, second_lock) = runs
    with Sampler([one, two], [first_lock, second_lock], fixed):
        until(lambda: num_samples(two) >= 2)
        os.close(first_lock)
        reused = os.open(tmp_path / "other", os.O_WRONLY | os.O_CREAT)  # the number means another file now
        assert reused == first_lock
        at_close = num_samples(one)
        until(lambda: num_samples(two) >= at_close + 5)
    assert num_samples(one) <= at_close + 1  # one may have been under way
    assert read_events(one.system)[0] == {"v": 1, "t": 1.0, "process_runs": 2}
    assert read_events(two.system)[-1] == {"v": 1, "t": 1.0, "process_runs": 1}


@pytest.mark.usefixtures("quick")
def test_sampling_ends_with_the_process_work(runs: tuple[list[RunFolder], list[int]]) -> None:
    folders, locks = runs
    before = threading.active_count()
    with Sampler(folders, locks, fixed):
        until(lambda: num_samples(folders[0]) >= 1)
    assert threading.active_count() == before
    ended_with = num_samples(folders[0])
    time.sleep(0.02)
    assert num_samples(folders[0]) == ended_with


def test_work_that_ends_at_once_does_not_wait_for_a_sample(runs: tuple[list[RunFolder], list[int]]) -> None:
    folders, locks = runs
    before = threading.active_count()
    with Sampler(folders, locks, lambda: pytest.fail("nothing is measured")):
        pass
    assert threading.active_count() == before
    assert not folders[0].system.exists()


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("make_error", "words"),
    [
        (lambda path: storage_error(path, OSError(errno.ENOSPC, "No space left on device")), "The disk is full"),
        (lambda path: psutil.AccessDenied(1), "AccessDenied: "),
        (lambda path: ImportError("No module named 'psutil'\nnor anything"), "ImportError: No module named"),
    ],
    ids=["disk full", "no rights", "no psutil"],
)
def test_a_failure_is_one_line_in_the_log(
    runs: tuple[list[RunFolder], list[int]], capsys: pytest.CaptureFixture[str], make_error: Any, words: str
) -> None:
    folders, locks = runs

    def fail() -> Callable[[], Sample]:
        raise make_error(folders[0].system)

    sampler = Sampler(folders, locks, fail)
    sampler.run()
    captured = capsys.readouterr()
    assert captured.out.startswith("No more system figures: ")
    assert captured.out.count("\n") == 1
    assert captured.err == ""
    assert words in captured.out


@pytest.mark.usefixtures("quick")
def test_a_file_that_cannot_be_written_is_one_line_in_the_log(
    runs: tuple[list[RunFolder], list[int]], capsys: pytest.CaptureFixture[str]
) -> None:
    folders, locks = runs
    folders[0].system.mkdir()
    Sampler(folders, locks, fixed).run()
    assert capsys.readouterr().out.count("No more system figures") == 1


@pytest.mark.usefixtures("quick")
def test_a_deleted_folder_ends_the_sampling_without_a_word(
    runs: tuple[list[RunFolder], list[int]], capsys: pytest.CaptureFixture[str]
) -> None:
    (folder, _), (lock, _) = runs

    def delete_first() -> Sample:
        folder.lock.unlink()
        folder.path.rmdir()
        return {"v": 1}

    Sampler([folder], [lock], lambda: delete_first).run()
    assert not folder.path.exists()
    assert capsys.readouterr().out == ""
