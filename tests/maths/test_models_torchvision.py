"""ResNets and VGGs against torchvision's, changed as their definition here says."""

import pytest
import torch
import torchvision.models
from torch import Tensor, nn

from bkd.models.table import build_model, load_weights


def randomised(model: nn.Module) -> nn.Module:
    """Give batch norms and biases values that a swapped or skipped layer would show."""
    generator = torch.Generator().manual_seed(0)
    for tensor in [*model.parameters(), *model.buffers()]:
        if tensor.ndim == 1:
            tensor.data.uniform_(0.5, 1.5, generator=generator)
    return model


def assert_same(ours: nn.Module, theirs: nn.Module, images: Tensor) -> None:
    for training in (False, True):
        with torch.no_grad():
            torch.testing.assert_close(ours.train(training)(images), theirs.train(training)(images))


@pytest.mark.parametrize("arch", ["resnet18", "resnet34", "resnet50", "resnet101", "resnet152"])
def test_resnet_equals_torchvision(arch: str) -> None:
    torch.manual_seed(0)
    theirs = torchvision.models.get_model(arch, weights=None, num_classes=7)
    theirs.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
    theirs.maxpool = nn.Identity()
    ours = build_model(arch, in_channels=3, num_classes=7)
    load_weights(ours, randomised(theirs).state_dict())
    assert_same(ours, theirs, torch.randn(2, 3, 16, 16))


@pytest.mark.parametrize("norm", ["", "_bn"])
@pytest.mark.parametrize("depth", [11, 13, 16, 19])
def test_vgg_equals_torchvision(depth: int, norm: str) -> None:
    torch.manual_seed(0)
    layers = list(torchvision.models.get_model(f"vgg{depth}{norm}", weights=None, init_weights=False).features)
    layers.pop(next(i for i, layer in enumerate(layers) if isinstance(layer, nn.MaxPool2d)))
    theirs = nn.Sequential()
    theirs.features = nn.Sequential(*layers)
    theirs.average = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    theirs.classifier = nn.Linear(512, 7)
    ours = build_model(f"vgg{depth}{norm}", in_channels=3, num_classes=7)
    load_weights(ours, randomised(theirs).state_dict())
    assert_same(ours, theirs, torch.randn(2, 3, 16, 16))
