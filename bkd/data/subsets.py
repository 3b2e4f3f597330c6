"""Few-shot subsets: a percent of the training part of each class, written down once and used by any number of runs.

Subsets of one seed are nested, whichever percents are asked for and in whatever order: a class has one order of its
images, and p percent are its first ceil(p n / 100).
"""

from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction
from math import ceil
from pathlib import Path
from typing import Any

import torch

from bkd.data.splits import Split
from bkd.errors import SpecError, StorageError
from bkd.files import write_json
from bkd.rng import generator
from bkd.subsets import SubsetSource, read_manifest
from bkd.text import exact


def take(labels: torch.Tensor, train: torch.Tensor, percent: float, seed: int) -> torch.Tensor:
    """Return `percent` of the images of each class, at least one of each: positions, ascending, int64.

    Args:
        labels: int64 (N,), of all images.
        train: int64 (n,), positions of the training part.
        percent: Above 0, at most 100.
        seed: Chooses the images.
    """
    labels, kept = labels.cpu(), []
    for label in torch.unique(labels[train]).tolist():
        own = train[labels[train] == label]
        order = torch.randperm(len(own), generator=generator(seed, "fewshot", 0, label))
        kept.append(own[order[: _size(len(own), percent)]])
    return torch.cat(kept).sort().values


def _size(images: int, percent: float) -> int:
    """Return how many images of a class are taken: the percent that was written, rounded up, at least one."""
    return max(1, ceil(Fraction(exact(percent)) * images / 100))


def make_subsets(
    labels: torch.Tensor, split: Split, percents: Iterable[float], source: SubsetSource
) -> tuple[Path, dict[str, int]]:
    """Write the subsets of these percents into the manifest, beside those it lists already.

    Returns:
        The manifest and the number of images of each percent that it now lists.

    Raises:
        SpecError: If a percent is not above 0 and at most 100.
        StorageError: If the manifest cannot be written, or is not one, or is that of something else.
    """
    path = source.manifest(split.fingerprint)
    subsets: dict[str, list[int]] = _read(path, split, source) if path.exists() else {}
    for percent in percents:
        if not 0 < percent <= 100:
            raise SpecError(f"percents must be above 0 and at most 100, got {percent:g}. The paper uses 5 to 50.")
        subsets[exact(percent)] = take(labels, split.train, percent, source.seed).tolist()
    subsets = dict(sorted(subsets.items(), key=lambda item: float(item[0])))
    try:
        source.root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"{source.root} cannot be made ({error.strerror}). Name another with --fewshot-root."
        ) from error
    write_json(path, source.header | _split_of(split) | {"subsets": subsets})
    return path, {percent: len(index) for percent, index in subsets.items()}


def _split_of(split: Split) -> dict[str, Any]:
    return {"split": split.fingerprint, "train_images": len(split.train)}


def _read(path: Path, split: Split, source: SubsetSource) -> dict[str, list[int]]:
    """Return the subsets that a manifest lists.

    Raises:
        StorageError: If it is no manifest, or one of other data, another split or another seed.
    """
    document, expected = read_manifest(path), source.header | _split_of(split)
    differing = [name for name, value in expected.items() if document.get(name) != value]
    if differing:
        raise StorageError(
            f"{path} is the list of other subsets: it differs in {', '.join(differing)}. Delete it and call "
            "`bkd data subset` again."
        )
    return dict(document["subsets"])


def few_shot(split: Split, labels: torch.Tensor, spec: Any, data_root: Path) -> Split:
    """Return the split with only the few-shot part of its training images.

    Args:
        split: Of the run, its training part limited already.
        labels: int64 (N,), of all training images.
        spec: A `LoopSpec`, with its `fewshot_percent`.
        data_root: Folder of the data sets.

    Raises:
        SpecError: If that subset was not made.
        StorageError: If its list is none, or not one of the run's training images.
    """
    source, percent = SubsetSource.of(spec, data_root), exact(spec.fewshot_percent)
    path = source.manifest(split.fingerprint)
    subsets = _read(path, split, source) if path.exists() else {}
    if percent not in subsets:
        raise source.missing(spec.fewshot_percent, list(subsets))
    if not _is_part(subsets[percent], spec.fewshot_percent, labels.cpu(), split):
        raise StorageError(
            f"{path} does not list {percent} % of each class of the training part of {source.dataset}. Delete it and "
            "make it anew with `bkd data subset`."
        )
    return replace(split, train=torch.tensor(subsets[percent], dtype=torch.int64))


def _is_part(listed: object, percent: float, labels: torch.Tensor, split: Split) -> bool:
    """Whether a list names, once each, training images, of each class as many as the percent asks for."""
    if not (isinstance(listed, list) and all(type(position) is int for position in listed)):
        return False
    if len(set(listed)) != len(listed) or not set(listed) <= set(split.train.tolist()):
        return False
    classes = int(labels.max()) + 1
    own, all_of = (torch.bincount(labels[index], minlength=classes).tolist() for index in (listed, split.train))
    return own == [_size(n, percent) if n else 0 for n in all_of]
