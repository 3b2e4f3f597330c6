"""Data sets and architectures by name: what a form, a check or a help text must know without loading torch."""

from dataclasses import dataclass
from difflib import get_close_matches


@dataclass(frozen=True)
class DatasetInfo:
    """What is fixed about a data set.

    Attributes:
        side: Height and width of an image in pixels.
        pad: Pixels of reflect padding before the random crop back to `side`.
        hflip: Whether a training image is mirrored with probability one half.
        mean, sd: Per channel, of pixels scaled to [0, 1]. Source: SCIENCE section 2 for CIFAR; the others measured on
            their training images.
    """

    name: str
    title: str
    classes: int
    channels: int
    side: int
    train_images: int
    test_images: int
    pad: int
    hflip: bool
    mean: tuple[float, ...]
    sd: tuple[float, ...]


_INFOS = (
    DatasetInfo("digits", "scikit-learn digits", 10, 1, 8, 1437, 360, 1, False, (0.3054,), (0.3760,)),
    DatasetInfo("fashion-mnist", "Fashion-MNIST", 10, 1, 28, 60000, 10000, 4, True, (0.2860,), (0.3530,)),
    DatasetInfo(
        "cifar10", "CIFAR-10", 10, 3, 32, 50000, 10000, 4, True,
        (0.49139968, 0.48215841, 0.44653091), (0.24703223, 0.24348513, 0.26158784),
    ),
    DatasetInfo(
        "cifar100", "CIFAR-100", 100, 3, 32, 50000, 10000, 4, True,
        (0.50707516, 0.48654887, 0.44091784), (0.26733429, 0.25643846, 0.27615047),
    ),
)  # fmt: skip
DATASETS: dict[str, DatasetInfo] = {info.name: info for info in _INFOS}

ARCHITECTURES: tuple[str, ...] = (
    "resnet18", "resnet34", "resnet50", "resnet101", "resnet152",
    "resnet8x4", "resnet32x4",
    "wrn_16_1", "wrn_16_2", "wrn_40_1", "wrn_40_2",
    "vgg8", "vgg11", "vgg13", "vgg16", "vgg19",
    "vgg11_bn", "vgg13_bn", "vgg16_bn", "vgg19_bn",
    "vgg_c8", "vgg_c13",
    "MobileNetV2", "ShuffleV1", "ShuffleV2",
)  # fmt: skip


RUN_TYPES = {
    "distill": "bkd.specs:DistillSpec",
    "sweep fewshot": "bkd.sweep_specs:FewshotSweep",
    "sweep samples": "bkd.sweep_specs:SamplesSweep",
    "sweep grid": "bkd.sweep_specs:GridSweep",
    "sweep seeds": "bkd.sweep_specs:SeedsSweep",
    "synthetic": "bkd.synthetic_spec:SyntheticSpec",
}
"""Where the spec of each run type is, but for "train", whose specs the kinds declare."""

SPLIT_FIELDS = ("dataset", "val_fraction", "split_seed", "protocol")  # those of a run are its teacher's
NETWORK_FIELDS = ("arch", "preact_shortcut")  # a derived teacher's are those of the teacher that it is made from


def nearest(name: str, known: "tuple[str, ...] | list[str]") -> str | None:
    """Return the known name that `name` was probably meant to be, or None."""
    folded = {k.lower().replace("-", "_"): k for k in known}
    found = get_close_matches(name.lower().replace("-", "_"), list(folded), n=1, cutoff=0.5)
    return folded[found[0]] if found else None


def canonical(name: str, known: "tuple[str, ...] | list[str]") -> str | None:
    """Return the known spelling of `name` whatever its case and hyphens, or None."""
    folded = {k.lower().replace("-", "_"): k for k in known}
    return folded.get(name.lower().replace("-", "_"))
