"""Each posterior that laplace-torch computes: how it is made, which tensors are its state, how they bring it back.

The library's own state dict pickles a training batch and refuses to be loaded twice; here the state is plain tensors.
`la` is always a laplace-torch object. Importing the library takes seconds, so it happens inside functions.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from math import prod
from typing import Any, ClassVar, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector

from bkd.errors import SpecError
from bkd.laplace.settings import HessianStructure, LaplaceSettings, WeightSubset, refuse_dense
from bkd.models.network import Network

State = dict[str, Tensor]


class Loader(Protocol):
    """What the library takes for a torch DataLoader."""

    dataset: Any
    batch_size: int

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield images and labels."""
        ...


class Structure(ABC):
    """One posterior of the library for one network.

    Args:
        network: With a linear last layer.
        settings: Sizes and limits.

    Attributes:
        num_classes: C.
        num_weights: P, weights that a Jacobian is taken in.
        is_fit_by_jacobians: Whether a fit holds the Jacobians of a chunk, as every prediction does.
    """

    is_fit_by_jacobians: ClassVar[bool] = True

    def __init__(self, network: Network, settings: LaplaceSettings) -> None:
        self.settings = settings
        self.num_classes: int = network.head.out_features  # type: ignore[assignment]
        self.num_weights = sum(weight.numel() for weight in self.weights(network).values())

    def weights(self, network: Network) -> dict[str, nn.Parameter]:
        """Return the weights that a Jacobian is taken in, in the order of the library's vectors."""
        return dict(network.named_parameters())

    @property
    def bytes_per_image(self) -> int:
        """What a prediction holds for each image."""
        return 4 * self.num_classes * self.num_weights

    def images_in_loss(self, num_images: int) -> int:
        """Return how many of the training images the library's loss is summed over."""
        return num_images

    def choose(self, network: Network, loader: Loader) -> State:
        """Return the tensors of the state that are chosen before the fit."""
        return {}

    @abstractmethod
    def empty(self) -> State:
        """Return the state's tensors before a fit, of the right shapes and types."""

    @abstractmethod
    def create(self, network: Network, state: State, temperature: float) -> Any:
        """Return an unfitted `la`."""

    def fit(self, la: Any, loader: Loader) -> None:
        """Fit `la`."""
        la.fit(loader)

    @abstractmethod
    def read(self, la: Any) -> State:
        """Return the state's tensors of a fitted `la`."""

    @abstractmethod
    def restore(self, la: Any, state: State) -> None:
        """Make an unfitted `la` what it was when its state was read."""


class TensorStructure(Structure):
    """Diagonal or whole curvature, of all weights or of those of largest magnitude."""

    def __init__(self, network: Network, settings: LaplaceSettings) -> None:
        super().__init__(network, settings)
        self.is_subnetwork = settings.subs_weights is WeightSubset.SUBNETWORK
        self.size = settings.subnetwork_size if self.is_subnetwork else self.num_weights
        if self.size > self.num_weights:
            raise SpecError(
                f"laplace.subnetwork_size must be at most the network's {self.num_weights:,} weights, got "
                f"{self.size:,}. Use fewer, or subs_weights all."
            )
        if settings.hess_struct is HessianStructure.FULL:
            refuse_dense(self.size, f"{self.size:,} weights", settings.full_max_gib)

    def empty(self) -> State:
        """See `Structure.empty`."""
        is_full = self.settings.hess_struct is HessianStructure.FULL
        state = {"curvature": torch.zeros(self.size, self.size) if is_full else torch.zeros(self.size)}
        return state | {"index": torch.arange(self.size)} if self.is_subnetwork else state

    def choose(self, network: Network, loader: Loader) -> State:
        """See `Structure.choose`."""
        if not self.is_subnetwork:
            return {}
        magnitude = parameters_to_vector(self.weights(network).values()).detach().abs()
        return {"index": magnitude.topk(self.size).indices.sort().values}

    def create(self, network: Network, state: State, temperature: float) -> Any:
        """See `Structure.create`."""
        from laplace import Laplace

        subset: dict[str, Any] = {"subnetwork_indices": state["index"].cpu()} if self.is_subnetwork else {}
        names = (self.settings.subs_weights.value, self.settings.hess_struct.value)
        return Laplace(network, "classification", *names, temperature=temperature, **subset)

    def fit(self, la: Any, loader: Loader) -> None:
        """See `Structure.fit`."""
        if not self.is_subnetwork:
            # Told so, it works by the Jacobians of a chunk; else a full matrix takes P copies of its activations.
            la.backend.subnetwork_indices = torch.arange(self.num_weights)
        la.fit(loader)
        if not self.is_subnetwork:
            la.backend.subnetwork_indices = None

    def read(self, la: Any) -> State:
        """See `Structure.read`."""
        return {"curvature": la.H}

    def restore(self, la: Any, state: State) -> None:
        """See `Structure.restore`."""
        la.H = state["curvature"]


