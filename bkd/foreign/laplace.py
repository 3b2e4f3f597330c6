"""A laplace-torch state dict of a network's last layer, as the tensors of bkd's own posterior.

laplace-torch orders the layer's parameters as its weight (C, F), row by row, then its bias (C,). Its prior precision is
one number, or one each for weight and bias.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from bkd.errors import CheckpointError
from bkd.foreign.names import head_of
from bkd.foreign.snapshot import State, is_plain

_CLASS_NAMES = {"kron": "KronLLLaplace", "diag": "DiagLLLaplace", "full": "FullLLLaplace"}
_NEEDED = ("mean", "H", "loss", "prior_precision", "n_data", "temperature", "likelihood", "cls_name")
_SAME = 1e-5  # relative, of weights that were copied


def laplace_state(value: Any, twin: State, subset: str, structure: str) -> State:
    """Return the tensors of a trained network with a posterior over its last layer.

    Args:
        value: What the snapshot holds. A training batch in it is left out.
        twin: The Deterministic teacher's tensors under bkd's names.
        subset: Weights that have a posterior, by the folder's name; last_layer.
        structure: Of its curvature, by the folder's name; kron, diag or full.

    Raises:
        CheckpointError: It is no such state dict, or not of this network.
    """
    if subset != "last_layer" or structure not in _CLASS_NAMES:
        raise CheckpointError(
            f"It is a Laplace approximation {structure} of {subset}, bkd reads {', '.join(_CLASS_NAMES)} of "
            "last_layer. Fit it anew with `bkd train laplace`."
        )
    given = _checked(value, _CLASS_NAMES[structure])
    head = head_of(twin)
    weight, bias = twin[f"{head}.weight"], twin[f"{head}.bias"]
    _check_mean(given["mean"], weight, bias)
    curvature = {"kron": _kron, "diag": _diag, "full": _full}[structure](given["H"], weight)
    posterior = {
        "weight": weight, "bias": bias, "temperature": _scalar(given, "temperature"), "sum_ce": _scalar(given, "loss"),
        "num_images": _scalar(given, "n_data").long(),
        "prior_precision": _prior_precision(given, 1 if structure == "full" else 2), **curvature,
    }  # fmt: skip
    network = {f"network.{name}": tensor for name, tensor in twin.items()}
    return network | {f"posterior.{name}": tensor for name, tensor in posterior.items()}


def _checked(value: Any, class_name: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping) or any(name not in value for name in _NEEDED):
        raise CheckpointError(f"It is no state dict of laplace-torch, which has {', '.join(_NEEDED)}.")
    for name, expected in (("cls_name", class_name), ("likelihood", "classification"), ("temperature", "1.0")):
        if str(value[name]) != expected:
            raise CheckpointError(f"Its {name} is {value[name]}, must be {expected}: so the paper's scripts leave it.")
    return value


def _check_mean(mean: Any, weight: Tensor, bias: Tensor) -> None:
    expected = torch.cat([weight.flatten(), bias])
    mean = _tensor(mean, "mean", tuple(expected.shape))
    if (mean - expected).abs().max() > _SAME * expected.abs().max():
        raise CheckpointError(
            "Its mean is not the last layer of its Deterministic teacher. That folder holds another network than the "
            "one it was fitted to."
        )


def _kron(factors: Any, weight: Tensor) -> State:
    """Return the eigenpairs of B and A; laplace-torch may share out a scale between the factors, bkd has it in A."""
    classes, features = weight.shape
    try:
        (of_classes, of_features), (of_bias,) = factors
    except (TypeError, ValueError):
        raise CheckpointError("Its H must be the factors of a weight and a bias.") from None
    b = _tensor(of_bias, "H of the bias", (classes, classes)).double()
    b_weight = _tensor(of_classes, "H of the classes", (classes, classes)).double()
    a = _tensor(of_features, "H of the features", (features, features)).double()
    scale = b_weight.trace() / b.trace().clamp_min(torch.finfo(b.dtype).tiny)
    if (b_weight - scale * b).abs().max() > 1e-3 * b_weight.abs().max():
        raise CheckpointError("Its H has other class factors for weight and bias, which have the same in bkd.")
    found: State = {}
    for name, factor in (("class", b), ("feature", scale * a)):
        values, vectors = torch.linalg.eigh((factor + factor.T) / 2)
        found |= {f"{name}_values": values.clamp_min(0).float(), f"{name}_vectors": vectors.float()}
    return found


def _diag(curvature: Any, weight: Tensor) -> State:
    classes, features = weight.shape
    h = _tensor(curvature, "H", (classes * features + classes,))
    return {"weight_curvature": h[: classes * features].view(classes, features), "bias_curvature": h[-classes:]}


def _full(curvature: Any, weight: Tensor) -> State:
    """Return the eigenpairs with rows by class, then feature, then the class's bias."""
    classes, features = weight.shape
    size = classes * (features + 1)
    h = _tensor(curvature, "H", (size, size))
    of_weights = torch.arange(classes * features).view(classes, features)
    of_bias = classes * features + torch.arange(classes)
    order = torch.cat([of_weights, of_bias[:, None]], 1).flatten()
    values, vectors = torch.linalg.eigh(h[order][:, order].double())
    return {"values": values.clamp_min(0).float(), "vectors": vectors.float()}


def _prior_precision(given: Mapping[str, Any], num_blocks: int) -> Tensor:
    values = torch.as_tensor(given["prior_precision"]).detach().flatten().float()
    if len(values) not in (1, num_blocks) or not (values > 0).all():
        raise CheckpointError(
            f"Its prior_precision must be 1 positive number{' or 2' if num_blocks == 2 else ''}, got {len(values)}: "
            f"{values[:3].tolist()}."
        )
    return values.expand(num_blocks).clone()


def _scalar(given: Mapping[str, Any], name: str) -> Tensor:
    value = given[name]
    if isinstance(value, int | float) or (is_plain(value) and value.numel() == 1):
        number: Tensor = torch.as_tensor(value).detach().reshape(()).float()
        if number.isfinite():
            return number
    raise CheckpointError(f"Its {name} must be one finite number.")


def _tensor(value: Any, name: str, shape: tuple[int, ...]) -> Tensor:
    if not is_plain(value) or tuple(value.shape) != shape or not value.is_floating_point():
        got = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
        raise CheckpointError(f"Its {name} must be a tensor of shape {shape}, got {got}.")
    tensor: Tensor = value.detach().float()
    if not tensor.isfinite().all():
        raise CheckpointError(f"Its {name} has entries that are not finite.")
    return tensor
