"""MSE teacher: squared error between probabilities and one-hot labels.

Source: Hamidi et al., "How to Train the Teacher Model for Effective Knowledge Distillation", arXiv 2407.18041.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar

from bkd.kinds.kind import Kind, NetworkShape, build_network
from bkd.specs import TrainSpec, option

if TYPE_CHECKING:
    from torch import nn

    from bkd.learner import Recipe
    from bkd.teachers import Teacher


class SquaredErrorOn(StrEnum):
    """What the squared error is taken on."""

    PROBABILITIES = "probabilities"  # the method's own definition
    LOGITS = "logits"  # as in the paper's code; its softmax is nearly flat


class MSESpec(TrainSpec):
    """Settings of an MSE teacher."""

    kind: ClassVar[str] = "MSE"

    mse_on: SquaredErrorOn = option(
        SquaredErrorOn.PROBABILITIES, "Squared error of the probabilities, or of the raw logits.", group="MSE"
    )


def build(spec: MSESpec, shape: NetworkShape) -> Recipe:
    """Return the network with mean squared error as its objective."""
    from bkd.learner import Recipe
    from bkd.losses import MeanSquaredError

    network = build_network(spec, shape)
    return Recipe(network, MeanSquaredError(on=spec.mse_on.value))


def teacher(network: nn.Module, spec: MSESpec) -> Teacher:
    """Return the network as a teacher: p = softmax(z / T)."""
    from bkd.teachers import NetworkTeacher

    return NetworkTeacher(network)


KIND = Kind(
    "MSE", "Squared error between probabilities and labels.", MSESpec, build, teacher, reference_flag="--mse"
)  # fmt: skip
