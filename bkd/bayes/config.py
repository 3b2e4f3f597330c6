"""Settings of the two weight posteriors. Knows no torch."""

from dataclasses import dataclass

from bkd.errors import SpecError


@dataclass(frozen=True)
class InducingConfig:
    """Settings of inducing-weight layers; the defaults are the paper's.

    Attributes:
        conv_rows: Inducing rows Mr of a convolution.
        conv_cols: Inducing columns Mc of a convolution.
        linear_rows: Inducing rows Mr of a linear layer.
        linear_cols: Inducing columns Mc of a linear layer.
        prior_sd: Prior standard deviation of a weight, before width scaling.
        width_scaling: Divide `prior_sd` by sqrt(columns of W), the bias column counted.
        init_lamda: Scale of the conditional noise at the start, relative to the prior.
        max_lamda: Its upper bound.
        init_sd_u: Standard deviation of q(u) at the start.
        max_sd_u: Its upper bound.
        init_d: Start of the diagonals d_r and d_c of the inducing covariances.
        cap_to_layer: Take no more inducing rows and columns than the layer has itself.
    """

    conv_rows: int = 128
    conv_cols: int = 128
    linear_rows: int = 100
    linear_cols: int = 128
    prior_sd: float = 1.0
    width_scaling: bool = True
    init_lamda: float = 1e-3
    max_lamda: float = 0.03
    init_sd_u: float = 1e-3
    max_sd_u: float = 0.1
    init_d: float = 1e-3
    cap_to_layer: bool = True

    def __post_init__(self) -> None:
        for name in ("conv_rows", "conv_cols", "linear_rows", "linear_cols", "prior_sd", "init_d"):
            _require_positive("inducing", name, getattr(self, name))
        _require_start_below("inducing", "init_lamda", self.init_lamda, "max_lamda", self.max_lamda)
        _require_start_below("inducing", "init_sd_u", self.init_sd_u, "max_sd_u", self.max_sd_u)


@dataclass(frozen=True)
class FFGConfig:
    """Settings of fully factorised Gaussian (mean-field) layers.

    Attributes:
        prior_sd: Prior standard deviation of a weight, before width scaling.
        width_scaling: Divide `prior_sd` by sqrt(fan-in), the bias not counted.
        init_sd: Posterior standard deviation of a weight at the start.
        max_sd: Its upper bound, or None.
    """

    prior_sd: float = 1.0
    width_scaling: bool = True
    init_sd: float = 1e-4
    max_sd: float | None = None

    def __post_init__(self) -> None:
        _require_positive("ffg", "prior_sd", self.prior_sd)
        _require_start_below("ffg", "init_sd", self.init_sd, "max_sd", self.max_sd)


def _require_positive(family: str, name: str, value: float) -> None:
    if not value > 0:
        raise SpecError(f"{family}.{name} must be > 0, got {value}. Leave it out to use the default.")


def _require_start_below(family: str, name: str, start: float, limit_name: str, limit: float | None) -> None:
    _require_positive(family, name, start)
    # At or above its bound a clamped parameter has no gradient and would never be learned.
    if limit is not None and not start < limit:
        raise SpecError(
            f"{family}.{name} must be below {family}.{limit_name} = {limit}, got {start}. Lower it or raise the bound."
        )
