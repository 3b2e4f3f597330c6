"""Settings of a run: one pydantic model per run type, the single source of flags, forms, checks and error texts."""

from enum import StrEnum
from importlib import import_module
from typing import Annotated, Any, ClassVar, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator

from bkd.catalog import ARCHITECTURES, DATASETS, RUN_TYPES, canonical, nearest
from bkd.errors import SpecError
from bkd.spec_faults import explain

LARGEST = 2**53


class Protocol(StrEnum):
    """What is trained on and what is looked at while training."""

    HELD_OUT = "heldout"  # a validation split out of the training set; test only at the end
    PAPER = "paper"  # all of the training set; test accuracy logged every epoch, never used for a choice


class Optimizer(StrEnum):
    """Optimisers that a run can use."""

    ADAM = "adam"
    SGD = "sgd"


class LearningRateSchedule(StrEnum):
    """How the learning rate moves over epochs."""

    STEP = "step"
    COSINE = "cosine"


class Precision(StrEnum):
    """Arithmetic of the forward pass."""

    FP32 = "fp32"
    BF16 = "bf16"


class Weights(StrEnum):
    """Which state of a finished run is used."""

    LAST = "last"
    BEST = "best"


def option(
    default: Any, description: str, *, unit: str = "", group: str, aliases: tuple[str, ...] = (), **limits: Any
) -> Any:
    """Return a pydantic field that also says how a flag and a form show it.

    Args:
        default: The value when nothing is given; `...` where it must be given.
        description: One sentence: what the setting means.
        unit: Unit of the value, "" where it has none.
        group: Heading under which help and forms show the field.
        aliases: Further spellings of the flag, with their dashes.
        **limits: pydantic's own: gt, ge, lt, le, min_length ...
    """
    return Field(
        default, description=description, json_schema_extra={"unit": unit, "group": group, "flags": list(aliases)},
        validate_default=False, **limits,
    )  # fmt: skip


def _epoch_list(value: Any) -> Any:
    """Read "100,150" as [100, 150]."""
    if isinstance(value, str):
        parts = [part.strip() for part in value.replace(" ", ",").split(",") if part.strip()]
        return [int(part) if part.lstrip("-").isdigit() else part for part in parts]
    return value


EpochList = Annotated[list[int], BeforeValidator(_epoch_list)]


class RunSpec(BaseModel):
    """What every run has: which repetition it is, and how it runs.

    Fields left at None are filled by `resolved()` or from the runs it is made from, so that run.json always tells the
    values in force.
    """

    model_config = ConfigDict(extra="forbid", use_enum_values=False, validate_assignment=True, allow_inf_nan=False)
    type: ClassVar[str] = ""
    kind: ClassVar[str] = ""  # of teachers

    trial: int = option(
        1, "Repetition; sets the seed of initialisation, order, augmentation and draws.", group="Running",
        aliases=("-t",), ge=0,
    )  # fmt: skip
    threads: int | None = option(
        None, "CPU threads of the run; unset: torch's choice. Runs side by side are faster with a share each.",
        unit="threads", group="Running", ge=1,
    )  # fmt: skip

    @field_validator("*")
    @classmethod
    def _fits_the_files(cls, value: Any) -> Any:
        for number in value if isinstance(value, list) else [value]:
            if isinstance(number, int) and number > LARGEST:
                raise ValueError(f"must be <= {LARGEST:,}, the largest whole number that every file format keeps exact")
        return value

    @classmethod
    def command(cls) -> str:
        """Return the words of the command that launches runs of this spec, as "train bayesian"."""
        return f"train {cls.kind.lower()}" if cls.kind else cls.type

    def resolved(self) -> Self:
        """Return a copy with every value that depends on others filled in."""
        return self.model_copy()

    @property
    def sources(self) -> tuple[str, ...]:
        """The runs that this one is made from, as they were named."""
        return ()

    @property
    def seed(self) -> int:
        """Seed of everything that differs between trials."""
        return self.trial


