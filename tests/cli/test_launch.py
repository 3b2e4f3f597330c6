"""What `bkd train` and `bkd distill` launch, without launching it: the child is caught before it starts."""

from pathlib import Path
from typing import Any

import pytest

from bkd import actions
from bkd.cli.main import run as bkd_main
from bkd.paths import RunFolder
from bkd.store import Store

EXAMPLES = [
    # the examples of the paper's README, the script's name replaced by the command
    ("train --epochs 200 --learning_rate 1e-3 --lr_decay_epochs 100,150 --model resnet50 --trial 1", "Deterministic"),
    (
        "train --epochs 200 --learning_rate 1e-3 --lr_decay_epochs 100 --model resnet101 --bayesianize --trial 1",
        "Bayesian",
    ),
    ("train --epochs 200 --learning_rate 1e-3 --lr_decay_epochs 100 --model resnet50 --mse --trial 1", "MSE"),
]
STUDENTS = [
    ("Deterministic", "--model resnet18 --epochs 200 --learning_rate 1e-3 --alpha 0.5 --kd_T 4 --kd_S 1"),
    ("Bayesian", "--model resnet18 --epochs 200 --learning_rate 1e-3 --alpha 0.7 --kd_T 4 --kd_S 1 --bnn_samples 1"),
]


@pytest.fixture
def caught(monkeypatch: pytest.MonkeyPatch) -> list[RunFolder]:
    folders: list[RunFolder] = []
    monkeypatch.setattr(actions, "spawn", lambda given, **options: folders.extend(given))
    return folders


@pytest.mark.parametrize(("line", "kind"), EXAMPLES)
def test_the_papers_teacher_examples(line: str, kind: str, tmp_path: Path, caught: list[RunFolder]) -> None:
    assert bkd_main(["--save", str(tmp_path), *line.split(), "--detach"]) == 0
    run = Store(tmp_path).load(caught[0])
    assert (run["kind"], run["epochs"], run["dataset"], run["trial"]) == (kind, 200, "cifar100", 1)
    assert run["spec"]["lr_decay_epochs"] == ([100, 150] if kind == "Deterministic" else [100])
    assert run["path"].startswith(f"teachers/{kind}/resnet")


@pytest.mark.parametrize(("kind", "flags"), STUDENTS)
def test_the_papers_student_examples(kind: str, flags: str, root: Any, caught: list[RunFolder]) -> None:
    spec: dict[str, Any] = {"type": "train", "kind": kind, "dataset": "cifar100", "val_fraction": 0.1}
    spec |= {"split_seed": 0, "protocol": "heldout"}
    teacher = root.teacher("abcd0001", kind, arch="resnet50", dataset="cifar100", spec=spec)
    folder = root.store.folder(teacher["path"])
    folder.last_weights.write_bytes(b"weights")
    line = ["--teacher_path", str(folder.path), *flags.split(), "--detach"]
    code = bkd_main(["--save", str(root.path), "distill", *line])
    assert code == 0
    run = root.store.load(caught[0])
    assert (run["role"], run["kind"], run["teacher"], run["student_arch"]) == ("student", kind, "abcd0001", "resnet18")
    assert f"T:resnet50_S:resnet18/{kind}/lambd_" in run["path"]


def test_flags_without_effect_say_so(
    tmp_path: Path, caught: list[RunFolder], capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--model", "wrn_40_2", "--num_workers", "8", "--progress_bar", "--detach"]
    assert bkd_main(["--save", str(tmp_path), "train", *flags]) == 0
    said = capsys.readouterr()
    assert said.err.count("has no effect") == 2
    assert said.out.strip() == Store(tmp_path).load(caught[0])["id"]


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("train bayesian --epochs 10 --bnn-ml-epochs 8 --bnn-annealing-epochs 4", "ends at weight 0.25"),
        ("train --model wrn_16_3", "Did you mean wrn_16_"),
        ("train --momentum 0.9", "--optimizer sgd"),
        ("train --epochs 0", "must be >= 1, got 0"),
        ("train bayesian --noise-exact", "one set of weights"),
        ("train bayes", "bayesian"),
        ("distill --teacher nobody", "No run answers"),
        ("distill --kd-T 4", "--teacher"),
        ("train --batch-sise 3", "--batch-size"),
    ],
)
def test_mistakes_are_named_and_nothing_is_written(
    line: str, word: str, tmp_path: Path, caught: list[RunFolder], capsys: pytest.CaptureFixture[str]
) -> None:
    assert bkd_main(["--save", str(tmp_path / "save"), *line.split(), "--detach"]) == 2
    assert word in capsys.readouterr().err
    assert caught == []
    assert not (tmp_path / "save").exists()
