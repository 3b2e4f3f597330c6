"""The large matrix products of a weight draw, by the fastest kernel that a CPU has."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

LARGE = 2**17  # entries of a matrix from which a product with it is worth a call of its own


def is_large(like: Tensor, rows: int, cols: int) -> bool:
    """Return whether `multiply_transposed` is the way to make or to read a matrix [rows, cols] of the type of `like`.

    For float32 on a CPU: there oneDNN's kernels use the whole width of the vector units on any maker's processor, the
    BLAS inside PyTorch half of it on some, and a batched product has no other advantage for matrices this large.
    """
    is_plain = like.device.type == "cpu" and like.dtype is torch.float32
    return is_plain and rows * cols >= LARGE and hasattr(torch.ops.mkldnn, "_linear_pointwise")


def multiply_transposed(a: Tensor, b: Tensor) -> Tensor:
    """Return a @ b^T of a (p, q) and b (r, q), both contiguous float32 on a CPU."""
    result: Tensor = OneDNNProduct.apply(a, b)
    return result


class OneDNNProduct(torch.autograd.Function):
    """A linear layer by oneDNN, which PyTorch calls for compiled networks only and without a gradient."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor) -> Tensor:
        """Return a @ b^T."""
        ctx.save_for_backward(a, b)
        result: Tensor = torch.ops.mkldnn._linear_pointwise(a, b, None, "none", [], "")
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Return the gradients in a and b."""
        a, b = ctx.saved_tensors
        needs_a, needs_b = ctx.needs_input_grad
        return gradient @ b if needs_a else None, gradient.mT @ a if needs_b else None
