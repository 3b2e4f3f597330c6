"""Samples what a run takes of its machine, in a thread of its child process; never ends the run, never starts CUDA."""

import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from typing import Any, Self

from bkd.errors import BkdError
from bkd.paths import RunFolder
from bkd.system import SAMPLE_EVERY_S, VERSION, Sample, append_sample
from bkd.text import clean

FIRST_AFTER_S = 1.0
COST_BAR = 0.0005  # of a core, for looking through all processes for children
MIB = 1 << 20


class Sampler:
    """Appends a sample to each run's system.jsonl every few seconds while this process owns the run.

    A run that ends before the others of its process gets no more of them. A failure, such as a full disk, ends the
    sampling with one line in the log.

    Args:
        folders: The runs of this process.
        locks: Descriptors of their locks, in the same order; a closed one means that the run was let go.
        make_probe: Returns a function that takes a sample; called in the thread, since it imports psutil.
    """

    def __init__(
        self,
        folders: Sequence[RunFolder],
        locks: Sequence[int],
        make_probe: Callable[[], Callable[[], Sample]] = lambda: Probe().sample,
    ) -> None:
        self._owned = list(zip(folders, locks, strict=True))
        self._make_probe = make_probe
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self.run, daemon=True, name="system figures")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()  # before the interpreter shuts down under the thread
        self._thread.join(timeout=SAMPLE_EVERY_S)

    def run(self) -> None:
        """Sample until the process ends, every run was let go, or sampling fails."""
        try:
            self._sample_on()
        except Exception as error:  # psutil, NVML, torch and the disk each fail in their own way; the run goes on
            if self._still_owned():  # a deleted folder is no failure
                reason = str(error) if isinstance(error, BkdError) else f"{type(error).__name__}: {error}"
                print(f"No more system figures: {clean(reason)}", flush=True)

    def _sample_on(self) -> None:
        if self._stop.wait(FIRST_AFTER_S / 2):
            return
        probe, pause_s = self._make_probe(), FIRST_AFTER_S / 2  # the machine's first figures are of this half second
        while not self._stop.wait(pause_s):
            owned = self._still_owned()
            if not owned:
                return
            sample = probe()
            for folder in owned:
                append_sample(folder.system, sample | {"process_runs": len(owned)})
            pause_s = SAMPLE_EVERY_S

    def _still_owned(self) -> list[RunFolder]:
        return [folder for folder, lock in self._owned if _is_same_file(lock, folder)]


def _is_same_file(lock: int, folder: RunFolder) -> bool:
    """Whether a descriptor is still the run's lock: it may have been closed, and its number given to another file."""
    try:
        return os.path.samestat(os.fstat(lock), os.stat(folder.lock))
    except OSError:
        return False


