"""What is minimised: losses with named parts, and each example's gradient in its logits.

The residual r_i of an example is the gradient of its own loss in its logits z_i, so the batch gradient of any parameter
is the mean over the batch of J_i^T r_i. The gradient statistics of `bkd.noise` need nothing else of a loss.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

SMALLEST_PROB = 1e-12


class Objective(Protocol):
    """A loss that is a mean over examples, each a function of that example's logits."""

    def terms(self, logits: Tensor, labels: Tensor, target_probs: Tensor | None) -> dict[str, Tensor]:
        """Compute the loss and its parts.

        Args:
            logits: (B, C), of any floating type; computed in float32 unless they are float64.
            labels: (B,) int64.
            target_probs: (B, C), the teacher's probabilities; None where the objective has no use for them.

        Returns:
            Scalars by name, means over the batch: "loss", which is to be minimised, and the parts it is made of.
        """
        ...

    def residual(self, logits: Tensor, labels: Tensor, target_probs: Tensor | None) -> Tensor:
        """Compute the gradient (B, C) of each example's loss in its own logits, with no factor 1/B."""
        ...


@dataclass(frozen=True)
class CrossEntropy:
    """Cross-entropy with the labels, in nats."""

    def terms(self, logits: Tensor, labels: Tensor, target_probs: Tensor | None = None) -> dict[str, Tensor]:
        """See `Objective.terms`; the part is "ce"."""
        ce = F.cross_entropy(full_precision(logits), labels)
        return {"loss": ce, "ce": ce.detach()}

    def residual(self, logits: Tensor, labels: Tensor, target_probs: Tensor | None = None) -> Tensor:
        """See `Objective.residual`."""
        return minus_one_hot(full_precision(logits).softmax(1), labels)


@dataclass(frozen=True)
class MeanSquaredError:
    """Mean squared error with the one-hot label, a mean over classes as well as over the batch.

    Source: Hamidi et al. (arXiv 2407.18041) define it on probabilities. On logits it trains towards logits 0 and 1,
    whose softmax is nearly uniform when there are many classes.

    Attributes:
        on: What is compared with the one-hot label: softmax(logits), or the logits as they are.
    """

    on: Literal["probabilities", "logits"] = "probabilities"

    def __post_init__(self) -> None:
        if self.on not in ("probabilities", "logits"):
            raise ValueError(f"on must be 'probabilities' or 'logits', got {self.on!r}")

    def terms(self, logits: Tensor, labels: Tensor, target_probs: Tensor | None = None) -> dict[str, Tensor]:
        """See `Objective.terms`; the part is "mse"."""
        mse = minus_one_hot(self._prediction(logits), labels).square().mean()
        return {"loss": mse, "mse": mse.detach()}

    def residual(self, logits: Tensor, labels: Tensor, target_probs: Tensor | None = None) -> Tensor:
        """See `Objective.residual`: 2 (diag p - p p^T)(p - e_y) / C on probabilities, 2 (z - e_y) / C on logits."""
        prediction = self._prediction(logits)
        error = minus_one_hot(prediction, labels)
        if self.on == "probabilities":
            error = prediction * (error - (prediction * error).sum(1, keepdim=True))
        return error * (2 / logits.shape[1])

    def _prediction(self, logits: Tensor) -> Tensor:
        logits = full_precision(logits)
        return logits.softmax(1) if self.on == "probabilities" else logits


