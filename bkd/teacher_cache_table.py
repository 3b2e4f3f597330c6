"""Kept answers of one teacher for batches of one size: which belong to a batch, and whether they may be believed."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from bkd.catalog import DatasetInfo
from bkd.data.batches import Batch
from bkd.errors import StorageError
from bkd.teacher_cache_file import AnswerFile, Bytes, CacheFull, Flags, Ints, Words, odd_words
from bkd.teacher_cache_layout import Layout
from bkd.teachers import Prediction


@dataclass(frozen=True, eq=False)
class Found:
    """What a table holds of a batch.

    Attributes:
        ids: int64 (B,), image and view.
        digests: uint64 (B,), of the pixels.
        rows: uint8 (B, payload_bytes).
        is_there: bool (B,), which rows may be believed.
    """

    ids: Ints
    digests: Words
    rows: Bytes
    is_there: Flags


class AnswerTable:
    """Answers on disk.

    Nothing here raises: where the disk fails or an answer is wrong, the table says so once and the teacher is asked.

    Attributes:
        is_open: Whether answers are still read.
        is_growing: Whether answers are still added.
    """

    def __init__(self, file: AnswerFile, layout: Layout, info: DatasetInfo, say: Callable[[str], None]) -> None:
        self.file = file
        self.layout = layout
        self.info = info
        self.is_open = True
        self.is_growing = file.is_writable
        self._say = say
        self._has_told_damage = False

    def find(self, batch: Batch) -> Found | None:
        """Return what there is of a batch; None once the table is closed."""
        if not self.is_open:
            return None
        ids, digests = _on_host(batch, self.info)
        try:
            rows, is_there = self.file.read(ids, digests)
        except StorageError as error:
            self._close(f"can no longer be read ({error})")
            return None
        if self.file.damaged and not self._has_told_damage:
            self._has_told_damage = True
            self._say(f"Teacher cache {self.file.path}: damaged or foreign answers were found; they are asked anew.")
        return Found(ids, digests, rows, is_there)

    def keep(self, found: Found, prediction: Prediction) -> None:
        """Add what was missing, from the answers of the teacher itself; those that were there are compared with it."""
        if not (self.is_growing or found.is_there.any()):
            return
        rows = self.layout.pack(prediction)
        if not np.array_equal(rows[found.is_there], found.rows[found.is_there]):
            self._distrust()
        if not self.is_growing:
            return
        missing = ~found.is_there
        try:
            self.file.append(found.ids[missing], found.digests[missing], rows[missing])
        except CacheFull as full:
            self._stop_growing(f"{full}. Delete caches that no student needs, or raise --teacher-cache-gib")
        except StorageError as error:
            self._stop_growing(str(error).rstrip("."))

    def _distrust(self) -> None:
        """Leave answers that are not the teacher's, and empty the cache if no other student uses it."""
        try:
            is_gone = self.file.discard()
        except StorageError:
            is_gone = False
        advice = "It was emptied" if is_gone else "Delete it when no student uses it"
        self._close(f"holds answers that are not this teacher's. {advice}; this run asks the teacher from here on")

    def _stop_growing(self, reason: str) -> None:
        self.is_growing = False
        self._say(f"Teacher cache: no more answers are kept, those that are kept are still used: {reason}.")

    def _close(self, reason: str) -> None:
        self.is_open = self.is_growing = False
        self.file.close()
        self._say(f"Teacher cache {self.file.path} {reason}.")


def num_views(info: DatasetInfo) -> int:
    """Return how many crops and mirror images a data set's pictures have."""
    return (2 * info.pad + 1) ** 2 * 2


def pixel_digests(x: Tensor) -> Tensor:
    """Return a 64-bit digest of each image's bits: int64 (B,), on the device of `x`.

    Source: as the checksum of `bkd.teacher_cache_file`.
    """
    words = x.contiguous().flatten(1).view(torch.int32).to(torch.int64)  # (B, pixels)
    return words.mul_(_pixel_coefficients(words.shape[1], x.device)).sum(1)


@lru_cache(maxsize=8)
def _pixel_coefficients(count: int, device: torch.device) -> Tensor:
    with torch.inference_mode(False):
        return torch.from_numpy(odd_words("pixels", count).view(np.int64)).to(device)


def _on_host(batch: Batch, info: DatasetInfo) -> tuple[Ints, Words]:
    """Return ids and pixel digests of a batch: one copy from the device, for which the host waits."""
    views = batch.views
    assert views is not None, "the table is of augmented images"
    offsets = 2 * info.pad + 1
    view = (views.top * offsets + views.left) * 2 + views.flip
    both = torch.stack([batch.index * num_views(info) + view, pixel_digests(batch.x)]).cpu().numpy()
    return both[0], both[1].view(np.uint64)
