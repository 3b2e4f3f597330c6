"""Draws the weights of many inducing layers in few calls.

A network has dozens of layers of few sizes. Layers of one inducing size [Mr, Mc] form a block, whose small matrices are
worked on in one batch; layers of a block with one weight shape form a run, whose large products are one batch, or one
call a layer where that is faster. Choleskys of one size are one call over all blocks.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from bkd.bayes.inducing import InducingLayer
from bkd.bayes.matheron import (
    Gram,
    InducingFactors,
    InducingNoise,
    chain,
    draw_coefficients,
    mean_coefficients,
    positive,
    triangular_factors,
)
from bkd.bayes.products import is_large, multiply_transposed
from bkd.rng import standard_normal


@dataclass(frozen=True)
class StackedZ:
    """Z of a run's n layers.

    Attributes:
        row: Z_r, (n, Mr, do).
        col: Z_c, (n, Mc, di).
        col_t: Z_c^T, (n, di, Mc) and contiguous, where large products are made layer by layer; else None.
    """

    row: Tensor
    col: Tensor
    col_t: Tensor | None

    def project(self, e1: Tensor) -> Tensor:
        """Return Z_r E1 Z_c^T, (n, Mr, Mc), of E1 (n, do, di)."""
        if self.col_t is None:
            return chain(self.row, e1, self.col.mT)
        products = [multiply_transposed(e, z) for e, z in zip(e1.unbind(), self.col.unbind(), strict=True)]
        return self.row @ torch.stack(products)

    def expand(self, y: Tensor, noise: tuple[Tensor, Tensor] | None) -> Sequence[Tensor]:
        """Return Z_r^T Y Z_c + scale * E1, (do, di) of each layer; `noise` is (scale (n, 1, 1), E1) or None.

        Without gradients the result takes the memory of E1.
        """
        if self.col_t is None:
            product = chain(self.row.mT, y, self.col)
            return (product if noise is None else _add_noise(product, *noise)).unbind()
        pairs = zip((self.row.mT @ y).unbind(), self.col_t.unbind(), strict=True)  # (do, Mc), (di, Mc)
        if noise is None:
            return [multiply_transposed(left, z) for left, z in pairs]
        each = zip(pairs, noise[0].unbind(), noise[1].unbind(), strict=True)  # one product at a time takes memory
        return [_add_noise(multiply_transposed(left, z), scale, e1) for (left, z), scale, e1 in each]


def _add_noise(product: Tensor, scale: Tensor, e1: Tensor) -> Tensor:
    """Return product + scale * E1 in memory that is there already: new memory for every draw costs as much as a sum."""
    if product.requires_grad or scale.requires_grad:
        return product.addcmul_(scale, e1)
    return torch.addcmul(product, scale, e1, out=e1)


@dataclass(frozen=True)
class Run:
    """Layers of a block with one weight shape."""

    layers: list[InducingLayer]
    places: slice  # of these layers among the block's

    @property
    def noise_shape(self) -> tuple[int, int, int]:
        """Shape (n, do, di) of E1."""
        return (len(self.layers), *self.layers[0].matrix_shape)

    def stacked_z(self) -> StackedZ:
        """Return Z_r and Z_c of the layers."""
        row = torch.stack([layer.z_row for layer in self.layers])
        col = torch.stack([layer.z_col for layer in self.layers])
        return StackedZ(row, col, col.mT.contiguous() if is_large(col, *self.layers[0].matrix_shape) else None)

    def set_weights(self, z: StackedZ, y: Tensor, noise: tuple[Tensor, Tensor] | None = None) -> None:
        """Give each layer W = prior_sd * (Z_r^T Y Z_c + lam E1); `noise` is (lam, E1)."""
        prior_sd = self.layers[0].limits.prior_sd
        scaled = None if noise is None else (prior_sd * noise[0][self.places], noise[1])
        for layer, weight in zip(self.layers, z.expand(prior_sd * y[self.places], scaled), strict=True):
            layer.set_matrix(weight)


@dataclass(frozen=True)
class PreparedBlock:
    """What a block's draws share: per run the stacked Z, and the factors of all its layers."""

    z: list[StackedZ]  # per run
    factors: InducingFactors  # batch dimension L: the block's layers


