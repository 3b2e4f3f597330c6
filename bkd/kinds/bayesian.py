"""Bayesian teacher: weights by variational inference, with inducing weights or fully factorised.

Source: Ritter et al., "Sparse Uncertainty Representation in Deep Learning with Inducing Weights", arXiv 2105.14594;
the schedule of the KL term follows "SGD-Based Knowledge Distillation with Bayesian Teachers", arXiv 2601.01484.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import model_validator

from bkd.kinds.kind import Kind, NetworkShape, build_network
from bkd.specs import TrainSpec, option

if TYPE_CHECKING:
    from torch import nn

    from bkd.learner import Recipe
    from bkd.teachers import Teacher


class VariationalFamily(StrEnum):
    """Families of the approximate posterior over weights."""

    INDUCING = "inducing"  # a matrix normal conditioned on a small inducing matrix per layer
    FFG = "ffg"  # fully factorised Gaussian (mean field)


class BayesianSpec(TrainSpec):
    """Settings of a Bayesian teacher."""

    kind: ClassVar[str] = "Bayesian"

    vi: VariationalFamily = option(
        VariationalFamily.INDUCING, "Family of the posterior.", group="Variational inference"
    )
    bnn_ml_epochs: int | None = option(
        None, "Epochs without KL term first; unset: half of the epochs.", unit="epochs",
        group="Variational inference", ge=0,
    )  # fmt: skip
    bnn_annealing_epochs: int | None = option(
        None, "Epochs over which the KL weight rises from 0 to 1; unset: a quarter of the epochs.", unit="epochs",
        group="Variational inference", ge=0,
    )  # fmt: skip
    bnn_test_samples: int = option(
        1, "Weight draws averaged per prediction in validation and test.", unit="draws",
        group="Variational inference", ge=1,
    )  # fmt: skip
    prior_sd: float = option(
        1.0, "Standard deviation of the weights' prior, before division by sqrt(fan-in).",
        group="Variational inference", gt=0,
    )  # fmt: skip
    inducing_size: int | None = option(
        None, "Rows and columns of each inducing matrix; unset: 128 (linear: 100 x 128), at most the layer's own.",
        group="Variational inference", ge=1,
    )  # fmt: skip
    max_lamda: float = option(
        0.03, "Largest scale of the conditional noise around the inducing mean.", group="Variational inference", gt=0
    )
    cap_inducing: bool = option(
        True, "Keep inducing matrices no larger than their layer.", group="Variational inference"
    )
    allow_partial_kl: bool = option(
        False, "Accept a run that ends before the KL term has its full weight.", group="Variational inference"
    )

    @model_validator(mode="after")
    def _kl_gets_full_weight(self) -> Self:
        ml, anneal = self._phases()
        if not self.allow_partial_kl and self.epochs < ml + anneal + 1:
            last = max(0.0, min(1.0, (self.epochs - 1 - ml) / anneal)) if anneal else 0.0
            raise ValueError(
                f"the KL term ends at weight {last:.2f}: epochs {self.epochs} < bnn_ml_epochs {ml} + "
                f"bnn_annealing_epochs {anneal} + 1 = {ml + anneal + 1}. Train longer, shorten the phases, or accept "
                "it with --allow-partial-kl"
            )
        return self

    @model_validator(mode="after")
    def _noise_exact_needs_fixed_weights(self) -> Self:
        if self.noise_exact:
            raise ValueError(
                "noise_exact is for networks with one set of weights, a Bayesian one draws them. Leave it out"
            )
        return self

    def _phases(self) -> tuple[int, int]:
        ml = self.epochs // 2 if self.bnn_ml_epochs is None else self.bnn_ml_epochs
        anneal = self.epochs // 4 if self.bnn_annealing_epochs is None else self.bnn_annealing_epochs
        return ml, anneal

    def resolved(self) -> Self:
        """Return a copy with the phases of the KL term filled in."""
        ml, anneal = self._phases()
        update: dict[str, Any] = {"bnn_ml_epochs": ml, "bnn_annealing_epochs": anneal}
        return super().resolved().model_copy(update=update)


def build(spec: BayesianSpec, shape: NetworkShape) -> Recipe:
    """Return the network with variational layers, the NLL as its objective and the KL schedule."""
    from bkd.bayes.config import FFGConfig, InducingConfig
    from bkd.bayes.convert import bayesianize
    from bkd.bayes.posterior import WeightPosterior
    from bkd.learner import KLSchedule, Recipe
    from bkd.losses import CrossEntropy

    network = build_network(spec, shape)
    config: InducingConfig | FFGConfig
    if spec.vi is VariationalFamily.FFG:
        config = FFGConfig(prior_sd=spec.prior_sd)
    else:
        config = InducingConfig(
            prior_sd=spec.prior_sd, max_lamda=spec.max_lamda, cap_to_layer=spec.cap_inducing, **_sizes(spec)
        )
    report = bayesianize(network, config)
    assert spec.bnn_ml_epochs is not None, "spec is resolved"
    assert spec.bnn_annealing_epochs is not None, "spec is resolved"
    schedule = KLSchedule(spec.bnn_ml_epochs, spec.bnn_annealing_epochs, shape.num_train)
    notes = (
        f"{spec.vi.value} posterior: {report.parameters_after:,} parameters, "
        f"x{report.factor:.2f} the deterministic network's {report.parameters_before:,}",
    )
    return Recipe(
        network, CrossEntropy(), posterior=WeightPosterior(network), kl=schedule, notes=notes,
        num_samples=spec.bnn_test_samples,
    )  # fmt: skip


def _sizes(spec: BayesianSpec) -> dict[str, Any]:
    if spec.inducing_size is None:
        return {}
    return dict.fromkeys(("conv_rows", "conv_cols", "linear_rows", "linear_cols"), spec.inducing_size)


def teacher(network: nn.Module, spec: BayesianSpec) -> Teacher:
    """Return the network as a teacher: p = mean over weight draws of softmax(z_s / T)."""
    from bkd.bayes.posterior import WeightPosterior
    from bkd.teachers import VariationalTeacher

    return VariationalTeacher(network, WeightPosterior(network))


KIND = Kind(
    "Bayesian", "Variational inference over the weights; p = mean of softmax(z_s / T) over draws.", BayesianSpec, build,
    teacher, draws=lambda spec: True, reference_flag="--bayesianize",
)  # fmt: skip
