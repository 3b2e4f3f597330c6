"""Data sets from small files in the real formats, and the errors when they are missing or damaged."""

import errno
import gzip
import hashlib
import io
import os
import pickle
import struct
import subprocess
import sys
import warnings
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import torch

from bkd.data import files
from bkd.data.datasets import load_dataset
from bkd.data.download import download
from bkd.errors import DataMissing, SpecError, StorageError

SPLIT_OF_DIGITS = "4d04e3a8"  # changes if any test image of the digits does


class PublishedPickler(pickle.Pickler):
    """Writes arrays as the published CIFAR files hold them: old module names, dtype flags as integers."""

    def reducer_override(self, obj: object) -> object:
        if isinstance(obj, np.dtype) and obj == np.uint8:
            return np.dtype, ("u1", 0, 1), obj.__reduce__()[2]
        return NotImplemented


def published_pickle(content: dict[str, object]) -> bytes:
    buffer = io.BytesIO()
    PublishedPickler(buffer, protocol=2).dump(content)
    return buffer.getvalue().replace(b"cnumpy._core.", b"cnumpy.core.")


def write_cifar(name: str, root: Path, monkeypatch: pytest.MonkeyPatch, per_file: int = 7) -> dict[str, np.ndarray]:
    """Write a small CIFAR and tell torchvision its md5; return the rows of each file."""
    from torchvision import datasets

    kind = datasets.CIFAR10 if name == "cifar10" else datasets.CIFAR100
    key, classes = ("labels", 10) if name == "cifar10" else ("fine_labels", 100)
    folder = root / kind.base_folder
    folder.mkdir(parents=True)
    draws = np.random.default_rng(0)
    rows: dict[str, np.ndarray] = {}

    def write(file: str, content: dict[str, object]) -> str:
        data = published_pickle(content)
        (folder / file).write_bytes(data)
        return hashlib.md5(data).hexdigest()

    for attribute in ("train_list", "test_list"):
        entries = []
        for file, _ in getattr(kind, attribute):
            rows[file] = draws.integers(0, 256, (per_file, 3072), dtype=np.uint8)
            labels = draws.integers(0, classes, per_file).tolist()
            entries.append([file, write(file, {"data": rows[file], key: labels})])
        monkeypatch.setattr(kind, attribute, entries)
    names = {kind.meta["key"]: [f"c{i}" for i in range(classes)]}
    monkeypatch.setattr(kind, "meta", {**kind.meta, "md5": write(kind.meta["filename"], names)})
    return rows


def idx(array: np.ndarray) -> bytes:
    return struct.pack(f">HBB{array.ndim}i", 0, 8, array.ndim, *array.shape) + array.tobytes()


def write_fashion(folder: Path, zipped: bool) -> dict[str, np.ndarray]:
    folder.mkdir(parents=True)
    draws = np.random.default_rng(1)
    arrays = {}
    for name, number in zip(files.FASHION_FILES, (12, 12, 5, 5), strict=True):
        shape = (number, 28, 28) if "idx3" in name else (number,)
        arrays[name] = draws.integers(0, 256 if "idx3" in name else 10, shape, dtype=np.uint8)
        content = idx(arrays[name])
        if zipped:
            (folder / f"{name}.gz").write_bytes(gzip.compress(content))
        else:
            (folder / name).write_bytes(content)
    return arrays


