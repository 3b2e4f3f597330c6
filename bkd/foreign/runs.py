"""Make a run of bkd's from a foreign folder: its spec, network, figures, and the files of its run folder."""

import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import nn

from bkd.assemble import build_recipe, count_parameters
from bkd.catalog import DATASETS
from bkd.checkpoint import write_weights_file
from bkd.errors import CheckpointError, StorageError
from bkd.events import EventWriter
from bkd.files import storage_error
from bkd.foreign.laplace import laplace_state
from bkd.foreign.layout import ForeignRun
from bkd.foreign.metrics import MAX_TEXT_BYTES, PICKLE, TEXT, History, read_history, read_text
from bkd.foreign.names import RAW_SHORTCUT, to_bkd
from bkd.foreign.pickles import MAX_BYTES
from bkd.foreign.snapshot import State, read_bytes
from bkd.foreign.specs import assumed, is_wrn, make_foreign_spec
from bkd.kinds.kind import NetworkShape
from bkd.models.table import load_weights
from bkd.models.wrn import PreActBlock
from bkd.paths import RunFolder
from bkd.plan import plan_student, plan_teacher
from bkd.runfile import Status, write_run, write_user
from bkd.specs import DistillSpec, dump

TAG = "imported"
Run = dict[str, Any]


@dataclass(frozen=True)
class Figures:
    """What a folder's logs tell.

    Attributes:
        history: Of each epoch.
        last: Accuracies of the last weights and the best of any epoch, as `read_text` names them.
        refusals: Of each file that was passed over, one sentence.
    """

    history: History = field(default_factory=History)
    last: Mapping[str, float] = field(default_factory=dict)
    refusals: tuple[str, ...] = ()


def read_logs(found: ForeignRun) -> Figures:
    """Return the figures that the scripts logged; a file that is missing, refused or unreadable leaves none."""
    history, last, refusals = History(), {}, []
    pickled, text = found.folder / PICKLE, found.folder / TEXT
    if pickled.exists():
        try:
            history = read_history(read_bytes(pickled, MAX_BYTES), is_percent=found.role == "student")
        except (CheckpointError, StorageError) as error:
            refusals.append(f"{pickled} is passed over: {error}")
    if text.exists():
        try:
            last = read_text(read_bytes(text, MAX_TEXT_BYTES))
        except (CheckpointError, StorageError) as error:
            refusals.append(f"{text} is passed over: {error}")
    return Figures(history, last, tuple(refusals))


@dataclass(frozen=True)
class ImportedRun:
    """A run that is ready to be written.

    Attributes:
        run: Its run.json.
        network: With the foreign weights.
    """

    run: Run
    network: nn.Module
    figures: Figures


def make_run(
    found: ForeignRun, state: State, fingerprint: str, parent: Run | None, posterior: Any = None
) -> ImportedRun:
    """Return the run that a folder becomes.

    Args:
        found: What the folder's name tells.
        state: Its network's tensors under the scripts' names; of a Laplace teacher, its Deterministic one's.
        fingerprint: Hash of its content.
        parent: run.json of the teacher that it was made from, None if that one is not in the save root.
        posterior: What the snapshot of a Laplace teacher holds.

    Raises:
        SpecError: A setting is out of range.
        CheckpointError: The tensors do not fit the network that the folder's name tells.
    """
    figures = read_logs(found)
    teacher = parent["id"] if parent else found.parent or (found.kind if found.rank else "")
    spec = make_foreign_spec(found, state, teacher, len(figures.history.epochs))
    ours = to_bkd(found.network_arch, state)
    if posterior is not None:
        ours = laplace_state(posterior, ours, spec.subs_weights.value, spec.hess_struct.value)
    network = fitted_network(ours, spec)
    return ImportedRun(run_json(found, spec, fingerprint, parent, figures, network), network, figures)


def fitted_network(ours: State, spec: Any) -> nn.Module:
    """Return the network of a run with these weights; every tensor has its place, and every place its tensor.

    Raises:
        CheckpointError: Names or shapes differ; the first ones are named.
    """
    info = DATASETS[spec.dataset]
    network = build_recipe(spec, NetworkShape(info.channels, info.classes, info.train_images)).network
    load_weights(network, ours)
    check_shortcut(network)
    for name, tensor in network.state_dict().items():
        if tensor.is_floating_point() != ours[name].is_floating_point():
            raise CheckpointError(f"{name} has numbers of type {ours[name].dtype}, must have {tensor.dtype}.")
    return network.eval()


