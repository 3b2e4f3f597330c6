"""Names and shapes of the scripts' tensors, and the network of bkd's that they belong to.

Names of ResNets, WRNs, `vgg_c` and of inducing layers are the same on both sides. vgg11 to vgg19 keep an empty place in
`features` where torchvision has its first max-pool; bkd numbers the layers without it.
"""

from collections.abc import Mapping

from torch import Tensor

from bkd.catalog import DATASETS
from bkd.errors import CheckpointError
from bkd.foreign.layout import FIRST_POOL
from bkd.foreign.snapshot import State

_HEADS = ("fc", "classifier")
_CHANNELS = 3
# What no tensor shows: the shortcut of a WRN's first blocks sees the raw input, not relu(bn1(x)).
RAW_SHORTCUT = "raw"


def to_bkd(arch: str, state: Mapping[str, Tensor]) -> State:
    """Return the tensors under bkd's names."""
    pool = FIRST_POOL.get(arch)
    return dict(state) if pool is None else {_renumbered(name, pool): tensor for name, tensor in state.items()}


def _renumbered(name: str, pool: int) -> str:
    head, _, rest = name.partition(".")
    number, dot, leaf = rest.partition(".")
    if head != "features" or not number.isdecimal() or int(number) < pool:
        return name
    # A tensor at the pool's own place is none of this network's: it keeps a name that fits nothing.
    return f"features.{int(number) - 1}{dot}{leaf}" if int(number) > pool else f"features.[{number}]{dot}{leaf}"


def head_of(state: Mapping[str, Tensor]) -> str:
    """Return the name of a network's last layer.

    Raises:
        CheckpointError: It has none that the scripts' networks have.
    """
    for head in _HEADS:
        if f"{head}.weight" in state or f"{head}.z_row" in state:
            return head
    heads = " or ".join(f"{head}.weight" for head in _HEADS)
    raise CheckpointError(f"It has no last layer {heads}. It is no network of the paper's scripts.")


def dataset_of(state: Mapping[str, Tensor]) -> str:
    """Return the data set that a network was trained on, by the number of its classes.

    Raises:
        CheckpointError: It has no head, or a number of classes that no data set of the scripts has.
    """
    head = head_of(state)
    name, axis = (f"{head}.weight", 0) if f"{head}.weight" in state else (f"{head}.z_row", 1)
    if state[name].ndim != 2:
        raise CheckpointError(f"{name} has shape {tuple(state[name].shape)}, must have two dimensions.")
    classes = state[name].shape[axis]
    known = {info.classes: name for name, info in DATASETS.items() if info.channels == _CHANNELS}
    if classes not in known:
        names = ", ".join(f"{number} ({name})" for number, name in known.items())
        raise CheckpointError(f"It has {classes} classes, must have {names}.")
    return known[classes]


def inducing_size(state: Mapping[str, Tensor]) -> int | None:
    """Return rows = columns of all inducing matrices, or None where they are of the scripts' own configuration.

    Raises:
        CheckpointError: There are none, or they are of several sizes that bkd has no setting for.
    """
    heads = {f"{head}.inducing_mean" for head in _HEADS}
    means = {name: tuple(t.shape) for name, t in state.items() if name.endswith(".inducing_mean")}
    if not means:
        raise CheckpointError("It has no inducing_mean: it is no Bayesian network of the paper's scripts.")
    if all(shape == ((100, 128) if name in heads else (128, 128)) for name, shape in means.items()):
        return None
    sizes = {number for shape in means.values() for number in shape}
    if len(sizes) > 1 or any(len(shape) != 2 for shape in means.values()):
        name, shape = next((n, s) for n, s in means.items() if s != (128, 128))
        raise CheckpointError(
            f"{name} has shape {shape}, must be (128, 128), of the last layer (100, 128), or all one square. "
            "bkd has no setting for other inducing matrices."
        )
    return sizes.pop()
