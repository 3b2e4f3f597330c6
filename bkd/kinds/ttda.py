"""TTDA teacher: a Deterministic teacher averaged over augmented views of each image (test-time data augmentation)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

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
