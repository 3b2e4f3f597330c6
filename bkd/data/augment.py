"""Reflect-pad, crop, mirror and normalise whole batches of uint8 images, bit for bit as torchvision does one image.

Padding, crop and mirror only choose which pixel goes where, so they are one gather; no padded copy is made.
"""

from dataclasses import dataclass
from functools import lru_cache

import torch

from bkd.catalog import DatasetInfo
from bkd.rng import generator


@dataclass(frozen=True, eq=False)
class Views:
    """What was drawn for each image of a batch.

    Attributes:
        top, left: int64 (B,), corner of the crop in the padded image, in 0..2*pad.
        flip: bool (B,), whether the crop is mirrored.
    """

    top: torch.Tensor
    left: torch.Tensor
    flip: torch.Tensor


def draw_views(batch: int, info: DatasetInfo, generator: torch.Generator) -> Views:
    """Draw a crop and a flip for each of `batch` images, on the generator's device."""
    device = generator.device
    top, left = torch.randint(0, 2 * info.pad + 1, (2, batch), generator=generator, device=device)
    if info.hflip:
        flip = torch.rand(batch, generator=generator, device=device) < 0.5
    else:
        flip = torch.zeros(batch, dtype=torch.bool, device=device)
    return Views(top, left, flip)


def apply_views(images: torch.Tensor, views: Views, info: DatasetInfo) -> torch.Tensor:
    """Return the drawn views of a batch, normalised.

    Args:
        images: uint8 (B, channels, side, side).
        views: One per image, on the device of `images`.

    Returns:
        float32 (B, channels, side, side), bit-equal to torchvision's pad(reflect), crop, hflip, to_tensor,
        normalize. (Its v2 `to_dtype` multiplies by 1/255 instead and differs in the last bit.)
    """
    offsets = 2 * info.pad + 1
    view = (views.top * offsets + views.left) * 2 + views.flip  # (B,)
    pixels = _view_pixels(info, images.device).index_select(0, view)  # (B, side * side)
    flat = images.flatten(2)  # (B, channels, side * side)
    return normalise(flat.gather(2, pixels[:, None].expand_as(flat)).view_as(images), info)


def fixed_views(x: torch.Tensor, info: DatasetInfo, count: int, seed: int) -> torch.Tensor:
    """Return `count` views of each image, the same for all: the image itself, then others chosen by a seed.

    No view comes twice.

    Args:
        x: Normalised images (B, channels, side, side); which pixel goes where does not depend on their values.
        info: Of the data set.
        count: K, at most as many as there are.
        seed: Chooses crops and mirror images.

    Returns:
        (K, B, channels, side, side).
    """
    pixels = _view_pixels(info, x.device)
    itself = (info.pad * (2 * info.pad + 1) + info.pad) * 2
    draws = generator(seed, "views")
    others = [view for view in torch.randperm(len(pixels), generator=draws).tolist() if view != itself]
    others = [view for view in others if info.hflip or view % 2 == 0]
    chosen = [itself, *others[: count - 1]]
    flat = x.flatten(2)
    return torch.stack([flat[:, :, pixels[view]].view_as(x) for view in chosen])


def normalise(images: torch.Tensor, info: DatasetInfo) -> torch.Tensor:
    """Return ((x / 255) - mean) / sd in this order, on which the last bits depend, as float32 in the shape of `images`.

    Args:
        images: uint8 (B, channels, side, side).
    """
    full, mean, sd = _constants(info, images.device)
    return images.to(torch.float32).div_(full).sub_(mean).div_(sd)


@lru_cache(maxsize=32)
def _view_pixels(info: DatasetInfo, device: torch.device) -> torch.Tensor:
    """Return which pixel of the image each pixel of a view shows: int64 (offsets * offsets * 2, side * side).

    There are so few views (162 with pad 4) that a table of all of them costs 1.3 MB and a step only looks them up. The
    row of a view is (top * offsets + left) * 2 + flip.
    """
    with torch.inference_mode(False):
        last = info.side - 1
        lines = torch.arange(2 * info.pad + 1)[:, None] + torch.arange(info.side) - info.pad
        lines = last - (last - lines.abs()).abs()  # (offsets, side), the border reflected
        columns = torch.stack([lines, lines.flip(1)], 1)  # (offsets, 2, side)
        pixels = lines[:, None, None, :, None] * info.side + columns[:, :, None, :]
        return pixels.flatten(3).flatten(0, 2).to(device)


@lru_cache(maxsize=32)
def _constants(info: DatasetInfo, device: torch.device) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return 255, mean and sd on the device, copied there once: a copy a step would make the host wait.

    255 is a tensor because CUDA turns a division by a Python number into a multiplication by its inverse, which differs
    in the last bit.
    """
    with torch.inference_mode(False):
        mean = torch.tensor(info.mean, dtype=torch.float32, device=device).view(-1, 1, 1)
        sd = torch.tensor(info.sd, dtype=torch.float32, device=device).view(-1, 1, 1)
        return torch.tensor(255.0, device=device), mean, sd
