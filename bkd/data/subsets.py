"""Few-shot subsets: a percent of the training part of each class, written down once and used by any number of runs.

Subsets of one seed are nested, whichever percents are asked for and in whatever order: a class has one order of its
images, and p percent are its first ceil(p n / 100).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from bkd.data.splits import Split
from bkd.errors import SpecError, StorageError
from bkd.files import read_json, write_json
from bkd.rng import generator

VERSION = 1


@dataclass(frozen=True)
class SubsetSource:
    """What subsets are taken from, and by which seed.

    Attributes:
        dataset: Name of the data set.
        train_limit: Limit of the training part that the percents refer to; None for all of it.
        seed: Chooses the images.
        root: Folder of the manifests.
    """

    dataset: str
    train_limit: int | None
    seed: int
    root: Path

    @classmethod
    def of(cls, spec: Any, data_root: Path) -> "SubsetSource":
        """Return the source that a run's settings name."""
        root = Path(spec.fewshot_root).expanduser().absolute() if spec.fewshot_root else data_root / "fewshot"
        return cls(spec.dataset, spec.train_limit, spec.fewshot_seed, root)

    def manifest(self, split: Split) -> Path:
        """Return the file that lists the subsets of a split."""
        limit = "all" if self.train_limit is None else str(self.train_limit)
        return self.root / f"{self.dataset}_{limit}_seed{self.seed}_{split.fingerprint}.json"


def take(labels: torch.Tensor, train: torch.Tensor, percent: float, seed: int) -> torch.Tensor:
    """Return `percent` of the images of each class, at least one of each: positions, ascending, int64.

    Args:
        labels: int64 (N,), of all images.
        train: int64 (n,), positions of the training part.
        percent: Above 0, at most 100.
        seed: Chooses the images.
    """
    labels, kept = labels.cpu(), []
    for label in labels[train].unique().tolist():
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
    path = source.manifest(split)
    subsets: dict[str, list[int]] = dict(_read(path)["subsets"]) if path.exists() else {}
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
    path = source.manifest(split)
    subsets = _read(path)["subsets"] if path.exists() else {}
    if percent not in subsets:
        made = f"made are {', '.join(subsets)} %" if subsets else "none is made"
        raise SpecError(
            f"fewshot_percent {percent} of {source.dataset} has no subset in {path}: {made}. "
            f"Make it with `{_command(source, percent)}`."
        )
    index = torch.tensor(subsets[percent], dtype=torch.int64)
    if not len(index) or not torch.isin(index, split.train).all():
        raise SpecError(
            f"{path} lists images that are not in the training part of {source.dataset}. Delete it and make it anew: "
            f"`{_command(source, percent)}`."
        )
    return replace(split, train=index)


def _command(source: SubsetSource, percent: str) -> str:
    limit = "" if source.train_limit is None else f" --train-limit {source.train_limit}"
    seed = f" --seed {source.seed}" if source.seed else ""
    return f"bkd data subset {source.dataset} --percents {percent}{limit}{seed}"


def _read(path: Path) -> Mapping[str, Any]:
    document = read_json(path)
    if document.get("v") != VERSION or not isinstance(document.get("subsets"), dict):
        raise StorageError(f"{path} is no list of few-shot subsets. Delete it and call `bkd data subset` again.")
    return document
