"""system.jsonl: what a run takes of its machine, one JSON object a line, appended by the child, followed by others.

A sample is {"v": 1, "t": <unix s>, "cpu_percent": .., "rss_mib": .., "threads": .., "host_cpu_percent": ..,
"host_mem_percent": .., "process_runs": .., "gpu": [{"index": .., "util_percent": .., "mem_mib": ..,
"device_mem_mib": .., "mem_total_mib": ..}]}. The figures of a process count its children; 100 % of CPU is one core.
Runs that share a process (`process_runs`) have the same figures. The samples are no part of events.jsonl, which a
resume repeats bit for bit. `bkd.events.EventTail` follows the file; it is rewritten when it grows too long, which the
tail tells as a rewind.
"""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import orjson

from bkd.events import last_events, read_events
from bkd.files import storage_error, write_bytes
from bkd.paths import RunFolder
from bkd.text import count, percent

VERSION = 1
SAMPLE_EVERY_S = 5.0
LIMIT_BYTES = 1 << 20  # seven hours of samples
NUM_RECENT = 720  # the last hour stays whole
GIB_IN_MIB = 1024
Sample = dict[str, Any]


# ---- the file


def append_sample(path: Path, sample: Sample, *, limit_bytes: int = LIMIT_BYTES) -> None:
    """Append one sample; a file longer than `limit_bytes` is thinned out.

    Raises:
        StorageError: If the disk is full or the folder is gone.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        try:
            os.write(descriptor, orjson.dumps(sample, option=orjson.OPT_APPEND_NEWLINE))
            size = os.fstat(descriptor).st_size
        finally:
            os.close(descriptor)
    except OSError as error:
        raise storage_error(path, error) from error
    if size > limit_bytes:
        kept = thinned(read_events(path))
        write_bytes(path, b"".join(orjson.dumps(s, option=orjson.OPT_APPEND_NEWLINE) for s in kept))


def thinned(samples: Sequence[Sample], *, num_recent: int = NUM_RECENT) -> list[Sample]:
    """Return the last `num_recent` samples and at most half of the older ones, evenly spread over the time sampled."""
    border = max(0, len(samples) - num_recent)
    old, spacing_s = list(samples[:border]), 2 * SAMPLE_EVERY_S
    kept = old
    while len(kept) > max(1, len(old) // 2):
        kept = _spaced(old, spacing_s)
        spacing_s *= 2
    return [*kept, *samples[border:]]


def _spaced(samples: Iterable[Sample], spacing_s: float) -> list[Sample]:
    """Return of each `spacing_s` seconds the sample with the most memory, so that peaks survive."""
    kept: list[Sample] = []
    began = 0.0
    for sample in samples:
        t = _figure(sample, "t") or 0.0
        if kept and t - began < spacing_s:
            kept[-1] = max(kept[-1], sample, key=_memory)
        else:
            kept.append(sample)
            began = t
    return kept


def _memory(sample: Sample) -> tuple[float, float]:
    return sum(_figure(gpu, "mem_mib") or 0.0 for gpu in gpus(sample)), _figure(sample, "rss_mib") or 0.0


def latest(folder: RunFolder) -> Sample | None:
    """Return a run's last sample, or None if it has none."""
    return next(reversed(last_events(folder.system)), None)


# ---- figures


def flat(sample: Sample) -> dict[str, Any]:
    """Return a sample on one level: a GPU's figures as gpu0/util_percent, gpu0/mem_mib and so on."""
    figures = {key: value for key, value in sample.items() if key not in ("v", "gpu")}
    for gpu in gpus(sample):
        figures |= {f"gpu{gpu['index']}/{key}": value for key, value in gpu.items() if key != "index"}
    return figures


def gpus(sample: Sample) -> list[dict[str, Any]]:
    """Return the GPUs in a sample; entries that are none are passed over."""
    found = sample.get("gpu")
    entries = found if isinstance(found, list) else []
    return [gpu for gpu in entries if isinstance(gpu, dict) and isinstance(gpu.get("index"), int)]


def _figure(values: dict[str, Any], key: str) -> float | None:
    value = values.get(key)
    return float(value) if isinstance(value, (int, float)) else None


def describe_sample(sample: Sample) -> str:
    """Return a sample in one line: the run's CPU and memory, its GPUs, the machine."""
    parts = [f"CPU {_share(sample, 'cpu_percent')}", size_text(_figure(sample, "rss_mib"))]
    parts += [_describe_gpu(gpu) for gpu in gpus(sample)]
    parts.append(f"machine CPU {_share(sample, 'host_cpu_percent')}, memory {_share(sample, 'host_mem_percent')}")
    runs = _figure(sample, "process_runs") or 1
    if runs > 1:
        parts.append(f"shared by {count(int(runs), 'run')}")
    return "  ".join(parts)


def _describe_gpu(gpu: dict[str, Any]) -> str:
    util = _figure(gpu, "util_percent")
    busy = "" if util is None else f" {util:.0f}%"
    own, total = (size_text(_figure(gpu, key)) for key in ("mem_mib", "mem_total_mib"))
    return f"GPU {gpu['index']}{busy}, {own} of {total}"


def _share(values: dict[str, Any], key: str) -> str:
    value = _figure(values, key)
    return percent(None if value is None else value / 100, 0)


def peaks(samples: Iterable[Sample]) -> dict[str, float]:
    """Return the most memory in MiB that was seen, as rss_mib and gpu0/mem_mib and so on."""
    found: dict[str, float] = {}
    for sample in samples:
        for key, value in flat(sample).items():
            if key == "rss_mib" or (key.startswith("gpu") and key.endswith("/mem_mib")):
                found[key] = max(found.get(key, 0.0), _figure({key: value}, key) or 0.0)
    return found


def describe_peaks(found: dict[str, float]) -> str:
    """Return the most memory that was seen in one line."""
    names = {key: "memory" if key == "rss_mib" else f"GPU {key[3 : key.index('/')]}" for key in found}
    return "  ".join(f"{names[key]} {size_text(value)}" for key, value in found.items())


def size_text(mib: float | None) -> str:
    """Return an amount of memory: "412 MiB", "5.1 GiB", None as "-"."""
    if mib is None:
        return "-"
    return f"{mib:.0f} MiB" if mib < GIB_IN_MIB else f"{mib / GIB_IN_MIB:.1f} GiB"
