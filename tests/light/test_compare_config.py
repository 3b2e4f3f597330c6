"""How runs differ: their own settings first, then their teachers', down the lineage."""

import pytest

from bkd.compare_config import GONE, Level, column_text, configuration, values_text
from bkd.compare_headings import headings
from bkd.kinds.table import KINDS, load_kind
from bkd.specs import DistillSpec
from bkd.sweep_specs import FewshotSweep, GridSweep, SamplesSweep, SeedsSweep
from bkd.synthetic_spec import SyntheticSpec


def run(run_id, kind="Deterministic", trial=1, role="teacher", **fields):
    spec = {"type": "train", "kind": kind, "arch": "wrn_16_1", "dataset": "digits", "epochs": 20, "trial": trial}
    base = {"id": run_id, "role": role, "kind": kind, "arch": "wrn_16_1", "dataset": "digits", "trial": trial}
    return base | {"spec": spec | fields.pop("spec", {})} | fields


def student(run_id, teacher, trial=1, **fields):
    spec = {"type": "distill", "teacher": teacher["id"], "student": "vgg8", "alpha": 1.0, "epochs": 30, "trial": trial}
    spec |= fields.pop("spec", {})
    lineage = {"teacher": teacher["id"], "teacher_kind": teacher["kind"], "teacher_trial": teacher["trial"]}
    base = {"id": run_id, "role": "student", "kind": teacher["kind"], "arch": "wrn_16_1", "student_arch": "vgg8"}
    return base | {
        "dataset": "digits", "teacher": teacher["id"], "trial": trial, "lineage": lineage, "spec": spec,
    } | fields  # fmt: skip


def level(columns, *origins, defaults=lambda run_type, kind: {}):
    return configuration(columns, {origin["id"]: origin for origin in origins}, defaults)


def table(parts):
    return {part.title: {setting.name: setting.values for setting in part.settings} for part in parts}


def flat(found: Level):
    return {name: values for settings in table(found.different).values() for name, values in settings.items()}


# ---- settings


def test_what_differs_is_told_from_what_agrees_under_the_specs_headings():
    found = level([[run("a")], [run("b", spec={"epochs": 30, "learning_rate": 0.1})]])
    assert table(found.different) == {"Optimisation": {"epochs": ((20,), (30,)), "learning_rate": ((None,), (0.1,))}}
    same = table(found.same)
    assert same["Run"]["kind"] == (("Deterministic",), ("Deterministic",))
    assert set(same) == {"Run"}
    assert found.below == ()


def test_every_pair_of_settings_is_judged_as_a_plain_loop_does():
    specs = [{"epochs": 10, "vi": "ffg"}, {"epochs": 10}, {"epochs": 20, "batch_size": 5}, {"epochs": 10, "vi": "ffg"}]
    runs = [run(f"r{i}", spec=spec) for i, spec in enumerate(specs)]
    for first in runs:
        for second in runs:
            found = level([[first], [second]])
            expected = {
                name
                for name in (*first["spec"], *second["spec"])
                if first["spec"].get(name) != second["spec"].get(name)
            }
            assert set(flat(found)) == expected


def test_a_run_older_than_a_setting_has_its_default():
    old, new = run("a"), run("b", spec={"batch_size": 100})
    assert level([[old], [new]], defaults=lambda run_type, kind: {"batch_size": 100}).different == ()
    assert flat(level([[old], [new]], defaults=lambda run_type, kind: {"batch_size": 50})) == {
        "batch_size": ((50,), (100,))
    }


def test_where_and_on_what_it_ran_stands_last_and_an_unknown_machine_is_no_difference():
    a = run("a", environment={"torch": "2.1"}, spec={"device": "cpu"}, split={"train": 100})
    b = run("b", environment={"torch": "2.2"}, spec={"device": "cuda", "new_thing": 1}, split={"train": 90})
    found = level([[a], [b]])
    assert [part.title for part in found.different] == ["Data", "Other", "Running", "Ran on"]
    assert flat(found)["training images"] == ((100,), (90,))
    queued = run("c", spec={"device": "cpu"})
    assert level([[a], [queued]]).different == ()


def test_repetitions_are_one_column_with_all_their_values():
    a = [run(f"a{i}", trial=i) for i in (1, 2, 3)]
    b = [run(f"b{i}", trial=i) for i in (2, 4)]
    found = level([a, b])
    assert flat(found) == {"trial": ((1, 2, 3), (2, 4))}
    assert [values_text(values) for values in flat(found)["trial"]] == ["1-3", "2, 4"]


def test_a_list_differs_by_its_items_and_reads_without_brackets():
    found = level([[run("a", spec={"lr_decay_epochs": [10, 15]})], [run("b", spec={"lr_decay_epochs": [10]})]])
    assert [values_text(values) for values in flat(found)["lr_decay_epochs"]] == ["10,15", "10"]


def test_values_that_differ_read_differently():
    texts = [values_text((value,)) for value in (0.0001, 0.00010001, 1, 1.5, True, None, "x\x1b[2J")]
    assert texts == ["0.0001", "0.00010001", "1", "1.5", "yes", "-", "x"]


# ---- the teachers


def test_teachers_that_are_different_runs_are_compared():
    one, two = run("t1"), run("t2", "Bayesian", spec={"vi": "ffg"})
    found = level([[student("a", one)], [student("b", two)]], one, two)
    assert [below.title for below in found.below] == ["Teachers"]
    assert flat(found.below[0]) == {"kind": (("Deterministic",), ("Bayesian",)), "vi": ((None,), ("ffg",))}
    assert [column_text(column) for column in found.below[0].columns] == ["t1", "t2"]


