"""Sweeps: how a grid is read, and that the product of what is varied is whole."""

import re
from itertools import product
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bkd.catalog import ARCHITECTURES
from bkd.errors import SpecError
from bkd.specs import DistillSpec, dump, load, make_spec
from bkd.sweep_specs import (
    FewshotSweep,
    GridSweep,
    SamplesSweep,
    SeedsSweep,
    SweepSpec,
    format_grid,
    parse_grid,
)

TEACHER = {"teacher": "aaaa1111"}
SWEEPS: list[type[SweepSpec]] = [FewshotSweep, SamplesSweep, GridSweep, SeedsSweep]

temperatures = st.floats(min_value=1e-6, max_value=1e6)
triples = st.tuples(temperatures, temperatures, st.floats(0, 1))
grids = st.lists(triples, min_size=1, max_size=6, unique=True)


def sweep(cls: type[SweepSpec], **values: Any) -> Any:
    if cls is GridSweep:
        values = {"grid": "4:1:0.5;2:1:0.7"} | values
    return make_spec(cls, TEACHER | values)


# ---- the grid


def test_a_grid_is_read_in_its_order() -> None:
    assert parse_grid("4:1:0.5;2:1:0.7") == [(4, 1, 0.5), (2, 1, 0.7)]
    assert parse_grid(" 4 : 1 : .5 ; 1e-3:2:0;") == [(4, 1, 0.5), (0.001, 2, 0)]
    assert parse_grid("4:1:1;2:1:1;4:1:1.0") == [(4, 1, 1), (2, 1, 1)]


@pytest.mark.parametrize(
    ("text", "triple", "character"),
    [
        ("", 1, 1), (";", 1, 1), ("4:1:0.5;;2:1:1", 2, 9), ("4:1:0.5; ;2:1:1", 2, 9),
        ("4:1", 1, 1), ("4:1:0.5;  2:1", 2, 11), ("4:1:0.5:3", 1, 1), ("4:1:0.5,2:1:0.7", 1, 1),
        ("x:1:0.5", 1, 1), ("4:1:0.5;2:x:0.7", 2, 11), ("4:1:0.5; 2: x:0.7", 2, 13), ("4:1:half", 1, 5),
        ("4::0.5", 1, 3), ("4:1:0.5;0:1:1", 2, 9), ("4:-1:0.5", 1, 3), ("4:1:0.5;4:1:1.01", 2, 13),
        ("inf:1:0.5", 1, 1), ("4:nan:0.5", 1, 3), ("4:1:nan", 1, 5),
    ],
)  # fmt: skip
def test_a_grid_that_does_not_parse_names_triple_and_character(text: str, triple: int, character: int) -> None:
    with pytest.raises(ValueError) as caught:
        parse_grid(text)
    assert f"triple {triple}" in str(caught.value)
    assert re.search(rf"character {character}\b", str(caught.value)), caught.value
    with pytest.raises(SpecError, match=rf"sweep grid\.grid .*triple {triple}"):
        sweep(GridSweep, grid=text)


@given(grids)
def test_a_grid_is_written_as_it_is_read(settings: list[tuple[float, float, float]]) -> None:
    assert parse_grid(format_grid(settings)) == settings


def test_a_grid_is_written_short() -> None:
    assert format_grid([(4.0, 1.0, 0.5)]) == "4:1:0.5"


# ---- the product


@given(
    grids,
    st.lists(st.sampled_from(ARCHITECTURES), min_size=1, max_size=3, unique=True),
    st.lists(st.integers(0, 99), min_size=1, max_size=3, unique=True),
    st.lists(st.floats(0.001, 100), min_size=1, max_size=3, unique=True),
)
def test_a_sweep_trains_the_full_product_in_order(
    settings: list[tuple[float, float, float]], students: list[str], trials: list[int], percents: list[float]
) -> None:
    spec = sweep(FewshotSweep, grid=format_grid(settings), students=students, trials=trials, fewshot_percent=percents)
    groups = spec.groups()
    assert [[(s["trial"], s["fewshot_percent"]) for s in group.students] for group in groups] == [
        [both] * (len(students) * len(settings)) for both in product(trials, percents)
    ]
    for group in groups:
        found = [(s["student"], (s["kd_T"], s["kd_S"], s["alpha"])) for s in group.students]
        assert found == list(product(students, settings))


@given(st.integers(1, 40), st.lists(st.integers(0, 30), min_size=1, max_size=4, unique=True))
def test_a_samples_sweep_has_every_number_of_draws_once_a_trial(most: int, trials: list[int]) -> None:
    groups = sweep(SamplesSweep, bnn_samples=most, trials=trials).groups()
    assert [[s["bnn_samples"] for s in group.students] for group in groups] == [list(range(1, most + 1))] * len(trials)


def test_groups_share_trial_and_images_so_that_they_share_batches() -> None:
    for cls in SWEEPS:
        for group in sweep(cls, students="resnet18,wrn_16_2", trials="1-3").groups():
            shared = {
                (s.trial, s.fewshot_percent, s.batch_size, s.epochs, s.teacher, s.learning_rate) for s in group.specs()
            }
            assert len(shared) == 1


