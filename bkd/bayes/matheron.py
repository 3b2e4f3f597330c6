"""Formulas of inducing weights, on tensors with any leading batch dimensions.

Shapes: W is [do, di] with di = fan-in, plus a column for the bias; U is [Mr, Mc].

With K_r = Z_r Z_r^T + diag(d_r^2) = L_r L_r^T and T_r = Z_r^T K_r^-1 (columns alike),

    W = prior_sd * (T_r (U - lam u_bar) T_c + lam E1),    U = L_r u L_c^T,    u = M_u + s_u eps_u.

With R = L^-1, T_r X T_c = Z_r^T Y Z_c where Y = R_r^T (R_r X R_c^T) R_c. So what follows the Choleskys is products of
size [Mr, Mc]: neither T_r nor T_c is formed, a solve costs the same for a wide layer as for a narrow one, and u enters
without a product by L that a solve would undo.

Source: Ritter, Kukla, Zhang, Li, "Sparse Uncertainty Representation in Deep Learning with Inducing Weights", NeurIPS
2021, arXiv 2105.14594.
"""

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

JITTER = 1e-4
"""Added to the diagonal before every Cholesky, relative to the mean diagonal."""


@dataclass(frozen=True)
class RawInducing:
    """Unconstrained parameters of a layer; all but the means and Z pass through softplus."""

    z_row: Tensor  # (..., Mr, do)
    z_col: Tensor  # (..., Mc, di)
    inducing_mean: Tensor  # (..., Mr, Mc)
    inducing_sd: Tensor  # (..., Mr, Mc)
    lamda: Tensor  # (...)
    d_row: Tensor  # (..., Mr)
    d_col: Tensor  # (..., Mc)


@dataclass(frozen=True)
class Limits:
    """Constants of a layer: the prior's standard deviation after width scaling, and the upper bounds."""

    prior_sd: float
    max_sd_u: float
    max_lamda: float


@dataclass(frozen=True)
class InducingNoise:
    """Standard normal draws behind one weight draw."""

    eps_u: Tensor  # (..., Mr, Mc)
    e2: Tensor  # (..., Mr, Mc)
    e3: Tensor  # (..., Mr, Mc)
    e4: Tensor  # (..., Mr, Mc)


@dataclass(frozen=True)
class InducingFactors:
    """What a draw needs of a layer's parameters apart from Z itself, all of inducing size."""

    r_row: Tensor  # (..., Mr, Mr), inverse of the Cholesky factor of K_r
    r_col: Tensor  # (..., Mc, Mc), of K_c
    a_row: Tensor  # (..., Mr, Mr), Cholesky factor of Z_r Z_r^T
    a_col: Tensor  # (..., Mc, Mc), of Z_c Z_c^T
    d_row: Tensor  # (..., Mr, 1)
    d_col: Tensor  # (..., 1, Mc)
    mean: Tensor  # (..., Mr, Mc)
    sd: Tensor  # (..., Mr, Mc)
    lamda: Tensor  # (..., 1, 1)


def positive(raw: Tensor, maximum: float | None = None) -> Tensor:
    """Return softplus(raw), at most `maximum` and never so small that its logarithm is infinite."""
    return F.softplus(raw).clamp(min=torch.finfo(raw.dtype).tiny, max=maximum)


def inverse_softplus(value: float) -> float:
    """Return the raw value whose softplus is `value`."""
    return float(torch.tensor(value, dtype=torch.float64).expm1().log())


def standard_normal_kl(mean: Tensor | float, sd: Tensor) -> Tensor:
    """Return KL(N(mean, sd^2) || N(0, 1)) of each entry, in nats."""
    return 0.5 * (sd * sd + mean * mean - 1) - sd.log()


def chain(a: Tensor, x: Tensor, b: Tensor) -> Tensor:
    """Return a @ x @ b in the order of fewer multiplications: a (..., p, q), x (..., q, r), b (..., r, s)."""
    p, q, r, s = a.shape[-2], *x.shape[-2:], b.shape[-1]
    if p * r * (q + s) <= q * s * (p + r):
        return (a @ x) @ b
    return a @ (x @ b)


class Gram(torch.autograd.Function):
    """Z Z^T of Z (..., M, d), with one large product in the backward pass where autograd's own rule takes two."""

    @staticmethod
    def forward(ctx: Any, z: Tensor) -> Tensor:
        """Return Z Z^T (..., M, M)."""
        ctx.save_for_backward(z)
        return z @ z.mT

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        """Return the gradient in Z."""
        (z,) = ctx.saved_tensors
        result: Tensor = (gradient + gradient.mT) @ z
        return result


