"""Settings of a run: one pydantic model per run type, the single source of flags, forms, checks and error texts."""

from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator

from bkd.catalog import ARCHITECTURES, DATASETS, canonical, nearest
from bkd.errors import SpecError


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
    """What every run has: data, optimisation, how it runs.

    Fields left at None are filled by `resolved()`, so that run.json always tells the values in force.
    """

    model_config = ConfigDict(extra="forbid", use_enum_values=False, validate_assignment=True)
    type: ClassVar[str] = ""
    decay_fractions: ClassVar[tuple[float, ...]] = (0.5,)  # of `epochs`; the paper decays at 100 of 200

    dataset: str = option("cifar100", "Data set to train on.", group="Data")
    data: str | None = option(None, "Folder with the data sets; unset: DATASETS_PATH, else <save>/data.", group="Data")
    train_limit: int | None = option(
        None, "Train on this many images, stratified by class; unset: all.", unit="images", group="Data", ge=1
    )
    val_fraction: float = option(0.1, "Part of the training set held out for validation.", group="Data", gt=0, lt=1)
    val_limit: int = option(
        1000, "Validate on at most this many images each epoch.", unit="images", group="Data", ge=1
    )  # fmt: skip
    split_seed: int = option(0, "Seed of the validation split; a student inherits its teacher's.", group="Data", ge=0)
    protocol: Protocol = option(
        Protocol.HELD_OUT,
        "heldout keeps a validation split; paper trains on everything and logs test accuracy each epoch.",
        group="Data",
    )

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

    trial: int = option(
        1, "Repetition; sets the seed of initialisation, order, augmentation and draws.", group="Running",
        aliases=("-t",), ge=0,
    )  # fmt: skip
    device: str = option("auto", "auto, cpu, cuda, cuda:1 or mps.", group="Running")
    precision: Precision = option(Precision.FP32, "fp32, or bf16 autocast where the device has it.", group="Running")
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

    @field_validator("dataset")
    @classmethod
    def _known_dataset(cls, value: str) -> str:
        return _known(value, tuple(DATASETS), "data set")

    @field_validator("lr_decay_epochs")
    @classmethod
    def _milestones(cls, value: list[int] | None) -> list[int] | None:
        if value is not None and (any(e < 1 for e in value) or value != sorted(set(value))):
            raise ValueError("must be rising epochs from 1 on, as 100,150")
        return value

    @field_validator("device")
    @classmethod
    def _known_device(cls, value: str) -> str:
        head, _, index = value.partition(":")
        if head not in ("auto", "cpu", "cuda", "mps") or (index and not index.isdigit()):
            raise ValueError("must be auto, cpu, cuda, cuda:<n> or mps")
        return value

    @model_validator(mode="after")
    def _momentum_belongs_to_sgd(self) -> Self:
        if self.momentum is not None and self.optimizer is not Optimizer.SGD:
            raise ValueError("momentum belongs to sgd: add --optimizer sgd or leave --momentum out")
        return self

    def resolved(self) -> Self:
        """Return a copy with every value that depends on others filled in."""
        update: dict[str, Any] = {}
        if self.lr_decay_epochs is None and self.lr_schedule is LearningRateSchedule.STEP:
            marks = {round(self.epochs * fraction) for fraction in self.decay_fractions}
            update["lr_decay_epochs"] = sorted(mark for mark in marks if 0 < mark < self.epochs)
        if self.optimizer is Optimizer.SGD and self.momentum is None:
            update["momentum"] = 0.9
        return self.model_copy(update=update)

    def learning_rate_at(self, epoch: int) -> float:
        """Return the learning rate of an epoch (from 0)."""
        if self.lr_schedule is LearningRateSchedule.COSINE:
            from math import cos, pi

            return self.learning_rate * 0.5 * (1 + cos(pi * epoch / self.epochs))
        passed = sum(1 for mark in self.lr_decay_epochs or [] if epoch >= mark)
        return self.learning_rate * self.lr_decay_rate**passed

    @property
    def seed(self) -> int:
        """Seed of everything that differs between trials."""
        return self.trial


class TrainSpec(RunSpec):
    """Training a teacher from the data; each kind adds its own fields."""

    type: ClassVar[str] = "train"
    kind: ClassVar[str] = ""

    arch: str = option("resnet50", "Network architecture.", group="Network", aliases=("--model",))

    @field_validator("arch")
    @classmethod
    def _known_arch(cls, value: str) -> str:
        return _known(value, ARCHITECTURES, "architecture")


