"""The way in: build an empty Laplace approximation, fit one to a trained network."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from bkd.data.batches import Batch
from bkd.errors import SpecError
from bkd.laplace.diag import DiagPosterior
from bkd.laplace.full import FullPosterior
from bkd.laplace.kron import KronPosterior
from bkd.laplace.last_layer import LastLayerPosterior
from bkd.laplace.library import LibraryPosterior
from bkd.laplace.network import LaplaceNetwork
from bkd.laplace.prior import COARSE_GRID, GRID, grid_search
from bkd.laplace.settings import HessianStructure, LaplaceSettings, PriorTuning
from bkd.losses import SMALLEST_PROB
from bkd.models.network import Network
from bkd.rng import generator

BatchMaker = Callable[[], Iterable[Batch]]


def build_laplace(
    network: Network, settings: LaplaceSettings, image_shape: tuple[int, int, int] | None = None
) -> LaplaceNetwork:
    """Return the network with an unfitted posterior, ready for `fit_laplace` or for weights from a file.

    Args:
        network: Trained or about to be loaded; its last layer must be an nn.Linear.
        settings: Which posterior.
        image_shape: (channels, height, width); needed for `HessianStructure.GP`, which keeps images.

    Raises:
        SpecError: The posterior does not exist for this network or would be too large.
    """
    head = network.head
    if not isinstance(head, nn.Linear):
        raise SpecError(
            f"A Laplace approximation needs a linear last layer with one set of weights, got {type(head).__name__}. "
            "Take a teacher that is not Bayesian."
        )
    if not settings.is_closed_form:
        return LaplaceNetwork(network, LibraryPosterior(network, settings, image_shape))
    size = (head.in_features, head.out_features, head.bias is not None)
    posterior: LastLayerPosterior
    if settings.hess_struct is HessianStructure.KRON:
        posterior = KronPosterior(*size)
    elif settings.hess_struct is HessianStructure.DIAG:
        posterior = DiagPosterior(*size)
    else:
        posterior = FullPosterior(*size, full_max_gib=settings.full_max_gib)
    posterior.temperature.fill_(settings.temperature)
    return LaplaceNetwork(network, posterior.to(head.weight.device))


def fit_laplace(
    module: LaplaceNetwork, train_batches: BatchMaker, val_batches: BatchMaker, settings: LaplaceSettings
) -> dict[str, float]:
    """Fit the posterior to the trained network and tune its prior.

    Args:
        module: From `build_laplace` with the same settings; left in eval mode.
        train_batches: Makes the training batches, all images once and without augmentation.
        val_batches: Makes the held-out batches; used by `PriorTuning.GRIDSEARCH` only.
        settings: Which posterior, prior and predictive.

    Returns:
        "laplace/log_marglik" (nats), "laplace/train_nll" (nats per image, of the trained weights),
        "laplace/prior_precision" and, where the bias has one of its own, "laplace/prior_precision_bias"; in closed form
        "laplace/effective_parameters"; after a search "laplace/val_nll" (nats per image, of the predictive).

    Raises:
        SpecError: There are no images to fit or to search with.
        TrainingFailed: A figure is not finite.
    """
    module.eval()
    posterior: Any = module.posterior
    if isinstance(posterior, LastLayerPosterior):
        head: Any = module.head
        posterior.fit(head, _features(module, train_batches))
    else:
        posterior.fit(module.network, train_batches)
    figures = {}
    if settings.la_method is PriorTuning.MARGLIK:
        posterior.maximise_marglik()
    else:
        figures["laplace/val_nll"] = _search_prior(module, val_batches, settings)
    return figures | _figures(posterior)


def _figures(posterior: Any) -> dict[str, float]:
    precisions = posterior.prior_precision.tolist()
    figures = {
        "laplace/log_marglik": posterior.log_marglik(),
        "laplace/train_nll": posterior.train_nll,
        "laplace/prior_precision": precisions[0],
    }
    if len(precisions) > 1:
        figures["laplace/prior_precision_bias"] = precisions[1]
    if isinstance(posterior, LastLayerPosterior):
        figures["laplace/effective_parameters"] = posterior.effective_parameters()
    return figures


@torch.no_grad()
def _search_prior(module: LaplaceNetwork, val_batches: BatchMaker, settings: LaplaceSettings) -> float:
    """Set the prior precision of least held-out NLL, one for all weights, and return that NLL."""
    posterior = module.posterior
    make_pairs, predict, grid = _ways_to_predict(module, val_batches)

    def nll_at(precision: float) -> float:
        posterior.set_prior_precision(precision)
        total, count = 0.0, 0
        for index, (inputs, y) in enumerate(make_pairs()):
            draws = generator(settings.seed, "prior", 0, index, inputs.device)  # common to all precisions
            probs = predict(inputs, settings.predictive, settings.num_samples, draws).mean(0)
            total -= float(probs.gather(1, y[:, None]).clamp_min(SMALLEST_PROB).log().sum())
            count += len(y)
        if not count:
            raise SpecError(
                "laplace.la_method gridsearch needs held-out images, got 0. Use marglik or a val_fraction above 0."
            )
        return total / count

    best, nll = grid_search(nll_at, grid)
    posterior.set_prior_precision(best)
    return nll


def _ways_to_predict(
    module: LaplaceNetwork, val_batches: BatchMaker
) -> tuple[Callable[[], Iterable[tuple[Tensor, Tensor]]], Callable[..., Tensor], Sequence[float]]:
    """Return what makes inputs and labels, what predicts from such inputs, and the precisions worth trying."""
    if isinstance(module.posterior, LastLayerPosterior):
        cached = list(_features(module, val_batches))  # the prior changes nothing below the last layer
        return lambda: cached, module.posterior.probs, GRID
    return lambda: ((batch.x, batch.y) for batch in val_batches()), module.predict, COARSE_GRID


@torch.no_grad()
def _features(module: LaplaceNetwork, batches: BatchMaker) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the last layer's inputs (B, F) and the labels (B,) of each batch."""
    for batch in batches():
        yield module.forward_features(batch.x), batch.y
