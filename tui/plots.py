"""Which charts a run has something for."""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import NamedTuple

from bkd.errors import StorageError
from bkd.paths import SYNTHETIC
from bkd.store import Store
from tui.messages import Row


class Plot(NamedTuple):
    """A chart.

    Attributes:
        id: In the DOM and in what the app remembers.
        word: What an index of charts says.
        title: What the values are.
        series: Name and metric of each series.
        log_y: Whether the y axis starts out logarithmic.
        unit: Of the values, where they have one.
        levels: Name and value of what to compare with, such as what the teacher reached.
    """

    id: str
    word: str
    title: str
    series: tuple[tuple[str, str], ...]
    log_y: bool = False
    unit: str = ""
    levels: tuple[tuple[str, float], ...] = ()


NOISE = Plot("noise", "noise", "Gradient noise", (("one-hot", "grad/noise_onehot"), ("teacher", "grad/noise_teacher")))
RATIO = Plot(
    "ratio",
    "R alpha*",
    "Noise ratio R, alpha*, bias",
    (("R", "grad/noise_ratio"), ("bias", "grad/bias"), ("alpha*", "grad/alpha_star")),
)
TEACHER_NOISE = Plot("noise", "noise", "Gradient noise", (("one-hot", "grad/noise_onehot"), ("in use", "grad/noise")))
NORM = Plot("norm", "norm", "Gradient norm", (("norm", "grad/norm"),))
RATE = Plot("rate", "rate", "Learning rate", (("rate", "lr"),), log_y=True)
SPEED = Plot("images", "speed", "Images a second", (("images/s", "time/images_per_s"),))
KL = Plot("kl", "KL", "KL of the posterior from the prior", (("KL", "kl/nats"),), unit="nats")
KL_WEIGHT = Plot("kl-weight", "KL weight", "Weight of the KL term", (("weight", "kl/weight"),))


def plots_of(run: Row, teacher: Row | None = None) -> tuple[Plot, ...]:
    """Return the charts of a run; none of a teacher that is made in one pass, without training.

    Args:
        run: run.json.
        teacher: Its teacher's run.json, whose level a student's charts show; None without one.
    """
    spec = run.get("spec") or {}
    if run.get("kind") == SYNTHETIC:
        return _synthetic_plots(spec)
    if not is_trained(run):
        return ()
    split = "test" if spec.get("protocol") == "paper" else "val"
    loss, accuracy, nll, ece = _fit_plots(split)
    if run.get("role") == "student":
        accuracy, nll, ece = (
            plot._replace(levels=_levels(run, teacher, split, figure))
            for plot, figure in ((accuracy, "acc"), (nll, "nll"), (ece, "ece"))
        )
        return loss, accuracy, nll, ece, NOISE, RATIO, RATE, SPEED
    common = (TEACHER_NOISE, NORM, RATE, SPEED)
    if has_kl_term(run):
        title = "NLL, without the KL term"  # the KL would dwarf it
        return nll._replace(id="loss", title=title), accuracy, ece, KL, KL_WEIGHT, *common
    if run.get("kind") in ("MSE", "MCMI"):  # whose loss is not the NLL
        return loss, accuracy, nll, ece, *common
    return loss, accuracy, ece, *common


def known_plots(plots: Sequence[Plot], metrics: Container[str]) -> tuple[Plot, ...]:
    """Return the charts that have a curve among the metrics that a run that is done recorded; all if none has."""
    return tuple(plot for plot in plots if any(key in metrics for _, key in plot.series)) or tuple(plots)


def _fit_plots(split: str) -> tuple[Plot, Plot, Plot, Plot]:
    """Return loss, accuracy, NLL and calibration in training and on a split."""

    def both(train: str, held_out: str) -> tuple[tuple[str, str], ...]:
        return ("train", train), (split, f"{split}/{held_out}")

    return (
        Plot("loss", "loss", "Loss", both("train/loss", "loss")),
        Plot("accuracy", "accuracy", "Accuracy", both("train/acc", "acc")),
        Plot("nll", "NLL", "NLL", both("train/ce", "nll"), unit="nats"),
        Plot("ece", "ECE", "Calibration error ECE", ((split, f"{split}/ece"),)),
    )


def _levels(run: Row, teacher: Row | None, split: str, figure: str) -> tuple[tuple[str, float], ...]:
    """Return what a student's teacher reached on the same split, or on the test images where that is all there is."""
    if teacher is None or teacher.get("dataset") != run.get("dataset"):
        return ()
    metrics = teacher.get("metrics") or {}
    for name, key in (("teacher", f"{split}/{figure}"), ("teacher, test", f"test/{figure}")):
        value = metrics.get(key)
        if isinstance(value, int | float):
            return ((name, float(value)),)
    return ()


def teacher_of(store: Store, run: Row) -> Row | None:
    """Return run.json of the teacher that a run came from; None where there is none, or none any more."""
    path = (run.get("lineage") or {}).get("teacher_path")
    try:
        return store.load(store.folder(path)) if isinstance(path, str) and path else None
    except StorageError:
        return None


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
        Plot("loss", "loss", "Val loss", series("loss")),
        Plot("gap", "gap", "Gap to Bayes loss", series("gap"), log_y=True),
        Plot("accuracy", "accuracy", "Val accuracy", series("acc")),
    )
