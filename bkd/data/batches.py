"""Batches of a data set that lies on the training device; any batch of any epoch can be made on its own."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import torch

from bkd.catalog import DatasetInfo
from bkd.data.augment import Views, apply_views, draw_views, normalise
from bkd.errors import SpecError
from bkd.rng import generator


@dataclass(frozen=True, eq=False)
class Batch:
    """What a step sees.

    Attributes:
        x: float32 (B, channels, side, side), augmented where asked and normalised.
        y: int64 (B,).
        index: int64 (B,), positions in the images that the batches are taken from.
        views: The crops and flips in `x`; None without augmentation.
    """

    x: torch.Tensor
    y: torch.Tensor
    index: torch.Tensor
    views: Views | None


@dataclass(eq=False)
class Batches:
    """Training batches, a function of (seed, epoch, step) alone.

    The order comes from the stream "order" of the epoch, crops and flips from the stream "augment" of the step:
    training that starts within an epoch sees bit for bit the batches of an unbroken one. The order is drawn on the CPU
    and is the same on any device; crops and flips are drawn on the device.

    Attributes:
        images: uint8 (N, channels, side, side), on the training device.
        labels: int64 (N,), on the same device.
        index: int64 (n,), positions that are trained on.
        batch_size: Images a step; the last short batch of an epoch is left out. With fewer images than this an epoch is
            one batch of all.
        augment: Whether to crop and mirror.

    Raises:
        SpecError: There are no images, or `batch_size` is below 1.
    """

    images: torch.Tensor
    labels: torch.Tensor
    index: torch.Tensor
    info: DatasetInfo
    batch_size: int
    seed: int
    augment: bool = True
    _orders: dict[int, torch.Tensor] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise SpecError(f"batch_size must be at least 1, got {self.batch_size}. The paper uses 100.")
        if not len(self.index):
            raise SpecError(
                f"The training part of {self.info.name} has 0 images, at least 1 is needed. Use a smaller val_fraction "
                "or a larger train_limit."
            )
        self.index = self.index.cpu()
        self.batch_size = min(self.batch_size, len(self.index))

    @property
    def steps_per_epoch(self) -> int:
        """Number of batches in an epoch, at least 1."""
        return len(self.index) // self.batch_size

    def epoch(self, epoch: int, start_step: int = 0) -> Iterator[Batch]:
        """Yield the batches of an epoch from `start_step` on.

        Raises:
            ValueError: `start_step` is outside the epoch; its end is allowed and yields nothing.
        """
        if not 0 <= start_step <= self.steps_per_epoch:
            raise ValueError(f"start_step {start_step} is not in 0..{self.steps_per_epoch}")
        return (self._batch(epoch, step) for step in range(start_step, self.steps_per_epoch))

    def peek(self, epoch: int, step: int) -> Batch:
        """Return one batch without moving any iterator.

        Args:
            epoch: From 0.
            step: From 0; a step past the epoch's end counts on into the following ones.
        """
        if step < 0:
            raise ValueError(f"step {step} is negative")
        later, step = divmod(step, self.steps_per_epoch)
        return self._batch(epoch + later, step)

    def _batch(self, epoch: int, step: int) -> Batch:
        index = self._order(epoch)[step * self.batch_size : (step + 1) * self.batch_size]
        images, labels = self.images.index_select(0, index), self.labels.index_select(0, index)
        if not self.augment:
            return Batch(normalise(images, self.info), labels, index, None)
        draws = generator(self.seed, "augment", epoch, step, images.device)
        views = draw_views(len(index), self.info, draws)
        return Batch(apply_views(images, views, self.info), labels, index, views)

    def _order(self, epoch: int) -> torch.Tensor:
        """Return the epoch's positions on the device: int64 (n,)."""
        if epoch not in self._orders:
            order = self.index[torch.randperm(len(self.index), generator=generator(self.seed, "order", epoch))]
            if len(self._orders) > 1:  # this epoch's and the next one's, for a peek across the end
                del self._orders[min(self._orders)]
            self._orders[epoch] = _to_device(order, self.images.device)
        return self._orders[epoch]


def eval_batches(
    images: torch.Tensor, labels: torch.Tensor, index: torch.Tensor, info: DatasetInfo, batch_size: int
) -> Iterator[Batch]:
    """Yield the images at `index` in its order, normalised, the last batch as short as it is.

    Args:
        images: uint8 (N, channels, side, side).
        labels: int64 (N,).
        index: int64 (n,), positions in `images`; none gives no batch.
    """
    if not len(index):
        return
    for positions in torch.split(_to_device(index, images.device), batch_size):
        x = normalise(images.index_select(0, positions), info)
        yield Batch(x, labels.index_select(0, positions), positions, None)


def _to_device(index: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Copy positions to the device without making the host wait for it."""
    if device.type == "cuda" and index.device.type == "cpu":
        index = index.pin_memory()
    return index.to(device, non_blocking=True)
