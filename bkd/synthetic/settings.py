"""What the synthetic experiment is made of. Standard library only: commands read it without torch."""

from dataclasses import dataclass
from math import inf, isclose, isfinite


@dataclass(frozen=True)
class Arm:
    """One kind of target of the same probabilities P(y | x), all with mean P.

    Attributes:
        key: Its name in metric keys and results.
        title: Its name for people.
        concentration: c: the target is a draw of Dirichlet(c P). The limits are the one-hot label at 0 and P itself at
            infinity.
    """

    key: str
    title: str
    concentration: float

    @property
    def noise_theory(self) -> float:
        """Gradient noise at the optimum over the one-hot arm's: 1 / (1 + c)."""
        return 1 / (1 + self.concentration)


ONE_HOT = Arm("onehot", "one-hot", 0.0)
EXACT = Arm("exact", "exact", inf)


_LEAST = {"classes": 2} | dict.fromkeys(
    ("dimensions", "hidden", "batch_size", "epochs", "validate_every", "noise_every", "noise_draws"), 1
)


@dataclass(frozen=True)
class SyntheticSettings:
    """Data, network and training of one run; the defaults are the paper's, but for what is measured when.

    Source: Morad et al. (arXiv 2601.01484), the synthetic experiment with exact class probabilities. There every step
    is followed by a validation; here every 50th is.

    Attributes:
        classes: C, Gaussian classes, equally likely.
        dimensions: Inputs of the network.
        mean_values: Each coordinate of each class mean is one of these.
        noise_variance: Variance of a class in each coordinate.
        examples: Drawn in all, before the split.
        train_fraction: Share of the examples trained on.
        test_fraction: Share kept for the figures taken once at the end.
        val_fraction: Share that the curves are taken on.
        hidden: Units in each of the two hidden layers.
        learning_rate: Of SGD.
        momentum: Of SGD.
        batch_size: Examples a step.
        epochs: Passes over the training part.
        concentrations: c of the arms with Dirichlet(c P) targets.
        validate_every: Steps between two records.
        noise_every: Every so many records one holds the gradient noise, too.
        noise_draws: Draws of the targets of each test example for the gradient noise at the optimum.
        seed: Of the means, the examples, the targets, the initial weights and the order.
    """

    classes: int = 5
    dimensions: int = 30
    mean_values: tuple[float, ...] = (4.0, 5.0, 6.0)
    noise_variance: float = 2.5
    examples: int = 50_000
    train_fraction: float = 0.45
    test_fraction: float = 0.45
    val_fraction: float = 0.1
    hidden: int = 128
    learning_rate: float = 5e-4
    momentum: float = 0.9
    batch_size: int = 1
    epochs: int = 2
    concentrations: tuple[float, ...] = (5.0, 0.5)
    validate_every: int = 50
    noise_every: int = 10
    noise_draws: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in _LEAST.items():
            if not getattr(self, name) >= least:
                raise ValueError(f"{name} must be at least {least}, got {getattr(self, name)}")
        fractions = (self.train_fraction, self.test_fraction, self.val_fraction)
        if min(fractions) <= 0 or not isclose(sum(fractions), 1):
            raise ValueError(f"the three fractions must be above 0 and sum to 1, got {fractions}")
        if min(self.split) < 2:
            raise ValueError(f"each part must hold at least 2 examples, got {self.split} of {self.examples}")
        if self.split[0] < self.batch_size:
            raise ValueError(f"{self.split[0]} examples are too few to train on a batch of {self.batch_size}")
        if not all(c > 0 and isfinite(c) for c in self.concentrations):
            raise ValueError(f"concentrations must be above 0 and finite, got {self.concentrations}")
        if len({arm.key for arm in self.arms}) < len(self.arms):
            raise ValueError(f"concentrations must differ from each other, got {self.concentrations}")

    @property
    def arms(self) -> tuple[Arm, ...]:
        """The arms from the noisiest to the calmest."""
        dirichlet = (Arm(f"dirichlet_{c:g}", f"Dirichlet {c:g}", c) for c in sorted(self.concentrations))
        return (ONE_HOT, *dirichlet, EXACT)

    @property
    def split(self) -> tuple[int, int, int]:
        """Examples to train, test and validate on."""
        train, test = (round(self.examples * fraction) for fraction in (self.train_fraction, self.test_fraction))
        return train, test, self.examples - train - test

    @property
    def steps(self) -> int:
        """Steps of a whole run; the last short batch of an epoch is dropped."""
        return self.epochs * (self.split[0] // self.batch_size)
