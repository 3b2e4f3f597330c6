"""Which students repeat one another, which are compared, and what a repetition is."""

from typing import Any

import pytest
from report_runs import Runs

from bkd.report_groups import Group, Section, order, read_students, sections_of, varying
from bkd.report_words import group_setting, n_text, telling


@pytest.fixture
def runs() -> Runs:
    return Runs()


def sections(runs: Runs) -> list[Section]:
    return sections_of(runs.read(), ["Deterministic", "Bayesian"])


def groups(runs: Runs) -> list[Group]:
    return [group for section in sections(runs) for group in section.groups]


@pytest.mark.parametrize(
    "spec",
    [
        {"device": "cuda"}, {"data": "/elsewhere"}, {"log_every": 10}, {"checkpoint_every": 5.0}, {"compile": True},
        {"noise_exact": True}, {"teacher_cache": "off"}, {"fewshot_root": "/data"}, {"bnn_samples": 7},
        {"momentum": None}, {"threads": 1},
    ],
    ids=lambda spec: next(iter(spec)),
)  # fmt: skip
def test_where_and_how_a_run_ran_makes_no_group(runs: Runs, spec: dict[str, Any]) -> None:
    runs.student(runs.teacher(trial=1))
    runs.student(runs.teacher(trial=2), spec=spec)
    assert [len(group.students) for group in groups(runs)] == [2]


@pytest.mark.parametrize(
    "spec",
    [
        {"epochs": 40}, {"learning_rate": 0.01}, {"precision": "bf16"}, {"fewshot_percent": 5}, {"weights": "best"},
        {"a_field_of_next_year": [1, {"deep": 2}]},
    ],
    ids=lambda spec: next(iter(spec)),
)  # fmt: skip
def test_any_other_setting_makes_a_section(runs: Runs, spec: dict[str, Any]) -> None:
    runs.student(runs.teacher(trial=1))
    runs.student(runs.teacher(trial=2), spec=spec)
    found = sections(runs)
    assert [len(section.groups) for section in found] == [1, 1]
    assert varying(section.like.settings for section in found) == list(spec)


def test_temperatures_alpha_and_kind_make_groups_of_one_section(runs: Runs) -> None:
    runs.student(runs.teacher("Bayesian"))
    runs.student(runs.teacher())
    for setting in ({"alpha": 0.5}, {"kd_T": 4.0}, {"kd_S": 2.0}):
        runs.student(runs.teacher(), spec=setting)
    (section,) = sections(runs)
    found = [(group.kind, group.like.setting) for group in section.groups]
    assert found == [
        ("Deterministic", (1, 1, 0.5)), ("Deterministic", (1, 1, 1)), ("Bayesian", (1, 1, 1)),
        ("Deterministic", (1, 2, 1)), ("Deterministic", (4, 1, 1)),
    ]  # fmt: skip


def test_draws_count_only_where_the_teacher_draws(runs: Runs) -> None:
    shared = {"val/grad/noise_shared": 0.2}
    for samples in (1, 8):
        runs.student(runs.teacher("Bayesian"), spec={"bnn_samples": samples})
        runs.student(runs.teacher("Laplace"), spec={"bnn_samples": samples}, metrics=shared)
        runs.student(runs.teacher("MCMI"), spec={"bnn_samples": samples}, metrics={"val/grad/noise_shared": None})
    found = sorted((group.kind, group.like.num_samples) for group in groups(runs) if group.kind != "MCMI")
    assert found == [("Bayesian", 1), ("Bayesian", 8), ("Laplace", 1), ("Laplace", 8)]
    assert [group.like.num_samples for group in groups(runs) if group.kind == "MCMI"] == [None]


