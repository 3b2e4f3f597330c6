"""From a Gaussian over logits to probabilities.

Shapes: mean and variance are (B, C), the logits' mean and the diagonal of their covariance; row_sums (B, C) are the
covariance times the vector of ones, all that the Laplace bridge needs of its other entries.

Source: Daxberger et al., "Laplace Redux" (arXiv 2106.14806), appendix B.1.
"""

import math

import torch
from torch import Tensor


def probit(mean: Tensor, variance: Tensor) -> Tensor:
    """Return softmax(mean / sqrt(1 + pi/8 variance)), (B, C)."""
    return (mean * torch.rsqrt(1 + math.pi / 8 * variance)).softmax(-1)


def mc(mean: Tensor, covariance: Tensor, noise: Tensor) -> Tensor:
    """Return the probabilities (S, B, C) of the logits mean + covariance^(1/2) noise.

    Args:
        mean: (B, C).
        covariance: (B, C, C), of each image's logits; may be singular.
        noise: Standard normal (S, B, C).
    """
    values, vectors = torch.linalg.eigh(covariance)
    scaled = vectors * values.clamp_min(0).sqrt()[:, None, :]  # (B, C, C), a square root of the covariance
    return (mean + torch.einsum("bck,sbk->sbc", scaled, noise)).softmax(-1)


def bridge(mean: Tensor, variance: Tensor, row_sums: Tensor) -> Tensor:
    """Return the mean (B, C) of the Dirichlet that the Laplace bridge maps the Gaussian to.

    The Gaussian is first conditioned on logits that sum to 0. That subtracts numbers of almost equal size when the
    prior is weak: pass float64.

    Source: Hobbhahn et al., "Fast predictive uncertainty for classification with Bayesian deep networks" (arXiv
    2003.01227). Deviation: computed with logarithms, so that large logits do not overflow.
    """
    return _dirichlet_mean(*_sum_to_zero(mean, variance, row_sums))


def bridge_norm(mean: Tensor, variance: Tensor, row_sums: Tensor) -> Tensor:
    """Return `bridge` of the Gaussian scaled to a mean variance of sqrt(C / 2), where the bridge is accurate, (B, C).

    Source: Daxberger et al. (arXiv 2106.14806), appendix B.1.
    """
    mean, variance = _sum_to_zero(mean, variance, row_sums)
    scale = variance.mean(-1, keepdim=True) / math.sqrt(mean.shape[-1] / 2)
    return _dirichlet_mean(mean * scale.rsqrt(), variance / scale)


def _sum_to_zero(mean: Tensor, variance: Tensor, row_sums: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and variance (B, C) given that the logits sum to 0."""
    total = row_sums.sum(-1, keepdim=True)
    conditioned = variance - row_sums.square() / total
    return mean - row_sums * mean.sum(-1, keepdim=True) / total, conditioned.clamp_min(torch.finfo(mean.dtype).tiny)


def _dirichlet_mean(mean: Tensor, variance: Tensor) -> Tensor:
    """Return alpha / sum(alpha), alpha_c = (1 - 2/C + e^mean_c sum_k e^-mean_k / C^2) / variance_c."""
    classes = mean.shape[-1]
    log_term = mean + torch.logsumexp(-mean, -1, keepdim=True) - 2 * math.log(classes)
    constant = mean.new_tensor(1 - 2 / classes).log()  # -inf for two classes, as it should be
    log_alpha = torch.logaddexp(constant, log_term) - variance.log()
    return log_alpha.nan_to_num(nan=0.0).softmax(-1)  # without any variance every alpha counts as 1
