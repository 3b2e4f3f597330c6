"""Wide residual networks WRN-16-1, 16-2, 40-1 and 40-2.

Source: Zagoruyko and Komodakis, "Wide Residual Networks" (arXiv 1605.07146), without dropout.
"""

from functools import partial
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from bkd.models.network import Network, global_average, initialise
from bkd.models.resnet import conv1x1, conv3x3


class PreActBlock(nn.Module):
    """Batch norm, ReLU and 3x3 convolution, twice, and a shortcut.

    Args:
        preact_shortcut: Whether a projection shortcut sees relu(bn1(x)), as published, or the raw x. An identity
            shortcut is the raw x either way.
    """

    def __init__(self, in_width: int, width: int, stride: int, preact_shortcut: bool) -> None:
        super().__init__()
        self.preact_shortcut = preact_shortcut
        self.bn1 = nn.BatchNorm2d(in_width)
        self.conv1 = conv3x3(in_width, width, stride)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv2 = conv3x3(width, width)
        self.shortcut = None if stride == 1 and in_width == width else conv1x1(in_width, width, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, in_width, H, W) to (B, width, H / stride, W / stride)."""
        active = F.relu(self.bn1(x), inplace=True)
        out = self.conv2(F.relu(self.bn2(self.conv1(active)), inplace=True))
        if self.shortcut is None:
            out += x
        else:
            out += self.shortcut(active if self.preact_shortcut else x)
        return out  # type: ignore[no-any-return]


class WideResNet(Network):
    """Three groups of pre-activation blocks; the second and third halve the side.

    Args:
        depth: Layers counted as published, 6 n + 4 for n blocks a group.
        widen: Factor on the group widths 16, 32, 64.
        preact_shortcut: See `PreActBlock`. False fits checkpoints of the paper's own code.
    """

    option_names: ClassVar[tuple[str, ...]] = ("preact_shortcut",)

    def __init__(
        self, in_channels: int, num_classes: int, *, depth: int, widen: int, preact_shortcut: bool = True
    ) -> None:
        super().__init__()
        blocks, rest = divmod(depth - 4, 6)
        assert rest == 0, "the depth of a WRN is 6 n + 4"
        widths = (16, 16 * widen, 32 * widen, 64 * widen)
        self.conv1 = conv3x3(in_channels, widths[0])
        self.group1 = _group(widths[0], widths[1], blocks, 1, preact_shortcut)
        self.group2 = _group(widths[1], widths[2], blocks, 2, preact_shortcut)
        self.group3 = _group(widths[2], widths[3], blocks, 2, preact_shortcut)
        self.bn = nn.BatchNorm2d(widths[3])
        self.fc = nn.Linear(widths[3], num_classes)
        initialise(self)
        nn.init.zeros_(self.fc.bias)

    def forward_features(self, x: Tensor) -> Tensor:
        """Map images (B, in_channels, H, W) to (B, F)."""
        x = self.group3(self.group2(self.group1(self.conv1(x))))
        return global_average(F.relu(self.bn(x), inplace=True))


def _group(in_width: int, width: int, blocks: int, stride: int, preact_shortcut: bool) -> nn.Sequential:
    first = PreActBlock(in_width, width, stride, preact_shortcut)
    return nn.Sequential(first, *(PreActBlock(width, width, 1, preact_shortcut) for _ in range(blocks - 1)))


wrn_16_1 = partial(WideResNet, depth=16, widen=1)
wrn_16_2 = partial(WideResNet, depth=16, widen=2)
wrn_40_1 = partial(WideResNet, depth=40, widen=1)
wrn_40_2 = partial(WideResNet, depth=40, widen=2)
