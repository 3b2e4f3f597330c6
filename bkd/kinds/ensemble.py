"""Ensemble teacher: the mean of several teachers' probabilities; a list of runs, no weights of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import BeforeValidator, field_validator

from bkd.kinds.kind import Kind
from bkd.specs import DataSpec, option

if TYPE_CHECKING:
    from bkd.teachers import Teacher


def _refs(value: Any) -> Any:
    """Read "3fa8,77b1" as ["3fa8", "77b1"]."""
    return value.replace(" ", ",").strip(",").split(",") if isinstance(value, str) else value


class EnsembleSpec(DataSpec):
    """Settings of an Ensemble teacher."""

    type: ClassVar[str] = "train"
    kind: ClassVar[str] = "Ensemble"

    members: Annotated[list[str], BeforeValidator(_refs)] = option(
        ..., "Teachers whose probabilities are averaged, as 3fa8,77b1: ids, prefixes or folders.", group="Ensemble"
    )
    bnn_test_samples: int = option(
        10, "Weight draws averaged per prediction in validation and test, of members that draw.", unit="draws",
        group="Ensemble", ge=1,
    )  # fmt: skip

    @field_validator("members")
    @classmethod
    def _at_least_two(cls, value: list[str]) -> list[str]:
        members = list(dict.fromkeys(member for member in value if member))
        if len(members) < 2:
            raise ValueError("must name at least two different teachers, as 3fa8,77b1")
        return members

    @property
    def sources(self) -> tuple[str, ...]:
        """The members."""
        return tuple(self.members)


def combine(spec: EnsembleSpec, sources: Sequence[Teacher]) -> Teacher:
    """Return the members as one teacher: p = mean over members of each member's own p at T."""
    from bkd.combined import EnsembleTeacher

    return EnsembleTeacher(sources)


KIND = Kind("Ensemble", "The mean of several teachers' probabilities; no training.", EnsembleSpec, combine=combine)
