"""Gradient noise of the last layer: how much the batch gradient would change with another batch.

With d_i the residual of example i (the gradient of its loss in its logits) and phi_i the last layer's inputs, the
gradient of one example in the last layer is g_i = d_i phi_i^T, so V = tr Cov(g_i) needs no per-example backward pass.
The batch gradient has V / B. Figures of one batch are exact; ratios are of sums over the last 64 steps, never means of
ratios.

Nothing here reads a value on the host, so no function waits for the device; `convergence_noise` works on numbers.

Source: Morad et al. (arXiv 2601.01484) for the question; the estimators are derived here. R, the noise ratio, and
alpha* are about noise alone: a uniform teacher calms SGD and teaches nothing. Read them beside the bias.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from math import isfinite, sqrt
from operator import add

import torch
import torch.nn.functional as F
from torch import Tensor

from bkd.errors import CheckpointError
from bkd.losses import full_precision, minus_one_hot

KEYS = (
    "grad/noise",
    "grad/noise_onehot",
    "grad/noise_teacher",
    "grad/noise_shared",
    "grad/noise_ratio",
    "grad/bias",
    "grad/alpha_star",
)
WINDOW_STEPS = 64


@dataclass(frozen=True)
class LastLayer:
    """One batch as the last layer sees it.

    Attributes:
        residual: (B, C), gradient of each example's loss in use in its logits.
        logits: (B, C), the student's.
        labels: (B,) int64.
        phi: (B, F), the last layer's inputs.
        teacher_probs: (B, C), the teacher's probabilities at temperature 1, whatever the loss distils at; None without
            a teacher.
    """

    residual: Tensor
    logits: Tensor
    labels: Tensor
    phi: Tensor
    teacher_probs: Tensor | None = None

    def residuals(self) -> Tensor:
        """Stack the residuals (R, B, C) of the loss in use, of the labels and, R = 3, of the teacher.

        The last two are both at temperature 1 and at the same weights, so that they may be compared.
        """
        probs = full_precision(self.logits).softmax(1)
        rows = [full_precision(self.residual), minus_one_hot(probs, self.labels)]
        if self.teacher_probs is not None:
            rows.append(probs - self.teacher_probs.to(probs.dtype))
        return torch.stack([row.to(probs.dtype) for row in rows])


def variance(residual: Tensor, phi: Tensor, has_bias: bool) -> Tensor:
    """Compute V = tr Cov(g_i), [sum |d_i|^2 |phi_i|^2 - B |D^T Phi / B|_F^2] / (B - 1), as a float64 scalar.

    Args:
        residual: D, (B, C).
        phi: Phi, (B, F).
        has_bias: Whether the last layer has one; if so a 1 is appended to every phi_i.
    """
    return covariance(residual, residual, phi, has_bias)


def covariance(residual1: Tensor, residual2: Tensor, phi: Tensor, has_bias: bool) -> Tensor:
    """Compute the trace of the covariance of two losses' per-example gradients; see `variance`."""
    return _Moments.of(torch.stack([residual1, residual2]), phi, has_bias).covariances()[0][0, 1]


def batch_gradient(residual: Tensor, phi: Tensor, has_bias: bool) -> Tensor:
    """Compute the last layer's gradient D^T Phi / B, (C, F), or (C, F + 1) with the bias as its last column."""
    total = _Moments.of(residual[None], phi, has_bias).total[0]
    return total.view(residual.shape[1], -1) / len(phi)


