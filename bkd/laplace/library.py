"""Posteriors that have no closed form here: laplace-torch computes them, this keeps them as plain tensors."""

import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, jvp
from torch.linalg import LinAlgError  # type: ignore[attr-defined]
from torch.nn.utils import parameters_to_vector

from bkd.data.batches import Batch
from bkd.errors import SpecError, TrainingFailed
from bkd.laplace import links
from bkd.laplace.function_space import FunctionSpaceStructure
from bkd.laplace.last_layer import precise
from bkd.laplace.settings import HessianStructure, LaplaceSettings, LinkApproximation, PredictionType, Predictive
from bkd.laplace.structures import KronStructure, LowRankStructure, State, Structure, TensorStructure
from bkd.models.network import Network

JACOBIAN_BYTES = 2**28
"""Largest Jacobian of a chunk of images; a chunk is smaller than asked where it would exceed this."""


class LibraryPosterior(nn.Module):
    """A posterior of laplace-torch; all of its state is buffers.

    The library's object is made from the buffers when it is first needed, for the network that is then given.

    Args:
        network: With a linear last layer; not kept.
        settings: Which posterior.
        image_shape: (channels, height, width), for `HessianStructure.GP`.

    Raises:
        SpecError: A dense matrix of it would be too large.
    """

    prior_precision: Tensor  # (1,)
    temperature: Tensor
    sum_ce: Tensor
    num_images: Tensor

    def __init__(
        self, network: Network, settings: LaplaceSettings, image_shape: tuple[int, int, int] | None = None
    ) -> None:
        super().__init__()
        self.structure = _structure(network, settings, image_shape)
        device = next(network.parameters()).device
        scalars = {
            "prior_precision": torch.ones(1),
            "temperature": torch.tensor(settings.temperature),
            "sum_ce": torch.tensor(0.0),
            "num_images": torch.tensor(0),
        }
        self._names = tuple(empty := self.structure.empty())
        for name, tensor in (scalars | empty).items():
            self.register_buffer(name, tensor.to(device))
        self._made: tuple[Network, Any] | None = None

    @property
    def _state(self) -> State:
        return {name: self.get_buffer(name) for name in self._names}

    def fit(self, network: Network, batches: Callable[[], Iterable[Batch]]) -> None:
        """Fit to the training images.

        Args:
            network: Trained, in eval mode.
            batches: Makes the training batches, all images once and without augmentation; asked more than once.

        Raises:
            SpecError: There are no images, or too few of them.
            TrainingFailed: The cross-entropy is not finite.
        """
        chunk = self.structure.settings.num_chunk
        loader = _Loader(batches, self._chunk(chunk) if self.structure.is_fit_by_jacobians else chunk)
        with self._library(network):
            self._keep(self.structure.choose(network, loader))
            la = self.structure.create(network, self._state, float(self.temperature))
            self.structure.fit(la, loader)
            la.backend  # noqa: B018  (made on first use, of the weights that are trainable then)
        self._keep(self.structure.read(la))
        self._keep({"sum_ce": torch.as_tensor(la.loss).detach(), "num_images": torch.tensor(la.n_data)})
        if not self.sum_ce.isfinite():
            raise TrainingFailed("The network's cross-entropy is not finite. Fit another checkpoint of the teacher.")
        self._made = (network, la)
        self._set_prior(la)

    def set_prior_precision(self, *precisions: float) -> None:
        """Set the prior precision, one for all weights."""
        (precision,) = precisions
        self.prior_precision.fill_(precision)
        if self._made is not None:
            self._set_prior(self._made[1])

    @property
    def train_nll(self) -> float:
        """Mean cross-entropy of the trained weights on the images of the fit, in nats."""
        return float(self.sum_ce) / self.structure.images_in_loss(int(self.num_images))

    def maximise_marglik(self) -> None:
        """Set the prior precision that the library's own ascent of the marginal likelihood ends at.

        Raises:
            TrainingFailed: The ascent broke down.
        """
        la = self._fitted()
        kind = "gp" if self.structure.settings.hess_struct is HessianStructure.GP else "glm"
        try:
            with self._library(self._made[0] if self._made else None):
                la.optimize_prior_precision(pred_type=kind, method="marglik", prior_structure="scalar")
        except LinAlgError as error:
            raise TrainingFailed(
                f"The marginal likelihood of this posterior cannot be computed ({error}). Use la_method gridsearch."
            ) from error
        self.set_prior_precision(float(la.prior_precision))

    def log_marglik(self) -> float:
        """Return the log marginal likelihood of the training images in nats, at the prior precision in force."""
        with torch.no_grad():
            return float(self._fitted().log_marginal_likelihood())

    def predict(
        self, network: Network, x: Tensor, predictive: Predictive, num_samples: int, generator: torch.Generator | None
    ) -> Tensor:
        """Predict images.

        Args:
            network: The trained network, always the same one.
            x: (B, channels, H, W).
            predictive: How.
            num_samples: S, for predictions that draw.
            generator: On x's device, for predictions that draw.

        Returns:
            (S, B, C) probabilities of each draw, S = 1 for those that do not draw. Draws are of weights that the batch
            shares, in linearised predictions too; those of a posterior over functions are of each image's logits.
        """
        with torch.autocast(x.device.type, enabled=False), torch.no_grad(), warnings.catch_warnings():
            la = self._engine(network)
            chunks = torch.split(x, self._chunk(predictive.num_chunk))
            has_weights = self.structure.settings.hess_struct is not HessianStructure.GP
            if predictive.is_stochastic and has_weights:
                is_linear = predictive.pred_type is PredictionType.GLM
                warnings.simplefilter("ignore", FutureWarning)  # torch.func.jvp loads scripts that torch deprecates
                return self._draw(network, la, chunks, is_linear, num_samples, generator).softmax(-1)
            noise = None
            if predictive.is_stochastic:
                shape = (num_samples, len(x), self.structure.num_classes)
                noise = torch.randn(shape, generator=generator, device=x.device)
            return _apply_link(la, chunks, predictive.link, noise)

    def _draw(
        self,
        network: Network,
        la: Any,
        chunks: tuple[Tensor, ...],
        is_linear: bool,
        num_samples: int,
        generator: torch.Generator | None,
    ) -> Tensor:
        """Return logits (S, B, C) at drawn weights, of the network or of its linearisation."""
        weights = {name: weight.detach() for name, weight in self.structure.weights(network).items()}
        sizes = [weight.numel() for weight in weights.values()]

        def named(vector: Tensor) -> State:
            parts = zip(weights.items(), torch.split(vector, sizes), strict=True)
            return {name: part.view_as(weight) for (name, weight), part in parts}

        logits = []
        for _ in range(num_samples):
            drawn = la.sample(1, generator)[0]
            offset = named(drawn - la.mean) if is_linear else {}
            for x in chunks:
                if is_linear:
                    mean, change = _jvp(network, x, weights, offset)
                    logits.append(mean + change)
                else:
                    logits.append(functional_call(network, named(drawn), (x,)))
        return torch.cat(logits).view(num_samples, -1, self.structure.num_classes)

    def _fitted(self) -> Any:
        if self._made is None:
            raise RuntimeError("the library's object is made by fit or predict, which know the network")
        return self._made[1]

    def _engine(self, network: Network) -> Any:
        """Return the library's object for the buffers as they are."""
        if self._made is None or self._made[0] is not network:
            with self._library(network):
                la = self.structure.create(network, self._state, float(self.temperature))
                la.n_outputs, la.n_data, la.loss = self.structure.num_classes, int(self.num_images), self.sum_ce
                la.mean = parameters_to_vector(self.structure.weights(network).values()).detach()
                la.model.output_size = la.n_outputs
                self.structure.restore(la, self._state)
                self._set_prior(la)
                la.backend  # noqa: B018  (as in fit)
            self._made = (network, la)
        return self._made[1]

    def _set_prior(self, la: Any) -> None:
        la.prior_precision = self.prior_precision.clone()
        if self.structure.settings.hess_struct is HessianStructure.GP:
            la._build_Sigma_inv()

    def _keep(self, state: State) -> None:
        for name, value in state.items():
            self.get_buffer(name).copy_(value)

    def _chunk(self, wanted: int) -> int:
        """Return how many images a pass takes."""
        return max(1, min(wanted, JACOBIAN_BYTES // self.structure.bytes_per_image))

    @contextmanager
    def _library(self, network: Network | None) -> Iterator[None]:
        """Let the library see the posterior's weights as the trainable ones, and keep its advice to callers quiet."""
        flags = [] if network is None else [(p, p.requires_grad) for p in network.parameters()]
        chosen = set() if network is None else {id(p) for p in self.structure.weights(network).values()}
        try:
            for parameter, _ in flags:
                parameter.requires_grad_(id(parameter) in chosen)
            with warnings.catch_warnings(), torch.enable_grad():
                warnings.simplefilter("ignore")
                yield
        finally:
            for parameter, flag in flags:
                parameter.requires_grad_(flag)
                parameter.grad = None

    def _apply(self, *args: Any, **kwargs: Any) -> Any:
        self._made = None
        return super()._apply(*args, **kwargs)  # type: ignore[no-untyped-call]

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        self._made = None
        super()._load_from_state_dict(*args, **kwargs)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_made": None}


class _Loader:
    """Training batches cut to chunks, in the form that the library reads."""

    def __init__(self, batches: Callable[[], Iterable[Batch]], chunk: int) -> None:
        self._batches, self.batch_size = batches, chunk
        self.dataset = range(sum(len(batch.y) for batch in batches()))  # only its length is read
        if not self.dataset:
            raise SpecError("The training part must have at least 1 image to fit a Laplace approximation, got 0.")

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for batch in self._batches():
            yield from zip(torch.split(batch.x, self.batch_size), torch.split(batch.y, self.batch_size), strict=True)


def _structure(network: Network, settings: LaplaceSettings, image_shape: tuple[int, int, int] | None) -> Structure:
    if settings.hess_struct is HessianStructure.GP:
        return FunctionSpaceStructure(network, settings, image_shape)
    if settings.hess_struct is HessianStructure.KRON:
        return KronStructure(network, settings)
    if settings.hess_struct is HessianStructure.LOWRANK:
        return LowRankStructure(network, settings)
    return TensorStructure(network, settings)


def _jvp(network: Network, x: Tensor, weights: State, offset: State) -> tuple[Tensor, Tensor]:
    """Return the logits (B, C) at `weights` and their derivative (B, C) along `offset`."""
    result: Any = jvp(lambda values: functional_call(network, values, (x,)), (weights,), (offset,))
    return result[0], result[1]


def _apply_link(la: Any, chunks: tuple[Tensor, ...], link: LinkApproximation, noise: Tensor | None) -> Tensor:
    """Return probabilities (S, B, C) of the linearised predictive's Gaussian over logits, one chunk at a time."""
    results, done = [], 0
    for x in chunks:
        mean, covariance = la._glm_predictive_distribution(x)  # (B, C), (B, C, C)
        if noise is not None:
            results.append(links.mc(mean, covariance, noise[:, done : done + len(x)]))
        elif link is LinkApproximation.PROBIT:
            results.append(links.probit(mean, covariance.diagonal(dim1=1, dim2=2))[None])
        else:
            wide = precise(covariance)
            bridge = links.bridge if link is LinkApproximation.BRIDGE else links.bridge_norm
            results.append(bridge(precise(mean), wide.diagonal(dim1=1, dim2=2), wide.sum(2)).to(mean)[None])
        done += len(x)
    return torch.cat(results, 1)