def check_shortcut(network: nn.Module) -> None:
    """Check that a WRN was built as the scripts build it: weights alone do not show it.

    Raises:
        CheckpointError: Its shortcuts see what the published network's see.
    """
    if any(isinstance(block, PreActBlock) and block.preact_shortcut for block in network.modules()):
        raise CheckpointError("Its shortcuts must see the raw input, bkd built them on relu(bn1(x)): other logits.")


def run_json(
    found: ForeignRun,
    spec: Any,
    fingerprint: str,
    parent: Run | None,
    figures: Figures,
    network: nn.Module,
) -> Run:
    """Return run.json of an imported run."""
    if isinstance(spec, DistillSpec):
        run = plan_student(spec, parent or _unknown_teacher(found, spec)).run
    else:
        run = plan_teacher(spec, [parent] if parent else []).run
    if parent is None and found.rank:
        run["teacher"], run["lineage"] = None, {"teacher": None, "teacher_name": found.parent}
    epochs = figures.history.epochs
    written = round(found.snapshot.stat().st_mtime, 3)
    last = {f"test/{name}": figures.last[name] for name in ("acc", "acc5") if name in figures.last}
    run |= {
        "status": Status.DONE.value, "epoch": len(epochs) or run["epochs"], "created": written, "ended": written,
        "metrics": (dict(epochs[-1]) if epochs else {}) | last,
        "environment": {"parameters": count_parameters(network)},
        "imported": {
            "from": str(found.folder), "key": found.key, "hash": fingerprint, "at": round(time.time(), 3),
            "wrn_shortcut": RAW_SHORTCUT if is_wrn(found.network_arch) else None, "assumed": assumed(found),
        } | _best_on_test(figures),
    }  # fmt: skip
    result = {
        name: run["metrics"][f"test/{name}"] for name in ("acc", "acc5", "nll") if f"test/{name}" in run["metrics"]
    }
    if result:
        run["results"] = {"test": result | {"weights": "last", "protocol": "paper"}}
    return run


def _unknown_teacher(found: ForeignRun, spec: DistillSpec) -> Run:
    """Return what stands for a teacher that is not in the save root."""
    return {
        "id": spec.teacher, "name": found.parent, "path": "", "kind": found.kind, "arch": found.arch,
        "trial": spec.trial, "spec": dump(spec),
    }  # fmt: skip


def _best_on_test(figures: Figures) -> dict[str, Any]:
    """Return the best accuracy of any epoch, which was chosen on the test set and is nobody's result."""
    logged = [epoch["test/acc"] for epoch in figures.history.epochs]
    best: dict[str, Any] = {}
    if logged:
        best = {"acc": max(logged), "epoch": logged.index(max(logged))}
    best |= {name: figures.last[f"{name}_best"] for name in ("acc", "acc5") if f"{name}_best" in figures.last}
    return {"chosen_on_test": best} if best else {}


def write_files(root: Path, imported: ImportedRun) -> RunFolder:
    """Write the run's folder; run.json comes last, so that an interrupted import leaves no run.

    Raises:
        StorageError: It cannot be written; nothing is left behind.
    """
    run, history = imported.run, imported.figures.history
    folder = RunFolder(root / run["path"])
    try:
        folder.path.mkdir(parents=True)
        write_weights_file(folder.last_weights, imported.network.state_dict())
        events = EventWriter(folder.events, clock=lambda: float(run["ended"]))
        for epoch, values in enumerate(history.epochs):
            events.write("epoch", step=(epoch + 1) * history.steps_per_epoch, epoch=epoch, values=values)
        steps = len(history.epochs) * history.steps_per_epoch
        events.write("state", step=steps, epoch=run["epoch"], values={"status": run["status"]}, sync=True)
        events.close()
        write_user(folder, tags=[TAG])
        write_run(folder, run)
    except (OSError, StorageError) as error:
        shutil.rmtree(folder.path, ignore_errors=True)
        raise storage_error(folder.path, error) if isinstance(error, OSError) else error from error
    return folder