class DistillSpec(RunSpec):
    """Distilling a student from a teacher of the registry."""

    type: ClassVar[str] = "distill"

    teacher: str = option(
        ..., "Teacher run: id, unambiguous prefix, or path of its folder.", group="Distillation",
        aliases=("--teacher-path",), min_length=1,
    )  # fmt: skip
    student: str = option(
        "resnet18", "Architecture of the student.", group="Distillation", aliases=("--model", "--arch")
    )  # fmt: skip
    alpha: float = option(
        1.0, "Weight of the teacher's term against the labels' (the paper's lambda).", group="Distillation", ge=0, le=1
    )
    kd_T: float = option(1.0, "Teacher's temperature.", group="Distillation", gt=0)
    kd_S: float = option(1.0, "Student's temperature.", group="Distillation", gt=0)
    bnn_samples: int = option(
        10, "Weight draws averaged for each batch's target, if the teacher draws.", unit="draws",
        group="Distillation", ge=1,
    )  # fmt: skip
    weights: Weights = option(
        Weights.LAST, "Teacher's weights: its last or its best on validation.", group="Distillation"
    )

    @field_validator("student")
    @classmethod
    def _known_student(cls, value: str) -> str:
        return _known(value, ARCHITECTURES, "architecture")


def _known(value: str, names: tuple[str, ...], what: str) -> str:
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


def explain(cls: type[RunSpec], error: ValidationError) -> list[tuple[str, str]]:
    """Return (field, sentence) for each fault that pydantic found; field is "" for a cross-field fault."""
    name = command_name(cls)
    found = []
    for fault in error.errors(include_url=False):
        field = str(fault["loc"][0]) if fault["loc"] else ""
        text = fault["msg"].removeprefix("Value error, ")
        if not field:
            found.append(("", f"{name}: {text}."))
            continue
        found.append((field, f"{name}.{field} {_sentence(fault, text)}{_advice(cls, field)}"))
    return found


def command_name(cls: type[RunSpec]) -> str:
    """Return the words of the command that launches runs of this spec, as "train bayesian"."""
    return f"train {cls.kind.lower()}" if issubclass(cls, TrainSpec) and cls.kind else cls.type


_LIMITS = {
    "greater_than": ("gt", ">"), "greater_than_equal": ("ge", ">="),
    "less_than": ("lt", "<"), "less_than_equal": ("le", "<="),
}  # fmt: skip


def _sentence(fault: Any, text: str) -> str:
    got = fault.get("input")
    kind = fault["type"]
    if kind in _LIMITS:
        key, sign = _LIMITS[kind]
        return f"must be {sign} {fault['ctx'][key]:g}, got {got}."
    if kind == "missing":
        return "is missing."
    if kind == "extra_forbidden":
        return "is no setting of this run."
    if kind == "enum":
        return f"must be {fault['ctx']['expected'].replace(chr(39), '')}, got {got}."
    if kind.endswith(("_parsing", "_type")):
        words = {"int": "a whole number", "float": "a number", "bool": "true or false"}
        want = next((word for start, word in words.items() if kind.startswith(start)), text.lower())
        return f"must be {want}, got {got!r}."
    if kind == "value_error":
        return f"{got!r} {text}."
    return f"{text}, got {got!r}."


def _advice(cls: type[RunSpec], field: str) -> str:
    info = cls.model_fields.get(field)
    if info is None:
        close = nearest(field, list(cls.model_fields))
        return f" Did you mean {close}?" if close else ""
    if info.is_required():
        return f" {info.description} Give --{field.replace('_', '-')}."
    default = (
        "leave it out" if info.default is None else f"the default is {getattr(info.default, 'value', info.default)}"
    )
    return f" {info.description} If unsure, {default}."


RunType = Literal["train", "distill"]


def dump(spec: RunSpec) -> dict[str, Any]:
    """Return the spec as JSON values, with its type and (for a teacher) kind."""
    head: dict[str, Any] = {"type": spec.type}
    if isinstance(spec, TrainSpec):
        head["kind"] = spec.kind
    return head | spec.model_dump(mode="json")


def load(values: dict[str, Any]) -> RunSpec:
    """Return the spec that `dump` wrote.

    Raises:
        SpecError: If the type or kind is unknown or a value is out of range.
    """
    values = dict(values)
    kind, run_type = values.pop("kind", None), values.pop("type", None)
    if run_type == "distill":
        return make_spec(DistillSpec, values)  # type: ignore[no-any-return]
    if run_type == "train":
        from bkd.kinds.table import load_kind

        return make_spec(load_kind(str(kind)).spec, values)  # type: ignore[no-any-return]
    raise SpecError(
        f"run type {run_type!r} is unknown; known: train, distill. The folder was written by another version of bkd."
    )