class Block:
    """Layers of one inducing size and one set of bounds."""

    def __init__(self, layers: Iterable[InducingLayer]) -> None:
        groups = _group(layers, lambda layer: (layer.matrix_shape, layer.limits.prior_sd))
        self.layers = [layer for group in groups for layer in group]
        self.runs: list[Run] = []
        for group in groups:
            start = self.runs[-1].places.stop if self.runs else 0
            self.runs.append(Run(group, slice(start, start + len(group))))
        self.limits = self.layers[0].limits

    @property
    def noise_shapes(self) -> list[tuple[int, ...]]:
        """Shapes of a draw's noise: eps_u, E2, E3, E4 of all layers, then E1 of each run."""
        small = (len(self.layers), *self.layers[0].inducing_mean.shape)
        return [small] * 4 + [run.noise_shape for run in self.runs]

    def stacked(self, name: str) -> Tensor:
        """Return one parameter of all layers, (L, ...)."""
        return torch.stack([getattr(layer, name) for layer in self.layers])

    def draw(self, prepared: PreparedBlock, noise: Sequence[Tensor]) -> None:
        """Set the weights of one draw; `noise` has the shapes of `noise_shapes`."""
        eps_u, e2, e3, e4, *e1s = noise
        projected = torch.cat([z.project(e1) for z, e1 in zip(prepared.z, e1s, strict=True)])
        y = draw_coefficients(prepared.factors, InducingNoise(eps_u, e2, e3, e4), projected)
        for run, z, e1 in zip(self.runs, prepared.z, e1s, strict=True):
            run.set_weights(z, y, (prepared.factors.lamda, e1))

    def mean(self, prepared: PreparedBlock) -> None:
        """Set the posterior's mean weights."""
        y = mean_coefficients(prepared.factors, prepared.factors.mean)
        for run, z in zip(self.runs, prepared.z, strict=True):
            run.set_weights(z, y)


@dataclass(frozen=True)
class PreparedBatch:
    """What a network's draws share: their blocks' part, and memory for one draw, its noise and then its weights."""

    blocks: list[PreparedBlock]
    memory: Tensor | None = None