@dataclass(frozen=True)
class Distillation:
    """(1 - alpha) * CE(y, softmax(z)) + alpha * kd_T * kd_S * KL(p || softmax(z / kd_S)), both means over the batch.

    Source: Morad et al. (arXiv 2601.01484); alpha is the paper's lambda, kd_T and kd_S its temperatures T_t and T_s.

    Attributes:
        alpha: Weight of the teacher, from 0 (labels only, the teacher is not looked at) to 1.
        kd_T: Temperature at which the teacher's probabilities p were made.
        kd_S: Temperature of the student inside the KL.
    """

    alpha: float = 1.0
    kd_T: float = 1.0
    kd_S: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.alpha <= 1:
            raise ValueError(f"alpha must be from 0 to 1, got {self.alpha}")
        if not (self.kd_T > 0 and self.kd_S > 0):
            raise ValueError(f"kd_T and kd_S must be > 0, got {self.kd_T} and {self.kd_S}")

    def terms(self, logits: Tensor, labels: Tensor, target_probs: Tensor | None) -> dict[str, Tensor]:
        """See `Objective.terms`; the parts are "ce" and "kd", the bare KL in nats, absent without `target_probs`.

        A part of weight 0 is reported but takes no part in the loss or its gradient.
        """
        logits = full_precision(logits)
        weights = {"ce": 1 - self.alpha, "kd": self.alpha * self.kd_T * self.kd_S}
        parts = {"ce": _tracked(weights["ce"] > 0, lambda: F.cross_entropy(logits, labels))}
        if target_probs is None and self.alpha > 0:
            raise self._missing_target()
        if target_probs is not None:
            parts["kd"] = _tracked(weights["kd"] > 0, lambda: self._divergence(logits, target_probs))
        loss = torch.stack([weights[name] * part for name, part in parts.items() if weights[name] > 0]).sum()
        return {"loss": loss} | {name: part.detach() for name, part in parts.items()}

    def residual(self, logits: Tensor, labels: Tensor, target_probs: Tensor | None) -> Tensor:
        """See `Objective.residual`: (1 - alpha)(softmax(z) - e_y) + alpha * kd_T * (softmax(z / kd_S) - p)."""
        logits = full_precision(logits)
        if self.alpha == 0:
            return minus_one_hot(logits.softmax(1), labels)
        if target_probs is None:
            raise self._missing_target()
        soft = (logits / self.kd_S).softmax(1) - target_probs.to(logits.dtype)
        soft = soft * (self.alpha * self.kd_T)
        if self.alpha == 1:
            return soft
        return soft.add_(minus_one_hot(logits.softmax(1), labels), alpha=1 - self.alpha)

    def _divergence(self, logits: Tensor, target_probs: Tensor) -> Tensor:
        log_probs = (logits / self.kd_S).log_softmax(1)
        return F.kl_div(log_probs, target_probs.to(logits.dtype), reduction="batchmean")  # takes 0 log 0 as 0

    def _missing_target(self) -> ValueError:
        return ValueError(f"target_probs are needed at alpha = {self.alpha}")


def soften(probs: Tensor, temperature: float) -> Tensor:
    """Return probs^(1/temperature), normalised over the last axis.

    It is softmax(z / T) for probs = softmax(z), and what a temperature means for a predictive that has no logits.

    Args:
        probs: (..., C); clamped at 1e-12 first, so that a zero stays small but can be raised.
        temperature: Above 0.
    """
    if not temperature > 0:
        raise ValueError(f"temperature must be > 0, got {temperature}")
    powered = full_precision(probs).clamp_min(SMALLEST_PROB).pow(1 / temperature)
    return powered / powered.sum(-1, keepdim=True)


def full_precision(values: Tensor) -> Tensor:
    """Return `values` in float32 if they are of a shorter floating type, else as they are."""
    return values.float() if values.dtype in (torch.bfloat16, torch.float16) else values


def minus_one_hot(values: Tensor, labels: Tensor) -> Tensor:
    """Return `values` (B, C) less 1 at each row's label (B,).

    Unlike `one_hot` it never reads the labels on the host, so it does not wait for the device.
    """
    minus_one = values.new_full((1, 1), -1.0).expand(len(labels), 1)
    return values.scatter_add(1, labels[:, None], minus_one)


def _tracked(is_tracked: bool, compute: Callable[[], Tensor]) -> Tensor:
    """Compute with gradients only if `is_tracked`: a part of weight 0 then costs no backward pass."""
    with torch.set_grad_enabled(is_tracked and torch.is_grad_enabled()):
        return compute()
