"""What a kind of teacher declares."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bkd.specs import RunSpec

if TYPE_CHECKING:
    import torch
    from torch import nn

    from bkd.data.batches import Batch
    from bkd.learner import Recipe
    from bkd.models.network import Network
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
class Material:
    """What a teacher is made from, beside its own settings.

    Attributes:
        open_sources: Loads the teachers that it is made from, frozen, in the order of `spec.sources`.
        train_batches: Makes the training images, each once, not augmented.
        val_batches: Makes the validation images; none under the paper's protocol.
        device: Where all of it lies.
    """

    open_sources: Callable[[], Sequence[Teacher]]
    train_batches: Callable[[], Iterable[Batch]]
    val_batches: Callable[[], Iterable[Batch]]
    device: torch.device


@dataclass(frozen=True)
class Kind:
    """A kind of teacher: its settings, how it comes to be, how it predicts.

    A kind trained by the loop gives `build` and `teacher`. One that starts from another teacher also gives `begin`; one
    that is computed without the loop gives `fit` beside `build` and `teacher`; one that only combines other teachers,
    and has no weights of its own, gives `combine` alone.

    Attributes:
        name: As in folders and lists, for instance "Bayesian".
        summary: One line for help and forms.
        spec: Settings; its `kind` is `name`.
        build: (spec, shape) -> Recipe: the untrained network with its objective. Called with torch's global seed set
            to the run's initialisation. Imports torch inside.
        teacher: (network, spec) -> Teacher: the trained network as a predictor. Imports torch inside.
        begin: (recipe, spec, material, is_resumed) -> None: before the first step, and again when a run is resumed,
            after its checkpoint was loaded.
        fit: (network, spec, material) -> figures: fills the network of `build`; takes the place of the loop.
        combine: (spec, sources) -> Teacher: a predictor made of others.
        draws: (spec) -> whether a teacher of these settings answers with draws.
        reference_flag: The flag by which the paper's training script asks for this kind, "" if it has its own.
    """

    name: str
    summary: str
    spec: type[RunSpec]
    build: Callable[[Any, NetworkShape], Recipe] | None = None
    teacher: Callable[[nn.Module, Any], Teacher] | None = None
    begin: Callable[[Recipe, Any, Material, bool], None] | None = None
    fit: Callable[[nn.Module, Any, Material], Mapping[str, float | None]] | None = None
    combine: Callable[[Any, Sequence[Teacher]], Teacher] | None = None
    draws: Callable[[Any], bool] = lambda spec: False
    reference_flag: str = ""

    @property
    def has_weights(self) -> bool:
        """Whether a run of this kind writes weights of its own."""
        return self.combine is None

    @property
    def is_trained(self) -> bool:
        """Whether the training loop makes it."""
        return self.combine is None and self.fit is None


def build_network(spec: Any, shape: NetworkShape) -> Network:
    """Return the untrained network that a teacher's settings name, for its data."""
    from bkd.models.table import build_model

    options = {} if spec.preact_shortcut in (None, True) else {"preact_shortcut": False}
    return build_model(spec.arch, in_channels=shape.in_channels, num_classes=shape.num_classes, **options)
