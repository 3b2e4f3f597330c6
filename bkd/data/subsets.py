"""Few-shot subsets: a percent of the training part of each class, written down once and used by any number of runs.

Subsets of one seed are nested, whichever percents are asked for and in whatever order: a class has one order of its
images, and p percent are its first ceil(p n / 100).
"""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from bkd.data.splits import Split
from bkd.errors import SpecError, StorageError
from bkd.files import write_json
from bkd.rng import generator
from bkd.subsets import VERSION, SubsetSource, read_manifest


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
        count = -int(-len(own) * percent // 100)  # rounded up
        kept.append(own[order[: max(1, count)]])
    return torch.cat(kept).sort().values


def make_subsets(
    labels: torch.Tensor, split: Split, percents: Iterable[float], source: SubsetSource
) -> tuple[Path, dict[str, int]]:
    """Write the subsets of these percents into the manifest, beside those it lists already.

    Returns:
        The manifest and the number of images of each percent that it now lists.

    Raises:
        SpecError: If a percent is not above 0 and at most 100.
        StorageError: If the manifest cannot be written, or is not one.
    """
    path = source.manifest(split.fingerprint)
    subsets: dict[str, list[int]] = dict(read_manifest(path)["subsets"]) if path.exists() else {}
    for percent in percents:
        if not 0 < percent <= 100:
            raise SpecError(f"percents must be above 0 and at most 100, got {percent:g}. The paper uses 5 to 50.")
        subsets[f"{percent:g}"] = take(labels, split.train, percent, source.seed).tolist()
    subsets = dict(sorted(subsets.items(), key=lambda item: float(item[0])))
    try:
        source.root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"{source.root} cannot be made ({error.strerror}). Name another with --fewshot-root."
        ) from error
    document = {
        "v": VERSION, "dataset": source.dataset, "train_limit": source.train_limit, "seed": source.seed,
        "split": split.fingerprint, "train_images": len(split.train), "subsets": subsets,
    }  # fmt: skip
    write_json(path, document)
    return path, {percent: len(index) for percent, index in subsets.items()}


def few_shot(split: Split, labels: torch.Tensor, spec: Any, data_root: Path) -> Split:
    """Return the split with only the few-shot part of its training images.

    Args:
        split: Of the run, its training part limited already.
        labels: int64 (N,), of all training images.
        spec: With `fewshot_percent`, `fewshot_root`, `fewshot_seed`, `dataset` and `train_limit`.
        data_root: Folder of the data sets.

    Raises:
        SpecError: If that subset was not made, or its manifest is not what the run's data would give.
    """
    source, percent = SubsetSource.of(spec, data_root), f"{spec.fewshot_percent:g}"
    path = source.manifest(split.fingerprint)
    subsets = read_manifest(path)["subsets"] if path.exists() else {}
    if percent not in subsets:
        raise source.missing(spec.fewshot_percent, list(subsets))
    index = torch.tensor(subsets[percent], dtype=torch.int64)
    if not len(index) or not torch.isin(index, split.train).all():
        raise SpecError(
            f"{path} lists images that are not in the training part of {source.dataset}. Delete it and make it anew "
            "with `bkd data subset`."
        )
    return replace(split, train=index)