def shared_draw_variance(
    residuals: Tensor, phi: Tensor, has_bias: bool, num_samples: int, batch_size: int | None = None
) -> Tensor:
    """Estimate (B / S) tr Var_draw E_x g: what a batch gains in noise by sharing the teacher's draws.

    By the law of total variance B Var(G) = E tr Cov(g_i | draws) + B Var(E[g_i | draws]). Vtt estimates the first term,
    which holds what a draw does to one example apart from the others. This is the second, with G_k the batch gradient
    against draw k and c_ik = g_ik - mean_k g_ik:

        (B / S) sum_k (|G_k - mean_k G_k|^2 - tr Cov_i(c_ik) / B) / (K - 1)

    Without the subtraction the examples' own part, which does not average out over B examples, would count twice. On
    the scale of V; unbiased, so it can be negative by chance.

    Args:
        residuals: (K, B, C), residuals against K >= 2 single draws of the teacher on the same batch of B >= 2.
        phi: (B, F).
        has_bias: See `variance`.
        num_samples: S, draws that the teacher averages in the loss.
        batch_size: B of training, where the probe's batch has another size; default: the probe's.
    """
    if len(residuals) < 2:
        raise ValueError(f"residuals must hold at least 2 draws, got {len(residuals)}")
    residuals = full_precision(residuals)
    own, products = _Moments.of(residuals - residuals.mean(0), phi, has_bias).covariances()
    spread = products.trace() - own.trace() / len(phi)
    return spread / (len(residuals) - 1) * ((batch_size or len(phi)) / num_samples)


def bias_numerator(
    residual_onehot: Tensor, residual_teacher: Tensor, phi: Tensor, has_bias: bool, shared: Tensor | float = 0.0
) -> Tensor:
    """Estimate |E g_onehot - E g_teacher|^2 without the part that noise adds: its mean is 0 for an unbiased teacher.

    |G_onehot - G_teacher|^2 - (V11 + Vtt - 2 V1t) / B - shared / B; it can be negative. The last term is the variance
    of the mean gradient over the draws that the batch shares, `shared_draw_variance` with this batch's B.
    """
    cov, products = _Moments.of(torch.stack([residual_onehot, residual_teacher]), phi, has_bias).covariances()
    return _bias(cov, products, len(phi)) - shared / len(phi)


def noise_ratio(v_onehot: Tensor, v_teacher: Tensor, shared: Tensor | float = 0.0) -> Tensor:
    """Compute R = (Vtt + shared) / V11; below 1 the teacher calms SGD. NaN where V11 is not positive."""
    return _ratio(v_teacher + shared, v_onehot)


def alpha_star(v_onehot: Tensor, v_teacher: Tensor, v_cross: Tensor, shared: Tensor | float = 0.0) -> Tensor:
    """Compute the alpha in [0, 1] of least noise, from V11, Vtt, V1t and the shared draws' part.

    V(a) = (1 - a)^2 V11 + 2 a (1 - a) V1t + a^2 (Vtt + shared) is exact at temperature 1, so its minimum is at
    (V11 - V1t) / (V11 + Vtt + shared - 2 V1t). NaN where that denominator is not positive.
    """
    return _ratio(v_onehot - v_cross, v_onehot + v_teacher + shared - 2 * v_cross).clamp(0, 1)


def full_variance(g1: Sequence[Tensor], g2: Sequence[Tensor], b1: int, b2: int) -> Tensor:
    """Compute |G1 - G2|^2 / (1/b1 + 1/b2), an unbiased estimate of V over all parameters.

    Args:
        g1: Gradients of one batch, a tensor per parameter.
        g2: Gradients of another batch at the same weights, with draws of its own.
        b1: Examples in the first batch.
        b2: Examples in the second.
    """
    squares = [(a - b).square().sum(dtype=torch.float64) for a, b in zip(g1, g2, strict=True)]
    return torch.stack(squares).sum() / (1 / b1 + 1 / b2)


def convergence_noise(values: Sequence[float | None], learning_rates: Sequence[float], k: int = 10) -> float | None:
    """Compute the standard deviation of first differences over the last k epochs.

    Args:
        values: Validation loss or accuracy, one an epoch.
        learning_rates: In force during each of those epochs.
        k: Epochs looked at, at least 3.

    Returns:
        None while there are fewer than k epochs, while the learning rate moved within them, or where a value is missing
        or not finite.
    """
    recent, rates = values[-k:], learning_rates[-k:]
    if k < 3 or len(recent) < k or len(set(rates)) != 1:
        return None
    known = [value for value in recent if value is not None and isfinite(value)]
    if len(known) < k:
        return None
    differences = [b - a for a, b in pairwise(known)]
    mean = sum(differences) / len(differences)
    return sqrt(sum((d - mean) ** 2 for d in differences) / (len(differences) - 1))


