"""MobileNetV2 of half width, as the field's CIFAR-100 comparisons use it.

Source: Sandler et al., "MobileNetV2" (arXiv 1801.04381); the strides, ReLU in place of ReLU6 and a 1x1 expansion also
in the first block are those of Tian et al., "Contrastive Representation Distillation" (arXiv 1910.10699).
"""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from bkd.models.network import Network, global_average, initialise
from bkd.models.resnet import conv1x1, conv3x3


@dataclass(frozen=True)
class Stage:
    """One row of table 2 in the source: `expand` is t, `width` c (at full width), `blocks` n, `stride` s."""

    expand: int
    width: int
    blocks: int
    stride: int


_STAGES = (
    Stage(1, 16, 1, 1),
    Stage(6, 24, 2, 1),
    Stage(6, 32, 3, 2),
    Stage(6, 64, 4, 2),
    Stage(6, 96, 3, 1),
    Stage(6, 160, 3, 2),
    Stage(6, 320, 1, 1),
)
_STEM_WIDTH = 16
_LAST_WIDTH = 1280  # not halved with the rest


class InvertedResidual(nn.Module):
    """Expand by a 1x1, filter each channel by a 3x3, narrow by a linear 1x1; add the input where the shapes agree."""

    def __init__(self, in_width: int, width: int, stride: int, expand: int) -> None:
        super().__init__()
        self.is_residual = stride == 1 and in_width == width
        hidden = in_width * expand
        self.conv = nn.Sequential(
            conv1x1(in_width, hidden),
            nn.BatchNorm2d(hidden),
            nn.ReLU(inplace=True),
            nn.Conv2d(hidden, hidden, 3, stride=stride, padding=1, groups=hidden, bias=False),
            nn.BatchNorm2d(hidden),
            nn.ReLU(inplace=True),
            conv1x1(hidden, width),
            nn.BatchNorm2d(width),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, in_width, H, W) to (B, width, H / stride, W / stride)."""
        out: Tensor = self.conv(x)
        return x + out if self.is_residual else out


class MobileNetV2(Network):
    """MobileNetV2 of half width; the stem and three stages halve the side."""

    head_name: ClassVar[str] = "classifier"

    def __init__(self, in_channels: int, num_classes: int) -> None:
        super().__init__()
        in_width = _STEM_WIDTH
        self.conv1 = nn.Sequential(
            conv3x3(in_channels, in_width, stride=2), nn.BatchNorm2d(in_width), nn.ReLU(inplace=True)
        )
        stages = []
        for stage in _STAGES:
            blocks = []
            for i in range(stage.blocks):
                stride = stage.stride if i == 0 else 1
                blocks.append(InvertedResidual(in_width, stage.width // 2, stride, stage.expand))
                in_width = stage.width // 2
            stages.append(nn.Sequential(*blocks))
        self.blocks = nn.Sequential(*stages)
        self.conv2 = nn.Sequential(conv1x1(in_width, _LAST_WIDTH), nn.BatchNorm2d(_LAST_WIDTH), nn.ReLU(inplace=True))
        self.classifier = nn.Linear(_LAST_WIDTH, num_classes)
        initialise(self, linear_sd=0.01)

    def forward_features(self, x: Tensor) -> Tensor:
        """Map images (B, in_channels, H, W) to (B, 1280)."""
        return global_average(self.conv2(self.blocks(self.conv1(x))))


mobilenet_v2 = MobileNetV2
