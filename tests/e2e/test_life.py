"""A run's life: launched, registered, stopped, resumed, refused, failed; earlier runs stay as they are."""

import pytest
from children import ended, finished, steps_of, student_spec, teacher_spec, until

from bkd import actions
from bkd.cli.main import run as bkd_main
from bkd.errors import BkdError, RunBusy, SpecError
from bkd.events import read_events
from bkd.store import Store


def test_teacher_student_stop_resume_delete(store: Store) -> None:
    teacher = finished(store, teacher_spec("Deterministic"))
    assert teacher["results"]["test"]["images"] == 360
    assert len(teacher["results"]["test"]["reliability"]) == 15

    folder = actions.launch(store, student_spec(teacher["id"], epochs=60, alpha=0.5, kd_T=4), tags=["first"])
    assert "/lambd_0.5tempt_4temps_1/" in str(folder.path)
    until(lambda: steps_of(folder) >= 2, "two steps")
    student = store.load(folder)
    assert student["status"] == "running"
    with pytest.raises(RunBusy):
        actions.delete(store, student["id"])
    with pytest.raises(RunBusy):
        actions.resume(store, student["id"])

    assert actions.stop_run(store, student["id"]) == "stopped"
    stopped_at = steps_of(folder)
    row = next(row for row in store.rows() if row["id"] == student["id"])
    assert (row["status"], row["teacher"], row["tags"]) == ("stopped", teacher["id"], ["first"])

    actions.resume(store, student["id"])
    until(lambda: steps_of(folder) > stopped_at, "a step after the resume")
    actions.stop_run(store, student["id"])
    first = next(event for event in read_events(folder.events) if event["kind"] == "step")
    assert {"grad/noise", "grad/noise_onehot", "grad/noise_teacher", "grad/noise_ratio", "grad/bias"} <= first.keys()

    with pytest.raises(RunBusy, match="1 student came from"):
        actions.delete(store, teacher["id"])
    actions.delete(store, student["id"])
    assert not folder.path.exists()
    actions.delete(store, teacher["id"])
    assert store.rows() == []


def test_a_failed_run_says_why_and_keeps_its_folder(store: Store) -> None:
    folder = actions.launch(store, teacher_spec("Deterministic", learning_rate=1e30, optimizer="sgd"))
    run = ended(store, folder)
    assert run["status"] == "failed"
    assert "not finite" in run["message"]
    assert str(folder.log) in run["message"] or "Lower --learning-rate" in run["message"]


def test_missing_data_fails_with_where_it_looked(store: Store) -> None:
    run = ended(store, actions.launch(store, teacher_spec("Deterministic", dataset="cifar100")))
    assert run["status"] == "failed"
    assert "bkd data download cifar100" in run["message"]


def test_what_a_user_can_mend_is_told_in_a_sentence_and_exits_with_2(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    """Found out by the run's own process, after the launch; a fault of the training itself exits with 1."""
    assert bkd_main(["--save", str(store.root), "train", "deterministic", "--dataset", "cifar100"]) == 2
    said = capsys.readouterr().err
    assert "bkd data download cifar100" in said
    assert "Traceback" not in said
    [row] = store.rows()
    assert f"`bkd resume {row['id']}`" in said
    assert "Traceback" not in store.folder(row["path"]).log.read_text()
    diverging = ["--dataset", "digits", "--arch", "wrn_16_1", "--epochs", "1", "--train-limit", "300", "--threads", "1"]
    diverging += ["--learning-rate", "1e30", "--optimizer", "sgd"]
    assert bkd_main(["--save", str(store.root), "train", "deterministic", *diverging]) == 1


def test_what_does_not_fit_the_teacher_is_refused_before_launch(store: Store) -> None:
    teacher = finished(store, teacher_spec("MSE", epochs=1))
    for values, word in (
        ({"dataset": "cifar100"}, "dataset"), ({"split_seed": 3}, "split_seed"),
        ({"val_fraction": 0.2}, "val_fraction"),
    ):  # fmt: skip
        with pytest.raises(SpecError, match=word):
            actions.launch(store, student_spec(teacher["id"], **values))
    with pytest.raises(BkdError, match="nobody"):
        actions.launch(store, student_spec("nobody"))
    assert [row["id"] for row in store.rows()] == [teacher["id"]]
