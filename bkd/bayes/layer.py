"""What every variational layer shares: a drawn weight, and the linear map it is used in."""

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn


class VariationalLayer(nn.Module):
    """Stands in for an nn.Linear or nn.Conv2d whose weight matrix W [do, di] has a posterior.

    W is the kernel with all but its first dimension flattened, with one more column when the layer has a bias. `weight`
    and `bias` hold the current draw as plain tensors, never in the state dict; `WeightPosterior` sets them.
    """

    weight: Tensor | None
    bias: Tensor | None

    def __init__(self, like: nn.Linear | nn.Conv2d) -> None:
        super().__init__()
        self.kernel_shape = tuple(like.weight.shape)
        self.fan_in = like.weight[0].numel()
        self.has_bias = like.bias is not None
        self.matrix_shape = (self.kernel_shape[0], self.fan_in + int(self.has_bias))  # (do, di)
        self.clear()

    def clear(self) -> None:
        """Forget the current draw."""
        self.weight = None
        self.bias = None

    def split(self, matrix: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return kernel and bias of a matrix [do, di]."""
        if not self.has_bias:
            return matrix.view(self.kernel_shape), None
        return matrix[:, : self.fan_in].reshape(self.kernel_shape), matrix[:, self.fan_in]

    def set_matrix(self, matrix: Tensor) -> None:
        """Make the matrix W [do, di] the current draw."""
        self.weight, self.bias = self.split(matrix)

    def linear_map(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Apply the layer's linear map with the given kernel and bias."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layer with the current draw.

        Raises:
            RuntimeError: Nothing was drawn since the layer was made, moved, copied or cleared.
        """
        if self.weight is None:
            raise RuntimeError(
                "This variational layer has no weight yet. "
                "Call WeightPosterior.draw(generator) or .mean() before the forward pass."
            )
        return self.linear_map(x, self.weight, self.bias)

    def extra_repr(self) -> str:
        """Describe the layer for `print(model)`."""
        return f"weight={list(self.kernel_shape)}, bias={self.has_bias}"

    def _apply(self, *args: Any, **kwargs: Any) -> Any:
        self.clear()  # a moved or converted module must not compute with a draw from before
        return super()._apply(*args, **kwargs)  # type: ignore[no-untyped-call]

    def __getstate__(self) -> dict[str, Any]:
        # A draw is part of an autograd graph, which can be neither copied nor pickled.
        return self.__dict__ | {"weight": None, "bias": None}


class LinearMap(VariationalLayer):
    """The linear map of an nn.Linear."""

    def __init__(self, like: nn.Linear) -> None:
        super().__init__(like)
        self.in_features = like.in_features
        self.out_features = like.out_features

    def linear_map(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Apply the linear map, x (..., in) -> (..., out)."""
        return F.linear(x, weight, bias)


class Conv2dMap(VariationalLayer):
    """The linear map of an nn.Conv2d, grouped or not: W is [out, in / groups * kh * kw]."""

    def __init__(self, like: nn.Conv2d) -> None:
        if like.padding_mode != "zeros":
            raise ValueError(f"Variational convolutions pad with zeros only, got padding_mode {like.padding_mode!r}.")
        super().__init__(like)
        self.in_channels = like.in_channels
        self.out_channels = like.out_channels
        self.kernel_size = like.kernel_size
        self.stride = like.stride
        self.padding = like.padding
        self.dilation = like.dilation
        self.groups = like.groups

    def linear_map(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Apply the convolution, x (B, in, H, W) -> (B, out, H', W')."""
        return F.conv2d(x, weight, bias, self.stride, self.padding, self.dilation, self.groups)
