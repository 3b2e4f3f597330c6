"""What runs take over from the runs that they are made from, and which of those will not do."""

from pathlib import Path
from typing import Any

import pytest

from bkd import actions
from bkd.catalog import ARCHITECTURES
from bkd.errors import RunBusy, SpecError
from bkd.kinds.table import load_kind
from bkd.runfile import read_run, write_run
from bkd.specs import DistillSpec, RunSpec, dump, make_spec
from bkd.store import Store
from bkd.sweep_specs import FewshotSweep, GridSweep, SamplesSweep, SeedsSweep

DERIVED = ["MCMI", "TTDA", "Laplace"]
OTHER_SPLITS = {"dataset": "cifar10", "val_fraction": 0.2, "split_seed": 3, "protocol": "paper"}


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.delenv("DATASETS_PATH", raising=False)
    return Store(tmp_path / "save")


def spec(kind: str, **values: Any) -> Any:
    return make_spec(load_kind(kind).spec, values)


def made(store: Store, spec: RunSpec, *, status: str = "done", weights: bool = True) -> dict[str, Any]:
    """Write a run as its child would leave it."""
    folder = actions.create(store, spec)
    run = read_run(folder) | {"status": status}
    write_run(folder, run)
    store.register(run)
    if weights:
        folder.last_weights.write_bytes(b"weights")
    return run


def teacher(store: Store, kind: str = "Deterministic", **values: Any) -> dict[str, Any]:
    base = {"arch": "wrn_16_1", "dataset": "digits"}
    return made(store, spec(kind, **(base | values)))


def derive(store: Store, kind: str, **values: Any) -> dict[str, Any]:
    return actions.plan(store, spec(kind, **values)).run


def student(store: Store, **values: Any) -> dict[str, Any]:
    return actions.plan(store, make_spec(DistillSpec, values)).run


# ---- taken over


@pytest.mark.parametrize("kind", DERIVED)
def test_a_derived_teacher_takes_over_data_split_network_and_limit(store: Store, kind: str) -> None:
    source = teacher(
        store, val_fraction=0.2, split_seed=5, protocol="paper", train_limit=300, preact_shortcut=False, data="/d",
    )  # fmt: skip
    run = derive(store, kind, teacher=source["id"][:6])
    inherited = ("dataset", "val_fraction", "split_seed", "protocol", "train_limit", "preact_shortcut", "data", "arch")
    assert {name: run["spec"][name] for name in inherited} == {name: source["spec"][name] for name in inherited}
    assert (run["teacher"], run["spec"]["teacher"], run["arch"]) == (source["id"], source["id"], "wrn_16_1")
    assert run["lineage"]["teacher_path"] == source["path"]
    assert run["path"].startswith(f"teachers/{kind}/wrn_16_1/wrn_16_1_digits_trial_1_")


def test_a_derived_teachers_own_limit_stands(store: Store) -> None:
    source = teacher(store, train_limit=300)
    assert derive(store, "MCMI", teacher=source["id"], train_limit=100)["spec"]["train_limit"] == 100


def test_a_student_takes_over_data_and_split_but_is_limited_on_its_own(store: Store) -> None:
    source = teacher(store, val_fraction=0.2, split_seed=5, protocol="paper", train_limit=300)
    run = student(store, teacher=source["id"], student="resnet18")
    taken = {name: run["spec"][name] for name in ("dataset", "val_fraction", "split_seed", "protocol", "train_limit")}
    assert taken == {
        "dataset": "digits", "val_fraction": 0.2, "split_seed": 5, "protocol": "paper", "train_limit": None,
    }  # fmt: skip
    limited = student(store, teacher=source["id"], train_limit=50)
    assert limited["spec"]["train_limit"] == 50


def test_a_student_of_a_derived_teacher_gets_the_first_ones_split(store: Store) -> None:
    source = teacher(store, split_seed=5)
    middle = made(store, spec("MCMI", teacher=source["id"]))
    assert student(store, teacher=middle["id"])["spec"]["split_seed"] == 5