class DataSpec(RunSpec):
    """A run on a data set: which images, on what."""

    dataset: str = option("cifar100", "Data set to train on.", group="Data")
    data: str | None = option(None, "Folder with the data sets; unset: DATASETS_PATH, else <save>/data.", group="Data")
    train_limit: int | None = option(
        None, "Train on this many images, stratified by class; unset: all.", unit="images", group="Data", ge=1
    )
    val_fraction: float = option(0.1, "Part of the training set held out for validation.", group="Data", gt=0, lt=1)
    split_seed: int = option(0, "Seed of the validation split; a student inherits its teacher's.", group="Data", ge=0)
    protocol: Protocol = option(
        Protocol.HELD_OUT,
        "heldout keeps a validation split; paper trains on everything and logs test accuracy each epoch.",
        group="Data",
    )
    device: str = option("auto", "auto, cpu, cuda, cuda:1 or mps.", group="Running")
    precision: Precision = option(Precision.FP32, "fp32, or bf16 autocast where the device has it.", group="Running")

    @field_validator("dataset")
    @classmethod
    def _known_dataset(cls, value: str) -> str:
        return known(value, tuple(DATASETS), "data set")

    @field_validator("device")
    @classmethod
    def _known_device(cls, value: str) -> str:
        head, _, index = value.partition(":")
        if head not in ("auto", "cpu", "cuda", "mps") or (index and not index.isdigit()):
            raise ValueError("must be auto, cpu, cuda, cuda:<n> or mps")
        return value


class LoopSpec(DataSpec):
    """A run that the training loop trains: optimisation, validation, checkpoints."""

    decay_fractions: ClassVar[tuple[float, ...]] = (0.5,)  # of `epochs`; the paper decays at 100 of 200

    fewshot_percent: float | None = option(
        None, "Train on this percent of each class, from a subset that `bkd data subset` made; unset: all.", unit="%",
        group="Data", gt=0, le=100,
    )  # fmt: skip
    fewshot_root: str | None = option(
        None, "Folder with the few-shot subsets; unset: fewshot/ beside the data sets.", group="Data"
    )
    fewshot_seed: int = option(0, "Seed of the few-shot subset.", group="Data", ge=0)
    val_limit: int = option(1000, "Validate on at most so many images each epoch.", unit="images", group="Data", ge=1)

    epochs: int = option(200, "Passes over the training images.", unit="epochs", group="Optimisation", ge=1)
    batch_size: int = option(100, "Images per step.", unit="images", group="Optimisation", ge=1)
    learning_rate: float = option(1e-3, "Initial learning rate.", group="Optimisation", gt=0)
    lr_schedule: LearningRateSchedule = option(
        LearningRateSchedule.STEP, "step multiplies at milestones; cosine falls to 0 at the end.", group="Optimisation"
    )
    lr_decay_epochs: EpochList | None = option(
        None, "Epochs at which the learning rate is multiplied, as 100,150; unset: the paper's, scaled to the length.",
        unit="epochs", group="Optimisation",
    )  # fmt: skip
    lr_decay_rate: float = option(0.1, "Factor at each milestone.", group="Optimisation", gt=0, le=1)
    optimizer: Optimizer = option(Optimizer.ADAM, "Optimiser: adam or sgd.", group="Optimisation")
    momentum: float | None = option(None, "Momentum of sgd; unset: 0.9.", group="Optimisation", ge=0, lt=1)
    weight_decay: float = option(0.0, "L2 penalty added to the gradient.", group="Optimisation", ge=0)

    compile: bool = option(False, "Compile the network with torch.compile where it works.", group="Running")
    log_every: int = option(1, "Write metrics every this many steps.", unit="steps", group="Running", ge=1)
    checkpoint_every: float = option(
        60.0, "Seconds between checkpoints within an epoch; one more is written after each epoch.",
        unit="s", group="Running", gt=0,
    )  # fmt: skip
    noise_exact: bool = option(
        False, "Also measure the gradient noise of all parameters exactly on validation images, each epoch.",
        group="Running",
    )  # fmt: skip

    @field_validator("lr_decay_epochs")
    @classmethod
    def _milestones(cls, value: list[int] | None) -> list[int] | None:
        if value is not None and (any(e < 1 for e in value) or value != sorted(set(value))):
            raise ValueError("must be rising epochs from 1 on, as 100,150")
        return value

    @model_validator(mode="after")
    def _momentum_belongs_to_sgd(self) -> Self:
        if self.momentum is not None and self.optimizer is not Optimizer.SGD:
            raise ValueError("momentum belongs to sgd: add --optimizer sgd or leave --momentum out")
        return self

    def resolved(self) -> Self:
        """Return a copy with milestones and momentum filled in."""
        update: dict[str, Any] = {}
        if self.lr_decay_epochs is None and self.lr_schedule is LearningRateSchedule.STEP:
            marks = {round(self.epochs * fraction) for fraction in self.decay_fractions}
            update["lr_decay_epochs"] = sorted(mark for mark in marks if 0 < mark < self.epochs)
        if self.optimizer is Optimizer.SGD and self.momentum is None:
            update["momentum"] = 0.9
        return super().resolved().model_copy(update=update)

    def learning_rate_at(self, epoch: int) -> float:
        """Return the learning rate of an epoch (from 0)."""
        if self.lr_schedule is LearningRateSchedule.COSINE:
            from math import cos, pi

            return self.learning_rate * 0.5 * (1 + cos(pi * epoch / self.epochs))
        passed = sum(1 for mark in self.lr_decay_epochs or [] if epoch >= mark)
        return self.learning_rate * self.lr_decay_rate**passed