def test_teachers_trained_otherwise_are_another_group_and_named(runs: Runs) -> None:
    for epochs in (20, 40):
        runs.student(runs.teacher(spec={"epochs": epochs, "lr_decay_epochs": [epochs // 2]}))
    shown = telling(group.like.teacher_settings for group in groups(runs))
    assert [group_setting(group, shown) for group in groups(runs)] == [
        "1:1:1 teacher's epochs=20", "1:1:1 teacher's epochs=40",
    ]  # fmt: skip


def test_telling_takes_as_many_settings_as_are_needed() -> None:
    settings = [(("a", i), ("bb", j), ("ccc", i)) for i in (1, 2) for j in (1, 2)]
    assert telling(settings) == ["a", "bb"]
    assert telling(settings[:1]) == telling([]) == telling([None]) == []


def test_what_a_teacher_was_only_measured_by_counts_for_its_best_weights(runs: Runs) -> None:
    for weights in ("last", "best"):
        for limit in (500, 1000):
            runs.student(runs.teacher(spec={"val_limit": limit}), spec={"weights": weights})
    counts = {dict(section.like.settings)["weights"]: len(section.groups) for section in sections(runs)}
    assert counts == {"best": 2, "last": 1}


def test_students_of_a_deleted_teacher_stand_apart(runs: Runs) -> None:
    runs.student(runs.teacher(trial=1))
    gone = runs.teacher(trial=2)
    runs.student(gone)
    del runs.teachers[gone["id"]]
    unknown, known = groups(runs)
    assert (unknown.like.teacher_settings, unknown.repetitions) == (None, (2,))
    shown = telling(group.like.teacher_settings for group in (known, unknown))
    assert (group_setting(known, shown), group_setting(unknown, shown)) == ("1:1:1", "1:1:1 teacher deleted")


# ---- repetitions


def test_a_derived_teacher_repeats_what_it_was_made_from(runs: Runs) -> None:
    for trial in (1, 2, 3):
        base = runs.teacher(trial=trial, spec={"epochs": 15})
        laplace = runs.teacher(
            "Laplace", 1, teacher=base["id"], lineage={"teacher": base["id"]}, spec={"hess_struct": "kron"}
        )
        runs.student(laplace)
    (group,) = groups(runs)
    assert group.repetitions == (1, 2, 3)
    assert group.teachers == 3
    settings = dict(group.like.teacher_settings or ())
    assert settings["hess_struct"] == "kron"
    assert (settings["base epochs"], settings["base kind"]) == (15, "Deterministic")


def test_an_ensemble_is_known_by_how_many_and_what_its_members_are(runs: Runs) -> None:
    members = [runs.teacher(trial=trial, spec={"epochs": epochs}) for trial, epochs in ((1, 20), (2, 20), (3, 40))]
    for chosen, trial in ((members[:2], 1), (members[1:2] * 2, 2), (members, 1)):
        ids = [member["id"] for member in chosen]
        runs.student(runs.teacher("Ensemble", trial, members=ids, spec={"members": ids}))
    two, three = groups(runs)
    assert (len(two.students), two.repetitions) == (2, (1, 2))
    assert dict(two.like.teacher_settings or ())["members"] == 2
    assert dict(three.like.teacher_settings or ())["base epochs"] == (20, 40)


def test_an_ensemble_of_one_trial_repeats_that_trial(runs: Runs) -> None:
    for trial in (4, 5):
        ids = [runs.teacher(kind, trial)["id"] for kind in ("Deterministic", "Bayesian")]
        runs.student(runs.teacher("Ensemble", 1, members=ids))
    (group,) = groups(runs)
    assert group.repetitions == (4, 5)


def test_older_runs_have_the_defaults_that_they_do_not_tell(runs: Runs) -> None:
    runs.student(runs.teacher(trial=1))
    runs.student(runs.teacher(trial=2, spec={"preact_shortcut": True}), spec={"fewshot_seed": 0})
    assert len(groups(runs)) == 2

    def defaults(run_type: str, kind: str) -> dict[str, Any]:
        return {"distill": {"fewshot_seed": 0}, "train": {"preact_shortcut": kind == "Deterministic"}}[run_type]

    (group,) = (
        group
        for section in sections_of(read_students(runs.students, runs.teachers, defaults), [])
        for group in section.groups
    )
    assert len(group.students) == 2


def test_imported_runs_are_no_repetitions_of_our_own(runs: Runs) -> None:
    runs.student(runs.teacher(trial=1))
    runs.student(runs.teacher(trial=2), imported={"assumed": ["epochs"]})
    runs.student(runs.teacher(trial=3, imported={"assumed": ["epochs"]}), trial=3)
    assert sorted(len(group.students) for group in groups(runs)) == [1, 1, 1]


def test_a_lineage_that_goes_round_ends(runs: Runs) -> None:
    a, b = runs.teacher("MCMI", 1), runs.teacher("MCMI", 2)
    a["teacher"], b["teacher"] = b["id"], a["id"]
    runs.student(a)
    assert groups(runs)[0].repetitions in ((1,), (2,))


def test_students_of_one_teacher_are_averaged_and_a_unit_run_twice_counts_once(runs: Runs) -> None:
    first, second = runs.teacher(trial=1), runs.teacher(trial=2)
    runs.student(first, 0.80, trial=1)
    runs.student(first, 0.90, trial=1)
    runs.student(first, 0.95, trial=2)
    runs.student(second, 0.70, trial=1)
    (group,) = groups(runs)
    assert group.values(lambda s: s.metric("test/acc")) == pytest.approx({1: 0.90, 2: 0.70})
    assert n_text(group) == "4 students of 2 teachers"


def test_how_many_is_said_in_words(runs: Runs) -> None:
    teacher = runs.teacher()
    runs.student(teacher)
    assert n_text(groups(runs)[0]) == "1 teacher"
    runs.student(teacher, trial=2)
    runs.student(teacher, trial=3)
    assert n_text(groups(runs)[0]) == "3 students of 1 teacher"
    runs.students = runs.students[:1]
    runs.student(runs.teacher(trial=2))
    assert n_text(groups(runs)[0]) == "2 teachers"


@pytest.mark.parametrize("value", [None, "0.9", True, float("nan"), float("inf")])
def test_what_is_no_number_is_no_metric(runs: Runs, value: Any) -> None:
    runs.student(runs.teacher(), metrics={"test/acc": value})
    assert groups(runs)[0].values(lambda s: s.metric("test/acc")) == {}


def test_runs_without_spec_or_lineage_are_read(runs: Runs) -> None:
    runs.student(runs.teacher(), spec={}, lineage=None, results=None, split=None)
    runs.students[0]["spec"] = None
    (group,) = groups(runs)
    assert group_setting(group, []) == "-:-:-"


def test_order_is_total() -> None:
    values: list[Any] = [None, 2, 10, 1.5, "a", (1, "b"), (1, 2), ()]
    assert sorted(values, key=order) == [None, 1.5, 2, 10, "a", (), (1, 2), (1, "b")]
