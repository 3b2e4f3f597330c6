"""vgg_c8 and vgg_c13: the "VGG-8" and "VGG-13" of Morad et al. (arXiv 2601.01484), with 8 and 10 convolutions."""

from functools import partial
from typing import ClassVar

from torch import Tensor, nn

from bkd.models.network import Network, PoolAboveOne, global_average, initialise
from bkd.models.resnet import conv3x3


class VGGC(Network):
    """Stages `stage1`, `stage2`, ... of two 3x3 convolutions without bias, each with batch norm and ReLU.

    A max-pool follows every stage but the first and the last; then a global average and one linear layer.

    Args:
        widths: Width of each stage.
    """

    head_name: ClassVar[str] = "classifier"

    def __init__(self, in_channels: int, num_classes: int, *, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.stage_names = tuple(f"stage{i + 1}" for i in range(len(widths)))
        in_width = in_channels
        for i, (name, width) in enumerate(zip(self.stage_names, widths, strict=True)):
            layers = [*_conv_bn_relu(in_width, width), *_conv_bn_relu(width, width)]
            layers.extend([PoolAboveOne()] if 0 < i < len(widths) - 1 else [])
            self.add_module(name, nn.Sequential(*layers))
            in_width = width
        self.classifier = nn.Linear(in_width, num_classes)
        initialise(self, linear_sd=0.01)

    def forward_features(self, x: Tensor) -> Tensor:
        """Map images (B, in_channels, H, W) to (B, 512)."""
        for name in self.stage_names:
            x = self.get_submodule(name)(x)
        return global_average(x)


def _conv_bn_relu(in_width: int, width: int) -> list[nn.Module]:
    return [conv3x3(in_width, width), nn.BatchNorm2d(width), nn.ReLU(inplace=True)]


vgg_c8 = partial(VGGC, widths=(64, 128, 256, 512))
vgg_c13 = partial(VGGC, widths=(64, 128, 256, 512, 512))