class TrainSpec(LoopSpec):
    """Training a teacher from the data; each kind adds its own fields."""

    type: ClassVar[str] = "train"

    arch: str = option("resnet50", "Network architecture.", group="Network", aliases=("--model",))
    preact_shortcut: bool = option(
        True, "WRN: the projection shortcut sees relu(bn(x)), as published; off: the block's raw input.",
        group="Network",
    )  # fmt: skip

    @field_validator("arch")
    @classmethod
    def _known_arch(cls, value: str) -> str:
        return known(value, ARCHITECTURES, "architecture")

    @model_validator(mode="after")
    def _shortcut_belongs_to_wrn(self) -> Self:
        if not self.preact_shortcut and not self.arch.startswith("wrn"):
            raise ValueError(f"preact_shortcut is a choice of WRNs, arch is {self.arch}. Leave it out")
        return self


class DerivedSpec(DataSpec):
    """A teacher made from another teacher: its data, split and network are that one's."""

    type: ClassVar[str] = "train"
    made_from: ClassVar[tuple[str, ...]] = ("Deterministic",)  # kinds

    teacher: str = option(
        ..., "Teacher that it is made from: id, unambiguous prefix, or path of its folder.", group="Network",
        aliases=("--teacher-path",), min_length=1,
    )  # fmt: skip
    weights: Weights = option(
        Weights.LAST, "Weights of that teacher: its last or its best on validation.", group="Network"
    )
    arch: str | None = option(
        None, "Network architecture; unset, and always: the teacher's.", group="Network", aliases=("--model",)
    )
    preact_shortcut: bool | None = option(None, "WRN shortcut; unset, and always: the teacher's.", group="Network")

    @property
    def sources(self) -> tuple[str, ...]:
        """The teacher that it is made from."""
        return (self.teacher,)


