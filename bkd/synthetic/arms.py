"""Several networks of one shape in lockstep: one set of stacked tensors, with the backward pass written out.

At a batch of one example a step is all overhead, so the arms share every call, and no graph is recorded: about 0.1 ms a
step for four arms on one thread.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

from bkd.noise import variance


class Arms:
    """A multilayer perceptrons with ReLU and the momentum SGD that trains them, A of each.

    Attributes:
        layers: A tensor (A, out, in + 1) a layer; the last column is the bias. They are views of one flat tensor, and
            so are their momentum buffers.
    """

    def __init__(self, layers: Sequence[Tensor], learning_rate: float = 0.0, momentum: float = 0.0) -> None:
        """Start from copies of `layers` with momentum buffers at zero."""
        self._flat, self.layers = _in_one(layers)
        self._flat_velocity, self._velocity = _in_one([torch.zeros_like(layer) for layer in layers])
        self._learning_rate = learning_rate
        self._momentum = momentum

    def __len__(self) -> int:
        return len(self.layers[0])

    def only(self, index: int) -> "Arms":
        """Return a copy of one arm alone, to be looked at."""
        return Arms([layer[index : index + 1] for layer in self.layers])

    @torch.no_grad()
    def forward(self, x: Tensor) -> tuple[list[Tensor], Tensor]:
        """Compute every layer's inputs [(A, N, in), ...] and the logits (A, N, C) of examples x (N, D)."""
        inputs = [x.expand(len(self), -1, -1)]
        for layer in self.layers[:-1]:
            inputs.append(_affine(layer, inputs[-1]).relu_())
        return inputs, _affine(self.layers[-1], inputs[-1])

    @torch.no_grad()
    def backward(self, inputs: list[Tensor], residual: Tensor) -> list[Tensor]:
        """Compute each example's gradient of the loss in every layer's outputs, [(A, N, out), ...].

        Args:
            inputs: From `forward`.
            residual: (A, N, C), each example's gradient in its logits.
        """
        deltas = [residual]
        for layer, activation in zip(self.layers[:0:-1], inputs[:0:-1], strict=True):
            deltas.append(torch.bmm(deltas[-1], layer[..., :-1]).mul_(activation > 0))
        return deltas[::-1]

    @torch.no_grad()
    def step(self, x: Tensor, targets: Tensor) -> None:
        """Take one step of SGD on KL(target || softmax(z)), a mean over the batch.

        The momentum is torch.optim.SGD's: v = momentum * v + gradient, w = w - learning rate * v.

        Args:
            x: (B, D).
            targets: (A, B, C), rows sum to 1.
        """
        inputs, logits = self.forward(x)
        deltas = self.backward(inputs, logits.softmax(2).sub_(targets))
        self._flat_velocity.mul_(self._momentum)
        for velocity, delta, activation in zip(self._velocity, deltas, inputs, strict=True):
            velocity[..., :-1].baddbmm_(delta.mT, activation, alpha=1 / len(x))
            velocity[..., -1].add_(delta.sum(1), alpha=1 / len(x))
        self._flat.add_(self._flat_velocity, alpha=-self._learning_rate)

    def noise(self, inputs: list[Tensor], residual: Tensor) -> Tensor:
        """Compute V = tr Cov(g_i) over all parameters of each arm, (A,) float64.

        A layer's per-example gradient is delta_i (x) [input_i, 1], so the last layer's formula holds for every layer,
        and a trace is a sum over layers.

        Args:
            inputs: From `forward`.
            residual: (A, N, C) with N > 1.
        """
        deltas = self.backward(inputs, residual)
        of_layers = [
            torch.stack([variance(*of_arm, has_bias=True) for of_arm in zip(delta, activation, strict=True)])
            for delta, activation in zip(deltas, inputs, strict=True)
        ]
        return torch.stack(of_layers).sum(0)


def init_layers(arms: int, sizes: Sequence[int], draws: torch.Generator) -> list[Tensor]:
    """Draw the initial weights of one network, as torch.nn.Linear does, and repeat them for every arm.

    Args:
        arms: A.
        sizes: Inputs, hidden units of each layer, classes.
        draws: Where they come from.

    Returns:
        (A, out, in + 1) a layer, float32: uniform within 1 / sqrt(in), the biases in the last column too.
    """
    layers = []
    for fan_in, fan_out in pairwise(sizes):
        uniform = torch.rand(fan_out, fan_in + 1, generator=draws) * 2 - 1
        layers.append((uniform / fan_in**0.5).repeat(arms, 1, 1))
    return layers


def _affine(layer: Tensor, x: Tensor) -> Tensor:
    return torch.baddbmm(layer[:, None, :, -1], x, layer[..., :-1].mT)  # (A, N, out)


def _in_one(tensors: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
    """Copy tensors into one flat one; return it and the views."""
    flat = torch.cat([tensor.flatten() for tensor in tensors])
    pieces = torch.split(flat, [tensor.numel() for tensor in tensors])
    return flat, [piece.view_as(tensor) for piece, tensor in zip(pieces, tensors, strict=True)]