class NoiseMeter:
    """Gradient noise of a run, step by step, kept on the training device.

    Holds V, V11, Vtt, V1t, the shared draws' part and the bias of the last 64 steps. A step writes its own row, so
    meters with the same rows go on bit-equal.
    """

    KEYS = KEYS

    def __init__(self, has_bias: bool, device: torch.device | str = "cpu", is_stochastic: bool = False) -> None:
        """Start with empty rows.

        Args:
            has_bias: Whether the last layer has a bias.
            device: Where the figures are kept.
            is_stochastic: Whether the teacher draws weights that a batch shares. The shared part is NaN until the first
                probe, the ratio, bias and alpha* for 64 steps beyond a step without one, so probe at step 0.
        """
        self._has_bias = has_bias
        self._is_stochastic = is_stochastic
        self._rows = torch.zeros(WINDOW_STEPS, 6, dtype=torch.float64, device=device)
        start = torch.nan if is_stochastic else 0.0
        self._shared = torch.full((), start, dtype=torch.float64, device=device)

    @torch.no_grad()
    def update(self, step: int, batch: LastLayer, shared: Tensor | None = None) -> Tensor:
        """Take in one step and return its figures, a float32 device tensor in the order of `KEYS`, NaN where null.

        Args:
            step: Steps taken since the run began, resumed or not.
            batch: What the last layer saw.
            shared: `shared_draw_variance` of a probe made at this step, with this batch's B; None keeps the latest one.
        """
        if shared is not None:
            self._shared.copy_(shared)
        row = _row(_Moments.of(batch.residuals(), batch.phi, self._has_bias), self._shared, len(batch.phi))
        self._rows[step % WINDOW_STEPS].copy_(row)
        return _figures(row, self._rows.sum(0), self._is_stochastic)

    def state_dict(self) -> dict[str, Tensor]:
        """Return copies of what a resumed run needs to go on bit-equal."""
        return {"rows": self._rows.clone(), "shared": self._shared.clone()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Take over what `state_dict` gave.

        Raises:
            CheckpointError: The state is not a noise meter's.
        """
        for name, own in (("rows", self._rows), ("shared", self._shared)):
            found = state.get(name)
            if found is None or found.shape != own.shape:
                got = "nothing" if found is None else f"shape {tuple(found.shape)}"
                raise CheckpointError(
                    f"The checkpoint's noise {name} must have shape {tuple(own.shape)}, got {got}. "
                    "Resume from another checkpoint or start the run anew."
                )
        self._rows.copy_(state["rows"])
        self._shared.copy_(state["shared"])


def offline(chunks: Iterable[LastLayer], has_bias: bool, shared: Tensor | None = None, batch_size: int = 1) -> Tensor:
    """Compute the figures of a whole pass at fixed weights, for instance over the validation images.

    Args:
        chunks: The pass in parts of any size, together at least 2 examples; taken one at a time. A stochastic teacher
            has drawn anew for each.
        has_bias: Whether the last layer has a bias.
        shared: `shared_draw_variance` of a stochastic teacher; None without one.
        batch_size: B to which `shared` refers, that of training; without `shared` it changes nothing.

    Returns:
        (7,) float32 on the chunks' device in the order of `KEYS`; sums and ratios are over all examples of the pass.
    """
    with torch.no_grad():
        parts = (_Moments.of(chunk.residuals(), chunk.phi, has_bias) for chunk in chunks)
        moments = reduce(add, parts)
        row = _row(moments, moments.second.new_zeros(()) if shared is None else shared, batch_size)
        return _figures(row, row, shared is not None)


@dataclass(frozen=True)
class _Moments:
    """Sums over examples of the per-example last-layer gradients g of R losses.

    Attributes:
        second: (R, R) float64, sums of g_i . g'_i.
        total: (R, C * F), sums of g_i.
        count: B, examples summed.
        pairs: Ordered pairs of two of them that came in one batch, so that they shared the teacher's draws.
    """

    second: Tensor
    total: Tensor
    count: int
    pairs: int

    @classmethod
    def of(cls, residuals: Tensor, phi: Tensor, has_bias: bool) -> "_Moments":
        """Sum over one batch: residuals (R, B, C), phi (B, F). Autocast is off: short floats would swamp V."""
        with torch.autocast(phi.device.type, enabled=False):
            residuals = full_precision(residuals)
            phi = phi.to(residuals.dtype)
            if has_bias:
                phi = F.pad(phi, (0, 1), value=1.0)
            scaled = (residuals * phi.norm(dim=1, keepdim=True)).flatten(1).double()  # (R, B * C)
            total = (residuals.mT @ phi).flatten(1)
            return cls(scaled @ scaled.mT, total, len(phi), len(phi) * (len(phi) - 1))

    def __add__(self, other: "_Moments") -> "_Moments":
        count, pairs = self.count + other.count, self.pairs + other.pairs
        return _Moments(self.second + other.second, self.total + other.total, count, pairs)

    def covariances(self) -> tuple[Tensor, Tensor]:
        """Return the traces of all covariances, NaN for a single example, and G . G' of all pairs; (R, R) float64."""
        total = self.total.double()
        products = (total @ total.mT) / self.count**2
        if self.count < 2:
            return torch.full_like(products, torch.nan), products
        return (self.second - self.count * products) / (self.count - 1), products


def _bias(cov: Tensor, products: Tensor, count: int) -> Tensor:
    """Return |G - G'|^2 less what noise adds to it, from the (2, 2) blocks of `_Moments.covariances`."""
    excess = products - cov / count
    return 2 * excess.trace() - excess.sum()


def _row(moments: _Moments, shared: Tensor, batch_size: int) -> Tensor:
    """Return V, V11, Vtt, V1t, the shared part and the bias numerator; without a teacher NaN but for the first two.

    |G|^2 - V / B is the mean of g_i . g_j over pairs, V half the mean of |g_i - g_j|^2. With s^2 = shared / batch_size
    the variance of E[g | draws], a pair of one batch adds s^2 to the former, a pair of two batches adds it to the
    latter; neither belongs there.
    """
    cov, products = moments.covariances()
    if len(cov) < 3:
        return F.pad(cov.diagonal(), (0, 4), value=torch.nan)
    shared = shared.to(cov)
    together = moments.pairs / max(1, moments.count * (moments.count - 1))  # share of pairs that came in one batch
    bias = _bias(cov[1:, 1:], products[1:, 1:], moments.count) - together * shared / batch_size
    v, v_onehot, v_teacher = cov.diagonal()
    if together < 1:  # else a shared part not known yet would take Vtt with it
        v_teacher = v_teacher - (1 - together) * shared / batch_size
    return torch.stack([v, v_onehot, v_teacher, cov[1, 2], shared, bias])


def _figures(row: Tensor, sums: Tensor, is_stochastic: bool) -> Tensor:
    """Put the figures in the order of `KEYS`: V, V11, Vtt and the shared part as they are now, ratios of `sums`."""
    _, v_onehot, v_teacher, v_cross, shared, bias = sums.unbind()
    ratios = torch.stack(
        [
            noise_ratio(v_onehot, v_teacher, shared),
            _ratio(bias, v_onehot),
            alpha_star(v_onehot, v_teacher, v_cross, shared),
        ]
    )
    probe = row[4:5] if is_stochastic else torch.full_like(row[4:5], torch.nan)
    return torch.cat([row[:3], probe, ratios]).float()


def _ratio(numerator: Tensor, denominator: Tensor) -> Tensor:
    return torch.where(denominator > 0, numerator / denominator, torch.nan)
