"""How good predictions are: accuracy, proper scores and calibration, from log-probabilities taken in batch by batch."""

from math import log
from typing import TypedDict

import torch
from torch import Tensor

from bkd.losses import full_precision

TOP_K = 5
NUM_BINS = 15


class ReliabilityBin(TypedDict):
    """Examples whose largest probability lies in (low, high]; the means are None in an empty bin."""

    low: float
    high: float
    count: int
    confidence: float | None
    accuracy: float | None


class Evaluation:
    """Metrics of one pass, summed in float64 on the predictions' device; the first result waits for it once."""

    def __init__(self) -> None:
        self._count = 0
        self._scores: Tensor | None = None  # (4,): correct in top 1, correct in top k, nll, brier
        self._bins: Tensor | None = None  # (NUM_BINS, 3): count, sum of confidences, correct
        self._fetched: tuple[list[float], list[list[float]]] | None = None

    @torch.no_grad()
    def update(self, log_probs: Tensor, labels: Tensor) -> None:
        """Take in one batch.

        Args:
            log_probs: (B, C), log-probabilities in nats: log_softmax of logits, or `mean_log_probs` over draws.
                Logarithms keep the NLL finite where a probability underflows.
            labels: (B,) int64.
        """
        log_probs = full_precision(log_probs)
        top, predicted = log_probs.topk(min(TOP_K, log_probs.shape[1]), dim=1)
        hits = predicted == labels[:, None]
        confidence = top[:, 0].double().exp()
        scores, bins = _scores(log_probs, labels, hits), _bins(confidence, hits[:, 0])
        self._scores = scores if self._scores is None else self._scores + scores
        self._bins = bins if self._bins is None else self._bins + bins
        self._count += len(labels)
        self._fetched = None

    def result(self) -> dict[str, float]:
        """Return the metrics of all examples so far.

        Returns:
            "acc" and "acc5": fractions whose label is the most likely class, and among the five most likely; with fewer
                than six classes acc5 is 1. "nll": mean of -log p_y in nats. "brier": mean over examples of the sum over
                classes of (p_c - [c = y])^2, from 0 to 2. "ece": mean over examples of |accuracy - confidence| of their
                bin, a fraction; 15 equal-width bins of the largest probability, each open below and closed above.

        Raises:
            ValueError: Nothing was taken in yet.
        """
        scores, bins = self._fetch()
        acc, acc5, nll, brier = (value / self._count for value in scores)
        ece = sum(abs(correct - confidence) for _, confidence, correct in bins) / self._count
        return {"acc": acc, "acc5": acc5, "nll": nll, "brier": brier, "ece": ece}

    def reliability(self) -> list[ReliabilityBin]:
        """Return the bins behind the ECE, from the least to the most confident."""
        return [
            ReliabilityBin(
                low=i / NUM_BINS,
                high=(i + 1) / NUM_BINS,
                count=round(count),
                confidence=confidence / count if count else None,
                accuracy=correct / count if count else None,
            )
            for i, (count, confidence, correct) in enumerate(self._fetch()[1])
        ]

    def _fetch(self) -> tuple[list[float], list[list[float]]]:
        if self._scores is None or self._bins is None or self._count == 0:
            raise ValueError("no predictions were evaluated")
        if self._fetched is None:
            values: list[float] = torch.cat([self._scores, self._bins.flatten()]).tolist()
            rows = values[len(self._scores) :]
            self._fetched = values[: len(self._scores)], [rows[i : i + 3] for i in range(0, len(rows), 3)]
        return self._fetched


def mean_log_probs(logits: Tensor) -> Tensor:
    """Return the logarithm (B, C) of the mean over draws of softmax(logits), logits being (S, B, C)."""
    return full_precision(logits).log_softmax(-1).logsumexp(0) - log(len(logits))


def _scores(log_probs: Tensor, labels: Tensor, hits: Tensor) -> Tensor:
    """Return sums over the batch: correct in top 1 and in top k, nll, brier; hits is (B, k)."""
    nll = -log_probs.gather(1, labels[:, None]).double()[:, 0]
    squares = log_probs.exp().square().sum(1, dtype=torch.float64)
    brier = squares - 2 * (-nll).exp() + 1
    return torch.stack([hits[:, 0].double(), hits.any(1).double(), nll, brier]).sum(1)


def _bins(confidence: Tensor, is_correct: Tensor) -> Tensor:
    """Return count, summed confidence and summed correctness of each bin (NUM_BINS, 3).

    A product with indicators, as scattered additions on a GPU add in any order.
    """
    index = (confidence * NUM_BINS).ceil().long().clamp(1, NUM_BINS) - 1
    member = index[:, None] == torch.arange(NUM_BINS, device=index.device)  # (B, NUM_BINS)
    columns = torch.stack([torch.ones_like(confidence), confidence, is_correct.double()], dim=1)
    return member.double().mT @ columns
