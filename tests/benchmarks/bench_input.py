"""Images per second of the batched input pipeline over a per-image torchvision DataLoader, one core each.

Run `python tests/benchmarks/bench_input.py`. It checks first that both make the same images for the same draws, then
times them in turns, and prints one JSON line at the end.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms
from torchvision.transforms import functional

sys.path.insert(0, str(Path(__file__).parents[2]))
from bkd.catalog import DATASETS
from bkd.data.batches import Batches

BAR = 30
INFO = DATASETS["cifar100"]
IMAGES = 2000
BATCH = 100
ROUNDS = 7
EPOCHS_A_ROUND = 20  # of ours, so that both are timed over some tenths of a second


class PictureSet(Dataset[tuple[torch.Tensor, int]]):
    """A CIFAR-like array served as torchvision's data sets do: one PIL image at a time."""

    def __init__(self, pixels: np.ndarray, labels: list[int]) -> None:
        self.pixels, self.labels = pixels, labels
        self.transform = transforms.Compose(
            [
                transforms.RandomCrop(INFO.side, padding=INFO.pad, padding_mode="reflect"),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize(INFO.mean, INFO.sd),
            ]
        )

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, i: int) -> tuple[torch.Tensor, int]:
        return self.transform(Image.fromarray(self.pixels[i])), self.labels[i]


def one_by_one(pixels: np.ndarray, top: int, left: int, flip: bool) -> torch.Tensor:
    """Make one given view of one image with torchvision."""
    picture = functional.pad(Image.fromarray(pixels), [INFO.pad], padding_mode="reflect")
    picture = functional.crop(picture, top, left, INFO.side, INFO.side)
    picture = functional.hflip(picture) if flip else picture
    return functional.normalize(functional.to_tensor(picture), list(INFO.mean), list(INFO.sd))


def check_equal(batches: Batches, pixels: np.ndarray) -> None:
    """Stop unless an epoch of ours equals torchvision's for the same draws, bit for bit."""
    for batch in batches.epoch(0):
        assert batch.views is not None
        draws = zip(
            batch.index.tolist(),
            batch.views.top.tolist(),
            batch.views.left.tolist(),
            batch.views.flip.tolist(),
            strict=True,
        )
        theirs = torch.stack([one_by_one(pixels[i], top, left, flip) for i, top, left, flip in draws])
        if not torch.equal(batch.x, theirs):
            sys.exit("the two pipelines differ")


def images_per_s(make: Callable[[], int]) -> float:
    """Return how many images a second `make` makes; it returns their number."""
    start = time.perf_counter()
    number = make()
    return number / (time.perf_counter() - start)


def main() -> None:
    """Check, time in turns, report."""
    torch.set_num_threads(1)
    pixels = np.random.default_rng(0).integers(0, 256, (IMAGES, INFO.side, INFO.side, 3), dtype=np.uint8)
    labels = torch.arange(IMAGES) % INFO.classes
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous()
    batches = Batches(images, labels, torch.arange(IMAGES), INFO, BATCH, seed=0)
    loader = DataLoader(PictureSet(pixels, labels.tolist()), BATCH, shuffle=True, drop_last=True, num_workers=0)
    check_equal(batches, pixels)
    ours, theirs = [], []
    for _ in range(ROUNDS):
        ours.append(images_per_s(lambda: sum(len(b.y) for e in range(EPOCHS_A_ROUND) for b in batches.epoch(e))))
        theirs.append(images_per_s(lambda: sum(len(y) for _, y in loader)))
    ratio = median(a / b for a, b in zip(ours, theirs, strict=True))
    print(f"batched {median(ours):,.0f} images/s, per image {median(theirs):,.0f} images/s: {ratio:.0f}x")
    report = {"ours_images_per_s": round(median(ours)), "torchvision_images_per_s": round(median(theirs))}
    passed = ratio >= BAR
    print(json.dumps({"name": "input pipeline", "ratio": round(ratio, 1), "bar": BAR, "passed": passed, **report}))


if __name__ == "__main__":
    main()
