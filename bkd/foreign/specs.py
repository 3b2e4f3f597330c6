"""Settings of an imported run: what its folder's name tells, else the defaults of the paper's scripts."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from bkd.errors import CheckpointError
from bkd.foreign.layout import ForeignRun
from bkd.foreign.names import dataset_of, inducing_size
from bkd.kinds.bayesian import VariationalFamily
from bkd.kinds.mcmi import CMISign
from bkd.kinds.mse import SquaredErrorOn
from bkd.kinds.table import load_kind
from bkd.specs import DistillSpec, Protocol, RunSpec, make_spec

DEFAULT_TRIAL = 0  # of the scripts

_RECIPE = ("trial", "epochs", "learning_rate", "batch_size")
_STEPS = ("lr_decay_epochs", "lr_decay_rate")
# What the scripts read from elsewhere than the folder's name.
_UNTOLD: dict[str, tuple[str, ...]] = {
    "Deterministic": (*_RECIPE, *_STEPS),
    "MSE": (*_RECIPE, *_STEPS, "mse_on"),
    "Bayesian": (*_RECIPE, *_STEPS, "bnn_ml_epochs", "bnn_annealing_epochs", "prior_sd", "max_lamda"),
    "MCMI": (*_RECIPE, "mcmi_param", "mcmi_sign"),
    "Laplace": ("trial", "subs_weights", "hess_struct", "la_method", "pred_type", "link_approx"),
    "student": (*_RECIPE, *_STEPS, "alpha", "kd_T", "kd_S", "bnn_samples"),
}


def is_wrn(arch: str) -> bool:
    """Return whether an architecture is a wide residual network."""
    return arch.startswith("wrn")


def assumed(found: ForeignRun) -> list[str]:
    """Return the settings that the folder's name does not tell; they hold the defaults of the paper's scripts."""
    names = _UNTOLD["student" if found.role == "student" else found.kind]
    more = ("fewshot_seed",) if found.fewshot_percent is not None else ()
    return [name for name in (*names, *more) if name not in found.settings]


def make_foreign_spec(found: ForeignRun, state: Mapping[str, Tensor], teacher: str, num_epochs: int) -> Any:
    """Return the settings of a run as bkd has them.

    Args:
        found: What the folder's name tells.
        state: The network's tensors, whose shapes tell classes and inducing sizes; of a Laplace teacher, its
            Deterministic one's.
        teacher: Id or folder name of the teacher that it was made from, "" if there is none.
        num_epochs: Epochs that were logged; 0 if it is not known.

    Raises:
        SpecError: A setting is out of range.
        CheckpointError: The tensors are of no network that the scripts and bkd have in common.
    """
    values: dict[str, Any] = {"dataset": dataset_of(state), "protocol": Protocol.PAPER, "trial": DEFAULT_TRIAL}
    values |= found.settings
    if num_epochs and "epochs" not in found.settings and found.kind != "Laplace":
        values["epochs"] = num_epochs
    if teacher:
        values["teacher"] = teacher
    if found.role == "student":
        fewshot = {} if found.fewshot_percent is None else {"fewshot_percent": found.fewshot_percent}
        return make_spec(DistillSpec, values | network_settings(found, DistillSpec) | fewshot)
    spec = load_kind(found.kind).spec
    return make_spec(spec, values | network_settings(found, spec) | _of_kind(found.kind, state))


def network_settings(found: ForeignRun, spec: type[RunSpec]) -> dict[str, Any]:
    """Return the network's settings; a WRN of the scripts has another shortcut than the published one.

    Raises:
        CheckpointError: It is a WRN, and these settings have no shortcut to choose.
    """
    name = "student" if found.role == "student" else "arch"
    if not is_wrn(found.network_arch):
        return {name: found.network_arch}
    if "preact_shortcut" not in spec.model_fields:
        raise CheckpointError(
            f"Its {found.network_arch} has the shortcut on the raw input, which {spec.command()} has no setting for: "
            "bkd would compute other logits from the same weights."
        )
    return {name: found.network_arch, "preact_shortcut": False}


def _of_kind(kind: str, state: Mapping[str, Tensor]) -> dict[str, Any]:
    """Return what the scripts fix for a kind: their configuration and the variants that bkd has another default for."""
    if kind == "MSE":
        return {"mse_on": SquaredErrorOn.LOGITS}
    if kind == "MCMI":
        return {"mcmi_sign": CMISign.REFERENCE}
    if kind != "Bayesian":
        return {}
    return {
        "vi": VariationalFamily.INDUCING, "cap_inducing": False, "inducing_size": inducing_size(state),
        "allow_partial_kl": True,
    }  # fmt: skip
