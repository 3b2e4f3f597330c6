"""Deterministic teacher: cross-entropy on one-hot labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from bkd.kinds.kind import Kind, NetworkShape, build_network
from bkd.specs import TrainSpec

if TYPE_CHECKING:
    from torch import nn

    from bkd.learner import Recipe
    from bkd.teachers import Teacher


class DeterministicSpec(TrainSpec):
    """Settings of a Deterministic teacher."""

    kind: ClassVar[str] = "Deterministic"
    decay_fractions: ClassVar[tuple[float, ...]] = (0.5, 0.75)  # the paper: 100 and 150 of 200


def build(spec: DeterministicSpec, shape: NetworkShape) -> Recipe:
    """Return the network with cross-entropy as its objective."""
    from bkd.learner import Recipe
    from bkd.losses import CrossEntropy

    network = build_network(spec, shape)
    return Recipe(network, CrossEntropy())


def teacher(network: nn.Module, spec: DeterministicSpec) -> Teacher:
    """Return the network as a teacher: p = softmax(z / T)."""
    from bkd.teachers import NetworkTeacher

    return NetworkTeacher(network)


KIND = Kind("Deterministic", "Cross-entropy on the labels; p = softmax(z / T).", DeterministicSpec, build, teacher)
