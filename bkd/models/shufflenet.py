"""ShuffleNet V1 (3 groups) and V2 (x1) for small images: a 1x1 stem without stride and no max-pool.

Source: Zhang et al., "ShuffleNet" (arXiv 1707.01083) and Ma et al., "ShuffleNet V2" (arXiv 1807.11164), as Tian et al.,
"Contrastive Representation Distillation" (arXiv 1910.10699), changed them: V1 has a ReLU after its depthwise
convolution. Initial values are PyTorch's own.
"""

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bkd.models.network import Network, global_average
from bkd.models.resnet import conv1x1

_STEM_WIDTH = 24


def channel_shuffle(x: Tensor, groups: int) -> Tensor:
    """Interleave the channels of `groups` equal parts of (B, F, H, W)."""
    batch, width, height, side = x.shape
    return x.view(batch, groups, width // groups, height, side).transpose(1, 2).flatten(1, 2)


def _grouped1x1(in_width: int, width: int, groups: int) -> nn.Conv2d:
    return nn.Conv2d(in_width, width, 1, groups=groups, bias=False)


def _depthwise3x3(width: int, stride: int) -> nn.Conv2d:
    return nn.Conv2d(width, width, 3, stride=stride, padding=1, groups=width, bias=False)


class ShuffleV1Block(nn.Module):
    """Grouped 1x1, shuffle, depthwise 3x3, grouped 1x1; at stride 2 the pooled input is concatenated, else added.

    Args:
        in_width, width: Channels in and out of the whole block.
        groups: Groups of the 1x1 convolutions; the first is dense where the input is the stem.
    """

    def __init__(self, in_width: int, width: int, stride: int, groups: int) -> None:
        super().__init__()
        self.stride = stride
        branch = width - in_width if stride == 2 else width
        hidden = branch // 4
        self.shuffle_groups = 1 if in_width == _STEM_WIDTH else groups
        self.conv1 = _grouped1x1(in_width, hidden, self.shuffle_groups)
        self.bn1 = nn.BatchNorm2d(hidden)
        self.conv2 = _depthwise3x3(hidden, stride)
        self.bn2 = nn.BatchNorm2d(hidden)
        self.conv3 = _grouped1x1(hidden, branch, groups)
        self.bn3 = nn.BatchNorm2d(branch)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, in_width, H, W) to (B, width, H / stride, W / stride)."""
        out = F.relu(self.bn1(self.conv1(x)), inplace=True)
        out = channel_shuffle(out, self.shuffle_groups)
        out = F.relu(self.bn2(self.conv2(out)), inplace=True)
        out = self.bn3(self.conv3(out))
        if self.stride == 1:
            return F.relu(out + x, inplace=True)
        return F.relu(torch.cat([out, F.avg_pool2d(x, 3, stride=2, padding=1)], 1), inplace=True)


class ShuffleV1(Network):
    """ShuffleNet V1 with 3 groups, stage widths 240, 480, 960 and 4, 8, 4 blocks; every stage halves the side."""

    head_name: ClassVar[str] = "linear"

    def __init__(self, in_channels: int, num_classes: int) -> None:
        super().__init__()
        self.conv1 = conv1x1(in_channels, _STEM_WIDTH)
        self.bn1 = nn.BatchNorm2d(_STEM_WIDTH)
        self.layer1 = self._stage(_STEM_WIDTH, 240, 4)
        self.layer2 = self._stage(240, 480, 8)
        self.layer3 = self._stage(480, 960, 4)
        self.linear = nn.Linear(960, num_classes)

    @staticmethod
    def _stage(in_width: int, width: int, blocks: int) -> nn.Sequential:
        first = ShuffleV1Block(in_width, width, 2, groups=3)
        return nn.Sequential(first, *(ShuffleV1Block(width, width, 1, groups=3) for _ in range(blocks - 1)))

    def forward_features(self, x: Tensor) -> Tensor:
        """Map images (B, in_channels, H, W) to (B, 960)."""
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        return global_average(self.layer3(self.layer2(self.layer1(x))))


class ShuffleV2Block(nn.Module):
    """Leave half of the channels alone, pass the other half through 1x1, depthwise 3x3, 1x1; shuffle both."""

    def __init__(self, width: int) -> None:
        super().__init__()
        half = width // 2
        self.conv1 = conv1x1(half, half)
        self.bn1 = nn.BatchNorm2d(half)
        self.conv2 = _depthwise3x3(half, 1)
        self.bn2 = nn.BatchNorm2d(half)
        self.conv3 = conv1x1(half, half)
        self.bn3 = nn.BatchNorm2d(half)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, width, H, W) to the same shape."""
        kept, out = x.chunk(2, dim=1)
        out = F.relu(self.bn1(self.conv1(out)), inplace=True)
        out = self.bn2(self.conv2(out))
        out = F.relu(self.bn3(self.conv3(out)), inplace=True)
        return channel_shuffle(torch.cat([kept, out], 1), 2)


class ShuffleV2Down(nn.Module):
    """Two branches of stride 2, each ending in half of `width`; shuffle both."""

    def __init__(self, in_width: int, width: int) -> None:
        super().__init__()
        half = width // 2
        self.conv1 = _depthwise3x3(in_width, 2)
        self.bn1 = nn.BatchNorm2d(in_width)
        self.conv2 = conv1x1(in_width, half)
        self.bn2 = nn.BatchNorm2d(half)
        self.conv3 = conv1x1(in_width, half)
        self.bn3 = nn.BatchNorm2d(half)
        self.conv4 = _depthwise3x3(half, 2)
        self.bn4 = nn.BatchNorm2d(half)
        self.conv5 = conv1x1(half, half)
        self.bn5 = nn.BatchNorm2d(half)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, in_width, H, W) to (B, width, H / 2, W / 2)."""
        left = F.relu(self.bn2(self.conv2(self.bn1(self.conv1(x)))), inplace=True)
        right = F.relu(self.bn3(self.conv3(x)), inplace=True)
        right = self.bn4(self.conv4(right))
        right = F.relu(self.bn5(self.conv5(right)), inplace=True)
        return channel_shuffle(torch.cat([left, right], 1), 2)


class ShuffleV2(Network):
    """ShuffleNet V2 x1: stage widths 116, 232, 464 and 4, 8, 4 blocks; every stage halves the side."""

    head_name: ClassVar[str] = "linear"

    def __init__(self, in_channels: int, num_classes: int) -> None:
        super().__init__()
        self.conv1 = conv1x1(in_channels, _STEM_WIDTH)
        self.bn1 = nn.BatchNorm2d(_STEM_WIDTH)
        self.layer1 = self._stage(_STEM_WIDTH, 116, 4)
        self.layer2 = self._stage(116, 232, 8)
        self.layer3 = self._stage(232, 464, 4)
        self.conv2 = conv1x1(464, 1024)
        self.bn2 = nn.BatchNorm2d(1024)
        self.linear = nn.Linear(1024, num_classes)

    @staticmethod
    def _stage(in_width: int, width: int, blocks: int) -> nn.Sequential:
        return nn.Sequential(ShuffleV2Down(in_width, width), *(ShuffleV2Block(width) for _ in range(blocks - 1)))

    def forward_features(self, x: Tensor) -> Tensor:
        """Map images (B, in_channels, H, W) to (B, 1024)."""
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        x = self.layer3(self.layer2(self.layer1(x)))
        return global_average(F.relu(self.bn2(self.conv2(x)), inplace=True))


shuffle_v1 = ShuffleV1
shuffle_v2 = ShuffleV2