@pytest.fixture(autouse=True)
def no_debian_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Hide the machine's own Fashion-MNIST; return the folder that stands for the package's."""
    folder = tmp_path / "debian"
    monkeypatch.setattr(files, "DEBIAN_FOLDER", folder)
    return folder


# Digits


def test_digits_are_scaled_and_split_for_ever(tmp_path: Path) -> None:
    from sklearn.datasets import load_digits

    torch.manual_seed(123)
    data = load_dataset("digits", tmp_path)
    assert data.train_images.shape == (1437, 1, 8, 8)
    assert data.test_images.shape == (360, 1, 8, 8)
    assert data.train_images.dtype == torch.uint8
    assert data.train_labels.dtype == torch.int64
    assert hashlib.sha256(data.test_images.numpy().tobytes()).hexdigest()[:8] == SPLIT_OF_DIGITS
    bunch = load_digits()
    scaled = np.floor(bunch.images * 255 / 16 + 0.5).astype(np.uint8)
    expected = sorted((image.tobytes(), y) for image, y in zip(scaled, bunch.target.tolist(), strict=True))
    pairs = [
        *zip(data.train_images, data.train_labels, strict=True),
        *zip(data.test_images, data.test_labels, strict=True),
    ]
    assert sorted((x.numpy().tobytes(), int(y)) for x, y in pairs) == expected
    counts = np.bincount(bunch.target)
    assert np.abs(torch.bincount(data.test_labels).numpy() - counts * 0.2).max() < 1


def test_cached_digits_are_equal_and_need_neither_sklearn_nor_torchvision(tmp_path: Path) -> None:
    first = load_dataset("digits", tmp_path)
    assert os.listdir(tmp_path / "digits") == [files.DIGITS_CACHE.name]
    again = load_dataset("digits", tmp_path)
    for key in ("train_images", "train_labels", "test_images", "test_labels"):
        assert torch.equal(getattr(first, key), getattr(again, key))
    script = (
        "import sys; from pathlib import Path; from bkd.data.datasets import load_dataset\n"
        f"load_dataset('digits', Path({str(tmp_path)!r}))\n"
        "sys.exit(' '.join({'sklearn', 'scipy', 'torchvision'} & set(sys.modules)) or None)"
    )
    child = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (child.returncode, child.stderr) == (0, "")


def test_digits_load_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert len(load_dataset("digits", tmp_path / "file" / "data").train_images) == 1437


def test_a_full_disk_leaves_no_half_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert len(load_dataset("digits", tmp_path).test_images) == 360
    assert os.listdir(tmp_path / "digits") == []


@pytest.mark.parametrize("damage", [lambda b: b[:1000], lambda b: b"", lambda b: b"x" * len(b)])
def test_a_damaged_cache_is_replaced(tmp_path: Path, damage: object) -> None:
    whole = load_dataset("digits", tmp_path)
    cache = tmp_path / files.DIGITS_CACHE
    content = cache.read_bytes()
    cache.write_bytes(damage(content))  # type: ignore[operator]
    assert torch.equal(load_dataset("digits", tmp_path).train_images, whole.train_images)
    assert cache.read_bytes() == content


# Fashion-MNIST


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("debian", [True, False])
def test_fashion_from_both_places(tmp_path: Path, no_debian_package: Path, zipped: bool, debian: bool) -> None:
    folder = no_debian_package if debian else tmp_path / "FashionMNIST" / "raw"
    arrays = write_fashion(folder, zipped)
    assert files.status("fashion-mnist", tmp_path).where == str(folder)
    data = load_dataset("fashion-mnist", tmp_path)
    got = (data.train_images[:, 0], data.train_labels, data.test_images[:, 0], data.test_labels)
    for tensor, array in zip(got, arrays.values(), strict=True):
        assert np.array_equal(tensor.numpy(), array)
    assert data.train_labels.dtype == torch.int64
    assert data.train_images.shape == (12, 1, 28, 28)


def test_fashion_is_read_as_torchvision_reads_it(tmp_path: Path) -> None:
    from torchvision import datasets

    write_fashion(tmp_path / "FashionMNIST" / "raw", zipped=False)
    ours, theirs = load_dataset("fashion-mnist", tmp_path), datasets.FashionMNIST(str(tmp_path), train=False)
    assert torch.equal(ours.test_images[:, 0], theirs.data)
    assert torch.equal(ours.test_labels, theirs.targets)


def test_fashion_in_neither_place_says_where_and_what_to_run(tmp_path: Path, no_debian_package: Path) -> None:
    with pytest.raises(DataMissing) as caught:
        load_dataset("fashion-mnist", tmp_path)
    text = str(caught.value)
    assert str(tmp_path / "FashionMNIST" / "raw") in text
    assert str(no_debian_package) in text
    assert "bkd data download fashion-mnist" in text
    assert "apt-get install dataset-fashion-mnist" in text


@pytest.mark.parametrize("keep", [0, 3, 10, 100, -1])
@pytest.mark.parametrize("zipped", [True, False])
def test_truncated_fashion_names_the_file(tmp_path: Path, keep: int, zipped: bool) -> None:
    folder = tmp_path / "FashionMNIST" / "raw"
    write_fashion(folder, zipped)
    path = folder / (files.FASHION_FILES[0] + (".gz" if zipped else ""))
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DataMissing, match=r"is damaged: .*train-images-idx3-ubyte.*Remove it and run `bkd data"):
        load_dataset("fashion-mnist", tmp_path)


@pytest.mark.parametrize(
    ("name", "array", "fault"),
    [
        ("train-labels-idx1-ubyte", np.zeros(11, np.uint8), "12 images and 11 labels"),
        ("train-labels-idx1-ubyte", np.full(12, 10, np.uint8), "not all within 0..9"),
        ("t10k-images-idx3-ubyte", np.zeros((5, 27, 28), np.uint8), r"test images are \(1, 27, 28\)"),
    ],
)
def test_fashion_that_contradicts_itself_is_refused(tmp_path: Path, name: str, array: np.ndarray, fault: str) -> None:
    folder = tmp_path / "FashionMNIST" / "raw"
    write_fashion(folder, zipped=False)
    (folder / name).write_bytes(idx(array))
    with pytest.raises(DataMissing, match=fault):
        load_dataset("fashion-mnist", tmp_path)


def test_the_damaged_package_is_reinstalled(tmp_path: Path, no_debian_package: Path) -> None:
    write_fashion(no_debian_package, zipped=True)
    (no_debian_package / "t10k-labels-idx1-ubyte.gz").write_bytes(b"\x1f\x8bnonsense")
    with pytest.raises(DataMissing, match="--reinstall dataset-fashion-mnist"):
        load_dataset("fashion-mnist", tmp_path)


def test_the_real_fashion_of_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    if not files.fashion_files(files.DEBIAN_FOLDER):
        pytest.skip("dataset-fashion-mnist is not installed")
    data = load_dataset("fashion-mnist", tmp_path)
    assert (len(data.train_images), len(data.test_images)) == (data.info.train_images, data.info.test_images)
    pixels = data.train_images.double() / 255
    assert round(float(pixels.mean()), 4) == data.info.mean[0]
    assert round(float(pixels.std()), 4) == data.info.sd[0]


def test_the_catalogue_has_the_digits_mean_and_sd(tmp_path: Path) -> None:
    data = load_dataset("digits", tmp_path)
    pixels = data.train_images.double() / 255
    assert round(float(pixels.mean()), 4) == data.info.mean[0]
    assert round(float(pixels.std(correction=0)), 4) == data.info.sd[0]
    assert (len(data.train_images), len(data.test_images)) == (data.info.train_images, data.info.test_images)


# CIFAR


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_cifar_loads_without_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    rows = write_cifar(name, tmp_path, monkeypatch)
    data = load_dataset(name, tmp_path)
    train = np.concatenate([rows[file] for file in rows if file.startswith(("data_batch", "train"))])
    assert np.array_equal(data.train_images.numpy().reshape(len(train), 3072), train)
    assert data.train_images.is_contiguous()
    assert data.train_images.shape[1:] == (3, 32, 32)
    assert len(data.test_images) == len(data.test_labels) == 7
    assert data.test_labels.dtype == torch.int64


def test_only_the_warning_that_some_numpy_versions_give_is_hidden(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_cifar("cifar10", tmp_path, monkeypatch)
    load, text = pickle.load, "dtype(): align should be passed as Python or NumPy boolean but got `align=0`."

    def warn(*args: object, **options: object) -> object:
        warnings.warn(text, np.exceptions.VisibleDeprecationWarning, stacklevel=2)
        return load(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr("torchvision.datasets.cifar.pickle.load", warn)
    load_dataset("cifar10", tmp_path)
    text = "something else"
    with pytest.warns(np.exceptions.VisibleDeprecationWarning, match="something else"):
        load_dataset("cifar10", tmp_path)


def test_cifar_with_another_md5_is_never_unpickled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_cifar("cifar100", tmp_path, monkeypatch)
    for name in ("train", "test", "meta"):
        path = tmp_path / "cifar-100-python" / name
        whole = path.read_bytes()
        path.write_bytes(pickle.dumps(Bomb(tmp_path / "exploded")))
        with pytest.raises(DataMissing, match=r"cifar100 is damaged.*md5.*bkd data download cifar100"):
            load_dataset("cifar100", tmp_path)
        path.write_bytes(whole)
    assert not (tmp_path / "exploded").exists()


class Bomb:
    """Creates a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_missing_cifar_says_where_and_what_to_run(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataMissing) as caught:
        load_dataset(name, tmp_path)
    assert str(tmp_path / files.CIFAR_FOLDERS[name]) in str(caught.value)
    assert f"`bkd data download {name}`" in str(caught.value)