def test_an_ensemble_takes_over_its_members_data_and_split(store: Store) -> None:
    members = [teacher(store, split_seed=5, arch=arch) for arch in ("wrn_16_1", "resnet18", "wrn_16_1")]
    run = derive(store, "Ensemble", members=",".join(member["id"][:7] for member in members))
    assert run["members"] == run["spec"]["members"] == [member["id"] for member in members]
    assert (run["spec"]["dataset"], run["spec"]["split_seed"], run["teacher"]) == ("digits", 5, None)
    assert run["arch"] == "wrn_16_1+resnet18"
    assert run["path"].startswith("teachers/Ensemble/wrn_16_1+resnet18/")


def test_a_teacher_of_its_own_has_no_members(store: Store) -> None:
    assert teacher(store)["members"] is None


def test_an_ensemble_of_ensembles_names_each_architecture_once(store: Store) -> None:
    a, b, c = (teacher(store, arch=arch) for arch in ("wrn_16_1", "resnet18", "wrn_16_1"))
    inner = made(store, spec("Ensemble", members=[a["id"], b["id"]]), weights=False)
    assert derive(store, "Ensemble", members=[inner["id"], c["id"]])["arch"] == "wrn_16_1+resnet18"


def test_as_many_architectures_as_there_are_still_make_a_folder(store: Store) -> None:
    members = [teacher(store, arch=arch) for arch in ARCHITECTURES]
    ensemble = made(store, spec("Ensemble", members=[member["id"] for member in members]))
    sweep = actions.create(store, make_spec(SeedsSweep, {"teacher": members[0]["id"], "students": list(ARCHITECTURES)}))
    assert read_run(sweep)["student_arch"] == ensemble["arch"] == "+".join(ARCHITECTURES)
    assert store.read(ensemble["id"])[0].path.is_dir()


@pytest.mark.parametrize("cls", [DistillSpec, load_kind("MCMI").spec, load_kind("TTDA").spec, GridSweep])
def test_another_split_than_the_teachers_is_refused_and_the_same_is_not(store: Store, cls: type[RunSpec]) -> None:
    source = teacher(store)
    given = {"teacher": source["id"]} | ({"grid": "4:1:1"} if cls is GridSweep else {})
    for name, value in OTHER_SPLITS.items():
        with pytest.raises(SpecError, match=rf"\.{name} is {value}, but teacher {source['id']}"):
            actions.plan(store, make_spec(cls, given | {name: value}))
        actions.plan(store, make_spec(cls, given | {name: source["spec"][name]}))


@pytest.mark.parametrize(("name", "value"), [("arch", "resnet18"), ("preact_shortcut", False)])
def test_another_network_than_the_teachers_is_refused(store: Store, name: str, value: Any) -> None:
    source = teacher(store)
    with pytest.raises(SpecError, match=f"{name} is {value}.*made from that teacher's network"):
        derive(store, "MCMI", teacher=source["id"], **{name: value})
    derive(store, "MCMI", teacher=source["id"], **{name: source["spec"][name]})


def test_what_only_shows_with_the_teachers_data_is_refused_in_words(store: Store) -> None:
    source = teacher(store)
    with pytest.raises(SpecError, match=r"train ttda: views is 10, images of digits have 9\. Give at most 9"):
        derive(store, "TTDA", teacher=source["id"], views=10)
    assert derive(store, "TTDA", teacher=source["id"], views=9)["spec"]["views"] == 9


# ---- who will not do


@pytest.mark.parametrize(
    ("kind", "source"),
    [("MCMI", "MSE"), ("MCMI", "Bayesian"), ("MCMI", "MCMI"), ("TTDA", "Bayesian"), ("TTDA", "TTDA"),
     ("Laplace", "Bayesian"), ("Laplace", "Laplace")],
)  # fmt: skip
def test_a_teacher_of_the_wrong_kind_is_refused_with_the_right_ones(store: Store, kind: str, source: str) -> None:
    first = teacher(store, source if source in ("MSE", "Bayesian") else "Deterministic")
    given = first if first["kind"] == source else made(store, spec(source, teacher=first["id"]))
    with pytest.raises(SpecError, match=f"must be a Deterministic.*of kind {source}.*bkd list --role teacher --kind"):
        derive(store, kind, teacher=given["id"])


