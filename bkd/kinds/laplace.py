"""Laplace teacher: a Gaussian posterior around a trained teacher's weights, of the last layer in closed form.

Source: Daxberger et al., "Laplace Redux - Effortless Bayesian Deep Learning", NeurIPS 2021.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast

from pydantic import model_validator

from bkd.catalog import DATASETS
from bkd.errors import SpecError
from bkd.kinds.kind import Kind, Material, NetworkShape, build_network
from bkd.laplace.settings import (
    HessianStructure,
    LaplaceSettings,
    LinkApproximation,
    PredictionType,
    PriorTuning,
    WeightSubset,
)
from bkd.specs import DerivedSpec, option

if TYPE_CHECKING:
    from torch import nn

    from bkd.laplace.network import LaplaceNetwork
    from bkd.learner import Recipe
    from bkd.models.network import Network
    from bkd.teachers import Teacher


class LaplaceSpec(DerivedSpec):
    """Settings of a Laplace teacher."""

    kind: ClassVar[str] = "Laplace"
    made_from: ClassVar[tuple[str, ...]] = ("Deterministic", "MSE", "MCMI")

    subs_weights: WeightSubset = option(
        WeightSubset.LAST_LAYER, "Weights that have a posterior: last_layer (in closed form), all or subnetwork.",
        group="Laplace",
    )  # fmt: skip
    hess_struct: HessianStructure = option(
        HessianStructure.KRON, "Structure of the curvature; last_layer has kron, diag, full, gp.", group="Laplace"
    )
    la_method: PriorTuning = option(
        PriorTuning.MARGLIK,
        "What the prior precision is chosen by: marglik on the training images, gridsearch on held-out ones.",
        group="Laplace",
    )
    pred_type: PredictionType = option(
        PredictionType.GLM, "Predictions: glm linearises the network, nn draws weights.", group="Laplace"
    )
    link_approx: LinkApproximation = option(
        LinkApproximation.PROBIT, "From a Gaussian over logits to probabilities, with glm.", group="Laplace"
    )
    num_chunk: int = option(
        100, "Images per pass where there is no closed form: bounds memory, changes no result.", unit="images",
        group="Laplace", ge=1,
    )  # fmt: skip
    bnn_test_samples: int = option(
        10, "Draws averaged per prediction in validation and test, with nn or mc.", unit="draws", group="Laplace", ge=1
    )
    posterior_temperature: float = option(
        1.0, "The likelihood's term of the posterior is divided by this.", group="Laplace", gt=0
    )
    full_max_gib: float = option(1.5, "Largest dense posterior matrix.", unit="GiB", group="Laplace", gt=0)
    subnetwork_size: int = option(
        1000, "Weights of subnetwork, those of largest magnitude.", unit="weights", group="Laplace", ge=1
    )
    lowrank_size: int = option(10, "Eigenpairs of lowrank.", unit="eigenpairs", group="Laplace", ge=1)
    gp_images: int = option(50, "Training images of gp.", unit="images", group="Laplace", ge=1)

    @model_validator(mode="after")
    def _exists(self) -> Self:
        try:
            self.settings()
        except SpecError as error:
            raise ValueError(str(error).rstrip(".")) from None
        return self

    def settings(self) -> LaplaceSettings:
        """Return what `bkd.laplace` works on."""
        same = (
            "subs_weights", "hess_struct", "la_method", "pred_type", "link_approx", "num_chunk", "full_max_gib",
            "subnetwork_size", "lowrank_size", "gp_images",
        )  # fmt: skip
        return LaplaceSettings(
            **{name: getattr(self, name) for name in same}, temperature=self.posterior_temperature,
            num_samples=self.bnn_test_samples, seed=self.seed,
        )  # fmt: skip


def build(spec: LaplaceSpec, shape: NetworkShape) -> Recipe:
    """Return the network with an empty posterior, for weights from a file or from `fit`."""
    from bkd.laplace.fit import build_laplace
    from bkd.learner import Recipe
    from bkd.losses import CrossEntropy

    info = DATASETS[spec.dataset]
    module = build_laplace(build_network(spec, shape), spec.settings(), (info.channels, info.side, info.side))
    return Recipe(cast("Network", module), CrossEntropy())


def fit(network: nn.Module, spec: LaplaceSpec, material: Material) -> Mapping[str, float | None]:
    """Take over the teacher's weights, fit the posterior on the training images, tune the prior."""
    from bkd.laplace.fit import fit_laplace

    module: Any = network
    [source] = material.open_sources()
    module.network.load_state_dict(source.network.state_dict())
    return fit_laplace(module, material.train_batches, material.val_batches, spec.settings())


def teacher(network: nn.Module, spec: LaplaceSpec) -> Teacher:
    """Return the posterior predictive as a teacher: p = p1^(1/T), normalised."""
    from bkd.laplace.teacher import LaplaceTeacher

    return LaplaceTeacher(cast("LaplaceNetwork", network), spec.pred_type, spec.link_approx, spec.num_chunk)


KIND = Kind(
    "Laplace", "A Gaussian posterior around a trained teacher's weights; fitted in one pass.", LaplaceSpec, build,
    teacher, fit=fit, draws=lambda spec: spec.settings().predictive.is_stochastic,
)  # fmt: skip
