"""The posterior over the weights of a converted network: draws, mean and KL."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from bkd.bayes.ffg import FFGBatch, FFGLayer
from bkd.bayes.inducing import InducingLayer
from bkd.bayes.inducing_batch import InducingBatch
from bkd.bayes.layer import VariationalLayer
from bkd.bayes.matheron import standard_normal_kl


class WeightPosterior:
    """Sets the weights of all variational layers of a network that `bayesianize` converted.

    The layers then compute with what was set last. A draw is made of the parameters as they are: draw again after every
    optimiser step. All maths is in the parameters' own precision, also under autocast, and never makes the host wait
    for the device.
    """

    def __init__(self, model: nn.Module) -> None:
        self.layers = [module for module in model.modules() if isinstance(module, VariationalLayer)]
        if not self.layers:
            raise ValueError("The model has no variational layer. Convert it with bayesianize first.")
        inducing = [layer for layer in self.layers if isinstance(layer, InducingLayer)]
        ffg = [layer for layer in self.layers if isinstance(layer, FFGLayer)]
        self._inducing = InducingBatch(inducing) if inducing else None
        self._batches: list[Any] = [batch for batch in (self._inducing, FFGBatch(ffg) if ffg else None) if batch]
        self._frozen: list[Any] | None = None
        self._frozen_versions: list[int] = []

    @property
    def draws_in_passes(self) -> bool:
        """Whether passes in training mode take random numbers themselves, from the generator that `draw` was given."""
        return any(isinstance(layer, FFGLayer) for layer in self.layers)

    def draw(self, generator: torch.Generator) -> None:
        """Set one weight draw, with its autograd graph, shared by every image of the passes that follow.

        Mean-field layers in training mode sample their outputs instead, from the same generator, during the pass.

        Args:
            generator: On the parameters' device. Equal generators give equal draws.

        Raises:
            RuntimeError: The parameters changed while frozen.
        """
        with self._full_precision():
            for batch, prepared in zip(self._batches, self._prepared(), strict=True):
                batch.draw(prepared, generator)

    def mean(self) -> None:
        """Set the posterior's mean weights, for passes without noise."""
        with self._full_precision():
            for batch, prepared in zip(self._batches, self._prepared(), strict=True):
                batch.mean(prepared)

    def clear(self) -> None:
        """Forget the current draw and let its memory go."""
        for layer in self.layers:
            layer.clear()

    def kl(self) -> Tensor:
        """Return KL(posterior || prior) of the whole network in nats, a scalar with gradients. Needs no draw.

        q(u) has its KL to N(0, 1); the conditional noise of do * di weights adds that of N(0, lam^2), each.
        """
        with self._full_precision():
            means, sds = (torch.cat(parts) for parts in zip(*(b.standardised() for b in self._batches), strict=True))
            kl_nats = standard_normal_kl(means, sds).sum()
            if self._inducing is not None:
                lamdas, counts = self._inducing.lamdas()
                kl_nats = kl_nats + (counts * standard_normal_kl(0.0, lamdas)).sum()
            return kl_nats

    def freeze(self) -> ExitStack:
        """Keep what draws share (Choleskys, deviations, memory), without gradients, until `unfreeze`.

        A draw may overwrite the weights of the one before.
        For many draws of one teacher; a draw is bit-equal to one made without freezing. Use it as a statement or as a
        context manager: `with posterior.freeze(): ...`.
        """
        with torch.no_grad(), self._full_precision():
            self._frozen = [batch.prepare(keep_memory=True) for batch in self._batches]
        self._frozen_versions = self._versions()
        stack = ExitStack()
        stack.callback(self.unfreeze)
        return stack

    def unfreeze(self) -> None:
        """Drop what `freeze` kept; draws have gradients again."""
        self._frozen = None

    def _prepared(self) -> list[Any]:
        if self._frozen is None:
            return [batch.prepare() for batch in self._batches]
        if self._versions() != self._frozen_versions:
            raise RuntimeError(
                "The parameters changed while the posterior was frozen. Call unfreeze() before training or loading."
            )
        return self._frozen

    def _versions(self) -> list[int]:
        return [parameter._version for layer in self.layers for parameter in layer.parameters()]

    @contextmanager
    def _full_precision(self) -> Iterator[None]:
        """Compute without autocast, and without gradients while frozen."""
        device = next(self.layers[0].parameters()).device
        gradients = torch.is_grad_enabled() and self._frozen is None
        with torch.autocast(device.type, enabled=False), torch.set_grad_enabled(gradients):
            yield
