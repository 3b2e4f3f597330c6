"""Layers with inducing weights: `bkd.bayes.matheron` has the formulas, `bkd.bayes.inducing_batch` the batched draws."""

import torch
from torch import nn

from bkd.bayes.config import InducingConfig
from bkd.bayes.layer import Conv2dMap, LinearMap, VariationalLayer
from bkd.bayes.matheron import Limits, RawInducing, inverse_softplus


class InducingLayer(VariationalLayer):
    """Parameters of q(u) and of the conditional of the weights given u.

    Names and initial values follow the source. The layer that is replaced gives shape, device and type, not its values.

    Source: Ritter et al., arXiv 2105.14594, section 3.
    """

    limits: Limits

    def _add_parameters(self, like: nn.Module, sizes: tuple[int, int], config: InducingConfig) -> None:
        (d_out, d_in), (rows, cols) = self.matrix_shape, sizes
        if config.cap_to_layer:
            rows, cols = min(rows, d_out), min(cols, d_in)
        scale = d_in**-0.5 if config.width_scaling else 1.0
        self.limits = Limits(config.prior_sd * scale, config.max_sd_u, config.max_lamda)
        reference = next(like.parameters())

        def parameter(*shape: int, value: float = 0.0) -> nn.Parameter:
            return nn.Parameter(torch.full(shape, value, dtype=reference.dtype, device=reference.device))

        self.z_row = parameter(rows, d_out)
        self.z_col = parameter(cols, d_in)
        self.inducing_mean = parameter(rows, cols)
        self._inducing_sd = parameter(rows, cols, value=inverse_softplus(config.init_sd_u))
        self._lamda = parameter(value=inverse_softplus(config.init_lamda))
        self._d_row = parameter(rows, value=inverse_softplus(config.init_d))
        self._d_col = parameter(cols, value=inverse_softplus(config.init_d))

    @torch.no_grad()
    def _draw_start(self, generator: torch.Generator | None) -> None:
        rows, cols = self.inducing_mean.shape
        self.z_row.normal_(0.0, rows**-0.5, generator=generator)
        self.z_col.normal_(0.0, cols**-0.5, generator=generator)
        self.inducing_mean.normal_(generator=generator)

    def raw(self) -> RawInducing:
        """Return the parameters as the formulas want them."""
        return RawInducing(
            z_row=self.z_row,
            z_col=self.z_col,
            inducing_mean=self.inducing_mean,
            inducing_sd=self._inducing_sd,
            lamda=self._lamda,
            d_row=self._d_row,
            d_col=self._d_col,
        )

    def extra_repr(self) -> str:
        """Describe the layer for `print(model)`."""
        return f"{super().extra_repr()}, inducing={list(self.inducing_mean.shape)}"


class InducingLinear(LinearMap, InducingLayer):
    """Linear layer with inducing weights, in place of `like`."""

    def __init__(self, like: nn.Linear, config: InducingConfig, generator: torch.Generator | None = None) -> None:
        super().__init__(like)
        self._add_parameters(like, (config.linear_rows, config.linear_cols), config)
        self._draw_start(generator)


class InducingConv2d(Conv2dMap, InducingLayer):
    """Convolution with inducing weights, in place of `like`."""

    def __init__(self, like: nn.Conv2d, config: InducingConfig, generator: torch.Generator | None = None) -> None:
        super().__init__(like)
        self._add_parameters(like, (config.conv_rows, config.conv_cols), config)
        self._draw_start(generator)