@pytest.mark.parametrize("kind", ["MSE", "MCMI", "Deterministic"])
def test_a_plain_network_of_any_training_will_do_for_views(store: Store, kind: str) -> None:
    source = teacher(store, kind if kind == "MSE" else "Deterministic")
    if kind == "MCMI":
        source = made(store, spec("MCMI", teacher=source["id"]))
    assert derive(store, "TTDA", teacher=source["id"])["lineage"]["teacher_kind"] == kind


def test_students_and_sweeps_are_no_teachers(store: Store) -> None:
    source = teacher(store)
    pupil = made(store, make_spec(DistillSpec, {"teacher": source["id"]}))
    sweep = made(store, make_spec(SeedsSweep, {"teacher": source["id"]}))
    for run in (pupil, sweep):
        for wanted in (
            make_spec(DistillSpec, {"teacher": run["id"]}), spec("MCMI", teacher=run["id"]),
            spec("Ensemble", members=[source["id"], run["id"]]),
        ):  # fmt: skip
            with pytest.raises(SpecError, match=rf"must be a teacher, {run['id']} .* is none"):
                actions.plan(store, wanted)


def test_a_teacher_without_the_wanted_weights_is_refused(store: Store) -> None:
    source = teacher(store)
    with pytest.raises(SpecError, match="left no weights"):
        derive(store, "MCMI", teacher=source["id"], weights="best")
    stopped = made(store, spec("Deterministic", dataset="digits"), status="stopped", weights=False)
    with pytest.raises(SpecError, match="is stopped and left no weights"):
        derive(store, "TTDA", teacher=stopped["id"])


def test_an_ensemble_has_no_weights_and_will_do_once_it_is_done(store: Store) -> None:
    members = [teacher(store)["id"], teacher(store)["id"]]
    done = made(store, spec("Ensemble", members=members), weights=False)
    assert student(store, teacher=done["id"])["kind"] == "Ensemble"
    failed = made(store, spec("Ensemble", members=members), status="failed", weights=False)
    with pytest.raises(SpecError, match="is failed and left no weights"):
        student(store, teacher=failed["id"])


@pytest.mark.parametrize("members", ["", "aaaa1111", "aaaa1111,aaaa1111", "aaaa1111,", []])
def test_fewer_than_two_members_are_refused(members: Any) -> None:
    with pytest.raises(SpecError, match=r"ensemble\.members .* at least two different teachers"):
        spec("Ensemble", members=members)


def test_one_member_under_two_names_is_refused(store: Store) -> None:
    source, other = teacher(store), teacher(store)
    for names in ([source["id"], source["id"][:7]], [source["name"], other["id"], source["id"]]):
        with pytest.raises(SpecError, match=f"names {source['id']} more than once"):
            derive(store, "Ensemble", members=names)


def test_members_of_different_splits_are_refused(store: Store) -> None:
    source = teacher(store)
    for name, value in OTHER_SPLITS.items():
        other = teacher(store, **{name: value})
        with pytest.raises(SpecError, match=f"differ in {name} .* Take teachers of one data set and split"):
            derive(store, "Ensemble", members=[source["id"], other["id"]])


# ---- what others came from


@pytest.mark.parametrize("heir", ["MCMI", "Ensemble", "TTDA", "sweep", "student"])
def test_a_run_that_another_came_from_is_kept(store: Store, heir: str) -> None:
    source, other = teacher(store), teacher(store)
    wanted = {
        "MCMI": lambda: spec("MCMI", teacher=source["id"]),
        "Ensemble": lambda: spec("Ensemble", members=[other["id"], source["id"]]),
        "TTDA": lambda: spec("TTDA", teacher=source["id"]),
        "sweep": lambda: make_spec(SeedsSweep, {"teacher": source["id"]}),
        "student": lambda: make_spec(DistillSpec, {"teacher": source["id"]}),
    }
    run = made(store, wanted[heir]())
    word = {"sweep": "experiment", "student": "student"}.get(heir, "teacher")
    with pytest.raises(RunBusy, match=rf"^1 {word} came from {source['id']} \({run['id']}\)"):
        actions.delete(store, source["id"])
    assert store.find(source["id"]).path.is_dir()
    actions.delete(store, run["id"])
    actions.delete(store, source["id"])
    assert [row["id"] for row in store.rows()] == [other["id"]]


