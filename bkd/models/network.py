"""What every network has in common: features, a head, and the initial values of its layers."""

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Network(nn.Module):
    """A classifier made of features and one last layer.

    `head` is the module that now stands at `head_name`; assigning to `head` replaces it there, so that the last linear
    layer can become a variational one without the network knowing.

    Attributes:
        head_name: Name of the last layer among the modules.
        option_names: Keyword options that a person may give to this family.
    """

    head_name: ClassVar[str] = "fc"
    option_names: ClassVar[tuple[str, ...]] = ()

    @property
    def head(self) -> nn.Module:
        """Return the last layer, (B, F) -> (B, C)."""
        return self.get_submodule(self.head_name)

    def __setattr__(self, name: str, value: object) -> None:
        # nn.Module would register a second module called "head" beside the layer in use.
        super().__setattr__(self.head_name if name == "head" else name, value)  # type: ignore[arg-type]

    def forward_features(self, x: Tensor) -> Tensor:
        """Map images (B, channels, H, W) to the head's inputs (B, F)."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """Map images (B, channels, H, W) to logits (B, C)."""
        logits: Tensor = self.head(self.forward_features(x))
        return logits


def global_average(x: Tensor) -> Tensor:
    """Average a map (B, F, H, W) of any size to (B, F)."""
    return F.adaptive_avg_pool2d(x, 1).flatten(1)


class PoolAboveOne(nn.Module):
    """2x2 max-pool with stride 2 that leaves a map alone whose side is 1 already."""

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, F, H, W) to (B, F, H // 2, W // 2), or return it where H or W is 1."""
        return x if min(x.shape[-2:]) == 1 else F.max_pool2d(x, 2)


@torch.no_grad()
def initialise(network: nn.Module, linear_sd: float | None = None) -> None:
    """Draw initial values from the global generator: He normal over fan-out for convolutions, unit batch norms.

    Args:
        network: Changed in place.
        linear_sd: Standard deviation of linear weights, with biases 0; None keeps PyTorch's own values.

    Source: He et al., "Delving Deep into Rectifiers" (arXiv 1502.01852), equation 14.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Linear) and linear_sd is not None:
            nn.init.normal_(module.weight, std=linear_sd)
            nn.init.zeros_(module.bias)
