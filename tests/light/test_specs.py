"""Settings: what is refused, in which words, and what is filled in."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bkd.errors import SpecError
from bkd.kinds.table import KINDS, kind_name, load_kind
from bkd.specs import DistillSpec, dump, load, make_spec

BAYESIAN = load_kind("Bayesian").spec


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"epochs": 0}, ["train bayesian.epochs", ">= 1", "got 0", "default is 200"]),
        ({"dataset": "cifar10O"}, ["no data set", "Did you mean cifar10"]),
        ({"momentum": 0.5}, ["momentum belongs to sgd", "--optimizer sgd"]),
        ({"lr_decay_epochs": "150,100"}, ["rising epochs"]),
        ({"device": "gpu"}, ["'gpu'", "cuda"]),
        ({"epoch": 3}, ["no setting of this run", "Did you mean epochs"]),
        (
            {"epochs": 10, "bnn_ml_epochs": 6, "bnn_annealing_epochs": 6},
            ["weight 0.50", "6 + 1 = 13", "--allow-partial-kl"],
        ),
    ],
)  # fmt: skip
def test_a_fault_names_field_value_and_remedy(values: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(SpecError) as caught:
        make_spec(BAYESIAN, values)
    assert [word for word in words if word not in str(caught.value)] == []


def test_every_fault_is_told_at_once() -> None:
    with pytest.raises(SpecError) as caught:
        make_spec(DistillSpec, {"kd_T": -1, "alpha": 2})
    assert all(f"distill.{field}" in str(caught.value) for field in ("teacher", "kd_T", "alpha"))


@given(st.integers(1, 400))
def test_phases_left_open_always_give_the_kl_its_full_weight(epochs: int) -> None:
    spec = make_spec(BAYESIAN, {"epochs": epochs})
    assert spec.bnn_ml_epochs + spec.bnn_annealing_epochs + 1 <= epochs or epochs == 0


def test_the_papers_schedule_is_what_is_filled_in() -> None:
    deterministic, bayesian = make_spec(load_kind("Deterministic").spec, {}), make_spec(BAYESIAN, {})
    assert deterministic.lr_decay_epochs == [100, 150]
    assert (bayesian.lr_decay_epochs, bayesian.bnn_ml_epochs, bayesian.bnn_annealing_epochs) == ([100], 100, 50)
    assert [deterministic.learning_rate_at(e) for e in (0, 99, 100, 150)] == pytest.approx([1e-3, 1e-3, 1e-4, 1e-5])


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_is_read_back(kind: str) -> None:
    given = {"arch": "WRN-16-1", "epochs": "12", "trial": 3, "teacher": "aaaa1111", "members": "aaaa1111,bbbb2222"}
    cls = load_kind(kind).spec
    spec = make_spec(cls, {name: value for name, value in given.items() if name in cls.model_fields})
    assert load(dump(spec)) == spec
    assert dump(spec)["kind"] == kind


def test_every_field_explains_itself() -> None:
    for cls in (DistillSpec, *(load_kind(kind).spec for kind in KINDS)):
        for name, info in cls.model_fields.items():
            assert info.description, name
            assert {"unit", "group", "flags"} <= set(info.json_schema_extra), name  # type: ignore[arg-type]


def test_kinds_match_in_any_case() -> None:
    assert kind_name("bayesian") == "Bayesian"
    with pytest.raises(SpecError, match="Did you mean Bayesian"):
        kind_name("bayes")
