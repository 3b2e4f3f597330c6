"""Gradient noise over all parameters, from the gradient of every held-out example on its own.

`bkd.noise` sees the last layer only. This is exact for the whole network and costs a backward pass per example and
loss, so it is for a look at a few hundred images now and then.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call, vjp, vmap

from bkd.losses import CrossEntropy, Distillation, Objective

EXACT_KEYS = ("grad/noise_exact", "grad/noise_exact_onehot", "grad/noise_exact_teacher")
CHUNK_ELEMENTS = 2**26  # per-example gradient elements held at once, twice: 512 MiB in float32

Parameters = dict[str, Tensor]
ModelFunction = Callable[[Parameters, Tensor], Tensor]


@dataclass(frozen=True)
class HeldOut:
    """Examples that the network was not trained on.

    Attributes:
        images: (N, channels, H, W), as the network takes them.
        labels: (N,) int64.
        target_probs: (N, C), the teacher's probabilities as the loss in use takes them; None without a teacher.
        teacher_probs: (N, C), the teacher's probabilities at temperature 1; None without a teacher.
    """

    images: Tensor
    labels: Tensor
    target_probs: Tensor | None = None
    teacher_probs: Tensor | None = None

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, piece: slice) -> "HeldOut":
        columns = (self.images, self.labels, self.target_probs, self.teacher_probs)
        return HeldOut(*(None if column is None else column[piece] for column in columns))  # type: ignore[arg-type]

    def residuals(self, logits: Tensor, objective: Objective) -> Tensor:
        """Stack the residuals (R, N, C) of the objective, of the labels and, R = 3, of the teacher."""
        rows = [
            objective.residual(logits, self.labels, self.target_probs),
            CrossEntropy().residual(logits, self.labels),
        ]
        if self.teacher_probs is not None:
            rows.append(Distillation().residual(logits, self.labels, self.teacher_probs))
        return torch.stack(rows)


def eval_function(model: nn.Module) -> tuple[ModelFunction, Parameters]:
    """Split a network into a function of its parameters, with batch norm as in evaluation, and those parameters.

    A network that draws weights has to be given as a function that holds its draw fixed instead.
    """

    def function(parameters: Parameters, images: Tensor) -> Tensor:
        with _in_eval(model):
            logits: Tensor = functional_call(model, parameters, (images,))
        return logits

    return function, {name: p.detach() for name, p in model.named_parameters() if p.requires_grad}


def per_sample_noise(
    model_fn: ModelFunction,
    parameters: Parameters,
    objective: Objective,
    data: HeldOut,
    chunk: int | None = None,
) -> Tensor:
    """Compute the trace of the covariance of per-example gradients over all parameters.

    Args:
        model_fn: (parameters, images (n, ...)) -> logits (n, C), in which examples do not touch each other;
            `eval_function` makes it of a network.
        parameters: Those the gradient is taken in.
        objective: The loss in use.
        data: At least 2 examples.
        chunk: Examples taken at once; default: what keeps their gradients within 512 MiB in float32.

    Returns:
        (3,) float32 in the order of `EXACT_KEYS`: the loss in use, the labels alone, the teacher alone (NaN without
        one).
    """
    size = sum(p.numel() for p in parameters.values())
    chunk = chunk or max(1, min(len(data), CHUNK_ELEMENTS // (3 * size)))
    squares = torch.zeros((), dtype=torch.float64, device=data.images.device)  # (R,) after the first chunk
    total = torch.zeros((), device=data.images.device)  # (R, P) after the first chunk
    for start in range(0, len(data), chunk):
        part = data[start : start + chunk]
        with torch.no_grad():
            residuals = part.residuals(model_fn(parameters, part.images), objective)
        gradients = _gradients(model_fn, parameters, part.images, residuals)
        squares = squares + gradients.square().sum((0, 2), dtype=torch.float64)
        total = total + gradients.sum(0)
    noise = (squares - total.square().sum(1, dtype=torch.float64) / len(data)) / (len(data) - 1)
    return torch.cat([noise, noise.new_full((3 - len(noise),), torch.nan)]).float()


def _gradients(model_fn: ModelFunction, parameters: Parameters, images: Tensor, residuals: Tensor) -> Tensor:
    """Return the per-example gradients (n, R, P) in all P parameters of R losses with residuals (R, n, C)."""

    def of_one(image: Tensor, residual: Tensor) -> Tensor:  # (channels, H, W), (R, C)
        logits, pull, *_ = vjp(lambda p: model_fn(p, image[None])[0], parameters)
        pulled: Parameters = vmap(lambda r: pull(r)[0])(residual.to(logits.dtype))
        return torch.cat([gradient.flatten(1) for gradient in pulled.values()], dim=1)

    return vmap(of_one)(images, residuals.transpose(0, 1))


@contextmanager
def _in_eval(model: nn.Module) -> Iterator[None]:
    were_training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        yield
    finally:
        for module in were_training:
            module.training = True
