"""Where the files of a data set are; loads neither torch nor torchvision to look."""

import importlib.util
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bkd.catalog import DATASETS, DatasetInfo, canonical, nearest
from bkd.errors import DataMissing, SpecError

DIGITS_CACHE = Path("digits", "digits-v1.safetensors")  # "v1" names the fixed test split in it
FASHION_FOLDER = Path("FashionMNIST", "raw")  # torchvision's layout
FASHION_FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
DEBIAN_PACKAGE = "dataset-fashion-mnist"
DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")
CIFAR_FOLDERS = {"cifar10": "cifar-10-batches-py", "cifar100": "cifar-100-python"}
_CIFAR_FILES = {
    "cifar10": (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch", "batches.meta"),
    "cifar100": ("train", "test", "meta"),
}


@dataclass(frozen=True)
class DatasetStatus:
    """Whether a data set's files are there.

    Attributes:
        found: All files exist; their content is checked when they are loaded.
        where: The folder or file that `load_dataset` would read; empty if nothing was found.
        looked_in: Every place that was looked at, in order.
    """

    found: bool
    where: str
    looked_in: list[str]


def find_info(name: str) -> DatasetInfo:
    """Return the data set of this name, whatever its case and hyphens.

    Raises:
        SpecError: No data set has this name; the message holds the nearest one.
    """
    known = tuple(DATASETS)
    if (found := canonical(name, known)) is not None:
        return DATASETS[found]
    meant = nearest(name, known)
    hint = f"Did you mean {meant!r}?" if meant else "Use one of these names."
    raise SpecError(f"dataset must be one of {', '.join(known)}, got {name!r}. {hint}")


def status(name: str, data_root: Path) -> DatasetStatus:
    """Look for a data set's files by their names, without opening them.

    Raises:
        SpecError: The name is unknown.
    """
    info = find_info(name)
    if info.name == "digits":
        return _digits_status(data_root)
    if info.name == "fashion-mnist":
        folders = [data_root / FASHION_FOLDER, DEBIAN_FOLDER]
        return _first_whole(folders, lambda folder: bool(fashion_files(folder)))
    files = _CIFAR_FILES[info.name]
    folder = data_root / CIFAR_FOLDERS[info.name]
    return _first_whole([folder], lambda folder: all(os.path.isfile(folder / file) for file in files))


def fashion_files(folder: Path) -> dict[str, Path]:
    """Return the four files of Fashion-MNIST by their plain name, each unpacked or gzipped; empty if one is missing."""
    found = {}
    for name in FASHION_FILES:
        # os.path.isfile, unlike Path.is_file, is False for a folder that may not be entered.
        choices = [path for path in (folder / name, folder / f"{name}.gz") if os.path.isfile(path)]
        if not choices:
            return {}
        found[name] = choices[0]
    return found


def missing(name: str, looked_in: list[str]) -> DataMissing:
    """Return the error for a data set that is nowhere: where it was looked for and what to run."""
    apt = f", or `apt-get install {DEBIAN_PACKAGE}` on Debian" if name == "fashion-mnist" else ""
    return DataMissing(
        f"Data set {name} was not found, looked in {' and '.join(looked_in)}. Run `bkd data download {name}`{apt}."
    )


def damaged(name: str, where: Path, fault: str) -> DataMissing:
    """Return the error for files that are there and are not what they should be."""
    advice = f"Remove it and run `bkd data download {name}`"
    if where.is_relative_to(DEBIAN_FOLDER):
        advice = f"Run `apt-get install --reinstall {DEBIAN_PACKAGE}`"
    return DataMissing(f"Data set {name} is damaged: {where}: {fault}. {advice}.")


def _digits_status(data_root: Path) -> DatasetStatus:
    cache = data_root / DIGITS_CACHE
    looked_in = [str(cache), "scikit-learn"]
    if os.path.isfile(cache):
        return DatasetStatus(True, str(cache), looked_in)
    bundled = importlib.util.find_spec("sklearn") is not None  # looks for the package, does not import it
    return DatasetStatus(bundled, "scikit-learn" if bundled else "", looked_in)


def _first_whole(folders: list[Path], is_whole: Callable[[Path], bool]) -> DatasetStatus:
    looked_in = [str(folder) for folder in folders]
    where = next((str(folder) for folder in folders if is_whole(folder)), "")
    return DatasetStatus(bool(where), where, looked_in)
