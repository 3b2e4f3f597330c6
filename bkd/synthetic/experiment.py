"""The synthetic experiment: one-hot labels, exact class probabilities and noisy ones as targets, in lockstep.

All arms start from the same weights and see the same examples in the same order; only their targets differ. Every
target has mean P(y | x), so the mean gradient is the same for all arms and what is left is noise.

A training example's target is drawn once and kept, the Dirichlet ones like the label. A data set has one label an
example, and theory compares one draw of a teacher with one label: fresh draws in the second epoch would let the
Dirichlet arms average over two draws where the one-hot arm has a single one.

Held-out figures use P, not labels, and so lack the labels' noise. The gap to the Bayes loss is the mean over held-out x
of KL(P(. | x) || softmax(z)): the cross-entropy -sum P log softmax(z) less the entropy of P, which is E[-log P(y | x)].
Accuracy is the mean of P at the predicted class.

Source: Morad et al. (arXiv 2601.01484), the experiment with exact class probabilities.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from math import isfinite
from statistics import fmean, stdev
from typing import Any

import torch
from torch import Tensor

from bkd.errors import TrainingFailed
from bkd.rng import generator
from bkd.synthetic.arms import Arms, init_layers
from bkd.synthetic.data import Examples, draw_targets, make_data
from bkd.synthetic.settings import Arm, SyntheticSettings

CURVE_POINTS = 150
KEYS = ("val/gap", "val/loss", "val/acc", "grad/noise")
CHUNK = 1000  # examples a forward pass of all arms: bounds the activations held at once

Figures = dict[str, float]


@dataclass
class History:
    """The records of a run: at `steps[i]` the figures `records[i]`."""

    steps: list[int] = field(default_factory=list)
    records: list[Figures] = field(default_factory=list)

    def add(self, step: int, record: Figures) -> None:
        """Take in one more record."""
        self.steps.append(step)
        self.records.append(record)

    def last_quarter(self, key: str, total_steps: int) -> list[float]:
        """Return a figure in the records of the last quarter of so many steps, where they have it."""
        pairs = zip(self.steps, self.records, strict=True)
        return [record[key] for step, record in pairs if step > 0.75 * total_steps and key in record]

    def curve(self, key: str) -> dict[str, list[float]]:
        """Return a figure's steps and values, thinned to at most `CURVE_POINTS`; the last is always kept."""
        points = [(step, record[key]) for step, record in zip(self.steps, self.records, strict=True) if key in record]
        stride = -(-len(points) // CURVE_POINTS) or 1
        kept = points[::-1][::stride][::-1]
        return {"steps": [step for step, _ in kept], "values": [float(f"{value:.6g}") for _, value in kept]}


@dataclass(frozen=True)
class HeldOut:
    """Held-out examples and every arm's targets for them, (A, N, C) float32."""

    data: Examples
    targets: Tensor


def never() -> bool:
    """Return False: a run that nobody stops."""
    return False


def run_synthetic(
    settings: SyntheticSettings,
    on_record: Callable[[int, Figures], None],
    should_stop: Callable[[], bool] = never,
) -> dict[str, Any]:
    """Train all arms and compare them.

    Args:
        settings: The same settings give the same figures on the same machine and thread count.
        on_record: Takes the steps done and, for each arm, "val/loss_ARM" (cross-entropy against P, nats),
            "val/gap_ARM" (less the Bayes loss), "val/acc_ARM" and, less often, "grad/noise_ARM" (V of all parameters
            at the arm's own weights, from its own kind of targets on the validation examples).
        should_stop: Asked between steps.

    Returns:
        What JSON can hold. "arms" by key: "title"; means over the last quarter of the steps: "gap", "acc", "noise";
        "loss_sd", the standard deviation of the validation loss there; "noise_optimum", V where the output is P;
        "noise_ratio", that over the one-hot arm's; "noise_theory". "curves" by metric key: "steps" and "values",
        thinned. "bayes_loss", "bayes_acc" on the validation examples; "seed", "steps", "finished", "seconds". A figure
        that a stopped run does not have is None.

    Raises:
        TrainingFailed: A figure is not finite.
    """
    began = time.perf_counter()
    train, test, val = make_data(settings)
    sizes = (settings.dimensions, settings.hidden, settings.hidden, settings.classes)
    layers = init_layers(len(settings.arms), sizes, generator(settings.seed, "init"))
    networks = Arms(layers, settings.learning_rate, settings.momentum)
    held_out = HeldOut(val, _targets(settings, val, "val"))
    history, step = History(), 0
    for step, x, targets in batches(settings, train):
        networks.step(x, targets)
        is_last = step == settings.steps
        if is_last or step % settings.validate_every == 0:
            with_noise = is_last or (len(history.steps) + 1) % settings.noise_every == 0
            record = _finite(measure(networks, settings.arms, held_out, with_noise=with_noise), step)
            history.add(step, record)
            on_record(step, record)
        if should_stop():
            break
    noise = noise_at_optimum(settings, networks, test) if step == settings.steps else None
    return {
        "seed": settings.seed,
        "steps": step,
        "finished": step == settings.steps,
        "seconds": time.perf_counter() - began,
        "bayes_loss": val.bayes_loss,
        "bayes_acc": val.bayes_accuracy,
        "arms": {arm.key: _summary(arm, history, step, noise) for arm in settings.arms},
        "curves": {f"{key}_{arm.key}": history.curve(f"{key}_{arm.key}") for key in KEYS for arm in settings.arms},
    }


def _targets(settings: SyntheticSettings, data: Examples, part: str) -> Tensor:
    """Draw every arm's targets, (A, N, C) float32, from streams named by arm and part of the data."""
    rows = [
        draw_targets(arm, data.probs, data.labels, generator(settings.seed, f"targets/{part}/{arm.key}"))
        for arm in settings.arms
    ]
    return torch.stack(rows).float()


def batches(settings: SyntheticSettings, train: Examples) -> Iterator[tuple[int, Tensor, Tensor]]:
    """Yield the number of each step from 1, its examples (B, D) and all arms' targets (A, B, C)."""
    targets, size = _targets(settings, train, "train"), settings.batch_size
    per_epoch = len(train) // size
    for epoch in range(settings.epochs):
        order = torch.randperm(len(train), generator=generator(settings.seed, "order", epoch))[: per_epoch * size]
        batches = zip(torch.split(train.x[order], size), torch.split(targets[:, order], size, dim=1), strict=True)
        for step, (x, target) in enumerate(batches, start=epoch * per_epoch + 1):
            yield step, x, target


@torch.no_grad()
def measure(networks: Arms, arms: tuple[Arm, ...], held_out: HeldOut, *, with_noise: bool) -> Figures:
    """Compute one record: see `run_synthetic`."""
    data = held_out.data
    logits = torch.cat([networks.forward(x)[1] for x in torch.split(data.x, CHUNK)], dim=1)  # (A, N, C)
    loss = -(data.probs * logits.double().log_softmax(2)).sum(2).mean(1)  # (A,)
    rows = {
        "val/loss": loss,
        "val/gap": loss - data.bayes_loss,
        "val/acc": data.probs.expand(len(arms), -1, -1).gather(2, logits.argmax(2, keepdim=True)).mean((1, 2)),
    }
    if with_noise:
        rows["grad/noise"] = networks.noise(networks.forward(data.x)[0], logits.softmax(2) - held_out.targets)
    return {
        f"{name}_{arm.key}": value for name, row in rows.items() for arm, value in zip(arms, row.tolist(), strict=True)
    }


def _finite(record: Figures, step: int) -> Figures:
    """Return the record if all of it is finite."""
    for key, value in record.items():
        if not isfinite(value):
            raise TrainingFailed(
                f"{key} must stay finite, got {value} after step {step}. Use a smaller learning rate or momentum."
            )
    return record


@torch.no_grad()
def noise_at_optimum(settings: SyntheticSettings, networks: Arms, data: Examples) -> dict[str, float]:
    """Measure V by arm where the network's output is P, its Jacobian that of the exact arm's network.

    The residual is P - target, with fresh draws of the targets, labels included; a mean over `noise_draws` draws.
    """
    network = networks.only(len(networks) - 1)
    inputs, _ = network.forward(data.x)
    sums = dict.fromkeys((arm.key for arm in settings.arms), 0.0)
    for draw in range(settings.noise_draws):
        for arm in settings.arms:
            draws = generator(settings.seed, f"optimum/{arm.key}", step=draw)
            labels = torch.multinomial(data.probs, 1, generator=draws)[:, 0]
            residual = data.probs - draw_targets(arm, data.probs, labels, draws)
            sums[arm.key] += network.noise(inputs, residual.float()[None]).item()
    return {key: total / settings.noise_draws for key, total in sums.items()}


def _summary(arm: Arm, history: History, steps: int, noise: dict[str, float] | None) -> dict[str, Any]:
    """Return an arm's part of the result."""
    last = {key: history.last_quarter(f"{key}_{arm.key}", steps) for key in KEYS}
    losses = last["val/loss"]
    return {
        "title": arm.title,
        "gap": _mean(last["val/gap"]),
        "acc": _mean(last["val/acc"]),
        "noise": _mean(last["grad/noise"]),
        "loss_sd": stdev(losses) if len(losses) > 1 else None,
        "noise_optimum": noise[arm.key] if noise else None,
        "noise_ratio": noise[arm.key] / noise["onehot"] if noise else None,
        "noise_theory": arm.noise_theory,
    }


def _mean(values: list[float]) -> float | None:
    return fmean(values) if values else None