class InducingBatch:
    """All inducing layers of a network, in the order of their first appearance by size."""

    def __init__(self, layers: Sequence[InducingLayer]) -> None:
        groups = _group(
            layers, lambda layer: (layer.inducing_mean.shape, layer.limits.max_sd_u, layer.limits.max_lamda)
        )
        self.blocks = [Block(group) for group in groups]
        self.layers = [layer for block in self.blocks for layer in block.layers]
        self._weights_per_layer: Tensor | None = None

    def prepare(self, *, keep_memory: bool = False) -> PreparedBatch:
        """Compute what does not depend on the draw; with `keep_memory` also take the memory that draws use in turn."""
        zs = [[run.stacked_z() for run in block.runs] for block in self.blocks]
        grams, ds = [], []  # of rows and columns of each block in turn, (L, M, M) and (L, M)
        for block, z in zip(self.blocks, zs, strict=True):
            for side, name in enumerate(("_d_row", "_d_col")):
                grams.append(torch.cat([Gram.apply((pair.row, pair.col)[side]) for pair in z]))
                ds.append(positive(block.stacked(name)))
        factors = _factors_by_size(grams, ds)
        blocks = [
            PreparedBlock(z, _block_factors(block, factors[2 * i : 2 * i + 2], ds[2 * i : 2 * i + 2]))
            for i, (block, z) in enumerate(zip(self.blocks, zs, strict=True))
        ]
        like = self.layers[0].z_row
        size = sum(torch.Size(shape).numel() for block in self.blocks for shape in block.noise_shapes)
        return PreparedBatch(blocks, torch.empty(size, dtype=like.dtype, device=like.device) if keep_memory else None)

    def noise(self, generator: torch.Generator, out: Tensor | None = None) -> list[list[Tensor]]:
        """Draw the noise of all layers in one call and return it per block, in the shapes of `Block.noise_shapes`.

        Args:
            generator: On the layers' device.
            out: Memory to put it into, of as many numbers in all.
        """
        shapes = [shape for block in self.blocks for shape in block.noise_shapes]
        sizes = [torch.Size(shape).numel() for shape in shapes]
        like = self.layers[0].z_row
        flat = standard_normal(sum(sizes), generator, dtype=like.dtype, device=like.device, out=out)
        parts = iter([part.view(shape) for part, shape in zip(torch.split(flat, sizes), shapes, strict=True)])
        return [[next(parts) for _ in block.noise_shapes] for block in self.blocks]

    def draw(self, prepared: PreparedBatch, generator: torch.Generator) -> None:
        """Set every layer's weight to one draw."""
        noises = self.noise(generator, prepared.memory)
        for block, part, noise in zip(self.blocks, prepared.blocks, noises, strict=True):
            block.draw(part, noise)

    def mean(self, prepared: PreparedBatch) -> None:
        """Set every layer's weight to its mean."""
        for block, part in zip(self.blocks, prepared.blocks, strict=True):
            block.mean(part)

    def standardised(self) -> tuple[Tensor, Tensor]:
        """Return mean and standard deviation of all u, flat, in units of their prior."""
        means = torch.cat([layer.inducing_mean.flatten() for layer in self.layers])
        sds = [positive(block.stacked("_inducing_sd"), block.limits.max_sd_u).flatten() for block in self.blocks]
        return means, torch.cat(sds)

    def lamdas(self) -> tuple[Tensor, Tensor]:
        """Return lam of each layer and how many weights it stands for, both (layers,)."""
        values = torch.cat([positive(block.stacked("_lamda"), block.limits.max_lamda) for block in self.blocks])
        counts = self._weights_per_layer
        if counts is None or counts.device != values.device or counts.dtype != values.dtype:
            numbers = [torch.Size(layer.matrix_shape).numel() for layer in self.layers]
            # Kept, because sending numbers to a device makes the host wait for it.
            counts = self._weights_per_layer = torch.tensor(numbers, dtype=values.dtype, device=values.device)
        return values, counts


def _factors_by_size(grams: list[Tensor], ds: list[Tensor]) -> list[tuple[Tensor, Tensor]]:
    """Return (R, A) of each stack of Gram matrices, with one Cholesky for all stacks of one size."""
    places: dict[int, list[int]] = defaultdict(list)
    for place, gram in enumerate(grams):
        places[gram.shape[-1]].append(place)
    factors: dict[int, tuple[Tensor, Tensor]] = {}
    for same_size in places.values():
        joint = triangular_factors(torch.cat([grams[i] for i in same_size]), torch.cat([ds[i] for i in same_size]))
        parts = [torch.split(factor, [len(grams[i]) for i in same_size]) for factor in joint]
        factors.update(zip(same_size, zip(*parts, strict=True), strict=True))
    return [factors[place] for place in range(len(grams))]


def _block_factors(block: Block, sides: list[tuple[Tensor, Tensor]], d: list[Tensor]) -> InducingFactors:
    (r_row, a_row), (r_col, a_col) = sides
    return InducingFactors(
        r_row=r_row,
        r_col=r_col,
        a_row=a_row,
        a_col=a_col,
        d_row=d[0].unsqueeze(-1),
        d_col=d[1].unsqueeze(-2),
        mean=block.stacked("inducing_mean"),
        sd=positive(block.stacked("_inducing_sd"), block.limits.max_sd_u),
        lamda=positive(block.stacked("_lamda"), block.limits.max_lamda)[:, None, None],
    )


def _group(layers: Iterable[InducingLayer], key: Callable[[InducingLayer], Hashable]) -> list[list[InducingLayer]]:
    groups: dict[Hashable, list[InducingLayer]] = defaultdict(list)
    for layer in layers:
        groups[key(layer)].append(layer)
    return list(groups.values())
