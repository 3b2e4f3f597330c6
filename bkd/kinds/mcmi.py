"""MCMI teacher: a trained teacher, fine-tuned to raise the conditional mutual information of its outputs.

Source: Ye et al., "Bayes Conditional Distribution Estimation for Knowledge Distillation Based on Conditional Mutual
Information", arXiv 2401.08732.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar

from bkd.kinds.kind import Kind, Material, NetworkShape, build_network
from bkd.specs import DerivedSpec, LearningRateSchedule, LoopSpec, option

if TYPE_CHECKING:
    from torch import nn

    from bkd.learner import Recipe
    from bkd.teachers import Teacher


class CMISign(StrEnum):
    """Which way the conditional mutual information is pushed."""

    AUTHORS = "authors"  # loss = CE - lam * CMI: raised, as the method's authors define and run it
    REFERENCE = "reference"  # loss = CE + lam * CMI: lowered, as the distillation paper's code does


class MCMISpec(DerivedSpec, LoopSpec):
    """Settings of an MCMI teacher."""

    kind: ClassVar[str] = "MCMI"
    made_from: ClassVar[tuple[str, ...]] = ("Deterministic",)

    epochs: int = option(20, "Passes over the training images.", unit="epochs", group="Optimisation", ge=1)
    learning_rate: float = option(2e-4, "Initial learning rate.", group="Optimisation", gt=0)
    lr_schedule: LearningRateSchedule = option(
        LearningRateSchedule.COSINE, "step multiplies at milestones; cosine falls to 0 at the end.",
        group="Optimisation",
    )  # fmt: skip
    mcmi_param: float = option(
        0.15, "Weight lam of the conditional mutual information.", group="MCMI", aliases=("--mcmiparam",), ge=0
    )
    mcmi_sign: CMISign = option(
        CMISign.AUTHORS, "authors raises the CMI (loss CE - lam CMI); reference lowers it, as the paper's code does.",
        group="MCMI",
    )  # fmt: skip
    refresh_centroids: bool = option(
        False, "Take the class centroids anew from the network before each epoch; off: once, from its start.",
        group="MCMI",
    )  # fmt: skip


def build(spec: MCMISpec, shape: NetworkShape) -> Recipe:
    """Return the network with CE - lam CMI as its objective; the centroids come with `begin`."""
    import torch

    from bkd.learner import Recipe
    from bkd.mcmi import CrossEntropyWithCMI

    lam = spec.mcmi_param if spec.mcmi_sign is CMISign.AUTHORS else -spec.mcmi_param
    q = torch.full((shape.num_classes, shape.num_classes), 1 / shape.num_classes)
    objective = CrossEntropyWithCMI(lam, q)
    sign = "-" if lam >= 0 else "+"
    other = "reference" if lam >= 0 else "authors"
    note = (
        f"MCMI: loss = CE {sign} {abs(lam):g} CMI, which {'raises' if lam >= 0 else 'lowers'} the CMI; "
        f"--mcmi-sign {other} turns it round."
    )
    return Recipe(build_network(spec, shape), objective, notes=(note,), extra={"centroids": q})


def begin(recipe: Recipe, spec: MCMISpec, material: Material, is_resumed: bool) -> None:
    """Start from the teacher's weights, take the centroids, and arrange for the CMI to be measured at the end."""
    from bkd.mcmi import centroids, conditional_mutual_information, outputs

    network, objective = recipe.network, recipe.objective
    recipe.extra["centroids"] = objective.q = recipe.extra["centroids"].to(material.device)  # type: ignore[attr-defined]

    def measure() -> float:
        probs, labels = outputs(network, material.train_batches())
        return conditional_mutual_information(probs, labels, centroids(probs, labels))

    if not is_resumed:
        [source] = material.open_sources()
        network.load_state_dict(source.network.state_dict())
        probs, labels = outputs(network, material.train_batches())
        q = centroids(probs, labels)
        recipe.extra["centroids"].copy_(q)
        recipe.figures = {"mcmi/cmi_before": conditional_mutual_information(probs, labels, q)}
    recipe.closing = lambda: {"mcmi/cmi_after": measure()}
    if spec.refresh_centroids:
        recipe.before_epoch = lambda epoch: _refresh(recipe, material)


def _refresh(recipe: Recipe, material: Material) -> None:
    from bkd.mcmi import centroids, outputs

    recipe.extra["centroids"].copy_(centroids(*outputs(recipe.network, material.train_batches())))


def teacher(network: nn.Module, spec: MCMISpec) -> Teacher:
    """Return the network as a teacher: p = softmax(z / T)."""
    from bkd.teachers import NetworkTeacher

    return NetworkTeacher(network)


KIND = Kind(
    "MCMI", "A Deterministic teacher fine-tuned to raise its conditional mutual information.", MCMISpec, build, teacher,
    begin=begin,
)  # fmt: skip
