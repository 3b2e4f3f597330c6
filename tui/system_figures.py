"""What a run takes of its machine: the latest figures as text, all of them as curves; what it ran on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from bkd.chart import Series, Trace
from bkd.chart_time import TIME
from bkd.system import GIB_IN_MIB, Sample, describe_peaks, flat, gpus, peaks, size_text
from bkd.text import cell_width, clean, count, fit, number, percent
from tui.messages import Row

_NAMES = {
    "device": "device", "device_name": "device name", "precision": "precision", "compile": "compiled",
    "threads": "torch threads", "cpu_count": "CPUs of the machine", "parameters": "parameters", "bkd": "bkd",
    "commit": "git commit", "torch": "torch", "python": "Python", "platform": "platform",
}  # fmt: skip
_GIB = 1 / GIB_IN_MIB
LABEL_CELLS, GAP_CELLS = 22, 3


class Panel(NamedTuple):
    """A chart: its id, title, unit, and the name, sample key and factor of each curve."""

    id: str
    title: str
    unit: str
    curves: tuple[tuple[str, str, float], ...]


class SystemHistory:
    """The curves of a run's samples.

    Attributes:
        last: The last sample, None before the first.
        gpu_indices: The GPUs that were seen.
    """

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget everything: the file was rewritten."""
        self.last: Sample | None = None
        self.gpu_indices: tuple[int, ...] = ()
        self._traces: dict[str, Trace] = {}
        self._factors: dict[str, float] = {}
        self._peaks: dict[str, float] = {}
        self._began: float | None = None

    def add(self, samples: Iterable[Sample]) -> None:
        """Take in samples in the file's order."""
        for sample in samples:
            t = _figure(sample.get("t"))
            if t is None:
                continue
            self.last = sample
            self._began = t if self._began is None else self._began
            self.gpu_indices = tuple(sorted({*self.gpu_indices, *(gpu["index"] for gpu in gpus(sample))}))
            for key, most in peaks([sample]).items():
                self._peaks[key] = max(most, self._peaks.get(key, 0.0))
            figures = flat(sample)
            for panel in self.panels:
                for _, key, factor in panel.curves:
                    value = _figure(figures.get(key))
                    if value is not None or key in self._traces:
                        trace = self._traces.setdefault(key, Trace(TIME))
                        trace.append(None if value is None else value * factor, t - self._began)

    @property
    def time_s(self) -> float | None:
        """When the last sample was taken, Unix seconds."""
        return None if self.last is None else _figure(self.last.get("t"))

    @property
    def panels(self) -> tuple[Panel, ...]:
        """The charts that there is something for."""
        indices = self.gpu_indices
        found = [
            Panel("sys-cpu", "CPU of the run", "% of a core", (("run", "cpu_percent", 1.0),)),
            Panel("sys-memory", "Memory of the run", "GiB", (("run", "rss_mib", _GIB),)),
        ]
        if indices:
            utils = tuple((f"GPU {i}", f"gpu{i}/util_percent", 1.0) for i in indices)
            memory = tuple((f"GPU {i}", f"gpu{i}/mem_mib", _GIB) for i in indices)
            found.append(Panel("sys-gpu", "GPU in use", "%", utils))
            found.append(Panel("sys-gpu-memory", "GPU memory of the run", "GiB", memory))
        machine = (("CPU", "host_cpu_percent", 1.0), ("memory", "host_mem_percent", 1.0))
        return (*found, Panel("sys-machine", "All of the machine", "%", machine))

    def series(self, panel: Panel) -> list[Series]:
        """Return the curves of a chart."""
        return [Series.of(name, self._traces[key]) for name, key, _ in panel.curves if key in self._traces]

    def lines(self, device: str) -> list[str]:
        """Return the latest figures as lines; of a run without a GPU a line says so.

        Args:
            device: What the run computes on, "cpu" or a GPU.
        """
        sample = self.last
        if sample is None:
            return []
        own = f"run       CPU {_share(sample, 'cpu_percent')}   memory {size_text(_figure(sample.get('rss_mib')))}"
        threads, runs = _figure(sample.get("threads")), _figure(sample.get("process_runs")) or 1
        own += f"   {count(int(threads), 'thread')}" if threads else ""
        own += f"   shared by {count(int(runs), 'run')}" if runs > 1 else ""
        found = [own, *map(_gpu_line, gpus(sample))]
        if not self.gpu_indices:
            found.append("no GPU: the run computes on the CPU" if device == "cpu" else f"no figures of {clean(device)}")
        machine = f"CPU {_share(sample, 'host_cpu_percent')}   memory {_share(sample, 'host_mem_percent')}"
        return [*found, f"machine   {machine}", f"peak      {describe_peaks(self._peaks)}"]


def environment_lines(run: Row) -> Iterator[tuple[str, str]]:
    """Yield what a run ran on as (name, value), harmless text."""
    environment = run.get("environment") or {}
    for name, value in (("host", run.get("host")), ("process", run.get("pid"))):
        if value:
            yield name, clean(str(value))
    for key in [*(key for key in _NAMES if key in environment), *(key for key in environment if key not in _NAMES)]:
        if environment[key] is not None:
            yield clean(_NAMES.get(key, key)), _shown(environment[key])
    split = run.get("split") or {}
    sizes = [f"{split[name]:,} {name}" for name in ("train", "val", "test") if isinstance(split.get(name), int)]
    if sizes:
        yield "images", ", ".join(sizes)


def _gpu_line(gpu: Mapping[str, Any]) -> str:
    """Return a GPU's figures; what the driver does not tell is left out."""
    util, own = _figure(gpu.get("util_percent")), size_text(_figure(gpu.get("mem_mib")))
    busy = "busy share unknown (no NVML)" if util is None else f"{util:.0f}% busy"
    everybody = _figure(gpu.get("device_mem_mib"))
    total = f" of {size_text(_figure(gpu.get('mem_total_mib')))}"
    others = "" if everybody is None else f", {size_text(everybody)} by everybody"
    return f"GPU {gpu['index']:<5} {busy}   {own}{total} by the run{others}"


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return number(value) if isinstance(value, float) else clean(str(value))


def _share(sample: Mapping[str, Any], key: str) -> str:
    value = _figure(sample.get(key))
    return percent(None if value is None else value / 100, 0)


def _figure(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def in_columns(pairs: Sequence[tuple[str, str]], width: int) -> list[str]:
    """Return (name, value) pairs as lines, in two columns from top to bottom where there is room."""
    cells = [f"{fit(name, LABEL_CELLS)}{value}" for name, value in pairs]
    rows = -(-len(cells) // 2)
    left = max(map(cell_width, cells[:rows]), default=0) + GAP_CELLS
    if left + max(map(cell_width, cells[rows:]), default=0) > width:
        return cells
    return ["".join(fit(cell, left) for cell in cells[row::rows]).rstrip() for row in range(rows)]
