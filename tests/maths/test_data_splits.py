"""Splits: disjoint, stratified, nested, seeded by the split seed alone."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bkd.data.splits import make_split, val_subset
from bkd.errors import SpecError

BALANCED = torch.arange(1000) % 10


def counts(labels: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
    return torch.bincount(labels[positions], minlength=int(labels.max()) + 1)


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.integers(5, 40), min_size=2, max_size=8),
    fraction=st.floats(0.1, 0.5),
    seed=st.integers(0, 9),
    share=st.floats(0, 1),
)
def test_parts_are_disjoint_whole_and_in_proportion(sizes: list[int], fraction: float, seed: int, share: float) -> None:
    labels = torch.cat([torch.full((n,), c) for c, n in enumerate(sizes)])
    whole = make_split(labels, val_fraction=fraction, split_seed=seed)
    assert torch.equal(torch.cat([whole.train, whole.val]).sort().values, torch.arange(len(labels)))
    assert len(whole.val) == int(len(labels) * fraction + 0.5)
    exact = torch.tensor(sizes) * len(whole.val) / len(labels)
    assert (counts(labels, whole.val) - exact).abs().max() <= 1
    limit = len(sizes) + round(share * (len(whole.train) - len(sizes)))
    part = make_split(labels, val_fraction=fraction, split_seed=seed, train_limit=limit)
    own = counts(labels, part.train)
    assert len(part.train) == limit
    assert own.min() >= 1
    assert (own - counts(labels, whole.train) * limit / len(whole.train)).abs().max() <= len(sizes) / 2 + 1
    assert torch.equal(part.val, whole.val)
    assert part.fingerprint == whole.fingerprint


def test_balanced_classes_split_evenly() -> None:
    split = make_split(BALANCED, train_limit=500)
    assert counts(BALANCED, split.val).tolist() == [10] * 10
    assert counts(BALANCED, split.train).tolist() == [50] * 10
    assert split.train.tolist() == sorted(split.train.tolist())
    assert split.train.dtype == torch.int64


def test_limits_are_nested_and_inside_the_training_part() -> None:
    parts = [set(make_split(BALANCED, train_limit=n).train.tolist()) for n in (10, 123, 500, 900)]
    parts.append(set(make_split(BALANCED).train.tolist()))
    for smaller, larger in pairwise(parts):
        assert smaller <= larger
    assert parts[-1] == parts[-2]


def test_the_surplus_of_a_limit_falls_on_random_classes() -> None:
    """505 images of 10 classes: the five classes with one more are not always the first five."""
    surplus = set()
    for seed in range(10):
        own = counts(BALANCED, make_split(BALANCED, split_seed=seed, train_limit=505).train)
        assert own.min() >= 50
        assert own.max() <= 51
        surplus |= set(torch.nonzero(own == 51).flatten().tolist())
    assert surplus == set(range(10))


def test_only_the_split_seed_draws() -> None:
    torch.manual_seed(1)
    first = make_split(BALANCED, split_seed=3)
    torch.manual_seed(2)
    again, other = make_split(BALANCED, split_seed=3), make_split(BALANCED, split_seed=4)
    assert torch.equal(first.val, again.val)
    assert first.fingerprint == again.fingerprint
    assert set(first.val.tolist()) != set(other.val.tolist())
    assert first.fingerprint != other.fingerprint


def test_the_split_seed_chooses_the_limited_images() -> None:
    one, again, other = (make_split(BALANCED, val_fraction=0, split_seed=s, train_limit=100).train for s in (1, 1, 2))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


def test_the_paper_protocol_trains_on_everything() -> None:
    split = make_split(BALANCED, protocol="paper", val_fraction=0.1)
    assert len(split.train) == 1000
    assert len(split.val) == 0
    assert len(val_subset(split)) == 0
    assert split.fingerprint != make_split(BALANCED).fingerprint
    assert split.fingerprint != make_split(BALANCED[:990], protocol="paper").fingerprint
    assert len(make_split(BALANCED, protocol="paper", train_limit=100).train) == 100


def test_no_validation_on_request() -> None:
    assert len(make_split(BALANCED, val_fraction=0).val) == 0


def test_the_validation_subset_is_stratified_and_fixed() -> None:
    split = make_split(BALANCED, val_fraction=0.5)
    part = val_subset(split, 100)
    assert counts(BALANCED, part).tolist() == [10] * 10
    assert set(part.tolist()) <= set(split.val.tolist())
    assert torch.equal(part, val_subset(make_split(BALANCED, val_fraction=0.5, train_limit=50), 100))
    assert torch.equal(val_subset(split), split.val.sort().values)


@pytest.mark.parametrize(
    ("settings_", "message"),
    [
        ({"val_fraction": 1.0}, "val_fraction must be at least 0 and below 1, got 1.0"),
        ({"val_fraction": -0.1}, "got -0.1"),
        ({"val_fraction": float("nan")}, "got nan"),
        ({"val_fraction": 1e-5}, "less than one image"),
        ({"val_fraction": 0.999}, "leaves a class without"),
        ({"train_limit": 901}, r"from 10 .* to 900 .*got 901"),
        ({"train_limit": 9}, "got 9"),
        ({"train_limit": 0}, "got 0"),
    ],
)
def test_settings_out_of_range(settings_: dict[str, float], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        make_split(BALANCED, **settings_)  # type: ignore[arg-type]
