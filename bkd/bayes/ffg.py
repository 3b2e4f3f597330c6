"""Mean-field layers: a fully factorised Gaussian over the weights.

q(w) = N(m, s^2) with s = softplus(rho), prior N(0, prior_sd^2). In training mode a draw samples each output by local
reparameterisation, output ~ N(map(x, m), map(x^2, s^2)); in evaluation mode it samples weights that the batch shares.

Source: Kingma, Salimans, Welling, "Variational Dropout and the Local Reparameterization Trick", arXiv 1506.02557.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from bkd.bayes.config import FFGConfig
from bkd.bayes.layer import Conv2dMap, LinearMap, VariationalLayer
from bkd.bayes.matheron import inverse_softplus, positive
from bkd.rng import standard_normal

SMALLEST_VARIANCE = 1e-20
"""Where an output's inputs are all 0 its variance is 0, and a square root there has no gradient."""


class FFGLayer(VariationalLayer):
    """Parameters `mean` and `rho`, both [do, di]; the last column is the bias's.

    The means start at the values of the layer that is replaced.
    """

    prior_sd: float
    max_sd: float | None
    _noise: tuple[Tensor, torch.Generator] | None = None

    def _add_parameters(self, like: nn.Linear | nn.Conv2d, config: FFGConfig) -> None:
        self.prior_sd = config.prior_sd * (self.fan_in**-0.5 if config.width_scaling else 1.0)
        self.max_sd = config.max_sd
        columns = [like.weight.detach().flatten(1)]
        if like.bias is not None:
            columns.append(like.bias.detach()[:, None])
        self.mean = nn.Parameter(torch.cat(columns, dim=1))  # (do, di)
        self.rho = nn.Parameter(torch.full_like(self.mean, inverse_softplus(config.init_sd)))

    def clear(self) -> None:
        """Forget the current draw."""
        super().clear()
        self._noise = None

    def set_matrix(self, matrix: Tensor) -> None:
        """Make the matrix W [do, di] the current draw, without noise on the outputs."""
        super().set_matrix(matrix)
        self._noise = None

    def set_local_noise(self, variance: Tensor, generator: torch.Generator) -> None:
        """Hold the weight at its mean and sample outputs, with weight variances [do, di], in the passes that follow."""
        self.set_matrix(self.mean)
        self._noise = (variance, generator)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layer with the current draw.

        Raises:
            RuntimeError: Nothing was drawn, or the draw was made for training and the layer is in evaluation mode.
        """
        output = super().forward(x)
        if self._noise is None:
            return output
        if not self.training:
            raise RuntimeError(
                "This draw was made for training. Call WeightPosterior.draw(generator) again after model.eval()."
            )
        variance, generator = self._noise
        sd = self.linear_map(x * x, *self.split(variance)).clamp_min(SMALLEST_VARIANCE).sqrt()
        noise = torch.randn(sd.shape, generator=generator, dtype=sd.dtype, device=sd.device)
        return output + sd * noise

    def __getstate__(self) -> dict[str, Any]:
        return super().__getstate__() | {"_noise": None}


class FFGLinear(LinearMap, FFGLayer):
    """Mean-field linear layer, in place of `like`."""

    def __init__(self, like: nn.Linear, config: FFGConfig) -> None:
        super().__init__(like)
        self._add_parameters(like, config)


class FFGConv2d(Conv2dMap, FFGLayer):
    """Mean-field convolution, in place of `like`."""

    def __init__(self, like: nn.Conv2d, config: FFGConfig) -> None:
        super().__init__(like)
        self._add_parameters(like, config)


class FFGBatch:
    """All mean-field layers of a network; layers of one prior and one bound are one flat vector."""

    def __init__(self, layers: Sequence[FFGLayer]) -> None:
        groups: dict[tuple[float, float | None], list[FFGLayer]] = defaultdict(list)
        for layer in layers:
            groups[layer.prior_sd, layer.max_sd].append(layer)
        self.groups = list(groups.values())

    def prepare(self, *, keep_memory: bool = False) -> list[Tensor]:
        """Return the posterior standard deviations of each group, flat; every draw has memory of its own."""
        return [positive(torch.cat([layer.rho.flatten() for layer in group]), group[0].max_sd) for group in self.groups]

    def draw(self, prepared: list[Tensor], generator: torch.Generator) -> None:
        """Set every layer to one draw: outputs are sampled in training mode, weights in evaluation mode."""
        for group, sd in zip(self.groups, prepared, strict=True):
            if group[0].training:
                for layer, variance in zip(group, _matrices(group, sd * sd), strict=True):
                    layer.set_local_noise(variance, generator)
            else:
                noise = standard_normal(len(sd), generator, dtype=sd.dtype, device=sd.device)
                for layer, offset in zip(group, _matrices(group, sd * noise), strict=True):
                    layer.set_matrix(layer.mean + offset)

    def mean(self, prepared: list[Tensor]) -> None:
        """Set every layer's weight to its mean."""
        for group, _ in zip(self.groups, prepared, strict=True):
            for layer in group:
                layer.set_matrix(layer.mean)

    def standardised(self) -> tuple[Tensor, Tensor]:
        """Return mean and standard deviation of all weights, flat, in units of their prior."""
        scales = [1 / group[0].prior_sd for group in self.groups]
        means = [torch.cat([layer.mean.flatten() for layer in group]) for group in self.groups]
        return (
            torch.cat([mean * scale for mean, scale in zip(means, scales, strict=True)]),
            torch.cat([sd * scale for sd, scale in zip(self.prepare(), scales, strict=True)]),
        )


def _matrices(group: list[FFGLayer], flat: Tensor) -> list[Tensor]:
    """Return a flat vector over a group's weights as one matrix [do, di] a layer."""
    parts = torch.split(flat, [layer.mean.numel() for layer in group])
    return [part.view(layer.matrix_shape) for part, layer in zip(parts, group, strict=True)]
