"""Settings of a Laplace approximation. Knows no torch."""

from dataclasses import dataclass
from enum import StrEnum

from bkd.errors import SpecError

DEFAULT_FULL_MAX_GIB = 1.5
GIB = 2**30


class WeightSubset(StrEnum):
    """Which weights have a posterior; the others keep their trained values."""

    LAST_LAYER = "last_layer"
    ALL = "all"
    SUBNETWORK = "subnetwork"  # the weights of largest magnitude, wherever they are


class HessianStructure(StrEnum):
    """How the curvature of the likelihood is represented."""

    KRON = "kron"  # Kronecker product of a class and a feature factor per layer
    DIAG = "diag"
    FULL = "full"
    LOWRANK = "lowrank"  # the leading eigenpairs
    GP = "gp"  # in function space, on a subset of the training images


class PredictionType(StrEnum):
    """What is averaged over the posterior."""

    GLM = "glm"  # the network linearised at the trained weights
    NN = "nn"  # the network itself, at drawn weights


class LinkApproximation(StrEnum):
    """How a Gaussian over logits becomes probabilities; belongs to `PredictionType.GLM`."""

    PROBIT = "probit"
    MC = "mc"
    BRIDGE = "bridge"
    BRIDGE_NORM = "bridge_norm"


class PriorTuning(StrEnum):
    """What the prior precision is chosen by."""

    MARGLIK = "marglik"  # the marginal likelihood of the training images
    GRIDSEARCH = "gridsearch"  # the predictive's NLL on held-out images


STRUCTURES: dict[WeightSubset, tuple[HessianStructure, ...]] = {
    WeightSubset.LAST_LAYER: (
        HessianStructure.KRON, HessianStructure.DIAG, HessianStructure.FULL, HessianStructure.GP,
    ),
    WeightSubset.ALL: tuple(HessianStructure),
    WeightSubset.SUBNETWORK: (HessianStructure.DIAG, HessianStructure.FULL),
}  # fmt: skip
"""The structures that exist for a subset of weights."""


@dataclass(frozen=True)
class Predictive:
    """How a posterior over weights becomes probabilities.

    Attributes:
        pred_type: Linearised or sampled.
        link: Of linearised predictions.
        num_chunk: Images per pass where a prediction holds a Jacobian; changes memory, not results.
    """

    pred_type: PredictionType = PredictionType.GLM
    link: LinkApproximation = LinkApproximation.PROBIT
    num_chunk: int = 100

    @property
    def is_stochastic(self) -> bool:
        """Whether predictions are averages over random draws."""
        return self.pred_type is PredictionType.NN or self.link is LinkApproximation.MC


@dataclass(frozen=True)
class LaplaceSettings:
    """Settings of a Laplace approximation.

    Attributes:
        subs_weights: Which weights have a posterior.
        hess_struct: Structure of the curvature, one of `STRUCTURES[subs_weights]`.
        la_method: What the prior precision is chosen by.
        pred_type: Linearised or sampled predictions. In the last layer both have the same draws.
        link_approx: Of linearised predictions; sampled ones always average over draws.
        num_chunk: Images per pass where a prediction holds a Jacobian of all classes and weights.
        full_max_gib: Largest dense matrix of the posterior, in GiB of float32.
        temperature: Of the posterior: its likelihood term is divided by this.
        subnetwork_size: Weights of `WeightSubset.SUBNETWORK`.
        lowrank_size: Eigenpairs of `HessianStructure.LOWRANK`.
        gp_images: Training images of `HessianStructure.GP`.
        num_samples: S, draws per prediction when the prior is searched with a sampled predictive.
        seed: Of the images of a GP and of the draws of the prior's search.

    Raises:
        SpecError: A value is out of range or the subset has no such structure.
    """

    subs_weights: WeightSubset = WeightSubset.LAST_LAYER
    hess_struct: HessianStructure = HessianStructure.KRON
    la_method: PriorTuning = PriorTuning.MARGLIK
    pred_type: PredictionType = PredictionType.GLM
    link_approx: LinkApproximation = LinkApproximation.PROBIT
    num_chunk: int = 100
    full_max_gib: float = DEFAULT_FULL_MAX_GIB
    temperature: float = 1.0
    subnetwork_size: int = 1000
    lowrank_size: int = 10
    gp_images: int = 50
    num_samples: int = 100
    seed: int = 0

    def __post_init__(self) -> None:
        for name in (
            "num_chunk", "full_max_gib", "temperature", "subnetwork_size", "lowrank_size", "gp_images", "num_samples",
        ):  # fmt: skip
            value = getattr(self, name)
            if not value > 0:
                raise SpecError(f"laplace.{name} must be > 0, got {value}. Leave it out to use the default.")
        allowed = STRUCTURES[self.subs_weights]
        if self.hess_struct not in allowed:
            raise SpecError(
                f"laplace.hess_struct of subs_weights {self.subs_weights} must be one of {', '.join(allowed)}, got "
                f"{self.hess_struct}. Take one of these, or other weights."
            )
        if self.hess_struct is HessianStructure.GP and self.pred_type is PredictionType.NN:
            raise SpecError(
                "laplace.pred_type must be glm for hess_struct gp, got nn: a posterior over functions has no weights "
                "to draw. Use glm, with link_approx mc for draws."
            )

    @property
    def is_closed_form(self) -> bool:
        """Whether the posterior is one of the last layer's with a closed form."""
        return self.subs_weights is WeightSubset.LAST_LAYER and self.hess_struct is not HessianStructure.GP

    @property
    def predictive(self) -> Predictive:
        """How predictions are made."""
        return Predictive(self.pred_type, self.link_approx, self.num_chunk)


def refuse_dense(size: int, of_what: str, full_max_gib: float) -> None:
    """Refuse a dense float32 matrix of `size` rows and columns that is larger than allowed.

    Raises:
        SpecError: It has more than `full_max_gib` GiB; the bytes are named.
    """
    size_bytes = size * size * 4
    if size_bytes > full_max_gib * GIB:
        raise SpecError(
            f"The posterior's dense matrix over {of_what} must have at most full_max_gib = {full_max_gib:g} GiB, it "
            f"would have {size:,}^2 x 4 = {size_bytes:,} bytes ({size_bytes / GIB:.1f} GiB). "
            "Use hess_struct kron or diag, or raise full_max_gib."
        )
