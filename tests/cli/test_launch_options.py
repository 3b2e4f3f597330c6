"""What stands for flags or keeps a launch back: --preset, --trials, --dry-run; and the command of a run."""

import shlex
from pathlib import Path
from typing import Any

import pytest

from bkd import actions, trials
from bkd.paths import RunFolder
from bkd.runfile import read_run


@pytest.fixture
def caught(monkeypatch: pytest.MonkeyPatch) -> list[list[RunFolder]]:
    """The runs of each process that would be started."""
    found: list[list[RunFolder]] = []
    monkeypatch.setattr(actions, "spawn", lambda folders, **options: found.append(list(folders)))
    monkeypatch.setattr(trials, "spawn_queue", lambda folders: found.append(list(folders)))
    return found


def teacher(root: Any, kind: str = "Deterministic") -> RunFolder:
    spec = {"type": "train", "kind": kind, "dataset": "digits", "val_fraction": 0.1, "split_seed": 0}
    run = root.teacher("abcd0001", kind, spec=spec | {"protocol": "heldout", "arch": "wrn_16_1"})
    folder: RunFolder = root.folder(run)
    folder.last_weights.write_bytes(b"weights")
    return folder


def test_a_preset_is_recorded_as_its_values_and_flags_win(root: Any, bkd: Any, caught: list[list[RunFolder]]) -> None:
    assert bkd("train", "bayesian", "--preset", "paper", "--epochs", "40", "--detach").code == 0
    spec = read_run(caught[0][0])["spec"]
    assert (spec["protocol"], spec["epochs"], spec["bnn_ml_epochs"], spec["learning_rate"]) == ("paper", 40, 20, 0.001)
    assert "preset" not in spec


def test_the_papers_students_follow_their_teacher(root: Any, bkd: Any, caught: list[list[RunFolder]]) -> None:
    teacher(root, "Bayesian")
    assert bkd("distill", "--teacher", "abcd", "--preset", "paper", "--detach").code == 0
    spec = read_run(caught[0][0])["spec"]
    assert (spec["kd_T"], spec["alpha"], spec["bnn_samples"]) == (4, 0.7, 1)


def test_help_tells_the_presets_and_an_unknown_one_is_refused(root: Any, bkd: Any) -> None:
    told = " ".join(bkd("train", "mcmi", "--help").out.split())
    assert "--preset paper|quick" in told
    assert "recipe for CIFAR-100" in told
    assert "--preset" not in bkd("train", "ttda", "--help").out
    answer = bkd("train", "mse", "--preset", "papers")
    assert answer.code == 2
    assert "'paper', 'quick'" in answer.err


def test_trials_of_teachers_are_queued_runs(root: Any, bkd: Any, caught: list[list[RunFolder]]) -> None:
    answer = bkd("train", "mse", "--arch", "wrn_16_1", "--dataset", "digits", "--trials", "2-4", "--detach")
    assert answer.code == 0
    [folders] = caught
    runs = [read_run(folder) for folder in folders]
    assert [run["trial"] for run in runs] == [run["spec"]["trial"] for run in runs] == [2, 3, 4]
    assert answer.out.split() == [run["id"] for run in runs]
    assert runs[0]["message"] is None
    assert runs[0]["id"] in runs[1]["message"]
    assert [row["status"] for row in root.store.registry.rows()] == ["queued"] * 3


def test_trials_of_a_student_are_a_sweep(root: Any, bkd: Any, caught: list[list[RunFolder]]) -> None:
    teacher(root)
    assert bkd("distill", "--teacher", "abcd", "--student", "vgg8", "--trials", "1,3", "--detach").code == 0
    [[folder]] = caught
    run = read_run(folder)
    assert (run["role"], run["kind"]) == ("experiment", "seeds")
    assert [student["spec"]["trial"] for student in run["students"]] == [1, 3]


@pytest.mark.parametrize(
    ("flags", "word"),
    [("--trials 1-x", "as 1-5 or 1,2,5, got '1-x'"), ("--trials 1-3 -t 4", "Give --trials alone")],
)
def test_trials_that_cannot_be_read_are_refused(flags: str, word: str, root: Any, bkd: Any, caught: Any) -> None:
    answer = bkd("train", "mse", *flags.split(), "--detach")
    assert (answer.code, caught) == (2, [])
    assert word in answer.err
    assert not root.path.exists()


def test_a_fault_of_one_trial_leaves_nothing_behind(
    root: Any, bkd: Any, caught: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bkd.errors import StorageError

    def full(folders: Any) -> None:
        raise StorageError("The disk is full. Free some space.")

    monkeypatch.setattr(trials, "spawn_queue", full)
    assert bkd("train", "mse", "--trials", "1-3", "--detach").code != 0
    assert root.store.rows() == []
    assert not list(root.path.rglob("run.json"))


def test_a_dry_run_tells_plan_time_and_command_and_writes_nothing(
    root: Any, bkd: Any, caught: list[list[RunFolder]]
) -> None:
    answer = bkd("train", "--arch", "wrn_16_1", "--dataset", "digits", "--epochs", "4", "--dry-run")
    assert answer.code == 0
    assert "Deterministic teacher, wrn_16_1 on digits, trial 1" in answer.out
    assert "no similar run has ended on this machine" in answer.out
    assert "bkd train deterministic --dataset digits --epochs 4 --lr-decay-epochs 2,3 --arch wrn_16_1" in answer.out
    assert (caught, root.path.exists()) == ([], False)
    told = bkd("train", "--trials", "1-3", "--dry-run", "--json").json
    assert (told["runs"], told["estimate_s"]) == (3, None)
    assert "--trials 1,2,3" in told["command"]


def test_a_dry_run_finds_what_a_launch_would(root: Any, bkd: Any, caught: Any) -> None:
    answer = bkd("distill", "--teacher", "nobody", "--dry-run")
    assert answer.code == 2
    assert "No run answers" in answer.err


@pytest.mark.parametrize(
    "line",
    [
        "train bayesian --preset quick --prior-sd 0.5 --no-cap-inducing --trial 3",
        "distill --teacher abcd0001 --student wrn_16_1 --alpha 0.3 --kd-T 4 --no-preact-shortcut --data '/a b'",
        "train mcmi --teacher abcd0001 --epochs 3 --train-limit 200",
        "sweep grid --teacher abcd0001 --students vgg8,wrn_16_1 --grid '4:1:0.5;2:1:0.7' --trials 1-3",
        "synthetic --concentrations 3,0.25 --examples 5000",
    ],
)
def test_the_command_of_a_run_launches_the_same_again(
    line: str, root: Any, bkd: Any, caught: list[list[RunFolder]], tmp_path: Path
) -> None:
    teacher(root)
    assert bkd(*shlex.split(line), "--detach").code == 0
    [[first]] = caught
    shown = bkd("show", read_run(first)["id"], "--command")
    assert shown.code == 0
    words = shlex.split(shown.out)
    assert words[0] == "bkd"
    assert bkd(*words[1:]).code == 0
    assert read_run(caught[1][0])["spec"] == read_run(first)["spec"]
