"""From a run's folder to the objects that the loop trains: data, network, teacher."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from bkd.catalog import DATASETS
from bkd.checkpoint import load_weights_file
from bkd.data.batches import Batch, Batches, eval_batches
from bkd.data.datasets import ImageData, load_dataset
from bkd.data.splits import Split, make_split, val_subset
from bkd.data.subsets import few_shot
from bkd.devices import Machine, make_optimizer, try_compile
from bkd.errors import CheckpointError, SpecError
from bkd.kinds.kind import NetworkShape
from bkd.kinds.table import load_kind
from bkd.learner import Learner, Recipe, Settings
from bkd.losses import CrossEntropy, Distillation
from bkd.models.table import build_model, load_weights
from bkd.paths import RunFolder, data_root
from bkd.rng import derive_seed
from bkd.specs import DataSpec, DistillSpec, LoopSpec, Protocol, RunSpec, Weights, load
from bkd.teachers import NetworkTeacher, Teacher
from bkd.train import Loop

Find = Callable[[str], tuple[RunFolder, dict[str, Any]]]
EVAL_BATCH = 500  # images per forward pass in validation and test


@dataclass(frozen=True)
class Data:
    """A run's images on its device.

    Attributes:
        split: Positions that are trained on and that validate.
    """

    images: ImageData
    split: Split
    device: torch.device

    def batches(self, spec: LoopSpec) -> Batches:
        """Return the augmented training batches."""
        return Batches(
            self.images.train_images.to(self.device), self.images.train_labels.to(self.device), self.split.train,
            self.images.info, spec.batch_size, spec.seed,
        )  # fmt: skip

    def held_out(self, name: str, limit: int | None = None) -> Callable[[], Iterator[Batch]]:
        """Return what makes the batches of "train", "val" or "test", not augmented; at most `limit` of "val"."""
        data = self.images
        if name == "test":
            images, labels, index = data.test_images, data.test_labels, torch.arange(len(data.test_labels))
        else:
            index = self.split.val if limit is None else val_subset(self.split, limit)
            images, labels = data.train_images, data.train_labels
            index = self.split.train if name == "train" else index
        images, labels = images.to(self.device), labels.to(self.device)
        return lambda: eval_batches(images, labels, index, data.info, EVAL_BATCH)


def open_data(spec: DataSpec, save: Path, device: torch.device) -> Data:
    """Load a run's data set and split it.

    Raises:
        DataMissing: If the files are not there.
        SpecError: If the split is impossible.
    """
    images = load_dataset(spec.dataset, data_root(spec.data, save))
    split = make_split(
        images.train_labels, val_fraction=spec.val_fraction, split_seed=spec.split_seed, train_limit=spec.train_limit,
        protocol=spec.protocol.value,
    )  # fmt: skip
    if getattr(spec, "fewshot_percent", None) is not None:
        split = few_shot(split, images.train_labels, spec, data_root(spec.data, save))
    return Data(images, split, device)


def open_other(spec: DataSpec, dataset: str, root: Path, device: torch.device) -> Data:
    """Load another data set for a network trained on the spec's, normalised as that network was trained.

    Args:
        spec: Of the run whose network is asked.
        dataset: Name of the other data set.
        root: Folder of the data sets.
        device: Where the network is.

    Raises:
        DataMissing: If the files are not there.
        SpecError: If it has other channels or another number of classes.
    """
    own, other = DATASETS[spec.dataset], load_dataset(dataset, root)
    info = other.info
    if (info.channels, info.classes) != (own.channels, own.classes):
        raise SpecError(
            f"dataset {info.name} has {info.channels} channels and {info.classes} classes, the network was made for "
            f"{own.channels} and {own.classes}. Evaluate on a data set of that shape."
        )
    images = replace(other, info=replace(info, mean=own.mean, sd=own.sd))
    return Data(images, make_split(other.train_labels, val_fraction=0.0), device)


def build_recipe(spec: RunSpec, shape: NetworkShape) -> Recipe:
    """Return the untrained network of a run, initialised by its seed, and how it is trained."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(spec.seed, "init"))
        if isinstance(spec, DistillSpec):
            options = {} if spec.preact_shortcut else {"preact_shortcut": False}
            network = build_model(spec.student, in_channels=shape.in_channels, num_classes=shape.num_classes, **options)
            objective = Distillation(spec.alpha, spec.kd_T, spec.kd_S) if spec.alpha > 0 else CrossEntropy()
            return Recipe(network, objective)
        build = load_kind(spec.kind).build
        assert build is not None, spec.kind
        return build(spec, shape)


