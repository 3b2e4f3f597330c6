"""How the files of a data set get here."""

from pathlib import Path
from urllib.error import URLError

from bkd.data.files import DatasetStatus, find_info, status
from bkd.errors import DataMissing, StorageError


def download(name: str, data_root: Path) -> DatasetStatus:
    """Fetch a data set with torchvision's downloader, which checks it by md5; what is whole already is kept.

    The digits come with scikit-learn, so there is nothing to fetch for them.

    Raises:
        SpecError: The name is unknown.
        DataMissing: The network or the server failed, or what came is damaged.
        StorageError: The data root cannot be written.
    """
    info = find_info(name)
    if info.name != "digits":
        _fetch(info.name, data_root)
    return status(info.name, data_root)


def _fetch(name: str, data_root: Path) -> None:
    from torchvision import datasets

    kinds = {"fashion-mnist": datasets.FashionMNIST, "cifar10": datasets.CIFAR10, "cifar100": datasets.CIFAR100}
    try:
        data_root.mkdir(parents=True, exist_ok=True)
        kinds[name](str(data_root), train=True, download=True)
    except (RuntimeError, EOFError, URLError, ConnectionError, TimeoutError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataMissing(
            f"Data set {name} could not be downloaded into {data_root}: {reason.rstrip('.')}. Check the network, or "
            f"copy the files from another machine to {status(name, data_root).looked_in[0]}."
        ) from error
    except OSError as error:
        raise StorageError(
            f"Data set {name} could not be written to {data_root}: {error.strerror or error}. Check the free space and "
            "the permissions there, or give another folder with --data."
        ) from error
