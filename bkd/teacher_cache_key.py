"""What decides the bits of a teacher's answers, and whether they can be kept image by image at all."""

import hashlib
from typing import Any

import orjson
import torch
from torch import Tensor, nn

from bkd.catalog import DatasetInfo
from bkd.data.augment import normalise
from bkd.rng import generator
from bkd.teacher_cache_layout import Layout
from bkd.teachers import Prediction, Teacher


def images_fingerprint(images: Tensor) -> str:
    """Return a digest of a data set's images, uint8 (N, channels, side, side), on any device."""
    content = hashlib.blake2b(str(tuple(images.shape)).encode(), digest_size=16)
    content.update(images.detach().cpu().contiguous().numpy().data)
    return content.hexdigest()


def weights_fingerprint(network: nn.Module) -> str:
    """Return a digest of every tensor of a network's state, with names, shapes and dtypes."""
    content = hashlib.blake2b(digest_size=16)
    for name, tensor in network.state_dict().items():
        content.update(f"{name}{tuple(tensor.shape)}{tensor.dtype}".encode())
        content.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return content.hexdigest()


def environment(device: torch.device) -> dict[str, str | int]:
    """Return what of machine and library changes the last bits of an answer, as it is now."""
    is_autocast = torch.is_autocast_enabled(device.type)
    parts: dict[str, str | int] = {
        "torch": torch.__version__,
        "device": device.type,
        "cpu": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "autocast": str(torch.get_autocast_dtype(device.type)) if is_autocast else "off",
        "float32": torch.get_float32_matmul_precision(),
    }
    if device.type == "cuda":
        parts["device_name"] = torch.cuda.get_device_name(device)
        parts["cudnn"] = str(torch.backends.cudnn.version())  # type: ignore[no-untyped-call]
    return parts


class Probe:
    """A teacher's answers on one batch of fixed noise.

    Their bits are part of the key: what changes answers and is named nowhere else, such as the views of a TTDA
    teacher, a prior precision or another processor, changes them here.

    Args:
        teacher: Deterministic.
        batch_size: B; kernels, and with them bits, depend on it.
        info: Of the data set.
        device: Where the teacher predicts.

    Raises:
        CacheError: The teacher's predictions cannot be kept image by image.
    """

    def __init__(self, teacher: Teacher, batch_size: int, info: DatasetInfo, device: torch.device) -> None:
        shape = (batch_size, info.channels, info.side, info.side)
        noise = torch.randint(0, 256, shape, generator=generator(0, "teacher-cache"), dtype=torch.uint8)
        self._teacher = teacher
        self._x = normalise(noise.to(device), info)
        prediction = self._ask(self._x)
        self.layout = Layout(prediction)
        self._rows = self.layout.pack(prediction)

    @property
    def fingerprint(self) -> str:
        """Return the digest of the answers' bits."""
        return hashlib.blake2b(self._rows.tobytes(), digest_size=16).hexdigest()

    def is_position_free(self) -> bool:
        """Return whether an image's answer is the same, bit for bit, at another place among other images.

        Matrix products may split a batch between threads or kernels so that it is not: with 2 threads MKL does at
        100 classes in batches of 5 to 11. Asks the teacher twice.
        """
        size = len(self._x)
        backwards, shifted = torch.arange(size).flip(0), torch.arange(size).roll(1)
        return all(self._is_same(order, parity) for order, parity in ((backwards, 0), (shifted, 1)))

    def _is_same(self, order: Tensor, parity: int) -> bool:
        """Compare the images of even or odd number after a reordering in which all others were changed."""
        is_kept = order % 2 == parity
        x = self._x[order.to(self._x.device)]
        x[~is_kept.to(x.device)] *= -2
        rows = self.layout.pack(self._ask(x))
        return bool((rows[is_kept.numpy()] == self._rows[order[is_kept].numpy()]).all())

    def _ask(self, x: Tensor) -> Prediction:
        return self._teacher.predict(x, 1, generator(0, "teacher-cache", device=x.device))


def key_digest(key: dict[str, Any]) -> str:
    """Return the name of a key's folder: 32 hexadecimal digits."""
    return hashlib.blake2b(orjson.dumps(key, option=orjson.OPT_SORT_KEYS), digest_size=16).hexdigest()
