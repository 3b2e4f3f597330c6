"""Figures on their way from the device to the host, without making the device or the host wait."""

from collections import deque
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass
class _Pending:
    label: Any
    host: Tensor
    arrival: Any  # torch.cuda.Event, or None where the copy is immediate


class HostCopies:
    """Copies small device tensors to the host in the background, in order.

    On a GPU a copy starts behind the step's kernels and is collected when it has arrived, usually a step or two later;
    on a CPU it is there at once.
    """

    def __init__(self) -> None:
        self._pending: deque[_Pending] = deque()

    def push(self, label: Any, figures: Tensor) -> None:
        """Start copying `figures` (any shape, detached); `label` comes back with them."""
        if figures.device.type != "cuda":
            self._pending.append(_Pending(label, figures.cpu(), None))
            return
        host = torch.empty(figures.shape, dtype=figures.dtype, pin_memory=True).copy_(figures, non_blocking=True)
        arrival = torch.cuda.Event()  # type: ignore[no-untyped-call]
        arrival.record()
        self._pending.append(_Pending(label, host, arrival))

    def arrived(self, *, wait: bool = False) -> list[tuple[Any, list[float]]]:
        """Return what has arrived, oldest first; with `wait` everything that was pushed."""
        found = []
        while self._pending and (wait or self._pending[0].arrival is None or self._pending[0].arrival.query()):
            item = self._pending.popleft()
            if item.arrival is not None:
                item.arrival.synchronize()
            found.append((item.label, item.host.tolist()))
        return found
