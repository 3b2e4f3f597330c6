"""Lists of few-shot subsets on disk: where they lie, what they hold; what makes them is `bkd.data.subsets`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import join
from typing import Any

from bkd.errors import SpecError, StorageError
from bkd.files import read_json
from bkd.text import exact

VERSION = 1


@dataclass(frozen=True)
class SubsetSource:
    """What subsets are taken from, and by which seed.

    Attributes:
        dataset: Name of the data set.
        train_limit: Limit of the training part that the percents refer to; None for all of it.
        seed: Chooses the images.
        root: Folder of the lists.
        flags: What `bkd data subset` must be told, beside the percents, to make them.
    """

    dataset: str
    train_limit: int | None
    seed: int
    root: Path
    flags: tuple[str, ...] = ()

    @classmethod
    def of(cls, spec: Any, data_root: Path) -> "SubsetSource":
        """Return the source that a run's settings, a `LoopSpec`'s, name."""
        root = Path(spec.fewshot_root).expanduser().absolute() if spec.fewshot_root else data_root / "fewshot"
        return cls(spec.dataset, spec.train_limit, spec.fewshot_seed, root, tuple(_flags(spec)))

    @property
    def header(self) -> dict[str, Any]:
        """What a list of subsets says of itself, beside the split."""
        return {"v": VERSION, "dataset": self.dataset, "train_limit": self.train_limit, "seed": self.seed}

    def manifest(self, fingerprint: str) -> Path:
        """Return the file that lists the subsets of a split."""
        limit = "all" if self.train_limit is None else str(self.train_limit)
        return self.root / f"{self.dataset}_{limit}_seed{self.seed}_{fingerprint}.json"

    def missing(self, percent: float, made: Sequence[str]) -> SpecError:
        """Return the error of a subset that was not made."""
        listed = f"made are {', '.join(made)} %" if made else "none is made"
        command = join(["bkd", "data", "subset", self.dataset, "--percents", exact(percent), *self.flags])
        return SpecError(
            f"fewshot_percent {exact(percent)} of {self.dataset} has no subset of this split in {self.root}: {listed}. "
            f"Make it with `{command}`."
        )


def _flags(spec: Any) -> list[str]:
    """Return the flags of `bkd data subset` that differ from its defaults."""
    given = {
        "--train-limit": spec.train_limit, "--val-fraction": spec.val_fraction, "--split-seed": spec.split_seed,
        "--protocol": spec.protocol.value, "--seed": spec.fewshot_seed, "--fewshot-root": spec.fewshot_root,
        "--data": spec.data,
    }  # fmt: skip
    defaults = {"--val-fraction": 0.1, "--split-seed": 0, "--protocol": "heldout", "--seed": 0}
    pairs = [(flag, str(value)) for flag, value in given.items() if value != defaults.get(flag)]
    return [word for pair in pairs for word in pair]


def check_made(source: SubsetSource, percent: float) -> None:
    """Check that a subset was made for some split, before a run that needs it is launched.

    Raises:
        SpecError: If it was not.
        StorageError: If a list of subsets is unreadable.
    """
    files = sorted(source.root.glob(source.manifest("*").name)) if source.root.is_dir() else []
    made = {name for file in files for name in read_manifest(file)["subsets"]}
    if exact(percent) not in made:
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
