"""Sweeps: settings of many students of one teacher, and how they are told apart and grouped.

Students of one trial that see the same images are trained together, on the same batches with one teacher's pass each;
trials are trained one after another.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import inf, prod
from typing import Annotated, Any, ClassVar, Self

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from bkd.catalog import ARCHITECTURES
from bkd.errors import SpecError
from bkd.specs import DistillSpec, StudentSpec, known, make_spec, option
from bkd.text import exact

Setting = tuple[float, float, float]  # kd_T, kd_S, alpha
MOST_STUDENTS = 10_000
_FORM = "write Tt:Ts:alpha, as 4:1:0.5"


def parse_grid(text: str) -> list[Setting]:
    """Read "4:1:0.5;2:1:0.7" as [(4, 1, 0.5), (2, 1, 0.7)]: teacher's temperature, student's temperature, alpha.

    Raises:
        ValueError: Naming the triple at fault and the character where reading it stopped.
    """
    parts = text.split(";")
    if len(parts) > 1 and not parts[-1].strip():
        parts.pop()  # a semicolon at the end is let be
    settings, start = [], 0
    for index, part in enumerate(parts, 1):
        settings.append(_triple(part, index, start))
        start += len(part) + 1
    return list(dict.fromkeys(settings))


def _triple(part: str, index: int, start: int) -> Setting:
    if not part.strip():
        raise ValueError(f"has nothing in triple {index} (character {start + 1}); {_FORM}")
    fields, where = part.split(":"), f"triple {index}, {part.strip()!r}"
    if len(fields) != 3:
        raise ValueError(
            f"needs three numbers in {where} (character {_begin(part, start)}), has {len(fields)}; {_FORM}"
        )
    at, values = start, []
    for name, field in zip(("kd_T", "kd_S", "alpha"), fields, strict=True):
        values.append(_number(name, field.strip(), f"{where}: {field.strip()!r} at character {_begin(field, at)}"))
        at += len(field) + 1
    return values[0], values[1], values[2]


def _begin(text: str, start: int) -> int:
    """Return at which character, from 1, the text that lies at `start` begins after its spaces."""
    return start + len(text) - len(text.lstrip()) + 1


def _number(name: str, text: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"has no number for {name} in {where}; {_FORM}") from None
    if not (0 <= value <= 1 if name == "alpha" else 0 < value < inf):
        raise ValueError(f"has {name} out of range in {where}; temperatures must be > 0, alpha from 0 to 1")
    return value


def format_grid(settings: list[Setting]) -> str:
    """Return settings as `parse_grid` reads them."""
    return ";".join(":".join(map(exact, setting)) for setting in settings)


def _words(value: Any) -> Any:
    return value.replace(",", " ").split() if isinstance(value, str) else value


def _numbers(value: Any) -> Any:
    """Read "1-3,7" as [1, 2, 3, 7]; what is no number stays as it is, for pydantic to tell of."""
    if isinstance(value, int | float):
        return [value]
    found: list[Any] = []
    for word in _words(value) if isinstance(value, str) else value or []:
        first, dash, last = str(word).partition("-")
        if dash and first.isdigit() and last.isdigit() and int(first) <= int(last) < int(first) + MOST_STUDENTS:
            found += range(int(first), int(last) + 1)
        else:
            found.append(word)
    return found


def _each_once(values: list[Any]) -> list[Any]:
    return list(dict.fromkeys(values))


Architecture = Annotated[str, AfterValidator(lambda name: known(name, ARCHITECTURES, "architecture"))]
Architectures = Annotated[list[Architecture], BeforeValidator(_words), AfterValidator(_each_once)]
Numbers = Annotated[list[Annotated[int, Field(ge=0)]], BeforeValidator(_numbers), AfterValidator(_each_once)]
Percents = Annotated[list[float], BeforeValidator(_numbers), AfterValidator(_each_once)]


class SweepSpec(StudentSpec):
    """What every sweep has: architectures, settings and trials, of which it takes the full product."""

    sweep: ClassVar[str] = ""

    students: Architectures = option(
        ["resnet18"], "Architectures of the students, as resnet18,wrn_16_2.", group="Sweep",
        aliases=("--student", "--model", "--arch"), min_length=1,
    )  # fmt: skip
    trials: Numbers | None = option(
        None, "Trials, as 1-5 or 1,3; unset: the one of --trial.", group="Sweep", min_length=1
    )
    grid: str | None = option(
        None, "Settings as Tt:Ts:alpha triples, for instance 4:1:0.5;2:1:0.7; unset: the one of --kd-T --kd-S --alpha.",
        group="Sweep",
    )  # fmt: skip

    @field_validator("grid")
    @classmethod
    def _readable_grid(cls, value: str | None) -> str | None:
        return None if value is None else format_grid(parse_grid(value))

    @model_validator(mode="after")
    def _one_source_of_settings(self) -> Self:
        given = [name for name in ("kd_T", "kd_S", "alpha") if getattr(self, name) != 1.0]
        if self.grid is not None and given:
            raise ValueError(f"grid and {', '.join(given)} both say how to distil. Give the one or the other")
        return self

    @model_validator(mode="after")
    def _one_source_of_trials(self) -> Self:
        if self.trials is not None and self.trial != 1:
            listed = ", ".join(map(str, self.trials))
            raise ValueError(f"trial {self.trial} and trials {listed} both say what is repeated. Give --trials alone")
        return self

    @classmethod
    def command(cls) -> str:
        """Return the words of the command that launches this sweep."""
        return cls.type

    @property
    def settings(self) -> list[Setting]:
        """The settings of the grid, or the single one."""
        return [(self.kd_T, self.kd_S, self.alpha)] if self.grid is None else parse_grid(self.grid)

    @property
    def draws(self) -> list[int]:
        """S, of each student."""
        return [self.bnn_samples]

    @property
    def percents(self) -> list[float | None]:
        """Percents of the training images."""
        return [self.fewshot_percent]

    def groups(self) -> list["Group"]:
        """Return the students, those that train together in one group; nothing of the product is left out.

        Raises:
            SpecError: If there are more than 10,000.
        """
        trials = self.trials or [self.trial]
        factors: list[Sequence[Any]] = [trials, self.percents, self.students, self.settings, self.draws]
        total = prod(map(len, factors))
        if total > MOST_STUDENTS:
            raise SpecError(f"{self.command()} would train {total:,} students, more than {MOST_STUDENTS:,}. Split it.")
        common = {
            name: getattr(self, name)
            for name in self.model_fields_set
            if name in DistillSpec.model_fields and name not in ("trial", "fewshot_percent")
        }
        groups = []
        for trial, percent in product(trials, self.percents):
            own = common | {"trial": trial} | ({} if percent is None else {"fewshot_percent": percent})
            groups.append(Group(tuple(own | student for student in self._students())))
        return groups

    def _students(self) -> list[dict[str, Any]]:
        return [
            {"student": name, "kd_T": kd_t, "kd_S": kd_s, "alpha": alpha, "bnn_samples": draws}
            for name, (kd_t, kd_s, alpha), draws in product(self.students, self.settings, self.draws)
        ]


@dataclass(frozen=True)
class Group:
    """Students of one trial on the same images: values of a `DistillSpec` each."""

    students: tuple[dict[str, Any], ...]

    def specs(self) -> list[DistillSpec]:
        """Return the students' specs."""
        return [make_spec(DistillSpec, values) for values in self.students]


