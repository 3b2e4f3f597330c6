"""The batched augmentation against torchvision, one image at a time, bit for bit."""

import pytest
import torch
from torchvision.transforms import functional as v1
from torchvision.transforms.v2 import functional as v2

from bkd.catalog import DATASETS, DatasetInfo
from bkd.data.augment import Views, apply_views, draw_views, normalise

INFOS = list(DATASETS.values())


def some_images(number: int, info: DatasetInfo, seed: int = 0) -> torch.Tensor:
    draws = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (number, info.channels, info.side, info.side), generator=draws, dtype=torch.uint8)


def all_views(info: DatasetInfo) -> Views:
    offsets = torch.arange(2 * info.pad + 1)
    top, left, flip = torch.meshgrid(offsets, offsets, torch.arange(2), indexing="ij")
    return Views(top.flatten(), left.flatten(), flip.flatten().bool())


def with_pil(image: torch.Tensor, top: int, left: int, flip: bool, info: DatasetInfo) -> torch.Tensor:
    picture = v1.pad(v1.to_pil_image(image), [info.pad], padding_mode="reflect")
    picture = v1.crop(picture, top, left, info.side, info.side)
    if flip:
        picture = v1.hflip(picture)
    return v1.normalize(v1.to_tensor(picture), list(info.mean), list(info.sd))


def with_v2(image: torch.Tensor, top: int, left: int, flip: bool, info: DatasetInfo) -> torch.Tensor:
    image = v2.crop(v2.pad(image, [info.pad], padding_mode="reflect"), top, left, info.side, info.side)
    if flip:
        image = v2.horizontal_flip(image)
    return v2.normalize(image / 255, list(info.mean), list(info.sd))  # v2.to_dtype multiplies by 1/255 instead


@pytest.mark.parametrize("info", INFOS, ids=lambda info: info.name)
@pytest.mark.parametrize("reference", [with_pil, with_v2])
def test_every_view_is_torchvisions(info: DatasetInfo, reference: object) -> None:
    views = all_views(info)
    images = some_images(len(views.top), info)
    ours = apply_views(images, views, info)
    draws = zip(images, views.top.tolist(), views.left.tolist(), views.flip.tolist(), strict=True)
    theirs = torch.stack([reference(*draw, info) for draw in draws])  # type: ignore[operator]
    assert ours.dtype == torch.float32
    assert torch.equal(ours, theirs)


@pytest.mark.parametrize("info", INFOS, ids=lambda info: info.name)
def test_evaluation_is_torchvisions_for_every_byte(info: DatasetInfo) -> None:
    images = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16).repeat(1, info.channels, 1, 1)
    theirs = torch.stack([v1.to_tensor(v1.to_pil_image(channel)) for channel in images[0]])
    theirs = v1.normalize(theirs[:, 0], list(info.mean), list(info.sd))
    assert torch.equal(normalise(images, info)[0], theirs)


def test_the_inputs_are_left_as_they_are() -> None:
    info = DATASETS["cifar10"]
    images = some_images(4, info)
    before = images.clone()
    apply_views(images, draw_views(4, info, torch.Generator().manual_seed(0)), info)
    normalise(images, info)
    assert torch.equal(images, before)


def test_images_need_not_be_contiguous() -> None:
    info = DATASETS["cifar10"]
    images = some_images(4, info)
    views = draw_views(4, info, torch.Generator().manual_seed(0))
    last = images.contiguous(memory_format=torch.channels_last)
    assert torch.equal(apply_views(last, views, info), apply_views(images, views, info))


@pytest.mark.parametrize("info", INFOS, ids=lambda info: info.name)
def test_draws_cover_all_offsets_evenly(info: DatasetInfo) -> None:
    views = draw_views(20_000, info, torch.Generator().manual_seed(5))
    for offsets in (views.top, views.left):
        shares = torch.bincount(offsets, minlength=2 * info.pad + 1) / 20_000
        assert len(shares) == 2 * info.pad + 1
        assert (shares - 1 / len(shares)).abs().max() < 0.015  # five standard deviations
    assert views.flip.dtype == torch.bool
    assert abs(float(views.flip.float().mean()) - (0.5 if info.hflip else 0)) < 0.02
    assert abs(float(torch.corrcoef(torch.stack([views.top, views.left]).float())[0, 1])) < 0.04


def test_equal_generators_draw_equal_views() -> None:
    info = DATASETS["fashion-mnist"]
    one, two, other = (draw_views(50, info, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(one.top, two.top)
    assert torch.equal(one.left, two.left)
    assert torch.equal(one.flip, two.flip)
    assert not torch.equal(one.top, other.top)


def test_constants_made_in_inference_mode_serve_training() -> None:
    info = DATASETS["digits"]
    with torch.inference_mode():
        normalise(some_images(1, info), info)
    weight = torch.ones(1, requires_grad=True)
    (normalise(some_images(1, info), info) * weight).sum().backward()
    assert weight.grad is not None


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("info", INFOS, ids=lambda info: info.name)
def test_the_same_bits_on_cuda(info: DatasetInfo) -> None:
    views = all_views(info)
    images = some_images(len(views.top), info)
    there = Views(views.top.cuda(), views.left.cuda(), views.flip.cuda())
    assert torch.equal(apply_views(images.cuda(), there, info).cpu(), apply_views(images, views, info))
