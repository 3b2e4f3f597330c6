"""ResNet-18 to ResNet-152 for small images: a 3x3 stride-1 stem and no max-pool; parameter names as torchvision's.

Source: He et al., "Deep Residual Learning for Image Recognition" (arXiv 1512.03385); the stride of a bottleneck is on
its 3x3 convolution as in torchvision.
"""

from functools import partial
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from bkd.models.network import Network, global_average, initialise


def conv3x3(in_width: int, width: int, stride: int = 1) -> nn.Conv2d:
    """Make a 3x3 convolution without bias that keeps the side at stride 1."""
    return nn.Conv2d(in_width, width, 3, stride=stride, padding=1, bias=False)


def conv1x1(in_width: int, width: int, stride: int = 1) -> nn.Conv2d:
    """Make a 1x1 convolution without bias."""
    return nn.Conv2d(in_width, width, 1, stride=stride, bias=False)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut."""

    expansion: ClassVar[int] = 1

    def __init__(self, in_width: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = conv3x3(in_width, width, stride)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = conv3x3(width, width)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = projection(in_width, width, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, in_width, H, W) to (B, width, H / stride, W / stride)."""
        out = F.relu(self.bn1(self.conv1(x)), inplace=True)
        out = self.bn2(self.conv2(out))
        out += x if self.downsample is None else self.downsample(x)
        return F.relu(out, inplace=True)


class Bottleneck(nn.Module):
    """A 1x1, a 3x3 and a widening 1x1 convolution and a shortcut."""

    expansion: ClassVar[int] = 4

    def __init__(self, in_width: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = conv1x1(in_width, width)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = conv3x3(width, width, stride)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = conv1x1(width, width * self.expansion)
        self.bn3 = nn.BatchNorm2d(width * self.expansion)
        self.downsample = projection(in_width, width * self.expansion, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, in_width, H, W) to (B, 4 width, H / stride, W / stride)."""
        out = F.relu(self.bn1(self.conv1(x)), inplace=True)
        out = F.relu(self.bn2(self.conv2(out)), inplace=True)
        out = self.bn3(self.conv3(out))
        out += x if self.downsample is None else self.downsample(x)
        return F.relu(out, inplace=True)


def projection(in_width: int, width: int, stride: int) -> nn.Sequential | None:
    """Make the shortcut of a block that changes the shape, or None where the identity fits."""
    if stride == 1 and in_width == width:
        return None
    return nn.Sequential(conv1x1(in_width, width, stride), nn.BatchNorm2d(width))


class ResNet(Network):
    """Residual network of stages `layer1`, `layer2`, ...; every stage after the first halves the side.

    Args:
        block: Kind of residual block.
        depths: Blocks in each stage.
        widths: Width of each stage before the block's expansion.
        stem_width: Width of the first convolution.
    """

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        *,
        block: type[BasicBlock] | type[Bottleneck],
        depths: tuple[int, ...],
        widths: tuple[int, ...] = (64, 128, 256, 512),
        stem_width: int = 64,
    ) -> None:
        super().__init__()
        self.conv1 = conv3x3(in_channels, stem_width)
        self.bn1 = nn.BatchNorm2d(stem_width)
        self.stage_names = tuple(f"layer{i + 1}" for i in range(len(depths)))
        in_width = stem_width
        for i, (name, depth, width) in enumerate(zip(self.stage_names, depths, widths, strict=True)):
            blocks = []
            for j in range(depth):
                blocks.append(block(in_width, width, stride=2 if i > 0 and j == 0 else 1))
                in_width = width * block.expansion
            self.add_module(name, nn.Sequential(*blocks))
        self.fc = nn.Linear(in_width, num_classes)
        initialise(self)

    def forward_features(self, x: Tensor) -> Tensor:
        """Map images (B, in_channels, H, W) to (B, F)."""
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        for name in self.stage_names:
            x = self.get_submodule(name)(x)
        return global_average(x)


resnet18 = partial(ResNet, block=BasicBlock, depths=(2, 2, 2, 2))
resnet34 = partial(ResNet, block=BasicBlock, depths=(3, 4, 6, 3))
resnet50 = partial(ResNet, block=Bottleneck, depths=(3, 4, 6, 3))
resnet101 = partial(ResNet, block=Bottleneck, depths=(3, 4, 23, 3))
resnet152 = partial(ResNet, block=Bottleneck, depths=(3, 8, 36, 3))
