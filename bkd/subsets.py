"""Lists of few-shot subsets on disk: where they lie, what they hold; what makes them is `bkd.data.subsets`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bkd.errors import SpecError, StorageError
from bkd.files import read_json

VERSION = 1


@dataclass(frozen=True)
class SubsetSource:
    """What subsets are taken from, and by which seed.

    Attributes:
        dataset: Name of the data set.
        train_limit: Limit of the training part that the percents refer to; None for all of it.
        seed: Chooses the images.
        root: Folder of the lists.
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

    def manifest(self, fingerprint: str) -> Path:
        """Return the file that lists the subsets of a split."""
        limit = "all" if self.train_limit is None else str(self.train_limit)
        return self.root / f"{self.dataset}_{limit}_seed{self.seed}_{fingerprint}.json"

    def missing(self, percent: float, made: Sequence[str]) -> SpecError:
        """Return the error of a subset that was not made."""
        limit = "" if self.train_limit is None else f" --train-limit {self.train_limit}"
        seed = f" --seed {self.seed}" if self.seed else ""
        listed = f"made are {', '.join(made)} %" if made else "none is made"
        return SpecError(
            f"fewshot_percent {percent:g} of {self.dataset} has no subset in {self.root}: {listed}. "
            f"Make it with `bkd data subset {self.dataset} --percents {percent:g}{limit}{seed}`."
        )


def check_made(source: SubsetSource, percent: float) -> None:
    """Check that a subset was made for some split, before a run that needs it is launched.

    Raises:
        SpecError: If it was not.
        StorageError: If a list of subsets is unreadable.
    """
    files = sorted(source.root.glob(source.manifest("*").name)) if source.root.is_dir() else []
    made = {name for file in files for name in read_manifest(file)["subsets"]}
    if f"{percent:g}" not in made:
        raise source.missing(percent, sorted(made, key=float))


def read_manifest(path: Path) -> Mapping[str, Any]:
    """Return a list of subsets: "subsets" maps a percent to positions in the training set.

    Raises:
        StorageError: If it is missing, unreadable or something else.
    """
    document = read_json(path)
    if document.get("v") != VERSION or not isinstance(document.get("subsets"), dict):
        raise StorageError(f"{path} is no list of few-shot subsets. Delete it and call `bkd data subset` again.")
    return document