class FewshotSweep(SweepSpec):
    """Students on few images of each class."""

    type: ClassVar[str] = "sweep fewshot"
    sweep: ClassVar[str] = "fewshot"

    fewshot_percent: Percents = option(  # type: ignore[assignment]
        [5.0, 10.0, 15.0, 25.0, 35.0, 50.0], "Percents of each class, as 5,10; `bkd data subset` makes the subsets.",
        unit="%", group="Sweep", min_length=1,
    )  # fmt: skip

    @field_validator("fewshot_percent")
    @classmethod
    def _percents(cls, value: list[float]) -> list[float]:
        if any(not 0 < percent <= 100 for percent in value):
            raise ValueError("must hold percents above 0 and at most 100, as 5,10")
        return value

    @property
    def percents(self) -> list[float | None]:
        """Percents of the training images."""
        return list(self.fewshot_percent)


class SamplesSweep(SweepSpec):
    """Students of a teacher that draws, for S = 1 to --bnn-samples; student s sees the first s of the same draws."""

    type: ClassVar[str] = "sweep samples"
    sweep: ClassVar[str] = "samples"

    bnn_samples: int = option(
        12, "Largest number of weight draws; students are trained for 1, 2, ... up to it.", unit="draws",
        group="Sweep", ge=1, le=MOST_STUDENTS,
    )  # fmt: skip

    @property
    def draws(self) -> list[int]:
        """S, of each student."""
        return list(range(1, self.bnn_samples + 1))


class GridSweep(SweepSpec):
    """Students for each setting of a grid."""

    type: ClassVar[str] = "sweep grid"
    sweep: ClassVar[str] = "grid"

    @model_validator(mode="after")
    def _has_a_grid(self) -> Self:
        if self.grid is None:
            raise ValueError("grid is missing. Give Tt:Ts:alpha triples, as --grid '4:1:0.5;2:1:0.7'")
        return self


class SeedsSweep(SweepSpec):
    """Repetitions of one setting, one trial after another."""

    type: ClassVar[str] = "sweep seeds"
    sweep: ClassVar[str] = "seeds"

    trials: Numbers = option([1, 2, 3, 4, 5], "Trials, as 1-5 or 1,3.", group="Sweep", min_length=1)
