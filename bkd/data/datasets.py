"""Load a data set as uint8 tensors."""

import hashlib
import os
import uuid
import warnings
from dataclasses import dataclass
from pathlib import Path

import torch

from bkd.catalog import DatasetInfo
from bkd.data.files import DIGITS_CACHE, damaged, fashion_files, find_info, missing, status
from bkd.data.idx import IdxError, read_idx
from bkd.errors import DataMissing, StorageError

DIGITS_TEST_IMAGES = 360
_CACHE_KEYS = ("train_images", "train_labels", "test_images", "test_labels")


@dataclass(frozen=True, eq=False)
class ImageData:
    """A data set in memory.

    Attributes:
        train_images, test_images: uint8 (N, channels, side, side).
        train_labels, test_labels: int64 (N,), in 0..classes-1.
    """

    info: DatasetInfo
    train_images: torch.Tensor
    train_labels: torch.Tensor
    test_images: torch.Tensor
    test_labels: torch.Tensor


def load_dataset(name: str, data_root: Path) -> ImageData:
    """Load a data set from the data root; nothing is fetched from the network.

    Args:
        name: "digits", "fashion-mnist", "cifar10" or "cifar100".
        data_root: Folder with torchvision's layout. The digits leave a small cache there if it can be written.

    Raises:
        SpecError: The name is unknown.
        DataMissing: The files are not there or are damaged.
        StorageError: The files are there and cannot be read.
    """
    info = find_info(name)
    load = {"digits": _load_digits, "fashion-mnist": _load_fashion}.get(info.name, _load_cifar)
    try:
        return load(info, data_root)
    except OSError as error:
        file = f" ({error.filename})" if error.filename else ""
        raise StorageError(
            f"Data set {info.name} in {data_root} could not be read: {error.strerror or error}{file}. Check the "
            "permissions, or give another folder with --data."
        ) from error


def _load_digits(info: DatasetInfo, data_root: Path) -> ImageData:
    cache = data_root / DIGITS_CACHE
    if (cached := _read_cache(info, cache)) is not None:
        return cached
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise DataMissing(
            f"Data set digits was not found, looked in {cache} and scikit-learn. Run `pip install scikit-learn`."
        ) from error
    bunch = load_digits()
    pixels = torch.from_numpy(bunch.images).to(torch.int32)  # (1797, 8, 8), 0..16
    images = ((pixels * 255 + 8) // 16).to(torch.uint8)[:, None]
    labels = torch.from_numpy(bunch.target).long()
    test = _digits_test_mask(labels)
    data = ImageData(info, images[~test], labels[~test], images[test], labels[test])
    _write_cache(data, cache)
    return data


def _digits_test_mask(labels: torch.Tensor) -> torch.Tensor:
    """Mark the 360 test images: the same ones for ever, a fifth of each class.

    The order within a class is that of a hash, so that no library's generator and no seed can change it.
    """
    counts = torch.bincount(labels)
    shares = counts * DIGITS_TEST_IMAGES / len(labels)
    quota = shares.long()
    # Largest remainders first, lower class first among equals: the quotas add up to 360.
    rest = torch.argsort(quota - shares, stable=True)[: DIGITS_TEST_IMAGES - int(quota.sum())]
    quota[rest] += 1
    mask = torch.zeros(len(labels), dtype=torch.bool)
    for label, number in enumerate(quota.tolist()):
        members = torch.nonzero(labels == label).flatten().tolist()
        mask[sorted(members, key=lambda i: hashlib.sha256(f"digits/{i}".encode()).digest())[:number]] = True
    return mask


def _read_cache(info: DatasetInfo, cache: Path) -> ImageData | None:
    """Return the cached digits, or None if the file is missing, unreadable or not what was written."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        tensors = load(cache.read_bytes())
        data = ImageData(info, *(tensors[key] for key in _CACHE_KEYS))
    except (OSError, SafetensorError, KeyError):
        return None
    return data if _fault(data) is None else None


def _write_cache(data: ImageData, cache: Path) -> None:
    """Write the cache atomically; a data root that cannot be written is no error, the next start only takes longer."""
    from safetensors.torch import save

    content = save({key: getattr(data, key).contiguous() for key in _CACHE_KEYS})
    beside = cache.with_name(f".{cache.name}.{uuid.uuid4().hex}")
    try:
        cache.parent.mkdir(parents=True, exist_ok=True)
        with beside.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, cache)
    except OSError:
        try:
            beside.unlink(missing_ok=True)
        except OSError:
            return


def _load_fashion(info: DatasetInfo, data_root: Path) -> ImageData:
    found = status(info.name, data_root)
    if not found.found:
        raise missing(info.name, found.looked_in)
    tensors = []
    for path in fashion_files(Path(found.where)).values():
        try:
            tensors.append(read_idx(path))
        except IdxError as error:
            raise damaged(info.name, path, str(error)) from error
    train_images, train_labels, test_images, test_labels = tensors
    data = ImageData(info, train_images[:, None], train_labels.long(), test_images[:, None], test_labels.long())
    return _checked(data, Path(found.where))


def _load_cifar(info: DatasetInfo, data_root: Path) -> ImageData:
    found = status(info.name, data_root)
    if not found.found:
        raise missing(info.name, found.looked_in)
    from torchvision import datasets

    kind = datasets.CIFAR10 if info.name == "cifar10" else datasets.CIFAR100
    try:
        with warnings.catch_warnings():
            # The published pickles spell a flag of dtype as 0; numpy 2.4.0 to 2.4.4 warn about it.
            warnings.filterwarnings("ignore", message=r"dtype\(\): align should be")
            # torchvision unpickles only what has the published md5: that check is what makes a foreign pickle safe.
            parts = [kind(str(data_root), train=train, download=False) for train in (True, False)]
    except RuntimeError as error:
        raise damaged(info.name, Path(found.where), "md5 differs from the published one") from error
    tensors = []
    for part in parts:
        tensors += [torch.from_numpy(part.data).permute(0, 3, 1, 2).contiguous(), torch.tensor(part.targets)]
    return _checked(ImageData(info, *tensors), Path(found.where))


def _checked(data: ImageData, where: Path) -> ImageData:
    if (fault := _fault(data)) is not None:
        raise damaged(data.info.name, where, fault)
    return data


def _fault(data: ImageData) -> str | None:
    """Say what contradicts the catalogue, or None."""
    info = data.info
    image = (info.channels, info.side, info.side)
    for part in ("train", "test"):
        images, labels = getattr(data, f"{part}_images"), getattr(data, f"{part}_labels")
        if images.dtype != torch.uint8 or tuple(images.shape[1:]) != image:
            return f"{part} images are {tuple(images.shape[1:])} {images.dtype}, not {image} bytes"
        if labels.shape != images.shape[:1] or not len(labels):
            return f"{part} set has {len(images)} images and {len(labels)} labels"
        if int(labels.min()) < 0 or int(labels.max()) >= info.classes:
            return f"{part} labels are not all within 0..{info.classes - 1}"
    return None
