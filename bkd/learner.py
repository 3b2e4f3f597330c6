"""One network being trained: its step, its validation, its state."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from bkd.bayes.posterior import WeightPosterior
from bkd.bayes.schedule import kl_weight
from bkd.data.batches import Batch
from bkd.losses import Objective
from bkd.metrics import Evaluation, mean_log_probs
from bkd.models.network import Network
from bkd.noise import KEYS, LastLayer, NoiseMeter, convergence_noise, full_variance, offline, shared_draw_variance
from bkd.noise_exact import EXACT_KEYS, HeldOut, eval_function, per_sample_noise
from bkd.rng import generator
from bkd.teachers import Prediction, Teacher

PROBE_STEPS = 64  # the dear statistics are taken this seldom
PROBE_DRAWS = 4  # K of `grad/noise_shared`


@dataclass(frozen=True)
class KLSchedule:
    """When the KL term of a variational network counts, and how much.

    Attributes:
        ml_epochs: Epochs without KL term.
        annealing_epochs: Epochs over which its weight rises to 1.
        num_train: N; the loss holds weight * KL / N.
    """

    ml_epochs: int
    annealing_epochs: int
    num_train: int

    def weight(self, epoch: int) -> float:
        """Return the weight in [0, 1] in an epoch (from 0)."""
        return kl_weight(epoch, self.ml_epochs, self.annealing_epochs)


@dataclass
class Recipe:
    """An untrained network and how it is to be trained.

    Attributes:
        network: With `forward_features` and `head`.
        objective: What is minimised.
        posterior: Over the weights, for variational networks.
        kl: Schedule of the KL term; goes with `posterior`.
        notes: Lines for the run's log.
        num_samples: S, weight draws per prediction in validation and test.
        extra: Tensors beside the network's that a checkpoint keeps; changed in place only.
        figures: What is known before the first step, for the run's metrics.
        before_epoch: Called with each epoch's number before its first step.
        closing: Makes the figures that are taken once, after the last step.
    """

    network: Network
    objective: Objective
    posterior: WeightPosterior | None = None
    kl: KLSchedule | None = None
    notes: tuple[str, ...] = ()
    num_samples: int = 1
    extra: dict[str, Tensor] = field(default_factory=dict)
    figures: dict[str, float] = field(default_factory=dict)
    before_epoch: Callable[[int], None] = lambda epoch: None
    closing: Callable[[], dict[str, float]] = dict


@dataclass(frozen=True)
class Position:
    """Where a run is: `epoch` and `step` (within the epoch) from 0, `total` steps taken before this one."""

    epoch: int
    step: int
    total: int


@dataclass(frozen=True)
class Targets:
    """What a learner is told about one batch.

    Attributes:
        batch: Images and labels.
        prediction: The teacher's, None without a teacher.
    """

    batch: Batch
    prediction: Prediction | None = None


@dataclass
class Settings:
    """What a learner needs to know of its run.

    Attributes:
        seed: Of all its draws.
        device: Where it trains.
        learning_rate_at: Epoch -> learning rate.
        make_optimizer: Parameters -> optimiser.
        autocast: Returns the context of forward passes.
        kd_T: Teacher's temperature in the loss.
        teacher_samples: S of the teacher in the loss.
        compile_forward: Turns the forward function into a faster one, or returns it.
        is_noise_exact: Whether validation also takes the gradient noise of all parameters, image by image.
    """

    seed: int
    device: torch.device
    learning_rate_at: Callable[[int], float]
    make_optimizer: Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer]
    autocast: Callable[[], AbstractContextManager[Any]] = nullcontext
    kd_T: float = 1.0
    teacher_samples: int = 1
    compile_forward: Callable[[Callable[[Tensor], tuple[Tensor, Tensor]]], Any] = lambda forward: forward
    is_noise_exact: bool = False


@dataclass
class History:
    """What a learner remembers of its epochs; part of its checkpoint."""

    val_loss: list[float | None] = field(default_factory=list)
    val_acc: list[float | None] = field(default_factory=list)
    learning_rate: list[float] = field(default_factory=list)
    best_acc: float = -1.0
    best_epoch: int = -1

    def add(self, figures: dict[str, float | None], learning_rate: float, epoch: int) -> bool:
        """Remember an epoch; return whether it is the best on validation so far (the first of equals)."""
        acc = figures.get("val/acc")
        self.val_loss.append(figures.get("val/loss"))
        self.val_acc.append(acc)
        self.learning_rate.append(learning_rate)
        is_best = acc is not None and acc > self.best_acc
        if is_best and acc is not None:
            self.best_acc, self.best_epoch = acc, epoch
        return is_best


class Learner:
    """A network in training: one run.

    The figures of a step stay on the device in one tensor; whoever reads them decides when to wait.
    """

    def __init__(self, name: str, recipe: Recipe, settings: Settings, teacher: Teacher | None = None) -> None:
        self.name = name
        self.recipe = recipe
        self.settings = settings
        self.teacher = teacher
        self.network = recipe.network
        self.optimizer = settings.make_optimizer(p for p in self.network.parameters() if p.requires_grad)
        self.history = History()
        head = self.network.head
        self.has_bias = bool(getattr(head, "has_bias", getattr(head, "bias", None) is not None))
        is_stochastic = teacher is not None and teacher.is_stochastic
        self.meter = NoiseMeter(self.has_bias, settings.device, is_stochastic=is_stochastic)
        self._forward = settings.compile_forward(self._plain_forward)
        self._parameters = [p for p in self.network.parameters() if p.requires_grad]
        self._sums = torch.zeros(3, dtype=torch.float64, device=settings.device)  # loss, correct, images of this epoch
        self._nan = torch.full((), torch.nan, device=settings.device)
        self.keys: tuple[str, ...] = ()

    # ---- training

    def begin_epoch(self, epoch: int, first_step: int = 0) -> None:
        """Set the learning rate of an epoch, and prepare it unless it is gone on with at a later step."""
        if first_step == 0:
            self.recipe.before_epoch(epoch)
        for group in self.optimizer.param_groups:
            group["lr"] = self.settings.learning_rate_at(epoch)

    def step(self, targets: Targets, position: Position, next_targets: Callable[[], Targets]) -> Tensor:
        """Take one optimiser step and return its figures, a float32 device tensor in the order of `keys`.

        Args:
            targets: The batch and what the teacher says of it.
            position: Where the run is; seeds the draws.
            next_targets: Makes the next batch; called when the probe of all parameters' noise is due.
        """
        is_probe = position.total % PROBE_STEPS == 0
        phi, logits, terms = self._backward(targets, position, "weights")
        gradients = [p.grad for p in self._parameters if p.grad is not None]
        norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
        full = self._probe_all_parameters(targets, next_targets(), position) if is_probe else self._nan
        seen = self._seen(targets, phi.detach(), logits.detach())
        size = len(targets.batch.y)
        shared = self._probe_shared(targets.batch, seen, position, size) if is_probe else None
        noise = self.meter.update(position.total, seen, shared)
        self.optimizer.step()
        correct = (logits.detach().argmax(1) == targets.batch.y).sum()
        self._sums[:2] += torch.stack([terms["loss"].detach() * size, correct])
        self._sums[2] += size
        figures = {f"train/{name}": value.detach() for name, value in terms.items()}
        figures |= {"train/acc": correct / size, "grad/norm": norm, "grad/noise_full": full.float()}
        self.keys = (*figures, *KEYS)
        return torch.cat([torch.stack([value.float() for value in figures.values()]), noise])

    def _backward(self, targets: Targets, position: Position, stream: str) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """Run forward and backward passes; gradients are left on the parameters."""
        self.network.train()
        self.optimizer.zero_grad(set_to_none=True)
        self._draw(position, stream)
        with self.settings.autocast():
            logits, phi = self._forward(targets.batch.x)
        terms = self.recipe.objective.terms(logits, targets.batch.y, self._target_probs(targets))
        loss = terms["loss"]
        weight = self.recipe.kl.weight(position.epoch) if self.recipe.kl else 0.0
        if self.recipe.kl and self.recipe.posterior and weight > 0:
            kl = self.recipe.posterior.kl()
            loss = loss + kl * (weight / self.recipe.kl.num_train)
            terms = terms | {"loss": loss}
        loss.backward()  # type: ignore[no-untyped-call]
        return phi, logits, terms

    def _plain_forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        phi = self.network.forward_features(x)
        return self.network.head(phi), phi

    def _draw(self, position: Position, stream: str) -> None:
        if self.recipe.posterior:
            draws = generator(self.settings.seed, stream, position.epoch, position.step, self.settings.device)
            self.recipe.posterior.draw(draws)

    def _target_probs(self, targets: Targets) -> Tensor | None:
        own = self._own_draws(targets)
        return own.probs(self.settings.kd_T) if own else None

    def _own_draws(self, targets: Targets) -> Prediction | None:
        """Return the teacher's prediction by the draws that this learner asks for; others may have asked for more."""
        return targets.prediction.first(self.settings.teacher_samples) if targets.prediction else None

    # ---- gradient noise

    def _seen(self, targets: Targets, phi: Tensor, logits: Tensor) -> LastLayer:
        labels = targets.batch.y
        residual = self.recipe.objective.residual(logits, labels, self._target_probs(targets))
        own = self._own_draws(targets)
        teacher_probs = own.probs() if own else None
        return LastLayer(residual, logits, labels, phi, teacher_probs)

    def _probe_shared(self, batch: Batch, seen: LastLayer, position: Position, size: int) -> Tensor | None:
        """Measure what a batch of `size` images gains in noise by sharing the teacher's draws: `grad/noise_shared`."""
        if self.teacher is None or not self.teacher.is_stochastic:
            return None
        draws = generator(self.settings.seed, "probe", position.epoch, position.step, self.settings.device)
        with self.settings.autocast():
            single = self.teacher.predict(batch.x, PROBE_DRAWS, draws).draw_probs()
        residuals = seen.logits.float().softmax(1) - single  # (K, B, C)
        return shared_draw_variance(residuals, seen.phi, self.has_bias, self.settings.teacher_samples, size)

    def _probe_all_parameters(self, targets: Targets, other: Targets, position: Position) -> Tensor:
        """Measure `grad/noise_full` by a second batch at the same weights; buffers and gradients stay as found."""
        first = [p.grad for p in self._parameters]
        buffers = [(b, b.clone()) for b in self.network.buffers()]
        self._backward(other, position, "probe-weights")
        pairs = [
            (a, p.grad) for a, p in zip(first, self._parameters, strict=True) if a is not None and p.grad is not None
        ]
        noise = full_variance([a for a, _ in pairs], [b for _, b in pairs], len(targets.batch.y), len(other.batch.y))
        with torch.no_grad():
            for buffer, before in buffers:
                buffer.copy_(before)
        for parameter, gradient in zip(self._parameters, first, strict=True):
            parameter.grad = gradient
        return noise

    # ---- validation

    def validate(
        self, targets: Sequence[Targets], epoch: int, *, split: str = "val", num_train_batch: int | None = None
    ) -> dict[str, float | None]:
        """Evaluate on held-out images, without gradients; the network is back in its mode afterwards.

        Args:
            targets: Held-out batches with the teacher's predictions.
            epoch: Seeds the weight draws.
            split: Prefix of the figures, "val" or "test".
            num_train_batch: B of training, to which `grad/noise_shared` refers; default: the first batch's.

        Returns:
            acc, acc5, nll, brier, ece and the loss in use on this split, and the last layer's gradient noise there.
        """
        evaluation, losses, shared = Evaluation(), [], None
        chunks: list[LastLayer] = []
        size = num_train_batch or len(targets[0].batch.y)
        draws = generator(self.settings.seed, "validate", epoch, 0, self.settings.device)
        was_training = self.network.training
        self.network.eval()
        with torch.no_grad(), self.settings.autocast():
            for item in targets:
                phi, logits = self._predict(item.batch.x, draws)
                log_probs = mean_log_probs(logits)
                evaluation.update(log_probs, item.batch.y)
                single = logits[0] if len(logits) == 1 else log_probs
                terms = self.recipe.objective.terms(single, item.batch.y, self._target_probs(item))
                losses.append(terms["loss"].double() * len(item.batch.y))
                seen = self._seen(item, phi, logits[0].float())
                if not chunks:
                    shared = self._probe_shared(item.batch, seen, Position(epoch, 0, 0), size)
                chunks.append(seen)
        self.network.train(was_training)
        figures: dict[str, float | None] = {f"{split}/{name}": value for name, value in evaluation.result().items()}
        count = sum(len(chunk.labels) for chunk in chunks)
        figures[f"{split}/loss"] = float(torch.stack(losses).sum()) / count
        noise = offline(chunks, self.has_bias, shared, size).tolist()
        figures |= {f"{split}/{key}": _none_if_nan(value) for key, value in zip(KEYS, noise, strict=True)}
        if self.settings.is_noise_exact:
            figures |= {f"{split}/{key}": value for key, value in self._exact_noise(targets).items()}
        return figures

    def _exact_noise(self, targets: Sequence[Targets]) -> dict[str, float | None]:
        """Return the gradient noise of all parameters on held-out images, from each image's own gradient."""
        wanted = [self._target_probs(item) for item in targets]
        plain = [item.prediction.probs() for item in targets if item.prediction]
        data = HeldOut(
            torch.cat([item.batch.x for item in targets]),
            torch.cat([item.batch.y for item in targets]),
            torch.cat([probs for probs in wanted if probs is not None]) if plain else None,
            torch.cat(plain) if plain else None,
        )
        noise = per_sample_noise(*eval_function(self.network), self.recipe.objective, data).tolist()
        return {key: _none_if_nan(value) for key, value in zip(EXACT_KEYS, noise, strict=True)}

    def _predict(self, x: Tensor, draws: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return features (B, F) of the first draw and logits (S, B, C)."""
        if self.recipe.posterior is None:
            phi = self.network.forward_features(x)
            return phi, self.network.head(phi).float()[None]
        features, logits = [], []
        with self.recipe.posterior.freeze():
            for _ in range(self.recipe.num_samples):
                self.recipe.posterior.draw(draws)
                features.append(self.network.forward_features(x))
                logits.append(self.network.head(features[-1]).float())
        self.recipe.posterior.clear()
        return features[0], torch.stack(logits)

    # ---- epochs and state

    def end_epoch(self, epoch: int, validation: dict[str, float | None]) -> tuple[dict[str, float | None], bool]:
        """Return the figures of an epoch and whether it is the best on validation so far."""
        loss, correct, images = self._sums.tolist()
        self._sums.zero_()
        rate = self.settings.learning_rate_at(epoch)
        is_best = self.history.add(validation, rate, epoch)
        figures: dict[str, float | None] = {"train/loss": loss / images, "train/acc": correct / images, "lr": rate}
        if self.recipe.kl and self.recipe.posterior:
            with torch.no_grad():
                figures |= {"kl/nats": float(self.recipe.posterior.kl()), "kl/weight": self.recipe.kl.weight(epoch)}
        past = self.history
        figures |= validation | {
            "converge/noise_loss": convergence_noise(past.val_loss, past.learning_rate),
            "converge/noise_acc": convergence_noise(past.val_acc, past.learning_rate),
        }
        return figures, is_best

    def tensors(self) -> dict[str, dict[str, Tensor]]:
        """Return every tensor that a resumed run needs, in groups: model, optimizer, meter, and extra if there are."""
        optimizer = {
            f"{index}.{name}": value
            for index, state in self.optimizer.state_dict()["state"].items()
            for name, value in state.items()
            if isinstance(value, Tensor)
        }
        meter = self.meter.state_dict() | {"epoch_sums": self._sums.clone()}
        groups = {"model": dict(self.network.state_dict()), "optimizer": optimizer, "meter": meter}
        return groups | ({"extra": self.recipe.extra} if self.recipe.extra else {})

    def load_tensors(self, groups: dict[str, dict[str, Tensor]]) -> None:
        """Take over what `tensors` gave.

        Raises:
            CheckpointError: If weights or statistics do not fit.
        """
        from bkd.models.table import load_weights

        load_weights(self.network, groups["model"])
        for name, tensor in self.recipe.extra.items():
            tensor.copy_(groups["extra"][name])
        meter = dict(groups["meter"])
        self._sums.copy_(meter.pop("epoch_sums"))
        self.meter.load_state_dict(meter)
        state: dict[int, dict[str, Tensor]] = {}
        for key, value in groups["optimizer"].items():
            index, name = key.split(".", 1)
            state.setdefault(int(index), {})[name] = value
        self.optimizer.load_state_dict({"state": state, "param_groups": self.optimizer.state_dict()["param_groups"]})


def _none_if_nan(value: float) -> float | None:
    return None if value != value else value
