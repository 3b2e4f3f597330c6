"""Networks by name: build one, count its parameters, load its weights."""

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

from torch import Tensor, nn

from bkd.catalog import nearest
from bkd.errors import CheckpointError, SpecError
from bkd.models.network import Network

_MAX_NAMED = 5

# name -> (module, factory); a family is imported when one of its networks is built
TABLE: dict[str, tuple[str, str]] = {
    **{name: ("bkd.models.resnet", name) for name in ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152")},
    **{name: ("bkd.models.resnet_cifar", name) for name in ("resnet8x4", "resnet32x4")},
    **{name: ("bkd.models.wrn", name) for name in ("wrn_16_1", "wrn_16_2", "wrn_40_1", "wrn_40_2")},
    **{name: ("bkd.models.vgg", name) for name in ("vgg8", "vgg11", "vgg13", "vgg16", "vgg19")},
    **{name: ("bkd.models.vgg", name) for name in ("vgg11_bn", "vgg13_bn", "vgg16_bn", "vgg19_bn")},
    **{name: ("bkd.models.vgg_c", name) for name in ("vgg_c8", "vgg_c13")},
    "MobileNetV2": ("bkd.models.mobilenet", "mobilenet_v2"),
    "ShuffleV1": ("bkd.models.shufflenet", "shuffle_v1"),
    "ShuffleV2": ("bkd.models.shufflenet", "shuffle_v2"),
}


def build_model(arch: str, *, in_channels: int, num_classes: int, **options: Any) -> Network:
    """Build a network with initial values drawn from torch's global generator.

    Args:
        arch: A name of `bkd.catalog.ARCHITECTURES`.
        in_channels: Channels of an image.
        num_classes: C.
        options: The family's own, see `Network.option_names`; `preact_shortcut` for WRNs.

    Raises:
        SpecError: The name or an option is not known.
    """
    if arch not in TABLE:
        near = nearest(arch, list(TABLE))
        hint = f"Did you mean {near!r}?" if near else f"Known are {', '.join(TABLE)}."
        raise SpecError(f"arch must be the name of a known network, got {arch!r}. {hint}")
    module, name = TABLE[arch]
    factory = getattr(import_module(module), name)
    known = getattr(factory, "func", factory).option_names
    for option in options:
        if option not in known:
            raise SpecError(
                f"{arch} has {'only the options ' + ', '.join(known) if known else 'no options'}, got {option!r}. "
                "Leave it out."
            )
    network: Network = factory(in_channels, num_classes, **options)
    return network


def count_parameters(model: nn.Module) -> int:
    """Return the number of parameter values, each shared tensor counted once; buffers do not count."""
    return sum(p.numel() for p in model.parameters())


def load_weights(model: nn.Module, state_dict: Mapping[str, Tensor]) -> None:
    """Copy every tensor of `state_dict` into `model`, which stays untouched unless names and shapes all agree.

    Raises:
        CheckpointError: Tensors are missing, unexpected or of another shape; up to five are named.
    """
    faults = list(_faults(model.state_dict(), state_dict))
    if faults:
        more = f" and {len(faults) - _MAX_NAMED} more" if len(faults) > _MAX_NAMED else ""
        raise CheckpointError(
            f"The weights do not fit {type(model).__name__}: {'; '.join(faults[:_MAX_NAMED])}{more}. "
            "Load weights saved by the same architecture with the same input channels, classes and options."
        )
    model.load_state_dict(state_dict, strict=True)


def _faults(wanted: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> Iterator[str]:
    for name, tensor in wanted.items():
        if name not in given:
            yield f"{name} is missing"
        elif given[name].shape != tensor.shape:
            yield f"{name} has shape {tuple(given[name].shape)}, must be {tuple(tensor.shape)}"
    for name in given:
        if name not in wanted:
            yield f"{name} is unexpected"
