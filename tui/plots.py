"""Which charts a run has something for."""

from __future__ import annotations

from typing import NamedTuple

from bkd.paths import SYNTHETIC
from tui.messages import Row


class Plot(NamedTuple):
    """A chart: its title, names and metrics of its series, whether its y axis starts out logarithmic."""

    id: str
    title: str
    series: tuple[tuple[str, str], ...]
    log_y: bool = False


LOSS = Plot("loss", "Loss", (("train", "train/loss"), ("val", "val/loss")))
NLL = Plot("loss", "NLL, without the KL term", (("train", "train/ce"), ("val", "val/nll")))  # the KL would dwarf it
ACCURACY = Plot("accuracy", "Accuracy", (("train", "train/acc"), ("val", "val/acc")))
PAPER_ACCURACY = Plot("accuracy", "Accuracy", (("train", "train/acc"), ("test", "test/acc")))
NOISE = Plot("noise", "Gradient noise", (("one-hot", "grad/noise_onehot"), ("teacher", "grad/noise_teacher")))
RATIO = Plot("ratio", "Noise ratio R and bias", (("ratio", "grad/noise_ratio"), ("bias", "grad/bias")))
TEACHER_NOISE = Plot("noise", "Gradient noise", (("one-hot", "grad/noise_onehot"), ("loss in use", "grad/noise")))
NORM = Plot("ratio", "Gradient norm", (("norm", "grad/norm"),))


def plots_of(run: Row) -> tuple[Plot, ...]:
    """Return the charts of a run; none of a teacher that is made in one pass, without training."""
    spec = run.get("spec") or {}
    if run.get("kind") == SYNTHETIC:
        return _synthetic_plots(spec)
    if not is_trained(run):
        return ()
    accuracy = PAPER_ACCURACY if spec.get("protocol") == "paper" else ACCURACY
    if run.get("role") == "student":
        return LOSS, accuracy, NOISE, RATIO
    return NLL if has_kl_term(run) else LOSS, accuracy, TEACHER_NOISE, NORM


def is_trained(run: Row) -> bool:
    """Whether the training loop makes a run: its settings then have epochs."""
    return "epochs" in (run.get("spec") or {})


def has_kl_term(run: Row) -> bool:
    """Whether the loss that a run reports holds KL / N beside the NLL."""
    return "bnn_annealing_epochs" in (run.get("spec") or {})


def _synthetic_plots(spec: Row) -> tuple[Plot, ...]:
    draws = [(f"Dirichlet {c:g}", f"dirichlet_{c:g}") for c in spec.get("concentrations") or ()]
    arms = [("one-hot", "onehot"), ("exact", "exact"), *draws]

    def series(figure: str) -> tuple[tuple[str, str], ...]:
        return tuple((name, f"val/{figure}_{arm}") for name, arm in arms)

    return (
        Plot("loss", "Val loss", series("loss")),
        Plot("gap", "Gap to Bayes loss", series("gap"), log_y=True),
        Plot("accuracy", "Val accuracy", series("acc")),
    )
