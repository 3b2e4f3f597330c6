"""TTDA teacher: a Deterministic teacher averaged over augmented views of each image (test-time data augmentation)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import model_validator

from bkd.catalog import DATASETS
from bkd.kinds.kind import Kind
from bkd.specs import DerivedSpec, option

if TYPE_CHECKING:
    from bkd.teachers import Teacher


class TTDASpec(DerivedSpec):
    """Settings of a TTDA teacher."""

    kind: ClassVar[str] = "TTDA"
    made_from: ClassVar[tuple[str, ...]] = ("Deterministic", "MSE", "MCMI")

    views: int = option(
        8, "Views averaged: the image itself, then crops and mirror images chosen by the trial's seed.", unit="views",
        group="TTDA", ge=2,
    )  # fmt: skip

    @model_validator(mode="after")
    def _no_more_than_there_are(self) -> Self:
        info = DATASETS[self.dataset]
        most = (2 * info.pad + 1) ** 2 * (2 if info.hflip else 1)
        if self.views > most:
            raise ValueError(f"views is {self.views}, images of {info.name} have {most}. Give at most {most}")
        return self


def combine(spec: TTDASpec, sources: Sequence[Teacher]) -> Teacher:
    """Return the network averaged over its views: p = mean over views of softmax(z_view / T)."""
    from bkd.combined import AugmentedTeacher
    from bkd.data.augment import fixed_views

    [source] = sources
    info = DATASETS[spec.dataset]
    return AugmentedTeacher(source.network, lambda x: fixed_views(x, info, spec.views, spec.seed))


KIND = Kind(
    "TTDA", "A Deterministic teacher averaged over augmented views of each image; no training.", TTDASpec,
    combine=combine,
)  # fmt: skip
