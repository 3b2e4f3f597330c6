"""`bkd evaluate RUN`: how good a trained network is on held-out images."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

import click
import typer

from bkd.cli.common import Json, RunRef, Save, open_store, print_json, single, warn
from bkd.cli.printing import print_lines, terminal_width
from bkd.cli.results import reliability_table, results_table
from bkd.errors import RunBusy, SpecError
from bkd.locks import acquire
from bkd.paths import RunFolder
from bkd.runfile import read_run, read_user, write_run
from bkd.store import Store
from bkd.text import clean, count


class Split(StrEnum):
    """Images that can be evaluated on."""

    TEST = "test"
    VAL = "val"


class State(StrEnum):
    """Which weights of the run."""

    LAST = "last"
    BEST = "best"


@dataclass(frozen=True)
class Question:
    """What is asked of a run; None stands for the run's own setting."""

    split: Split
    weights: State
    samples: int | None
    repetitions: int
    device: str | None


def evaluate(
    ref: RunRef,
    split: Annotated[Split, typer.Option(help="Images to evaluate on.")] = Split.TEST,
    samples: Annotated[
        int | None,
        typer.Option(min=1, help="Weight draws per prediction of a stochastic network; unset: the run's own."),
    ] = None,
    repetitions: Annotated[int, typer.Option(min=1, help="Evaluations with fresh draws, for the spread.")] = 5,
    weights: Annotated[State, typer.Option(help="The run's last weights or its best on validation.")] = State.LAST,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda, cuda:1 or mps; unset: the run's own.")] = None,
    as_json: Json = False,
    save: Save = None,
) -> None:
    """Evaluate a trained run: accuracy, likelihood, calibration, and their spread over draws."""
    store = open_store(save)
    folder, run = store.read(ref)
    figures = _figures(store, folder, run, Question(split, weights, samples, repetitions, device))
    is_stored = _store(store, folder, split.value, figures)
    if as_json:
        print_json({"id": run["id"], "split": split.value, "stored": is_stored, **figures})
        return
    click.echo(clean(f"{run['id']} ({run['name']}) on {count(figures['images'], split.value + ' image')}"))
    print_lines(results_table({split.value: figures}, terminal_width()))
    click.echo("\nReliability")
    print_lines(reliability_table(figures, terminal_width()))


def _figures(store: Store, folder: RunFolder, run: dict[str, Any], question: Question) -> dict[str, Any]:
    # The maths is imported here: --help must not wait for torch.
    from bkd.assemble import load_predictor, open_data, shape_of
    from bkd.devices import open_machine
    from bkd.evaluate import Sampling
    from bkd.evaluate import evaluate as measure
    from bkd.specs import Weights, load

    spec = load(run["spec"] | ({} if question.device is None else {"device": question.device}))
    machine = open_machine(spec)
    data = open_data(spec, store.root, machine.device)
    _check_split(run, question.split, data.split)
    predictor = load_predictor(run, folder, shape_of(data), machine.device, Weights(question.weights.value), store.read)
    num_samples: int = question.samples or getattr(spec, "bnn_test_samples", None) or 1
    sampling = Sampling(num_samples, question.repetitions, spec.seed)
    figures = measure(predictor, data.held_out(question.split.value), sampling)
    return {"weights": question.weights.value, **figures}


def _check_split(run: dict[str, Any], split: Split, found: Any) -> None:
    if split is Split.VAL and not len(found.val):
        raise SpecError(
            f"{run['id']} has no validation images: it was trained by the paper's protocol. Use --split test."
        )
    theirs = (run.get("split") or {}).get("fingerprint")
    if theirs is not None and theirs != found.fingerprint:
        raise SpecError(
            f"{run['id']} was trained on split {theirs}, the data set now gives {found.fingerprint}. "
            "The data set's files have changed: put the earlier ones back, or train again."
        )


def _store(store: Store, folder: RunFolder, split: str, figures: dict[str, Any]) -> bool:
    """Write the figures into run.json, unless a process is at work on the run; return whether."""
    from bkd.evaluate import flat_results

    try:
        with _owned(folder):
            run = read_run(folder)
            run["results"] = (run.get("results") or {}) | {split: figures}
            run["metrics"] = (run.get("metrics") or {}) | flat_results(split, figures)
            write_run(folder, run)
    except RunBusy:
        warn("The run is running: these figures are not stored.")
        return False
    store.register(run, read_user(folder))
    return True


@contextmanager
def _owned(folder: RunFolder) -> Iterator[None]:
    """Hold the run's lock, so that no resumed process writes run.json at the same time.

    Raises:
        RunBusy: If a process holds it.
    """
    descriptor = acquire(folder.lock)
    try:
        yield
    finally:
        os.close(descriptor)


app = single(evaluate)