def test_a_teacher_goes_without_its_heirs_by_force(store: Store) -> None:
    source = teacher(store)
    made(store, spec("MCMI", teacher=source["id"]))
    made(store, make_spec(DistillSpec, {"teacher": source["id"]}))
    with pytest.raises(RunBusy, match=r"^1 student and 1 teacher came from"):
        actions.delete(store, source["id"])
    actions.delete(store, source["id"], force=True)
    assert len(store.rows()) == 2


# ---- sweeps


def test_a_sweep_lists_its_students_as_they_would_be_alone(store: Store) -> None:
    source = teacher(store, split_seed=5)
    given = {"teacher": source["id"], "students": "wrn_16_1,resnet18", "trials": "3,4", "grid": "4:1:0.5;2:1:0.7"}
    run = actions.plan(store, make_spec(GridSweep, given)).run
    assert (run["role"], run["kind"], run["teacher"], run["trial"]) == ("experiment", "grid", source["id"], 3)
    assert [entry["group"] for entry in run["students"]] == [0, 0, 0, 0, 1, 1, 1, 1]
    assert all(entry["id"] is None and entry["path"] is None for entry in run["students"])
    alone = {"teacher": source["id"], "student": "resnet18", "trial": 4, "kd_T": 2, "alpha": 0.7}
    assert run["students"][-1]["spec"] == actions.plan(store, make_spec(DistillSpec, alone)).run["spec"]
    assert run["epochs"] == len(run["students"])


def test_a_samples_sweep_needs_a_teacher_that_draws(store: Store) -> None:
    plain, bayesian = teacher(store), teacher(store, "Bayesian")
    for_sure = made(store, spec("Ensemble", members=[plain["id"], teacher(store)["id"]]))
    mixed = made(store, spec("Ensemble", members=[plain["id"], bayesian["id"]]))
    for source in (bayesian, mixed):
        assert len(actions.plan(store, make_spec(SamplesSweep, {"teacher": source["id"]})).run["students"]) == 12
    for source in (plain, for_sure):
        with pytest.raises(SpecError, match=r"must be a teacher that draws.*answers the same each time"):
            actions.plan(store, make_spec(SamplesSweep, {"teacher": source["id"]}))


def test_a_subset_that_was_not_made_is_refused_before_the_launch(store: Store) -> None:
    source = teacher(store, val_fraction=0.2, split_seed=5)
    for wanted in (
        make_spec(DistillSpec, {"teacher": source["id"], "fewshot_percent": 10, "train_limit": 300}),
        make_spec(FewshotSweep, {"teacher": source["id"], "fewshot_percent": "10", "train_limit": 300}),
        spec("MCMI", teacher=source["id"], fewshot_percent=10, train_limit=300),
    ):
        with pytest.raises(SpecError, match=r"fewshot_percent 10 of digits has no subset.*none is made") as caught:
            actions.plan(store, wanted)
        command = str(caught.value).split("`")[1]
        assert command.startswith("bkd data subset digits --percents 10 --train-limit 300")
        assert "--val-fraction 0.2 --split-seed 5" in command


def test_relative_folders_are_meant_from_where_the_run_is_launched(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    source = teacher(store)
    given = {"fewshot_root": "few", "data": "d", "teacher_cache": "answers"}
    written = read_run(actions.create(store, make_spec(DistillSpec, {"teacher": source["id"]} | given)))["spec"]
    assert {name: written[name] for name in given} == {name: str(tmp_path / path) for name, path in given.items()}
    for word in ("auto", "off"):
        folder = actions.create(store, make_spec(DistillSpec, {"teacher": source["id"], "teacher_cache": word}))
        assert read_run(folder)["spec"]["teacher_cache"] == word


@pytest.mark.parametrize("kind", ["MCMI", "TTDA", "Laplace", "Ensemble"])
def test_what_is_planned_can_be_planned_again(store: Store, kind: str) -> None:
    source, other = teacher(store), teacher(store)
    values = {"members": [source["id"], other["id"]]} if kind == "Ensemble" else {"teacher": source["id"]}
    plan = actions.plan(store, spec(kind, **values))
    again = actions.plan(store, actions.spec_of(plan)).run
    assert again["spec"] == plan.run["spec"] == dump(actions.spec_of(plan))
    assert again["id"] != plan.run["id"]