def test_one_missing_file_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_cifar("cifar10", tmp_path, monkeypatch)
    assert files.status("cifar10", tmp_path).found
    (tmp_path / "cifar-10-batches-py" / "data_batch_3").unlink()
    assert not files.status("cifar10", tmp_path).found


def test_files_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_fashion(tmp_path / "FashionMNIST" / "raw", zipped=False)

    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", "train-images-idx3-ubyte")

    monkeypatch.setattr("bkd.data.datasets.read_idx", refuse)
    with pytest.raises(StorageError, match=r"Permission denied \(train-images-idx3-ubyte\)"):
        load_dataset("fashion-mnist", tmp_path)


# Names, status, download


def test_names_in_any_spelling_and_the_nearest_one() -> None:
    assert files.find_info("CIFAR100").name == "cifar100"
    assert files.find_info("Fashion_MNIST").name == "fashion-mnist"
    with pytest.raises(SpecError, match=r"got 'cifar-1000'. Did you mean 'cifar100'\?"):
        files.find_info("cifar-1000")


def test_status_of_every_data_set_loads_no_torch(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from bkd.catalog import DATASETS; from bkd.data.files import status\n"
        f"print([status(name, Path({str(tmp_path)!r})).found for name in ('digits', 'cifar10', 'cifar100')])\n"
        "sys.exit(' '.join({'torch', 'torchvision', 'numpy', 'sklearn', 'pydantic'} & set(sys.modules)) or None)"
    )
    child = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (child.returncode, child.stderr, child.stdout) == (0, "", "[True, False, False]\n")


