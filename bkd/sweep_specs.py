"""Sweeps: settings of many students of one teacher, and how they are told apart and grouped.

Students of one trial that see the same images are trained together, on the same batches with one teacher's pass each;
trials are trained one after another.
"""

from dataclasses import dataclass
from itertools import product
from typing import Annotated, Any, ClassVar, Self

from pydantic import BeforeValidator, field_validator, model_validator

from bkd.catalog import ARCHITECTURES
from bkd.errors import SpecError
from bkd.specs import DistillSpec, StudentSpec, known, make_spec, option

Setting = tuple[float, float, float]  # kd_T, kd_S, alpha
MOST_STUDENTS = 10_000


def parse_grid(text: str) -> list[Setting]:
    """Read "4:1:0.5;2:1:0.7" as [(4, 1, 0.5), (2, 1, 0.7)]: teacher's temperature, student's temperature, alpha.

    Raises:
        ValueError: Naming the triple at fault and the character where reading it stopped.
    """
    settings, start = [], 0
    for index, part in enumerate(text.split(";"), 1):
        if part.strip():
            settings.append(_triple(part, index, start))
        elif len(text.split(";")) == 1 or index < len(text.split(";")):  # a semicolon at the end is let be
            raise ValueError(f"has nothing in triple {index} (character {start + 1}); write Tt:Ts:alpha, as 4:1:0.5")
        start += len(part) + 1
    return list(dict.fromkeys(settings))


def _triple(part: str, index: int, start: int) -> Setting:
    fields, at, values = part.split(":"), start, []
    if len(fields) != 3:
        raise ValueError(
            f"needs three numbers in triple {index}, {part.strip()!r} (character {start + 1}), has {len(fields)}; "
            "write Tt:Ts:alpha, as 4:1:0.5"
        )
    for name, field in zip(("kd_T", "kd_S", "alpha"), fields, strict=True):
        try:
            values.append(float(field))
        except ValueError:
            raise ValueError(
                f"has no number for {name} in triple {index}, {part.strip()!r}: {field.strip()!r} at character "
                f"{at + 1}; write Tt:Ts:alpha, as 4:1:0.5"
            ) from None
        at += len(field) + 1
    kd_t, kd_s, alpha = values
    if not (kd_t > 0 and kd_s > 0 and 0 <= alpha <= 1):
        raise ValueError(
            f"is out of range in triple {index}, {part.strip()!r}: temperatures must be > 0, alpha from 0 to 1"
        )
    return kd_t, kd_s, alpha


def format_grid(settings: list[Setting]) -> str:
    """Return settings as `parse_grid` reads them."""
    return ";".join(f"{kd_t:g}:{kd_s:g}:{alpha:g}" for kd_t, kd_s, alpha in settings)


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
    return list(dict.fromkeys(found))


Words = Annotated[list[str], BeforeValidator(_words)]
Numbers = Annotated[list[int], BeforeValidator(_numbers)]
Percents = Annotated[list[float], BeforeValidator(_numbers)]


class SweepSpec(StudentSpec):
    """What every sweep has: architectures, settings and trials, of which it takes the full product."""

    sweep: ClassVar[str] = ""

    students: Words = option(
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

    @field_validator("students")
    @classmethod
    def _known_students(cls, value: list[str]) -> list[str]:
        return list(dict.fromkeys(known(name, ARCHITECTURES, "architecture") for name in value))

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
        common = {
            name: getattr(self, name)
            for name in self.model_fields_set
            if name in DistillSpec.model_fields and name not in ("trial", "fewshot_percent")
        }
        groups = []
        for trial, percent in product(self.trials or [self.trial], self.percents):
            own = common | {"trial": trial} | ({} if percent is None else {"fewshot_percent": percent})
            groups.append(Group(tuple(own | student for student in self._students())))
        if (total := sum(len(group.students) for group in groups)) > MOST_STUDENTS:
            raise SpecError(f"{self.command()} would train {total:,} students, more than {MOST_STUDENTS:,}. Split it.")
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
        group="Sweep", ge=1,
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
