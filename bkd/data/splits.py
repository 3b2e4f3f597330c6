"""Divide the training images into a training and a validation part, by class."""

import hashlib
from dataclasses import dataclass

import torch

from bkd.errors import SpecError
from bkd.rng import generator

PAPER_PROTOCOL = "paper"


@dataclass(frozen=True, eq=False)
class Split:
    """Positions in the training set.

    Attributes:
        train: int64 (n,), ascending.
        val: int64 (m,), in an order whose every beginning is stratified.
        fingerprint: Twelve hex digits of the validation positions and the size of the training set: the same for every
            `train_limit`, so that a student's can be compared with its teacher's.
    """

    train: torch.Tensor
    val: torch.Tensor
    fingerprint: str


def make_split(
    labels: torch.Tensor,
    *,
    val_fraction: float = 0.1,
    split_seed: int = 0,
    train_limit: int | None = None,
    protocol: str = "validation",
) -> Split:
    """Take a stratified validation part out of the training set, then limit the rest.

    Args:
        labels: int64 (N,), of all training images.
        val_fraction: Part of the N images that validates, in [0, 1).
        split_seed: Chooses both the validation images and the order in which `train_limit` admits training images.
        train_limit: Number of training images kept, stratified and nested: a smaller limit keeps a subset of what a
            larger one keeps. None keeps all.
        protocol: "paper" trains on everything and validates on nothing; any other value makes the split.

    Raises:
        SpecError: `val_fraction` or `train_limit` is out of range, or a class would have no training image.
    """
    labels = labels.cpu()
    if not 0 <= val_fraction < 1:  # NaN as well
        raise SpecError(
            f"val_fraction must be at least 0 and below 1, got {val_fraction}. Use 0.1 to validate on a tenth of the "
            "training set."
        )
    fraction = 0.0 if protocol == PAPER_PROTOCOL else val_fraction
    order = _stratified_order(labels, torch.arange(len(labels)), 0.5, _draws(split_seed, 0))
    cut = int(len(labels) * fraction + 0.5)
    val, rest = order[:cut], order[cut:].sort().values
    _check_parts(labels, val, rest, fraction)
    if train_limit is not None:
        rest = _limited(labels, rest, train_limit, _draws(split_seed, 1))
    return Split(rest, val, _fingerprint(val, len(labels)))


def val_subset(split: Split, limit: int = 1000) -> torch.Tensor:
    """Return at most `limit` validation positions, stratified, always the same ones, ascending: int64 (<= limit,)."""
    return split.val[:limit].sort().values


def _draws(split_seed: int, step: int) -> torch.Generator:
    return generator(split_seed, "split", 0, step)


def _stratified_order(
    labels: torch.Tensor, positions: torch.Tensor, lead: float, draws: torch.Generator
) -> torch.Tensor:
    """Order positions at random so that every beginning holds the classes in proportion.

    The k-th image of a class of n stands at (k + lead) / n. With lead 0 the first images of all classes come first, so
    a beginning as long as there are classes has one of each; with lead 1/2 a class's share is rounded to the nearest.

    Args:
        labels: int64 (N,), of all images.
        positions: int64 (n,), the ones to order.
        lead: 0 or 0.5.
    """
    shuffled = positions[torch.randperm(len(positions), generator=draws)]
    own, by_class = labels[shuffled].sort(stable=True)
    counts = torch.bincount(own)
    rank = torch.arange(len(own)) - (counts.cumsum(0) - counts)[own]  # of an image within its class
    place = torch.empty(len(own), dtype=torch.float64)
    place[by_class] = (rank + lead).double() / counts[own]
    return shuffled[place.argsort(stable=True)]  # images that stand at the same place keep their random order


def _limited(labels: torch.Tensor, rest: torch.Tensor, limit: int, draws: torch.Generator) -> torch.Tensor:
    classes = _classes(labels)
    if not classes <= limit <= len(rest):
        raise SpecError(
            f"train_limit must be from {classes} (one image a class) to {len(rest)} (what the validation split "
            f"leaves), got {limit}. Leave it out to train on all of them."
        )
    return _stratified_order(labels, rest, 0.0, draws)[:limit].sort().values


def _check_parts(labels: torch.Tensor, val: torch.Tensor, rest: torch.Tensor, fraction: float) -> None:
    if fraction > 0 and not len(val):
        raise SpecError(
            f"val_fraction {fraction} of {len(labels)} training images is less than one image. Use a larger one, or 0 "
            "for no validation."
        )
    if _classes(labels[rest]) < _classes(labels):
        raise SpecError(f"val_fraction {fraction} leaves a class without training images. Use a smaller one.")


def _classes(labels: torch.Tensor) -> int:
    """Return how many classes have at least one image."""
    return int(torch.bincount(labels).count_nonzero())


def _fingerprint(val: torch.Tensor, size: int) -> str:
    content = val.sort().values.numpy().astype("<i8").tobytes()
    return hashlib.blake2b(content + str(size).encode(), digest_size=6).hexdigest()
