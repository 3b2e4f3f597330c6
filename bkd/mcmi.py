"""Maximum conditional mutual information: a teacher that spreads its outputs within each class.

CMI = mean over images of KL(softmax(z_i) || Q_y), Q_c being the mean softmax output over training images of class c.

Source: Ye et al., "Bayes Conditional Distribution Estimation for Knowledge Distillation Based on Conditional Mutual
Information", arXiv 2401.08732.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bkd.data.batches import Batch
from bkd.losses import SMALLEST_PROB, full_precision, minus_one_hot


def outputs(network: nn.Module, batches: Iterable[Batch]) -> tuple[Tensor, Tensor]:
    """Return the network's probabilities (N, C), float64, and labels (N,) over batches; it is left in its mode."""
    was_training = network.training
    network.eval()
    with torch.no_grad():
        pairs = [(full_precision(network(batch.x)).double().softmax(1), batch.y) for batch in batches]
    network.train(was_training)
    probs, labels = zip(*pairs, strict=True)
    return torch.cat(probs), torch.cat(labels)


def centroids(probs: Tensor, labels: Tensor) -> Tensor:
    """Return Q (C, C): row c is the mean of the rows of `probs` (N, C) with label c, uniform if there is none."""
    num_classes = probs.shape[1]
    member = F.one_hot(labels, num_classes).to(probs)  # (N, C)
    counts = member.sum(0)[:, None]
    mean = (member.mT @ probs) / counts.clamp_min(1)
    return torch.where(counts > 0, mean, torch.full_like(mean, 1 / num_classes))


def conditional_mutual_information(probs: Tensor, labels: Tensor, q: Tensor) -> float:
    """Return the mean over examples of KL(p_i || Q_{y_i}) in nats, p being (N, C)."""
    return float(_divergence(probs, q.to(probs)[labels]).mean())


def _divergence(p: Tensor, q: Tensor) -> Tensor:
    return (torch.xlogy(p, p) - p * q.clamp_min(SMALLEST_PROB).log()).sum(1)


@dataclass
class CrossEntropyWithCMI:
    """CE - lam * CMI with fixed centroids; a mean over the batch, in nats.

    lam > 0 raises the CMI, as the method's authors run it; lam < 0 lowers it.

    Attributes:
        lam: Weight of the CMI.
        q: (C, C), float32: the centroids; changed in place when they are refreshed.
    """

    lam: float
    q: Tensor

    def terms(self, logits: Tensor, labels: Tensor, target_probs: Tensor | None = None) -> dict[str, Tensor]:
        """See `bkd.losses.Objective.terms`; the parts are "ce" and "cmi"."""
        logits = full_precision(logits)
        ce = F.cross_entropy(logits, labels)
        cmi = self._per_example(logits, labels).mean()
        return {"loss": ce - self.lam * cmi, "ce": ce.detach(), "cmi": cmi.detach()}

    def residual(self, logits: Tensor, labels: Tensor, target_probs: Tensor | None = None) -> Tensor:
        """See `bkd.losses.Objective.residual`: p - e_y - lam * p * (ln(p / Q_y) - KL)."""
        logits = full_precision(logits)
        log_probs = logits.log_softmax(1)
        probs = log_probs.exp()
        log_ratio = log_probs - self._log_q(labels).to(log_probs)
        kl = (probs * log_ratio).sum(1, keepdim=True)
        return minus_one_hot(probs, labels) - self.lam * probs * (log_ratio - kl)

    def _per_example(self, logits: Tensor, labels: Tensor) -> Tensor:
        log_probs = logits.log_softmax(1)
        return (log_probs.exp() * (log_probs - self._log_q(labels).to(log_probs))).sum(1)

    def _log_q(self, labels: Tensor) -> Tensor:
        return self.q.clamp_min(SMALLEST_PROB).log()[labels]
