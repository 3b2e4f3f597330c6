"""The library's posterior over functions: a Gaussian process on some of the training images."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from bkd.errors import SpecError
from bkd.laplace.settings import LaplaceSettings, WeightSubset, refuse_dense
from bkd.laplace.structures import Loader, State, Structure
from bkd.models.network import Network


class FunctionSpaceStructure(Structure):
    """Kernel of the Jacobians at M training images, which are part of the state: every prediction looks at them.

    Source: Immer et al., "Improving predictions of Bayesian neural nets via local linearization" (arXiv 2008.08400).

    Args:
        image_shape: (channels, height, width).
    """

    def __init__(self, network: Network, settings: LaplaceSettings, image_shape: tuple[int, int, int] | None) -> None:
        if image_shape is None:
            raise ValueError("hess_struct gp keeps training images: image_shape must be given")
        self.is_last_layer = settings.subs_weights is WeightSubset.LAST_LAYER
        super().__init__(network, settings)
        self.image_shape = image_shape
        self.kernel_size = settings.gp_images * self.num_classes
        refuse_dense(
            self.kernel_size, f"{settings.gp_images} images x {self.num_classes} classes", settings.full_max_gib
        )

    def weights(self, network: Network) -> dict[str, nn.Parameter]:
        """See `Structure.weights`."""
        parameters = dict(network.named_parameters())
        if not self.is_last_layer:
            return parameters
        return {name: p for name, p in parameters.items() if name.startswith(f"{network.head_name}.")}

    @property
    def bytes_per_image(self) -> int:
        """See `Structure.bytes_per_image`; the library solves with a copy of the kernel for each image."""
        return 4 * max(self.num_classes * self.num_weights, self.kernel_size**2)

    def images_in_loss(self, num_images: int) -> int:
        """See `Structure.images_in_loss`."""
        return self.settings.gp_images

    def empty(self) -> State:
        """See `Structure.empty`."""
        return {
            "kernel": torch.zeros(self.kernel_size, self.kernel_size),
            "likelihood_curvature": torch.zeros(self.kernel_size),
            "prior_gap": torch.zeros(self.settings.gp_images, self.num_classes),
            "images": torch.zeros(self.settings.gp_images, *self.image_shape),
        }

    def create(self, network: Network, state: State, temperature: float) -> Any:
        """See `Structure.create`."""
        from laplace import Laplace
        from laplace.curvature import CurvlinopsGGN

        la: Any = Laplace(
            network, "classification", self.settings.subs_weights.value, "gp", n_subset=self.settings.gp_images,
            temperature=temperature, backend=CurvlinopsGGN, seed=self.settings.seed,
        )  # fmt: skip
        cross_kernel = la._kernel_batch_star
        # The library orders it (image, training image, class, training image's class) and reads the last two the other
        # way round, which makes variances negative wherever a kernel between two classes is not symmetric.
        la._kernel_batch_star = lambda jacobians, images: cross_kernel(jacobians, images).mT
        return la

    def fit(self, la: Any, loader: Loader) -> None:
        """See `Structure.fit`."""
        count, wanted = len(loader.dataset), self.settings.gp_images
        if wanted > count:
            raise SpecError(
                f"laplace.gp_images must be at most the {count:,} training images, got {wanted:,}. Use fewer."
            )
        la.fit(_ChosenImages(loader, wanted, self.settings.seed))

    def read(self, la: Any) -> State:
        """See `Structure.read`."""
        images = torch.cat([x for x, _ in la.train_loader])
        return {"kernel": la.K_MM, "likelihood_curvature": la.L, "prior_gap": la.mu, "images": images}

    def restore(self, la: Any, state: State) -> None:
        """See `Structure.restore`."""
        if self.is_last_layer:
            la.model.find_last_layer(state["images"][:1])
            la.n_params, la.n_layers = self.num_weights, len(list(la.model.last_layer.parameters()))
        la.K_MM, la.L, la.mu = state["kernel"], state["likelihood_curvature"], state["prior_gap"]
        la.train_loader = [(images, None) for images in torch.split(state["images"], self.settings.num_chunk)]
        la._prior_factor_sod = self.settings.gp_images / la.n_data
        la._fitted = True


class _ChosenImages:
    """The images that the library's sampler takes of the training images, gathered in one pass over them.

    It is a data set of the full length that has only those, and the loader of it.
    """

    def __init__(self, loader: Loader, wanted: int, seed: int) -> None:
        from laplace.utils.utils import SoDSampler

        self.dataset, self.batch_size, self._length = self, loader.batch_size, len(loader.dataset)
        places = set(SoDSampler(self._length, wanted, seed).indices.tolist())
        self._chosen: dict[int, tuple[Tensor, Tensor]] = {}
        position = 0
        for x, y in loader:
            for i in places & set(range(position, position + len(y))):
                self._chosen[i] = (x[i - position], y[i - position])
            position += len(y)

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: Tensor) -> tuple[Tensor, Tensor]:
        return self._chosen[int(index)]

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for x, y in self._chosen.values():
            yield x[None], y[None]
