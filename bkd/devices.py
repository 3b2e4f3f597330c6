"""Where a run computes, and which of its wishes the machine can grant."""

from __future__ import annotations

import os
import platform
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from bkd import __version__
from bkd.errors import SpecError
from bkd.revision import commit
from bkd.specs import DataSpec, LoopSpec, Optimizer, Precision


@dataclass
class Machine:
    """What is in force for a run; `notes` say once what was asked for and could not be granted."""

    device: torch.device
    precision: Precision
    is_compiled: bool
    notes: list[str] = field(default_factory=list)

    def autocast(self) -> AbstractContextManager[Any]:
        """Return the context of a forward pass."""
        if self.precision is Precision.BF16:
            return torch.autocast(self.device.type, dtype=torch.bfloat16)
        return nullcontext()

    def decline_compile(self, reason: str) -> None:
        """Train uncompiled from here on, and say why, once."""
        if self.is_compiled:
            self.is_compiled = False
            self.notes.append(f"{reason}: training uncompiled.")

    def environment(self) -> dict[str, Any]:
        """Return what run.json records of the machine."""
        return {
            "device": str(self.device),
            "device_name": _device_name(self.device),
            "precision": self.precision.value,
            "compile": self.is_compiled,
            "threads": torch.get_num_threads(),
            "torch": torch.__version__,
            "python": platform.python_version(),
            "platform": platform.platform(),
            "cpu_count": os.cpu_count(),
            "bkd": __version__,
            "commit": commit(),
        }


def open_machine(spec: DataSpec) -> Machine:
    """Return the machine for a run; set PyTorch to deterministic kernels and to the threads that the run is given.

    Raises:
        SpecError: If the device is not there.
    """
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True
    if (threads := getattr(spec, "threads", None)) is not None:
        torch.set_num_threads(threads)
    device = _device(spec.device)
    machine = Machine(device, spec.precision, getattr(spec, "compile", False))
    if spec.precision is Precision.BF16 and not _has_bf16(device):
        machine.precision = Precision.FP32
        machine.notes.append(f"{device} has no bf16 autocast: training in fp32.")
    return machine


def _device(name: str) -> torch.device:
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    device = torch.device(name)
    count = torch.cuda.device_count() if device.type == "cuda" else int(torch.backends.mps.is_available())
    if device.type != "cpu" and (device.index or 0) >= count:
        raise SpecError(
            f"device {name} is not on this machine, which has {count} of that type. Use --device auto or cpu."
        )
    return device


def _has_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    return device.type == "cpu"


def _device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return str(torch.cuda.get_device_name(device))
    try:
        with open("/proc/cpuinfo") as file:
            names = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
        return names[0] if names else platform.processor()
    except OSError:
        return platform.processor()


def make_optimizer(spec: LoopSpec, parameters: Any, device: torch.device) -> torch.optim.Optimizer:
    """Return Adam or SGD, fused into one kernel where the device has it."""
    is_fused = device.type in ("cpu", "cuda")
    if spec.optimizer is Optimizer.SGD:
        return torch.optim.SGD(
            parameters,
            lr=spec.learning_rate,
            momentum=spec.momentum or 0.0,
            weight_decay=spec.weight_decay,
            fused=is_fused,
        )
    return torch.optim.Adam(parameters, lr=spec.learning_rate, weight_decay=spec.weight_decay, fused=is_fused)


Forward = Callable[[Tensor], tuple[Tensor, Tensor]]


def try_compile(forward: Forward, network: nn.Module, example: Tensor, machine: Machine) -> Forward:
    """Return the compiled forward function if a pass with it works here, else the plain one with a note.

    Args:
        forward: Images -> logits and features.
        network: What it goes through; gradients and buffers are afterwards as before the trial pass.
        example: A batch of the size of training: another size would be compiled again.
        machine: Told if it does not work. Where compiling was declined before, it is not tried again.
    """
    if not machine.is_compiled:
        return forward
    buffers = [(buffer, buffer.clone()) for buffer in network.buffers()]
    try:
        compiled: Forward = torch.compile(forward)
        with machine.autocast(), warnings.catch_warnings():
            # Drawn weights are no leaves of the autograd graph; the compiler looks for their gradient all the same.
            warnings.filterwarnings("ignore", message="The .grad attribute of a Tensor that is not a leaf")
            logits, _ = compiled(example)
        logits.float().sum().backward()  # type: ignore[no-untyped-call]
    except Exception as error:  # the compiler raises whatever its back end raises
        machine.decline_compile(f"torch.compile does not work here ({type(error).__name__})")
        compiled = forward
    network.zero_grad(set_to_none=True)
    with torch.no_grad():
        for buffer, before in buffers:
            buffer.copy_(before)
    return compiled