def test_status_of_the_digits_prefers_the_cache(tmp_path: Path) -> None:
    assert files.status("digits", tmp_path).where == "scikit-learn"
    load_dataset("digits", tmp_path)
    assert files.status("digits", tmp_path).where == str(tmp_path / files.DIGITS_CACHE)
    assert download("digits", tmp_path).found


def fake_fetch(monkeypatch: pytest.MonkeyPatch, fetch: object) -> None:
    for module in ("cifar", "mnist"):
        monkeypatch.setattr(f"torchvision.datasets.{module}.download_and_extract_archive", fetch)


def test_download_puts_the_files_where_they_are_loaded_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, root = tmp_path / "source", tmp_path / "not" / "yet"
    write_cifar("cifar10", source, monkeypatch)

    def fetch(url: str, target: str, **_: object) -> None:
        assert url.endswith("cifar-10-python.tar.gz")
        os.rename(source / "cifar-10-batches-py", Path(target) / "cifar-10-batches-py")

    fake_fetch(monkeypatch, fetch)
    assert download("cifar10", root).where == str(root / "cifar-10-batches-py")
    assert len(load_dataset("cifar10", root).train_images) == 35


@pytest.mark.parametrize("name", ["cifar100", "fashion-mnist"])
@pytest.mark.parametrize("error", [URLError("no route to host"), RuntimeError("File not found or corrupted.")])
def test_download_without_a_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, error: Exception
) -> None:
    def fetch(*_: object, **__: object) -> None:
        raise error

    fake_fetch(monkeypatch, fetch)
    with pytest.raises(DataMissing, match=f"{name} could not be downloaded into .*Check the network") as caught:
        download(name, tmp_path)
    assert "\n" not in str(caught.value)


def test_download_to_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"could not be written to .*--data"):
        download("cifar100", tmp_path / "file")