class Probe:
    """Measures this process with its children, the GPUs that it uses, and the machine.

    The CPU figures are means since the last sample, the first one since the process began. A child counts from the
    first sample that sees it.

    Args:
        clock: Unix seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        import psutil  # 0.1 s that the first step need not wait for

        self._psutil = psutil
        self._clock = clock
        self._own = psutil.Process()
        self._cpu_s: dict[Any, float] = {self._own: 0.0}
        self._at = time.monotonic() - (time.time() - self._own.create_time())
        self._children: list[Any] = []
        self._look_at = 0.0
        self._gpus = GpuProbe()
        psutil.cpu_percent()  # begins the span of the first sample

    def sample(self) -> Sample:
        """Return a sample without the number of runs that share this process."""
        processes = self._processes()
        return {
            "v": VERSION, "t": round(self._clock(), 3), "cpu_percent": round(self._cpu_percent(processes), 1),
            "rss_mib": round(sum(use["rss_mib"] for use in processes.values()), 1),
            "threads": sum(use["threads"] for use in processes.values()),
            "host_cpu_percent": self._psutil.cpu_percent(),
            "host_mem_percent": self._psutil.virtual_memory().percent,
            "gpu": self._gpus.sample({process.pid for process in processes}),
        }  # fmt: skip

    def _processes(self) -> dict[Any, dict[str, Any]]:
        """Return what this process and each child that is alive uses now: cpu_s, rss_mib, threads."""
        self._look_for_children()
        found = {}
        for process in (self._own, *self._children):
            try:
                with process.oneshot():
                    cpu = process.cpu_times()
                    found[process] = {
                        "cpu_s": cpu.user + cpu.system, "rss_mib": process.memory_info().rss / MIB,
                        "threads": process.num_threads(),
                    }  # fmt: skip
            except self._psutil.Error:
                if process is self._own:
                    raise
        return found

    def _look_for_children(self) -> None:
        """Find the children; that reads every process of the machine, so the more it costs the rarer it is done."""
        if time.monotonic() < self._look_at:
            return
        began = time.thread_time()
        self._children = self._own.children(recursive=True)
        self._look_at = time.monotonic() + (time.thread_time() - began) / COST_BAR

    def _cpu_percent(self, processes: dict[Any, dict[str, Any]]) -> float:
        before, self._cpu_s = self._cpu_s, {process: use["cpu_s"] for process, use in processes.items()}
        began, self._at = self._at, time.monotonic()
        used_s = sum(cpu_s - before[process] for process, cpu_s in self._cpu_s.items() if process in before)
        return float(100 * max(0.0, used_s) / max(1e-3, self._at - began))


class GpuProbe:
    """Measures the GPUs on which this process holds memory.

    NVML, if nvidia-ml-py is installed, tells how busy a device is and how much of its memory the run's processes and
    everybody holds. Without it there are only the figures of torch's allocator. Neither creates a CUDA context.
    """

    def __init__(self) -> None:
        self._nvml: Any = None
        self._is_nvml_asked = False

    def sample(self, pids: Iterable[int]) -> list[dict[str, Any]]:
        """Return one entry for each GPU in use: index as torch counts, busy share, memory of run and device in MiB."""
        cuda = _started_cuda()
        if cuda is None:
            return []
        if not self._is_nvml_asked:
            self._is_nvml_asked, self._nvml = True, _open_nvml()
        own = set(pids)
        held = {index: cuda.memory_reserved(index) for index in range(cuda.device_count())}
        return [self._device(cuda, index, held[index], own) for index in held if held[index]]

    def _device(self, cuda: Any, index: int, reserved: int, pids: set[int]) -> dict[str, Any]:
        properties = cuda.get_device_properties(index)
        entry = {
            "index": index, "util_percent": None, "mem_mib": round(reserved / MIB, 1), "device_mem_mib": None,
            "mem_total_mib": round(properties.total_memory / MIB, 1),
        }  # fmt: skip
        if self._nvml is None:
            return entry
        try:
            return entry | _nvml_figures(self._nvml, f"GPU-{properties.uuid}", pids)
        except (self._nvml.NVMLError, AttributeError):  # part of a GPU (MIG), or not NVIDIA's: no uuid
            return entry


def _started_cuda() -> Any:
    """Return torch.cuda if this process computes on it already."""
    cuda: Any = sys.modules.get("torch.cuda")
    is_initialized = getattr(cuda, "is_initialized", None)  # torch may be in the middle of its import
    return cuda if is_initialized is not None and is_initialized() else None


def _open_nvml() -> Any:
    """Return the module that speaks NVML, or None if it is not installed or finds no driver."""
    try:
        nvml = import_module("pynvml")
        nvml.nvmlInit()
    except Exception:  # a missing module, a missing driver, or another package of that name
        return None
    return nvml


def _nvml_figures(nvml: Any, uuid: str, pids: set[int]) -> dict[str, Any]:
    """Return what NVML knows of a device; the memory of `pids` only where it tells processes apart."""
    device = nvml.nvmlDeviceGetHandleByUUID(uuid)
    memory = nvml.nvmlDeviceGetMemoryInfo(device)
    figures = {
        "util_percent": nvml.nvmlDeviceGetUtilizationRates(device).gpu,
        "device_mem_mib": round(memory.used / MIB, 1), "mem_total_mib": round(memory.total / MIB, 1),
    }  # fmt: skip
    users = nvml.nvmlDeviceGetComputeRunningProcesses(device)
    own = [user.usedGpuMemory for user in users if user.pid in pids and user.usedGpuMemory is not None]
    return figures | ({"mem_mib": round(sum(own) / MIB, 1)} if own else {})  # a container hides the ids
