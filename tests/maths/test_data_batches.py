"""Batches: each a function of (seed, epoch, step), so that a resumed epoch is the unbroken one."""

import pytest
import torch

from bkd.catalog import DATASETS
from bkd.data.augment import apply_views, normalise
from bkd.data.batches import Batch, Batches, eval_batches
from bkd.errors import SpecError

INFO = DATASETS["fashion-mnist"]
IMAGES = torch.randint(0, 256, (50, 1, 28, 28), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
LABELS = torch.arange(50) % 10
INDEX = torch.arange(3, 50)  # 47 images


def make(size: int = 10, seed: int = 0, augment: bool = True, index: torch.Tensor = INDEX) -> Batches:
    return Batches(IMAGES, LABELS, index, INFO, size, seed, augment)


def assert_equal(one: Batch, two: Batch) -> None:
    assert torch.equal(one.x, two.x)
    assert torch.equal(one.y, two.y)
    assert torch.equal(one.index, two.index)


def test_an_epoch_shows_each_image_once_and_drops_the_short_batch() -> None:
    batches = make()
    seen = list(batches.epoch(0))
    assert batches.steps_per_epoch == len(seen) == 4
    positions = torch.cat([batch.index for batch in seen])
    assert len(positions.unique()) == 40
    assert set(positions.tolist()) <= set(INDEX.tolist())
    for batch in seen:
        assert batch.x.shape == (10, 1, 28, 28)
        assert torch.equal(batch.y, LABELS[batch.index])
        assert batch.views is not None
        assert torch.equal(batch.x, apply_views(IMAGES[batch.index], batch.views, INFO))


def test_epochs_and_seeds_differ_in_order_and_views() -> None:
    first = make().peek(0, 0)
    for other in (make().peek(1, 0), make(seed=1).peek(0, 0)):
        assert not torch.equal(first.index, other.index)
        assert first.views is not None
        assert other.views is not None
        assert not torch.equal(first.views.top, other.views.top)


def test_steps_differ_in_views() -> None:
    one, two = make().peek(0, 0).views, make().peek(0, 1).views
    assert one is not None
    assert two is not None
    assert not torch.equal(one.top, two.top)


@pytest.mark.parametrize("start", range(5))
def test_a_resumed_epoch_is_bit_equal(start: int) -> None:
    whole = list(make().epoch(2))
    torch.manual_seed(99)
    resumed = list(make().epoch(2, start))
    assert len(resumed) == 4 - start
    for one, two in zip(whole[start:], resumed, strict=True):
        assert_equal(one, two)


def test_a_peek_gives_any_batch_and_moves_nothing() -> None:
    batches = make()
    running = batches.epoch(0)
    first = next(running)
    assert_equal(batches.peek(0, 1), make().peek(0, 1))
    batches.peek(7, 3)
    batches.peek(8, 3)
    assert_equal(next(running), list(make().epoch(0))[1])
    assert_equal(batches.peek(0, 0), first)


def test_a_peek_past_the_end_is_in_the_next_epoch() -> None:
    assert_equal(make().peek(0, 4), make().peek(1, 0))
    assert_equal(make().peek(0, 9), make().peek(2, 1))


def test_an_order_is_drawn_once_an_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = []
    shuffle = torch.randperm
    monkeypatch.setattr(torch, "randperm", lambda *a, **k: drawn.append(a) or shuffle(*a, **k))
    batches = make()
    for epoch in range(3):
        for step, _ in enumerate(batches.epoch(epoch)):
            batches.peek(epoch, step + 1)  # across the end as well
    assert len(drawn) == 4


def test_without_augmentation_the_images_are_only_normalised() -> None:
    batch = make(augment=False).peek(0, 0)
    assert batch.views is None
    assert torch.equal(batch.x, normalise(IMAGES[batch.index], INFO))
    assert torch.equal(batch.index, make().peek(0, 0).index)


def test_fewer_images_than_a_batch_are_one_batch() -> None:
    batches = make(size=100)
    assert batches.steps_per_epoch == 1
    assert sorted(next(batches.epoch(0)).index.tolist()) == INDEX.tolist()


def test_limits() -> None:
    with pytest.raises(SpecError, match="0 images"):
        make(index=INDEX[:0])
    with pytest.raises(SpecError, match="batch_size must be at least 1, got 0"):
        make(size=0)
    with pytest.raises(ValueError, match="start_step 5"):
        make().epoch(0, 5)
    with pytest.raises(ValueError, match="negative"):
        make().peek(0, -1)


def test_evaluation_shows_everything_in_order() -> None:
    seen = list(eval_batches(IMAGES, LABELS, INDEX, INFO, 20))
    assert [len(batch.y) for batch in seen] == [20, 20, 7]
    assert torch.equal(torch.cat([batch.index for batch in seen]), INDEX)
    assert torch.equal(torch.cat([batch.x for batch in seen]), normalise(IMAGES[INDEX], INFO))
    assert torch.equal(torch.cat([batch.y for batch in seen]), LABELS[INDEX])
    assert list(eval_batches(IMAGES, LABELS, INDEX[:0], INFO, 20)) == []


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_no_step_waits_for_the_device() -> None:
    batches = Batches(IMAGES.cuda(), LABELS.cuda(), INDEX, INFO, 10, 0)
    batches.peek(0, 0)  # the constants are copied once
    torch.cuda.set_sync_debug_mode("error")
    try:
        for epoch in range(2):
            for batch in batches.epoch(epoch):
                assert batch.x.is_cuda
                assert batch.index.is_cuda
    finally:
        torch.cuda.set_sync_debug_mode("default")