class KronStructure(Structure):
    """Kronecker factors of every convolution and linear layer; other weights, as batch norm's, keep their values.

    The state holds the factors' eigenpairs: for wide convolutions they take minutes to compute.
    """

    is_fit_by_jacobians = False

    def __init__(self, network: Network, settings: LaplaceSettings) -> None:
        super().__init__(network, settings)
        shapes = [weight.shape for weight in self.weights(network).values()]
        self.sides = [(shape[0], prod(shape[1:])) if len(shape) > 1 else (shape[0],) for shape in shapes]

    def weights(self, network: Network) -> dict[str, nn.Parameter]:
        """See `Structure.weights`."""
        layers = [(name, m) for name, m in network.named_modules() if isinstance(m, nn.Linear | nn.Conv2d)]
        return {f"{name}.{part}": weight for name, layer in layers for part, weight in layer.named_parameters()}

    def empty(self) -> State:
        """See `Structure.empty`."""
        return {
            f"{part}_{i}_{j}": torch.zeros(side, side) if part == "vectors" else torch.zeros(side)
            for i, sides in enumerate(self.sides) for j, side in enumerate(sides) for part in ("vectors", "values")
        }  # fmt: skip

    def create(self, network: Network, state: State, temperature: float) -> Any:
        """See `Structure.create`."""
        from laplace import Laplace

        return Laplace(network, "classification", "all", "kron", temperature=temperature)

    def read(self, la: Any) -> State:
        """See `Structure.read`."""
        parts = {"vectors": la.H.eigenvectors, "values": la.H.eigenvalues}
        return {
            f"{part}_{i}_{j}": tensor
            for part, layers in parts.items() for i, pair in enumerate(layers) for j, tensor in enumerate(pair)
        }  # fmt: skip

    def restore(self, la: Any, state: State) -> None:
        """See `Structure.restore`."""
        from laplace.utils.matrix import Kron, KronDecomposed

        pairs: Any = (
            [[state[f"{part}_{i}_{j}"] for j in range(len(sides))] for i, sides in enumerate(self.sides)]
            for part in ("vectors", "values")
        )
        la.H, la.H_facs = KronDecomposed(*pairs), Kron([])  # the library asks of H_facs only that it is there


class LowRankStructure(Structure):
    """The leading eigenpairs of the Gauss-Newton matrix.

    The library's formulas, but its eigensolver needs a package that is not published: Lanczos instead, on the matrix
    products of curvlinops.
    """

    is_fit_by_jacobians = False
    smallest_value = 1e-6

    def empty(self) -> State:
        """See `Structure.empty`."""
        rank = self.settings.lowrank_size
        if rank >= self.num_weights:
            raise SpecError(
                f"laplace.lowrank_size must be below the network's {self.num_weights:,} weights, got {rank:,}. Use "
                "fewer, or hess_struct full."
            )
        return {"eigenvectors": torch.zeros(self.num_weights, rank), "eigenvalues": torch.zeros(rank)}

    def create(self, network: Network, state: State, temperature: float) -> Any:
        """See `Structure.create`."""
        from laplace.baselaplace import LowRankLaplace, ParametricLaplace

        la = LowRankLaplace.__new__(LowRankLaplace)  # its own __init__ insists on the unpublished package
        ParametricLaplace.__init__(la, network, "classification", temperature=temperature)
        return la

    def fit(self, la: Any, loader: Loader) -> None:
        """See `Structure.fit`."""
        from curvlinops import GGNLinearOperator  # type: ignore[import-untyped]
        from scipy.sparse.linalg import eigsh  # type: ignore[import-untyped]

        loss = nn.CrossEntropyLoss(reduction="sum")
        matrix = GGNLinearOperator(la.model, loss, la.params, loader, check_deterministic=False).to_scipy()
        start = np.random.default_rng(self.settings.seed).standard_normal(self.num_weights).astype(np.float32)
        values, vectors = eigsh(matrix, k=self.settings.lowrank_size, which="LA", v0=start, tol=1e-4)
        found = {"eigenvectors": torch.from_numpy(vectors), "eigenvalues": torch.from_numpy(values)}
        self.restore(la, {name: tensor.to(la.params[0]) for name, tensor in found.items()})
        with torch.no_grad():
            la.loss = sum(loss(la.model(x), y) for x, y in loader)
        la.mean = parameters_to_vector(la.params).detach()
        la.n_data, la.n_outputs = len(loader.dataset), self.num_classes

    def read(self, la: Any) -> State:
        """See `Structure.read`; zeros where the matrix has fewer eigenpairs than asked for."""
        missing = self.settings.lowrank_size - len(la.H[1])
        return {"eigenvectors": F.pad(la.H[0], (0, missing)), "eigenvalues": F.pad(la.H[1], (0, missing))}

    def restore(self, la: Any, state: State) -> None:
        """See `Structure.restore`."""
        is_kept = state["eigenvalues"] > self.smallest_value  # the library takes their logarithms
        la.H = (state["eigenvectors"][:, is_kept], state["eigenvalues"][is_kept])
