"""Several trials: how they are read, and what is launched for them."""

import pytest

from bkd.kinds.table import load_kind
from bkd.specs import DistillSpec
from bkd.sweep_specs import SeedsSweep
from bkd.trials import parse_trials, seeds_values, spec_of_trials


@pytest.mark.parametrize(
    ("text", "trials"),
    [("3", [3]), ("1-3", [1, 2, 3]), ("1,2,5", [1, 2, 5]), ("1-3, 2 9", [1, 2, 3, 9]), ("0", [0]), ("5-5", [5])],
)
def test_trials_are_read(text: str, trials: list[int]) -> None:
    assert parse_trials(text) == trials


@pytest.mark.parametrize("text", ["", ",", "x", "1-", "-1", "3-1", "1.5", "１-３", "²", "1-x", "9" * 40, "1\n-2"])
def test_what_is_no_trial_is_refused_with_how_to_write_it(text: str) -> None:
    with pytest.raises(ValueError, match="whole numbers >= 0, as 1-5 or 1,2,5"):
        parse_trials(text)


@pytest.mark.parametrize("text", ["1-1000000000", "1-60 101-160"])
def test_too_many_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="at most 100"):
        parse_trials(text)


def test_students_over_trials_are_a_sweep() -> None:
    spec = spec_of_trials(
        DistillSpec, {"teacher": "aaaa0001", "student": "vgg8", "alpha": 0.5, "trial": "1-3"}, [1, 2, 3]
    )
    assert isinstance(spec, SeedsSweep)
    assert (spec.students, spec.trials, spec.alpha) == (["vgg8"], [1, 2, 3], 0.5)
    assert isinstance(spec_of_trials(DistillSpec, {"teacher": "aaaa0001"}, [4]), DistillSpec)


def test_what_a_sweep_cannot_set_is_no_sweep() -> None:
    values = {"teacher": "aaaa0001", "student": "wrn_16_1", "preact_shortcut": False}
    assert seeds_values(DistillSpec, values, [1, 2]) is None
    assert seeds_values(load_kind("MSE").spec, {}, [1, 2]) is None
    assert spec_of_trials(DistillSpec, values, [7, 8]).trial == 7
