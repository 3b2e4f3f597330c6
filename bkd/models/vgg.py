"""VGG networks for small images: torchvision's VGG-11 to VGG-19 without the first max-pool, and the field's vgg8.

Source: Simonyan and Zisserman, "Very Deep Convolutional Networks" (arXiv 1409.1556); vgg8 as in Tian et al.,
"Contrastive Representation Distillation" (arXiv 1910.10699).
"""

from functools import partial
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from bkd.models.network import Network, PoolAboveOne, global_average, initialise

_WIDTHS = (64, 128, 256, 512, 512)


class VGG(Network):
    """Stages of 3x3 convolutions in one sequence `features`, a max-pool after every stage but the first.

    Modules are numbered as torchvision numbers them once the first pool is taken out of its sequence. One linear layer
    `classifier` follows a global average.

    Args:
        depths: Convolutions in each of the five stages.
        batch_norm: Whether a batch norm follows each convolution.
    """

    head_name: ClassVar[str] = "classifier"

    def __init__(self, in_channels: int, num_classes: int, *, depths: tuple[int, ...], batch_norm: bool) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        in_width = in_channels
        for stage, (depth, width) in enumerate(zip(depths, _WIDTHS, strict=True)):
            for _ in range(depth):
                layers.append(nn.Conv2d(in_width, width, 3, padding=1))
                layers.extend([nn.BatchNorm2d(width)] if batch_norm else [])
                layers.append(nn.ReLU(inplace=True))
                in_width = width
            if stage > 0:
                layers.append(PoolAboveOne())
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Linear(in_width, num_classes)
        initialise(self, linear_sd=0.01)

    def forward_features(self, x: Tensor) -> Tensor:
        """Map images (B, in_channels, H, W) to (B, 512)."""
        return global_average(self.features(x))


class VGG8(Network):
    """The field's small VGG: five convolutions `block{0..4}` with batch norm, pools after the first three.

    A fourth pool follows the fourth convolution where the image's side is 64 or more.
    """

    head_name: ClassVar[str] = "classifier"

    def __init__(self, in_channels: int, num_classes: int) -> None:
        super().__init__()
        in_width = in_channels
        for i, width in enumerate(_WIDTHS):
            block = nn.Sequential(nn.Conv2d(in_width, width, 3, padding=1), nn.BatchNorm2d(width))
            self.add_module(f"block{i}", block)
            in_width = width
        self.classifier = nn.Linear(in_width, num_classes)
        initialise(self, linear_sd=0.01)

    def forward_features(self, x: Tensor) -> Tensor:
        """Map images (B, in_channels, H, W) to (B, 512)."""
        pools = 4 if min(x.shape[-2:]) >= 64 else 3
        for i in range(len(_WIDTHS)):
            x = F.relu(self.get_submodule(f"block{i}")(x), inplace=True)
            if i < pools:
                x = F.max_pool2d(x, 2)
        return global_average(x)


vgg8 = VGG8
vgg11 = partial(VGG, depths=(1, 1, 2, 2, 2), batch_norm=False)
vgg13 = partial(VGG, depths=(2, 2, 2, 2, 2), batch_norm=False)
vgg16 = partial(VGG, depths=(2, 2, 3, 3, 3), batch_norm=False)
vgg19 = partial(VGG, depths=(2, 2, 4, 4, 4), batch_norm=False)
vgg11_bn = partial(VGG, depths=(1, 1, 2, 2, 2), batch_norm=True)
vgg13_bn = partial(VGG, depths=(2, 2, 2, 2, 2), batch_norm=True)
vgg16_bn = partial(VGG, depths=(2, 2, 3, 3, 3), batch_norm=True)
vgg19_bn = partial(VGG, depths=(2, 2, 4, 4, 4), batch_norm=True)
