"""The large matrix products of a weight draw, by the fastest kernel that a CPU has."""

import torch
import torch.nn.functional as F
from torch import Tensor

LARGE = 2**17  # entries from which a matrix product is worth a call of its own
IMAGES = 16  # fewer images of 1 x 1 convolutions PyTorch leaves to the BLAS, on one thread


def is_convolved(like: Tensor, rows: int, cols: int) -> bool:
    """Return whether `multiply_transposed` is the way to make or to read a matrix [rows, cols] of the type of `like`.

    For float32 on a CPU: there oneDNN's kernels use the whole width of the vector units on any maker's processor, the
    BLAS inside PyTorch half of it on some, and a batched product has no other advantage for matrices this large.
    """
    is_plain = like.device.type == "cpu" and like.dtype is torch.float32
    return is_plain and rows % IMAGES == 0 and rows * cols >= LARGE


def multiply_transposed(a: Tensor, b: Tensor) -> Tensor:
    """Return a @ b^T of a (p, q) and b (r, q), p a multiple of 16, as a 1 x 1 convolution: p pixels of q channels."""
    (p, q), r = a.shape, len(b)
    pixels = a.reshape(IMAGES, 1, p // IMAGES, q).permute(0, 3, 1, 2)  # (16, q, 1, p / 16), channels last
    kernel = b.view(r, 1, 1, q).permute(0, 3, 1, 2)
    return F.conv2d(pixels, kernel).permute(0, 2, 3, 1).reshape(p, r)
