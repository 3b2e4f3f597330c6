"""Settings of the synthetic experiment as a run."""

from dataclasses import fields
from typing import Annotated, Any, ClassVar, Self

from pydantic import BeforeValidator, model_validator

from bkd.specs import RunSpec, option
from bkd.synthetic.settings import SyntheticSettings


def _numbers(value: Any) -> Any:
    return value.replace(",", " ").split() if isinstance(value, str) else value


class SyntheticSpec(RunSpec):
    """One-hot labels against exact and noisy class probabilities as targets, on data whose probabilities are known."""

    type: ClassVar[str] = "synthetic"

    classes: int = option(5, "Gaussian classes, equally likely.", group="Data", ge=2)
    dimensions: int = option(30, "Inputs of the network.", group="Data", ge=1)
    noise_variance: float = option(2.5, "Variance of a class in each coordinate.", group="Data", gt=0)
    examples: int = option(
        50_000, "Examples drawn: .45 to train, .45 to test, .1 to validate.", unit="examples", group="Data", ge=40
    )
    concentrations: Annotated[list[float], BeforeValidator(_numbers)] = option(
        [5.0, 0.5], "c of the arms whose targets are draws of Dirichlet(c P), as 5,0.5.", group="Targets"
    )
    hidden: int = option(128, "Units in each of the two hidden layers.", group="Network", ge=1)
    epochs: int = option(2, "Passes over the training part.", unit="epochs", group="Optimisation", ge=1)
    batch_size: int = option(1, "Examples per step.", unit="examples", group="Optimisation", ge=1)
    learning_rate: float = option(5e-4, "Learning rate of SGD.", group="Optimisation", gt=0)
    momentum: float = option(0.9, "Momentum of SGD.", group="Optimisation", ge=0, lt=1)
    validate_every: int = option(50, "Steps between two records.", unit="steps", group="Running", ge=1)
    noise_draws: int = option(
        5, "Draws of each test example's targets for the noise at the optimum.", unit="draws", group="Running", ge=1
    )

    @model_validator(mode="after")
    def _can_run(self) -> Self:
        self.settings()  # raises ValueError on what the fields alone cannot tell
        return self

    def settings(self) -> SyntheticSettings:
        """Return what `bkd.synthetic.experiment` runs on; the trial is its seed."""
        own = {f.name: getattr(self, f.name) for f in fields(SyntheticSettings) if f.name in type(self).model_fields}
        return SyntheticSettings(**(own | {"concentrations": tuple(self.concentrations), "seed": self.trial}))