def test_students_take_over_what_the_sweep_was_given_and_nothing_else() -> None:
    spec = sweep(GridSweep, epochs=8, learning_rate="3e-3", optimizer="sgd", fewshot_percent=5, device="cpu")
    [group] = spec.groups()
    for student, setting in zip(group.specs(), [(4, 1, 0.5), (2, 1, 0.7)], strict=True):
        assert (student.epochs, student.learning_rate, student.momentum) == (8, 0.003, 0.9)
        assert (student.fewshot_percent, student.device, student.lr_decay_epochs) == (5, "cpu", [4])
        assert (student.kd_T, student.kd_S, student.alpha) == setting
        alone = TEACHER | {
            "student": "resnet18", "epochs": 8, "learning_rate": 3e-3, "optimizer": "sgd", "fewshot_percent": 5,
            "device": "cpu", "kd_T": setting[0], "alpha": setting[2],
        }  # fmt: skip
        assert student == make_spec(DistillSpec, alone)


def test_a_sweep_of_too_many_students_is_refused_before_any_is_made() -> None:
    grid = ";".join(f"{i}:1:1" for i in range(1, 101))
    assert sum(len(g.students) for g in sweep(GridSweep, grid=grid, trials="0-99").groups()) == 10_000
    with pytest.raises(SpecError, match="10,100 students, more than 10,000"):
        sweep(GridSweep, grid=grid, trials="0-100").groups()
    huge = sweep(SamplesSweep, bnn_samples=10_000, trials="0-9998", students=",".join(ARCHITECTURES))
    with pytest.raises(SpecError, match="Split it"):
        huge.groups()
    with pytest.raises(SpecError, match="bnn_samples must be >= 1 and <= 10000"):
        sweep(SamplesSweep, bnn_samples=10**9)


# ---- lists


@pytest.mark.parametrize(
    ("text", "trials"),
    [
        ("1-3", [1, 2, 3]), ("1-3,7", [1, 2, 3, 7]), ("7 1-2", [7, 1, 2]), ("2-2", [2]), (4, [4]), ("1-3,2", [1, 2, 3]),
        ("1,1", [1]), ([5, 6], [5, 6]),
    ],
)  # fmt: skip
def test_trials_are_read_once_each(text: Any, trials: list[int]) -> None:
    assert sweep(SeedsSweep, trials=text).trials == trials


def test_percents_and_architectures_are_read_once_each() -> None:
    spec = sweep(FewshotSweep, fewshot_percent="5,5.0,10", students="resnet18,ResNet18,WRN-16-1")
    assert spec.fewshot_percent == [5.0, 10.0]
    assert spec.students == ["resnet18", "wrn_16_1"]


@pytest.mark.parametrize(
    ("cls", "values", "words"),
    [
        (SeedsSweep, {"trials": "3-1"}, ["sweep seeds.trials", "'3-1'"]),
        (SeedsSweep, {"trials": ""}, ["sweep seeds.trials", "empty"]),
        (SeedsSweep, {"trials": "-1"}, ["sweep seeds.trials", ">= 0"]),
        (SeedsSweep, {"trials": "1-99999"}, ["sweep seeds.trials", "'1-99999'"]),
        (FewshotSweep, {"fewshot_percent": "0,5"}, ["sweep fewshot.fewshot_percent", "above 0"]),
        (FewshotSweep, {"fewshot_percent": "101"}, ["sweep fewshot.fewshot_percent", "at most 100"]),
        (FewshotSweep, {"fewshot_percent": "nan"}, ["sweep fewshot.fewshot_percent", "finite"]),
        (FewshotSweep, {"students": "resnet18,wrn_16_3"}, ["fewshot.students 'wrn_16_3'", "Did you mean wrn_16_"]),
        (GridSweep, {"grid": None}, ["grid is missing", "--grid"]),
    ],
)  # fmt: skip
def test_a_fault_names_field_value_and_remedy(cls: type[SweepSpec], values: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(SpecError) as caught:
        sweep(cls, **values)
    assert [word for word in words if word not in str(caught.value)] == []


@pytest.mark.parametrize("field", ["kd_T", "kd_S", "alpha"])
def test_a_grid_and_a_single_setting_are_not_both_given(field: str) -> None:
    with pytest.raises(SpecError, match=f"grid and {field} both"):
        sweep(GridSweep, **{field: 0.5})


@pytest.mark.parametrize("cls", SWEEPS)
def test_a_trial_and_trials_are_not_both_given(cls: type[SweepSpec]) -> None:
    assert sweep(cls, trials="2,3", trial=1).trials == [2, 3]
    with pytest.raises(SpecError, match=r"trial 4 and trials 2, 3 both.*Give --trials alone"):
        sweep(cls, trials="2,3", trial=4)


def test_without_a_list_the_trial_is_the_one_of_the_flag() -> None:
    assert [s["trial"] for group in sweep(GridSweep, trial=4).groups() for s in group.students] == [4, 4]


@pytest.mark.parametrize("value", ["inf", "-inf", "nan"])
def test_a_setting_that_is_not_finite_is_refused(value: str) -> None:
    with pytest.raises(SpecError, match=r"distill\.kd_T must be"):
        make_spec(DistillSpec, TEACHER | {"kd_T": value})


# ---- on disk


@pytest.mark.parametrize("cls", SWEEPS)
def test_what_is_written_is_read_back(cls: type[SweepSpec]) -> None:
    spec = sweep(cls, students="resnet18,wrn_16_2", trials="2-4", epochs=12, fewshot_root="/data/few")
    read = load(orjson.loads(orjson.dumps(dump(spec))))
    assert read == spec
    assert [g.specs() for g in read.groups()] == [g.specs() for g in spec.groups()]
    assert dump(read) == dump(spec)


def test_every_field_of_a_sweep_explains_itself() -> None:
    for cls in SWEEPS:
        for name, info in cls.model_fields.items():
            assert info.description, name
            assert {"unit", "group", "flags"} <= set(info.json_schema_extra), name  # type: ignore[arg-type]
