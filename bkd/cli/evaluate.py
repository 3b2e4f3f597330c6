"""`bkd evaluate RUN`: how good a trained network is on held-out images."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

import click
import typer

from bkd.catalog import DATASETS, canonical
from bkd.cli.common import Json, RunRef, Save, open_store, print_json, single, warn
from bkd.cli.printing import print_lines, terminal_width
from bkd.cli.results import reliability_table, results_table
from bkd.errors import RunBusy, SpecError
from bkd.locks import acquire
from bkd.paths import RunFolder, data_root
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
    dataset: str | None
    data: str | None

    @property
    def name(self) -> str:
        """What the results are kept under: "test", or "digits test" on another data set."""
        return f"{self.dataset} {self.split.value}" if self.dataset else self.split.value


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
    dataset: Annotated[
        str | None, typer.Option(help="Another data set, of as many channels and classes; unset: the run's own.")
    ] = None,
    data: Annotated[str | None, typer.Option(metavar="DIR", help="Folder of the data sets; unset: the run's.")] = None,
    as_json: Json = False,
    save: Save = None,
) -> None:
    """Evaluate a trained run: accuracy, likelihood, calibration, and their spread over draws."""
    store = open_store(save)
    folder, run = store.read(ref)
    question = Question(split, weights, samples, repetitions, device, _other(run, dataset), data)
    figures = _figures(store, folder, run, question)
    is_stored = _store(store, folder, question, figures)
    if as_json:
        print_json({"id": run["id"], "split": question.name, "stored": is_stored, **figures})
        return
    click.echo(clean(f"{run['id']} ({run['name']}) on {count(figures['images'], question.name + ' image')}"))
    print_lines(results_table({question.name: figures}, terminal_width()))
    if "kl_nats" in figures:
        click.echo(f"KL of the posterior from the prior: {figures['kl_nats']:,.0f} nats")
    click.echo("\nReliability")
    print_lines(reliability_table(figures, terminal_width()))


def _other(run: dict[str, Any], dataset: str | None) -> str | None:
    """Return the data set's own spelling if it is another than the run's."""
    if run.get("role") == "experiment":
        raise SpecError(
            f"{run['id']} is a {run['kind']} experiment and has no network. `bkd show {run['id']}` lists its students."
        )
    if dataset is None:
        return None
    found = canonical(dataset, tuple(DATASETS))
    if found is None:
        raise SpecError(f"dataset {clean(dataset)!r} is unknown. Known: {', '.join(DATASETS)}.")
    return None if found == run["dataset"] else found


def _figures(store: Store, folder: RunFolder, run: dict[str, Any], question: Question) -> dict[str, Any]:
    # The maths is imported here: --help must not wait for torch.
    from bkd.assemble import load_predictor, open_data, open_other, shape_of
    from bkd.devices import open_machine
    from bkd.evaluate import Sampling
    from bkd.evaluate import evaluate as measure
    from bkd.specs import Weights, load

    own = {"device": question.device, "data": question.data}
    spec = load(run["spec"] | {name: value for name, value in own.items() if value is not None})
    machine = open_machine(spec)
    data = open_data(spec, store.root, machine.device)
    _check_split(run, question, data.split)
    predictor = load_predictor(run, folder, shape_of(data), machine.device, Weights(question.weights.value), store.read)
    if question.dataset:
        data = open_other(spec, question.dataset, data_root(spec.data, store.root), machine.device)
    num_samples: int = question.samples or getattr(spec, "bnn_test_samples", None) or 1
    sampling = Sampling(num_samples, question.repetitions, spec.seed)
    figures = measure(predictor, data.held_out(question.split.value), sampling)
    return {"weights": question.weights.value, **figures}


def _check_split(run: dict[str, Any], question: Question, found: Any) -> None:
    if question.split is Split.VAL and question.dataset:
        raise SpecError(
            "split val is part of its own data set's training images; of another data set there is only test. "
            "Use --split test."
        )
    if question.split is Split.VAL and not len(found.val):
        raise SpecError(
            f"{run['id']} has no validation images: it was trained by the paper's protocol. Use --split test."
        )
    theirs = (run.get("split") or {}).get("fingerprint")
    if theirs is not None and theirs != found.fingerprint:
        raise SpecError(
            f"{run['id']} was trained on split {theirs}, the data set now gives {found.fingerprint}. "
            "The data set's files have changed: put the earlier ones back, or train again."
        )


def _store(store: Store, folder: RunFolder, question: Question, figures: dict[str, Any]) -> bool:
    """Write the figures into run.json, unless a process is at work on the run; return whether."""
    from bkd.evaluate import flat_results

    try:
        with _owned(folder):
            run = read_run(folder)
            run["results"] = (run.get("results") or {}) | {question.name: figures}
            run["metrics"] = (run.get("metrics") or {}) | flat_results(question.name.replace(" ", "-"), figures)
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