class TriangularFactors(torch.autograd.Function):
    """R = L^-1 with L L^T = K, and A with A A^T = G, of two stacks of matrices (..., M, M).

    Autograd's own rules take twice as many triangular solves, the dearest part of a step for small networks. The
    gradients are not symmetrised: both matrices are Gram matrices plus a diagonal, and `Gram` does it.

    Source: Murray, "Differentiation of the Cholesky decomposition", arXiv 1602.07527, equation 10.
    """

    @staticmethod
    def forward(ctx: Any, k: Tensor, g: Tensor) -> tuple[Tensor, Tensor]:
        """Return R and A, both lower triangular."""
        # One call for both. Errors are not read back from the device, since the host would wait for it.
        l_factor, a_factor = torch.linalg.cholesky_ex(torch.stack((k, g))).L.unbind()
        identity = torch.eye(k.shape[-1], dtype=k.dtype, device=k.device)
        r_factor = torch.linalg.solve_triangular(l_factor, identity.expand_as(k), upper=False)
        ctx.save_for_backward(r_factor, a_factor)
        return r_factor, a_factor

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, r_gradient: Tensor, a_gradient: Tensor) -> tuple[Tensor, Tensor]:
        """Return the gradients in K and G."""
        r_factor, a_factor = ctx.saved_tensors
        k_gradient = r_factor.mT @ _half_lower(r_gradient @ r_factor.mT).neg_() @ r_factor
        inner = torch.linalg.solve_triangular(a_factor.mT, _half_lower(a_factor.mT @ a_gradient), upper=True)
        return k_gradient, torch.linalg.solve_triangular(a_factor, inner, upper=False, left=False)


def _half_lower(matrix: Tensor) -> Tensor:
    """Return the lower triangle with its diagonal halved."""
    lower = matrix.tril()
    lower.diagonal(dim1=-2, dim2=-1).mul_(0.5)
    return lower


def triangular_factors(gram: Tensor, d: Tensor) -> tuple[Tensor, Tensor]:
    """Return R = L^-1 with L L^T = Z Z^T + diag(d^2), and A with A A^T = Z Z^T, both with jitter.

    The jitter bounds the condition number by M / 1e-4, which float32 carries.

    Args:
        gram: Z Z^T (..., M, M), made by `Gram`.
        d: Positive (..., M).
    """
    diagonal = gram.diagonal(dim1=-2, dim2=-1)
    variances = d * d
    jitter = JITTER * (diagonal + variances).mean(-1, keepdim=True)
    gram_jitter = (JITTER * diagonal.mean(-1, keepdim=True)).expand_as(diagonal)
    r_factor, a_factor = TriangularFactors.apply(
        gram + torch.diag_embed(variances + jitter), gram + torch.diag_embed(gram_jitter)
    )
    return r_factor, a_factor


def draw_coefficients(factors: InducingFactors, noise: InducingNoise, projected: Tensor) -> Tensor:
    """Return Y (..., Mr, Mc) of one draw, with which W / prior_sd = Z_r^T Y Z_c + lam E1.

    Args:
        factors: The layers' factors.
        noise: Standard normal draws.
        projected: Z_r E1 Z_c^T, (..., Mr, Mc), of the draw's E1.
    """
    f = factors
    u = f.mean + f.sd * noise.eps_u
    u_bar = projected + (f.a_row @ noise.e2 + f.d_row * noise.e4) * f.d_col + f.d_row * (noise.e3 @ f.a_col.mT)
    return mean_coefficients(f, u - f.lamda * chain(f.r_row, u_bar, f.r_col.mT))


def mean_coefficients(factors: InducingFactors, u: Tensor) -> Tensor:
    """Return R_r^T u R_c (..., Mr, Mc), with which Z_r^T (.) Z_c = T_r L_r u L_c^T T_c."""
    return chain(factors.r_row.mT, u, factors.r_col)


def weight_and_kl(raw: RawInducing, noise: InducingNoise, e1: Tensor, limits: Limits) -> tuple[Tensor, Tensor]:
    """Return one layer's W [do, di] and its KL in nats (a scalar), from raw parameters and explicit noise.

    Args:
        raw: The layer's parameters before softplus, without batch dimensions.
        noise: Standard normal draws of the inducing size.
        e1: Standard normal draws [do, di].
        limits: The layer's constants.
    """
    factors = factors_of(raw, limits)
    y = draw_coefficients(factors, noise, chain(raw.z_row, e1, raw.z_col.mT))
    weight = limits.prior_sd * (chain(raw.z_row.mT, y, raw.z_col) + factors.lamda * e1)
    kl = standard_normal_kl(factors.mean, factors.sd).sum() + (
        e1.numel() * standard_normal_kl(0.0, factors.lamda).squeeze()
    )
    return weight, kl


def factors_of(raw: RawInducing, limits: Limits) -> InducingFactors:
    """Return the factors of one layer, without batch dimensions."""
    d_row, d_col = positive(raw.d_row), positive(raw.d_col)
    r_row, a_row = triangular_factors(Gram.apply(raw.z_row), d_row)
    r_col, a_col = triangular_factors(Gram.apply(raw.z_col), d_col)
    return InducingFactors(
        r_row=r_row,
        r_col=r_col,
        a_row=a_row,
        a_col=a_col,
        d_row=d_row.unsqueeze(-1),
        d_col=d_col.unsqueeze(-2),
        mean=raw.inducing_mean,
        sd=positive(raw.inducing_sd, limits.max_sd_u),
        lamda=positive(raw.lamda, limits.max_lamda)[..., None, None],
    )