def shape_of(data: Data) -> NetworkShape:
    """Return what networks for this data are built for."""
    info = data.images.info
    return NetworkShape(info.channels, info.classes, len(data.split.train))


def load_predictor(
    run: Mapping[str, Any], folder: RunFolder, shape: NetworkShape, device: torch.device, which: Weights, find: Find,
    *, num_chunk: int | None = None,
) -> Teacher:  # fmt: skip
    """Return the trained network of any run as a frozen predictor.

    Args:
        run: The run's run.json.
        folder: The run's.
        shape: What networks for its data are built for.
        device: Where it predicts.
        which: Its last or its best weights; of a run that combines others BEST means the best of each of them.
        find: Reference to a run -> its folder and run.json, for teachers that are made of others.
        num_chunk: Images that a Laplace teacher without closed form handles at a time; None leaves its own.

    Raises:
        CheckpointError: If its weights are missing, truncated, or of another network.
        RunNotFound: If a run that it is made of is gone.
    """
    spec = load(run["spec"])
    if num_chunk is not None and "num_chunk" in type(spec).model_fields:
        spec = spec.model_copy(update={"num_chunk": num_chunk})
    kind = load_kind(spec.kind) if spec.kind else None
    if kind is not None and kind.combine is not None:
        weights = which if which is Weights.BEST else getattr(spec, "weights", Weights.LAST)
        found = [find(ref) for ref in spec.sources]
        sources = [load_predictor(theirs, where, shape, device, weights, find) for where, theirs in found]
        return kind.combine(spec, sources).freeze()
    recipe = build_recipe(spec, shape)
    _load_weights(recipe.network, run, folder, which)
    recipe.network.to(device).eval()
    if kind is None:
        return NetworkTeacher(recipe.network).freeze()
    assert kind.teacher is not None, kind.name
    return kind.teacher(recipe.network, spec).freeze()


def _load_weights(network: nn.Module, run: Mapping[str, Any], folder: RunFolder, which: Weights) -> None:
    file = folder.best_weights if which is Weights.BEST else folder.last_weights
    if which is Weights.BEST and not file.exists():
        raise CheckpointError(f"{run['id']} has no best.safetensors: it never validated. Use --weights last.")
    try:
        load_weights(network, load_weights_file(file))
    except CheckpointError as error:
        raise CheckpointError(f"Weights of {run['id']} ({run['name']}): {error}") from error


def make_learner(name: str, spec: LoopSpec, data: Data, machine: Machine, teacher: Teacher | None) -> Learner:
    """Return the learner of a run, on its device."""
    recipe = build_recipe(spec, shape_of(data))
    recipe.network.to(machine.device)
    settings = Settings(
        seed=spec.seed,
        device=machine.device,
        learning_rate_at=spec.learning_rate_at,
        make_optimizer=lambda parameters: make_optimizer(spec, parameters, machine.device),
        autocast=machine.autocast,
        is_noise_exact=spec.noise_exact,
    )
    if isinstance(spec, DistillSpec):
        settings.kd_T, settings.teacher_samples = spec.kd_T, spec.bnn_samples
    if spec.compile:
        settings.compile_forward = _compiler(recipe, data, machine, min(spec.batch_size, len(data.split.train)))
    return Learner(name, recipe, settings, teacher)


def _compiler(recipe: Recipe, data: Data, machine: Machine, batch_size: int) -> Callable[[Any], Any]:
    info = data.images.info

    def compile_forward(forward: Any) -> Any:
        if recipe.posterior is not None:
            if recipe.posterior.draws_in_passes:
                machine.decline_compile("torch.compile cannot hold mean-field layers, which draw within a pass")
                return forward
            recipe.posterior.mean()
        example = torch.zeros(batch_size, info.channels, info.side, info.side, device=machine.device)
        return try_compile(forward, recipe.network, example, machine)

    return compile_forward


def make_loop(spec: LoopSpec, data: Data, machine: Machine, teacher: Teacher | None, num_samples: int) -> Loop:
    """Return what the loop runs over."""
    is_paper = spec.protocol is Protocol.PAPER
    held_out = data.held_out("test") if is_paper else data.held_out("val", spec.val_limit)
    return Loop(
        data.batches(spec), spec.epochs, spec.seed, held_out, split="test" if is_paper else "val", teacher=teacher,
        num_samples=num_samples, autocast=machine.autocast,
    )  # fmt: skip


def count_parameters(network: nn.Module) -> int:
    """Return the number of trainable parameters."""
    return sum(parameter.numel() for parameter in network.parameters())