def test_several_runs_of_a_column_are_named_in_order():
    assert column_text((run("b"), run("a"))) == "a, b"
    assert column_text(()) == "none"


def test_one_teacher_of_both_is_named_and_not_walked_into():
    base = run("t0")
    teacher = run("t1", "Laplace", teacher="t0")
    found = level([[student("a", teacher)], [student("b", teacher, trial=2)]], teacher, base)
    [below] = found.below
    assert below.is_shared
    assert (below.different, below.same, below.below) == ((), (), ())


def test_the_walk_goes_down_to_the_teachers_teachers():
    bases = run("d1"), run("d2", spec={"epochs": 99})
    teachers = [run(f"l{i}", "Laplace", teacher=base["id"]) for i, base in enumerate(bases)]
    found = level([[student("a", teachers[0])], [student("b", teachers[1])]], *teachers, *bases)
    assert [below.title for below in found.walk()] == ["", "Teachers", "Teachers' teachers"]
    assert flat([*found.walk()][2]) == {"epochs": ((20,), (99,))}


def test_members_are_set_beside_those_that_are_most_alike():
    shared, slow = run("m1", "Bayesian", spec={"vi": "ffg"}), run("m2", "MSE", spec={"mse_on": "logits"})
    fast = run("m3", "MSE", spec={"mse_on": "probs"})
    ensembles = [
        run("e1", "Ensemble", members=["m2", "m1"]),
        run("e2", "Ensemble", members=["m1", "m3"]),
    ]
    found = level([[ensembles[0]], [ensembles[1]]], shared, slow, fast)
    by_title = {below.title: below for below in found.below}
    assert set(by_title) == {"Members: MSE wrn_16_1", "Members: Bayesian wrn_16_1"}
    assert by_title["Members: Bayesian wrn_16_1"].is_shared
    assert flat(by_title["Members: MSE wrn_16_1"]) == {"mse_on": (("logits",), ("probs",))}


def test_members_that_repeat_each_other_are_one_column():
    bayes = [run(f"b{i}", "Bayesian", trial=i) for i in (1, 2, 3)]
    plain = [run(f"d{i}", trial=i) for i in (1, 2, 3)]
    ensembles = [
        run("e1", "Ensemble", members=["b1", "b2", "b3"]),
        run("e2", "Ensemble", members=["d1", "d2", "d3"]),
    ]
    [below] = level([[ensembles[0]], [ensembles[1]]], *bayes, *plain).below
    assert flat(below) == {"kind": (("Bayesian",), ("Deterministic",))}
    assert table(below.same)["Run"]["trial"] == ((1, 2, 3), (1, 2, 3))


def test_an_ensemble_beside_one_teacher_leaves_its_further_families_without_partner():
    bayes, mse, plain = run("b1", "Bayesian"), run("m1", "MSE"), run("d1")
    ensemble, laplace = run("e1", "Ensemble", members=["b1", "m1"]), run("l1", "Laplace", teacher="d1")
    found = level([[ensemble], [laplace]], bayes, mse, plain)
    assert sorted(tuple(map(column_text, below.columns)) for below in found.below) == [("b1", "d1"), ("m1", "none")]


def test_a_deleted_teacher_is_named_with_what_its_student_noted():
    there = run("t1", "Bayesian", trial=1)
    gone = run("t2", "MSE", trial=4)
    [below] = level([[student("a", there)], [student("b", gone)]], there).below
    assert column_text(below.columns[1]) == "t2 (deleted)"
    assert below.columns[1][0][GONE]
    assert flat(below) == {"kind": (("Bayesian",), ("MSE",)), "trial": ((1,), (4,))}


def test_a_run_without_teacher_beside_one_with_shows_nothing_as_a_difference():
    teacher = run("t1")
    [below] = level([[teacher], [student("a", teacher)]], teacher).below
    assert [column_text(column) for column in below.columns] == ["none", "t1"]
    assert below.different == ()


def test_a_lineage_in_a_circle_ends():
    a, b = run("a", "Laplace", teacher="b"), run("b", "MCMI", teacher="a")
    assert len([*level([[a], [b]], a, b).walk()]) < 12


# ---- headings


MODELS = [
    *(load_kind(name).spec for name in KINDS), DistillSpec, FewshotSweep, SamplesSweep, GridSweep, SeedsSweep,
    SyntheticSpec,
]  # fmt: skip


@pytest.mark.parametrize("spec", MODELS)
def test_every_setting_stands_under_a_heading_of_the_models(spec):
    for name in spec.model_fields:
        fields = [model.model_fields[name] for model in MODELS if name in model.model_fields]
        assert headings()[name] in {field.json_schema_extra["group"] for field in fields}


def test_no_members_are_as_good_as_none():
    teacher = run("t1")
    found = level([[teacher | {"members": None}], [student("s1", teacher, members=[])]], teacher)
    assert "members" not in {setting.name for part in found.different for setting in part.settings}


def test_what_a_student_came_from_is_a_teacher_beside_a_teacher_of_no_members():
    teacher, other = run("t1", members=[]), run("t2", members=[])
    found = level([[student("s1", teacher)], [other]], teacher, other)
    assert [below.title for below in found.below] == ["Teachers"]
