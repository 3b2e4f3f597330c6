"""What a kind of teacher declares."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bkd.specs import TrainSpec

if TYPE_CHECKING:
    from torch import nn

    from bkd.learner import Recipe
    from bkd.teachers import Teacher


@dataclass(frozen=True)
class NetworkShape:
    """What a network is built for.

    Attributes:
        in_channels: Channels of an image.
        num_classes: C.
        num_train: N, the number of training images; scales the KL term of variational teachers.
    """

    in_channels: int
    num_classes: int
    num_train: int


@dataclass(frozen=True)
class Kind:
    """A kind of teacher: its settings, how it is trained, how it predicts.

    Attributes:
        name: As in folders and lists, for instance "Bayesian".
        summary: One line for help and forms.
        spec: Settings; its `kind` is `name`.
        build: (spec, shape) -> Recipe: the untrained network with its objective. Called with torch's global seed set
            to the run's initialisation. Imports torch inside.
        teacher: (network, spec) -> Teacher: the trained network as a predictor. Imports torch inside.
        reference_flag: The flag by which the paper's training script asks for this kind, "" if it has its own.
    """

    name: str
    summary: str
    spec: type[TrainSpec]
    build: Callable[[Any, NetworkShape], Recipe]
    teacher: Callable[[nn.Module, Any], Teacher]
    reference_flag: str = ""
