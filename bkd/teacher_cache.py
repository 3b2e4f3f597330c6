"""A deterministic teacher whose answers are kept on disk, view by view, for later epochs and later students.

Crop and mirror make few views of an image (162 with pad 4). A batch of which every answer is kept is read; any other is
put to the teacher as a whole and then kept. Bit for bit the answers are the live teacher's: those to batches of one
size serve no other size, and none is kept unless a test on this machine shows that an image's answer does not depend
on its place and company in the batch.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bkd.catalog import DatasetInfo
from bkd.data.batches import Batch
from bkd.errors import StorageError
from bkd.files import storage_error
from bkd.teacher_cache_file import AnswerFile
from bkd.teacher_cache_folder import GIB, MIB, CacheError, holds_answers
from bkd.teacher_cache_key import Probe, environment, key_digest, weights_fingerprint
from bkd.teacher_cache_table import AnswerTable, num_views, pixel_digests
from bkd.teachers import Prediction, Teacher

HELD_OUT_IMAGES = 20_000  # not augmented, whose answers are kept in memory; test sets have 10,000
MAX_IDS = 2**28  # the index of a cache takes 4 bytes for each in memory


@dataclass(frozen=True)
class CacheSettings:
    """Where a teacher's answers are kept, and for which data.

    Attributes:
        key_parts: What decides the answers beside weights and machine, in clear.
        folder: Holds one folder a key.
        num_images: N, of the images that training batches are taken from.
        info: Of the data set.
        limit_bytes: Most that all caches in `folder` may take together.
        say: Told what a person should hear, a sentence at a time.
    """

    key_parts: Mapping[str, str | int | float]
    folder: Path
    num_images: int
    info: DatasetInfo
    limit_bytes: int
    say: Callable[[str], None]


def open_cache(
    teacher: Teacher,
    key_parts: Mapping[str, str | int | float],
    folder: Path,
    *,
    num_images: int,
    info: DatasetInfo,
    limit_gib: float,
    say: Callable[[str], None],
) -> Teacher:
    """Return the teacher with its answers kept in a folder, or the teacher itself where that cannot be.

    Weights, machine, precision, threads and batch size get into the key by themselves.

    Args:
        teacher: Frozen, on its device.
        key_parts: The rest of what decides the answers: the teacher's kind and settings, the data set's name and
            its `images_fingerprint`, see `bkd.teacher_cache_key`.
        folder: Made if missing; shared by teachers and by processes.
        num_images: N, of the images that training batches are taken from.
        info: Of the data set.
        limit_gib: Most that all caches in `folder` may take together.
        say: Told in a sentence why there is no cache, what was found, and what stops it. A cache's trouble ends no run.
    """
    settings = CacheSettings(key_parts, folder, num_images, info, int(limit_gib * GIB), say)
    reason = _reason_against(teacher, settings)
    if reason is None:
        return CachedTeacher(teacher, settings)
    say(f"Teacher cache: not used, because {reason}.")
    return teacher


def _reason_against(teacher: Teacher, settings: CacheSettings) -> str | None:
    if teacher.is_stochastic:
        return "this teacher draws anew for each batch and kept draws would change the gradient noise"
    if settings.num_images * num_views(settings.info) > MAX_IDS:
        return f"{settings.num_images:,} images have too many views, at most {MAX_IDS:,} are kept track of"
    try:
        settings.folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        return str(storage_error(settings.folder, error)).rstrip(".") + ", or give another --teacher-cache"
    return None


class CachedTeacher(Teacher):
    """A deterministic teacher that is asked only where no answer is kept.

    Augmented batches are looked up on disk; others, such as those of the validation at each epoch's end, in memory,
    whole batch by whole batch.
    """

    def __init__(self, teacher: Teacher, settings: CacheSettings) -> None:
        assert not teacher.is_stochastic, "kept draws would change the gradient noise"
        super().__init__(teacher.network)
        self.teacher = teacher
        self.settings = settings
        self._tables: dict[int, AnswerTable | None] = {}  # by batch size
        self._held_out: dict[bytes, Prediction] = {}  # by the pixels of a batch
        self._held_out_images = 0

    def freeze(self) -> "CachedTeacher":
        """See `Teacher.freeze`."""
        self.teacher.freeze()
        return self

    def predict_batch(self, batch: Batch, num_samples: int, generator: torch.Generator) -> Prediction:
        """See `Teacher.predict_batch`; on a GPU the host waits for the device once."""

        def ask() -> Prediction:
            return self.teacher.predict_batch(batch, num_samples, generator)

        if batch.views is None:
            return self._remembered(batch, ask)
        table = self._table(batch)
        found = table.find(batch) if table is not None else None
        if table is None or found is None:
            return ask()
        if found.is_there.all():
            return table.layout.unpack(found.rows, batch.x.device)
        prediction = ask()
        table.keep(found, prediction)
        return prediction

    def _predict(self, x: Tensor, num_samples: int, generator: torch.Generator) -> Prediction:
        return self.teacher.predict(x, num_samples, generator)

    def _remembered(self, batch: Batch, ask: Callable[[], Prediction]) -> Prediction:
        """Return what was answered to the same pixels in the same order, asking at the first time."""
        pixels = pixel_digests(batch.x).cpu().numpy().tobytes()
        if pixels in self._held_out:
            return self._held_out[pixels]
        prediction = ask()
        if self._held_out_images + len(batch.y) <= HELD_OUT_IMAGES:
            self._held_out[pixels] = prediction
            self._held_out_images += len(batch.y)
        return prediction

    def _table(self, batch: Batch) -> AnswerTable | None:
        """Return the table for batches of this size, opened at the first one; None if there cannot be one."""
        size = len(batch.y)
        if size not in self._tables:
            try:
                self._tables[size] = self._open_table(size, batch.x.device)
            except (CacheError, StorageError) as error:
                self._tables[size] = None
                self.settings.say(f"Teacher cache: not used. {error}")
        return self._tables[size]

    def _open_table(self, batch_size: int, device: torch.device) -> AnswerTable:
        settings = self.settings
        probe = Probe(self.teacher, batch_size, settings.info, device)
        key = self._key(probe, batch_size, device)
        path = settings.folder / key_digest(key)
        if not holds_answers(path) and not probe.is_position_free():
            raise CacheError(
                f"On this machine an image's answer depends on its place in a batch of {batch_size}. Use another "
                "batch size or number of threads."
            )
        file = AnswerFile(
            path, {"key": key, "layout": probe.layout.describe()},
            num_ids=settings.num_images * num_views(settings.info), payload_bytes=probe.layout.payload_bytes,
            limit_bytes=settings.limit_bytes,
        )  # fmt: skip
        for note in file.notes:
            settings.say(f"Teacher cache: {note}")
        settings.say(f"Teacher cache {path}: {file.count:,} answers, {file.size_bytes / MIB:,.1f} MiB.")
        return AnswerTable(file, probe.layout, settings.info, settings.say)

    def _key(self, probe: Probe, batch_size: int, device: torch.device) -> dict[str, Any]:
        own = {"weights": weights_fingerprint(self.network), "probe": probe.fingerprint, "batch_size": batch_size}
        return {**self.settings.key_parts, **environment(device), **own}
