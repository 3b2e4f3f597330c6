"""The presets: the numbers of the paper, fields that exist, flags that win."""

from typing import Any

import pytest

from bkd.catalog import RUN_TYPES
from bkd.kinds.table import KINDS, load_kind
from bkd.presets import PAPER, QUICK, TITLES, filled, preset_values, presets_for
from bkd.specs import DistillSpec, RunSpec, make_spec
from bkd.sweep_specs import FewshotSweep, GridSweep, SamplesSweep, SeedsSweep

SPECS: list[type[RunSpec]] = [
    *(load_kind(kind).spec for kind in KINDS), DistillSpec, FewshotSweep, GridSweep, SamplesSweep, SeedsSweep,
]  # fmt: skip
CASES = [(spec, preset) for spec in SPECS for preset in presets_for(spec.command())]


def resolved(spec: type[RunSpec], preset: str, teacher_kind: str = "", **given: Any) -> Any:
    source = {"teacher": "aaaa0001"} if "teacher" in spec.model_fields else {}
    return make_spec(spec, filled(source | given, preset_values(preset, spec.command(), teacher_kind)))


def test_every_form_but_those_without_numbers_has_a_preset() -> None:
    without = {spec.command() for spec in SPECS} - {spec.command() for spec, _ in CASES}
    assert without == {"train ensemble", "train ttda"}
    assert len(SPECS) == len(KINDS) + len(RUN_TYPES) - 1


@pytest.mark.parametrize(("spec", "preset"), CASES, ids=lambda value: getattr(value, "__name__", value))
def test_every_value_is_a_setting_that_the_spec_takes(spec: type[RunSpec], preset: str) -> None:
    for kind in KINDS:
        values = preset_values(preset, spec.command(), kind)
        assert set(values) <= set(spec.model_fields), spec
        if spec is GridSweep and "grid" not in values:  # of kinds that the paper gives no settings for
            continue
        made = resolved(spec, preset, kind)
        for name, value in values.items():
            shown = getattr(getattr(made, name), "value", getattr(made, name))
            assert value is None or shown == value or name == "grid", name


@pytest.mark.parametrize(("kind", "marks"), [("Deterministic", [100, 150]), ("Bayesian", [100]), ("MSE", [100])])
def test_the_papers_recipe_of_trained_teachers(kind: str, marks: list[int]) -> None:
    spec = resolved(load_kind(kind).spec, PAPER)
    assert (spec.dataset, spec.protocol, spec.epochs, spec.batch_size) == ("cifar100", "paper", 200, 100)
    assert (spec.optimizer, spec.learning_rate, spec.weight_decay) == ("adam", 1e-3, 0)
    assert (spec.lr_schedule, spec.lr_decay_epochs, spec.lr_decay_rate) == ("step", marks, 0.1)
    if kind == "Bayesian":
        assert (spec.vi, spec.bnn_ml_epochs, spec.bnn_annealing_epochs) == ("inducing", 100, 50)


def test_the_papers_recipe_of_mcmi() -> None:
    spec = resolved(load_kind("MCMI").spec, PAPER)
    assert (spec.epochs, spec.learning_rate, spec.lr_schedule, spec.mcmi_param) == (20, 2e-4, "cosine", 0.15)
    assert spec.lr_decay_epochs is None


@pytest.mark.parametrize(
    ("kind", "setting"),
    [
        ("Deterministic", (4, 1, 0.5, 10)),
        ("Bayesian", (4, 1, 0.7, 1)),
        ("Laplace", (2, 2, 1, 10)),
        ("MCMI", (4, 1, 0.8, 10)),
    ],
)
def test_the_papers_students_are_distilled_by_the_kind_of_their_teacher(kind: str, setting: tuple[Any, ...]) -> None:
    spec = resolved(DistillSpec, PAPER, kind)
    assert (spec.kd_T, spec.kd_S, spec.alpha, spec.bnn_samples) == setting
    grid = resolved(GridSweep, PAPER, kind)
    assert grid.settings == [setting[:3]]


def test_what_is_given_wins_and_what_contradicts_it_is_left_out() -> None:
    assert resolved(load_kind("Bayesian").spec, PAPER, epochs=40).bnn_ml_epochs == 20
    seeds = resolved(SeedsSweep, PAPER, "Deterministic", grid="1:1:1")
    assert seeds.settings == [(1, 1, 1)]
    assert resolved(DistillSpec, PAPER, "MCMI", alpha=0.3).alpha == 0.3
    assert resolved(DistillSpec, PAPER, "MCMI", alpha=0.3).kd_T == 4


def test_a_quick_look_is_small() -> None:
    spec = resolved(load_kind("Deterministic").spec, QUICK)
    assert (spec.dataset, spec.arch) == ("digits", "wrn_16_1")
    assert spec.epochs < 10
    assert set(TITLES) == {PAPER, QUICK}
