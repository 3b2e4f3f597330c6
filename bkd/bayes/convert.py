"""Makes a network Bayesian, in place."""

from dataclasses import dataclass

import torch
from torch import nn

from bkd.bayes.config import FFGConfig, InducingConfig
from bkd.bayes.ffg import FFGConv2d, FFGLinear
from bkd.bayes.inducing import InducingConv2d, InducingLinear
from bkd.bayes.layer import VariationalLayer


@dataclass(frozen=True)
class ConversionReport:
    """Trainable numbers of a network before and after it was made Bayesian."""

    parameters_before: int
    parameters_after: int

    @property
    def factor(self) -> float:
        """How many times as many parameters the Bayesian network has."""
        return self.parameters_after / self.parameters_before


def bayesianize(
    model: nn.Module, config: InducingConfig | FFGConfig, generator: torch.Generator | None = None
) -> ConversionReport:
    """Replace every nn.Linear and nn.Conv2d of `model` by its variational layer; batch norm stays as it is.

    Mean-field layers start at the replaced layer's values, inducing layers at their own initial values.

    Args:
        model: Changed in place. A layer used in several places stays one layer.
        config: Which posterior, and its settings.
        generator: Draws the initial values of inducing layers, on the model's device; None takes torch's global one.

    Raises:
        ValueError: The model has no layer to replace, is one itself, or has a convolution that does not pad with zeros.
    """
    before = _count(model)
    replaced: dict[nn.Module, VariationalLayer] = {}
    for parent in list(model.modules()):
        for name, child in list(parent._modules.items()):  # named_children leaves out a layer's second name
            if isinstance(child, (nn.Linear, nn.Conv2d)):
                if child not in replaced:
                    replaced[child] = _variational(child, config, generator)
                setattr(parent, name, replaced[child])
    if not replaced:
        raise ValueError("The model has no nn.Linear or nn.Conv2d inside it that could be made Bayesian.")
    return ConversionReport(before, _count(model))


def _variational(
    layer: nn.Linear | nn.Conv2d, config: InducingConfig | FFGConfig, generator: torch.Generator | None
) -> VariationalLayer:
    if isinstance(config, InducingConfig):
        if isinstance(layer, nn.Linear):
            variational: VariationalLayer = InducingLinear(layer, config, generator)
        else:
            variational = InducingConv2d(layer, config, generator)
    else:
        variational = FFGLinear(layer, config) if isinstance(layer, nn.Linear) else FFGConv2d(layer, config)
    return variational.train(layer.training)


def _count(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())
