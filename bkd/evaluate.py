"""Evaluation of a trained network on held-out images: accuracy, likelihood, calibration, spread over draws."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch

from bkd.data.batches import Batch
from bkd.metrics import Evaluation
from bkd.rng import generator
from bkd.stats import mean_interval
from bkd.teachers import Prediction, Teacher

FIGURES = ("acc", "acc5", "nll", "brier", "ece")
REPETITIONS = 5  # of stochastic predictors, each with draws of its own


@dataclass(frozen=True)
class Sampling:
    """How a stochastic predictor is asked.

    Attributes:
        num_samples: S, draws averaged per prediction.
        repetitions: Evaluations with fresh draws, from which the spread comes; 1 for a deterministic predictor.
        seed: Of the draws.
    """

    num_samples: int = 1
    repetitions: int = REPETITIONS
    seed: int = 0


def evaluate(predictor: Teacher, batches: Callable[[], Iterable[Batch]], sampling: Sampling) -> dict[str, Any]:
    """Evaluate a predictor.

    Args:
        predictor: In eval mode.
        batches: Makes the held-out batches, once per repetition.
        sampling: Draws and repetitions; ignored by a deterministic predictor.

    Returns:
        Means over repetitions of acc, acc5, brier, ece (fractions) and nll (nats), the `reliability` table of the first
        repetition, `images`, `samples`, `repetitions`, and for a stochastic predictor `spread`: the standard deviation
        of each figure over repetitions and `probs`, the standard deviation of a class probability between single draws,
        averaged over images and classes. Of a variational network also `kl_nats`, KL(posterior || prior).
    """
    repetitions = sampling.repetitions if predictor.is_stochastic else 1
    results, spreads, reliability = [], [], []
    for repetition in range(repetitions):
        evaluation, spread, images = Evaluation(), 0.0, 0
        for index, batch in enumerate(batches()):
            draws = generator(sampling.seed, f"evaluate-{repetition}", 0, index, batch.x.device)
            prediction = predictor.predict(batch.x, sampling.num_samples, draws)
            evaluation.update(prediction.probs().clamp_min(1e-30).log(), batch.y)
            if predictor.is_stochastic and repetition == 0:
                spread += _draw_spread(predictor, batch, prediction, draws) * len(batch.y)
            images += len(batch.y)
        results.append(evaluation.result())
        if repetition == 0:
            reliability, spreads = evaluation.reliability(), [spread / images]
    figures: dict[str, Any] = {
        name: mean_interval([r[name] for r in results]).mean for name in FIGURES if name in results[0]
    }
    figures |= {
        "images": images,
        "samples": sampling.num_samples,
        "repetitions": repetitions,
        "reliability": reliability,
    }
    if predictor.is_stochastic:
        spread_of = {name: mean_interval([r[name] for r in results]).sd for name in FIGURES if name in results[0]}
        figures["spread"] = spread_of | {"probs": spreads[0]}
    kl = predictor.kl_nats()
    return figures if kl is None else figures | {"kl_nats": kl}


def flat_results(split: str, result: dict[str, Any]) -> dict[str, float]:
    """Return an evaluation's figures as metrics: "test/acc", and "test/acc_sd", "test/probs_sd" of stochastic ones."""
    figures = {f"{split}/{name}": result[name] for name in FIGURES if name in result}
    return figures | {f"{split}/{name}_sd": value for name, value in result.get("spread", {}).items()}


def _draw_spread(predictor: Teacher, batch: Batch, prediction: Prediction, draws: torch.Generator) -> float:
    """Return the mean over images and classes of a probability's standard deviation between at least 4 single draws."""
    probs = prediction.draw_probs()
    if len(probs) < 4:
        probs = predictor.predict(batch.x, 4, draws).draw_probs()
    return float(probs.std(0).mean())