class StudentSpec(LoopSpec):
    """What one student or a sweep of them needs to know of the teacher."""

    teacher: str = option(
        ..., "Teacher run: id, unambiguous prefix, or path of its folder.", group="Distillation",
        aliases=("--teacher-path",), min_length=1,
    )  # fmt: skip
    bnn_samples: int = option(
        10, "Weight draws averaged for each batch's target, if the teacher draws.", unit="draws",
        group="Distillation", ge=1,
    )  # fmt: skip
    weights: Weights = option(
        Weights.LAST, "Teacher's weights: its last or its best on validation.", group="Distillation"
    )
    num_chunk: int | None = option(
        None, "Images that a Laplace teacher without a closed form handles at a time; unset: the teacher's own.",
        unit="images", group="Distillation", ge=1,
    )  # fmt: skip
    teacher_cache: str = option(
        "auto",
        "Keep a deterministic teacher's answers for later epochs and students: auto (in <save>/cache, if it is twice "
        "as large as its students), off, or a folder.",
        group="Distillation", min_length=1,
    )  # fmt: skip
    teacher_cache_gib: float = option(
        4.0, "Most that the folder of cached answers may take on disk.", unit="GiB", group="Distillation", gt=0
    )
    alpha: float = option(
        1.0, "Weight of the teacher's term against the labels' (the paper's lambda).", group="Distillation", ge=0, le=1
    )
    kd_T: float = option(1.0, "Teacher's temperature.", group="Distillation", gt=0)
    kd_S: float = option(1.0, "Student's temperature.", group="Distillation", gt=0)

    @property
    def sources(self) -> tuple[str, ...]:
        """The teacher."""
        return (self.teacher,)


class DistillSpec(StudentSpec):
    """Distilling a student from a teacher of the registry."""

    type: ClassVar[str] = "distill"

    student: str = option("resnet18", "The student's network.", group="Distillation", aliases=("--model", "--arch"))
    preact_shortcut: bool = option(
        True, "WRN student: the projection shortcut sees relu(bn(x)), as published; off: the block's raw input.",
        group="Distillation",
    )  # fmt: skip

    @field_validator("student")
    @classmethod
    def _known_student(cls, value: str) -> str:
        return known(value, ARCHITECTURES, "architecture")

    @model_validator(mode="after")
    def _shortcut_belongs_to_wrn(self) -> Self:
        if not self.preact_shortcut and not self.student.startswith("wrn"):
            raise ValueError(f"preact_shortcut is a choice of WRNs, student is {self.student}. Leave it out")
        return self


def known(value: str, names: tuple[str, ...], what: str) -> str:
    """Return the known spelling of a value.

    Raises:
        ValueError: If it is none of `names`; the nearest is named.
    """
    found = canonical(value, names)
    if found is None:
        close = nearest(value, names)
        hint = f" Did you mean {close}?" if close else ""
        raise ValueError(f"is no {what} that bkd knows.{hint} Known: {', '.join(names)}")
    return found


def make_spec(cls: type[RunSpec], values: dict[str, Any], *, resolve: bool = True) -> Any:
    """Check values and return a spec.

    Raises:
        SpecError: Naming each field at fault, the value got, what is allowed, and what to do.
    """
    try:
        spec = cls.model_validate(values)
        return spec.resolved() if resolve else spec
    except ValidationError as error:
        raise SpecError("\n".join(message for _, message in explain(cls, error))) from None


def dump(spec: RunSpec) -> dict[str, Any]:
    """Return the spec as JSON values, with its type and (for a teacher) kind."""
    head: dict[str, Any] = {"type": spec.type}
    if spec.kind:
        head["kind"] = spec.kind
    return head | spec.model_dump(mode="json")


def load(values: dict[str, Any]) -> Any:
    """Return the spec that `dump` wrote.

    Raises:
        SpecError: If the type or kind is unknown or a value is out of range.
    """
    values = dict(values)
    kind, run_type = values.pop("kind", None), str(values.pop("type", None))
    if run_type == "train":
        from bkd.kinds.table import load_kind

        return make_spec(load_kind(str(kind)).spec, values)
    if run_type in RUN_TYPES:
        module, name = RUN_TYPES[run_type].split(":")
        return make_spec(getattr(import_module(module), name), values)
    raise SpecError(
        f"run type {run_type!r} is unknown; known: train, {', '.join(RUN_TYPES)}. The folder was written by another "
        "version of bkd."
    )
