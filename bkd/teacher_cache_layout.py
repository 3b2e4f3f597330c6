"""Predictions as rows of bytes, one row an image, and back bit for bit."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from bkd.teacher_cache_folder import CacheError
from bkd.teachers import Prediction

WORD_BYTES = 4


class Layout:
    """How the tensors (S, B, C) of one teacher's predictions lie in the bytes of an image's row.

    Args:
        prediction: Any of the teacher's: a dataclass of such tensors and of tuples of further predictions. Every
            teacher that keeps to that can be cached, whatever its temperature and its mean over draws mean.

    Attributes:
        payload_bytes: Of a row, a multiple of 4.

    Raises:
        CacheError: It is made of something else.
    """

    def __init__(self, prediction: Prediction) -> None:
        self._template = prediction
        tensors = list(tensors_of(prediction))
        if not tensors or any(tensor.dim() != 3 for tensor in tensors):
            raise CacheError(f"A {type(prediction).__name__} has answers that cannot be kept image by image.")
        self._parts = [(len(tensor), tensor.shape[2], tensor.dtype) for tensor in tensors]
        self.payload_bytes = -(-sum(self._sizes()) // WORD_BYTES) * WORD_BYTES

    def describe(self) -> list[Any]:
        """Return the draws, classes and dtype of each tensor, for a header."""
        return [[draws, classes, str(dtype)] for draws, classes, dtype in self._parts]

    def pack(self, prediction: Prediction) -> npt.NDArray[np.uint8]:
        """Return a prediction of B images as uint8 (B, payload_bytes)."""
        rows = [tensor.transpose(0, 1).flatten(1).contiguous().view(torch.uint8) for tensor in tensors_of(prediction)]
        packed = torch.cat(rows, 1)  # (B, bytes)
        filled = torch.nn.functional.pad(packed, (0, self.payload_bytes - packed.shape[1]))
        content: npt.NDArray[np.uint8] = filled.cpu().numpy()
        return content

    def unpack(self, payload: npt.NDArray[np.uint8], device: torch.device) -> Prediction:
        """Return the prediction that rows (B, payload_bytes) came from, on a device."""
        rows, start, tensors = torch.from_numpy(np.ascontiguousarray(payload)).to(device), 0, []
        for (draws, classes, dtype), size in zip(self._parts, self._sizes(), strict=True):
            part = rows[:, start : start + size].clone(memory_format=torch.contiguous_format).view(dtype)
            tensors.append(part.view(-1, draws, classes).transpose(0, 1).contiguous())  # (S, B, C)
            start += size
        prediction: Prediction = _rebuilt(self._template, iter(tensors))
        return prediction

    def _sizes(self) -> list[int]:
        """Return the bytes of each tensor in a row."""
        return [draws * classes * dtype.itemsize for draws, classes, dtype in self._parts]


def tensors_of(prediction: Any) -> Iterator[Tensor]:
    """Yield the tensors of a prediction in the order of its fields.

    Raises:
        CacheError: It is made of something else than tensors and predictions.
    """
    if not is_dataclass(prediction):
        raise CacheError(f"A {type(prediction).__name__} cannot be kept, only dataclasses of tensors can.")
    for field in fields(prediction):
        value = getattr(prediction, field.name)
        if isinstance(value, Tensor):
            yield value
        else:
            for member in value if isinstance(value, tuple) else (value,):
                yield from tensors_of(member)


def _rebuilt(template: Any, tensors: Iterator[Tensor]) -> Any:
    """Return a copy of a prediction with other tensors."""
    changes: dict[str, Any] = {}
    for field in fields(template):
        value = getattr(template, field.name)
        if isinstance(value, Tensor):
            changes[field.name] = next(tensors)
        elif isinstance(value, tuple):
            changes[field.name] = tuple(_rebuilt(member, tensors) for member in value)
        else:
            changes[field.name] = _rebuilt(value, tensors)
    return replace(template, **changes)
