"""What `bkd train`, `distill` and `sweep` launch, without launching it: the child is caught before it starts."""

import shlex
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
    ("Laplace", "--model resnet18 --epochs 200 --learning_rate 1e-3 --alpha 1 --kd_T 2 --kd_S 2 --num_chunk 10"),
    ("MCMI", "--model resnet18 --epochs 200 --learning_rate 1e-3 --alpha 0.8 --kd_T 4 --kd_S 1"),
]
DERIVED = [
    # (flags of `train`, kind, settings that must be in force)
    ("mcmi --epochs 20 --mcmiparam 0.2", "MCMI", {"epochs": 20, "mcmi_param": 0.2, "mcmi_sign": "authors"}),
    ("laplace --hess_struct kron --la_method marglik", "Laplace", {"hess_struct": "kron", "la_method": "marglik"}),
]
SWEEPS = [
    # (flags of `sweep`, kind of the teacher, (student, Tt, Ts, alpha, S, percent) of each)
    (
        'fewshot --fewshot_percent 10 --students "resnet18,resnet34" --grid "4:1:0.5;2:1:0.7" --epochs 200 '
        "--learning_rate 1e-3",
        "Deterministic",
        [(arch, *s, 10, 10) for arch in ("resnet18", "resnet34") for s in ((4, 1, 0.5), (2, 1, 0.7))],
    ),
    (
        "samples --students resnet18 --bnn_samples 12 --epochs 200 --learning_rate 1e-3",
        "Bayesian",
        [("resnet18", 1, 1, 1, draws, None) for draws in range(1, 13)],
    ),
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
    folder = teacher_of(root, kind)
    line = ["--teacher_path", str(folder.path), *flags.split(), "--detach"]
    code = bkd_main(["--save", str(root.path), "distill", *line])
    assert code == 0
    run = root.store.load(caught[0])
    assert (run["role"], run["kind"], run["teacher"], run["student_arch"]) == ("student", kind, "abcd0001", "resnet18")
    assert f"T:resnet50_S:resnet18/{kind}/lambd_" in run["path"]


def teacher_of(root: Any, kind: str) -> RunFolder:
    """Write a trained ResNet-50 of a kind, abcd0001, and return its folder."""
    spec: dict[str, Any] = {"type": "train", "kind": kind, "dataset": "cifar100", "val_fraction": 0.1}
    spec |= {"split_seed": 0, "protocol": "heldout", "arch": "resnet50", "preact_shortcut": True}
    spec |= {"teacher": "none"} if kind in ("Laplace", "MCMI") else {}
    run = root.teacher("abcd0001", kind, arch="resnet50", dataset="cifar100", spec=spec)
    folder: RunFolder = root.store.folder(run["path"])
    folder.last_weights.write_bytes(b"weights")
    return folder


@pytest.mark.parametrize(("flags", "kind", "settings"), DERIVED)
def test_the_papers_examples_of_teachers_made_from_others(
    flags: str, kind: str, settings: dict[str, Any], root: Any, caught: list[RunFolder]
) -> None:
    source = teacher_of(root, "Deterministic")
    name, *rest = flags.split()
    assert (
        bkd_main(["--save", str(root.path), "train", name, "--teacher_path", str(source.path), *rest, "--detach"]) == 0
    )
    run = root.store.load(caught[0])
    assert (run["role"], run["kind"], run["teacher"], run["arch"]) == ("teacher", kind, "abcd0001", "resnet50")
    assert {key: run["spec"][key] for key in settings} == settings
    assert run["path"].startswith(f"teachers/{kind}/resnet50/")


@pytest.mark.parametrize(("flags", "kind", "students"), SWEEPS)
def test_the_papers_examples_of_sweeps(
    flags: str, kind: str, students: list[Any], root: Any, caught: list[RunFolder]
) -> None:
    source = teacher_of(root, kind)
    made = root.path / "data" / "fewshot" / "cifar100_all_seed0_0123456789ab.json"
    made.parent.mkdir(parents=True)
    made.write_text('{"v": 1, "subsets": {"10": [0]}}')
    name, *rest = shlex.split(flags)
    assert (
        bkd_main(["--save", str(root.path), "sweep", name, "--teacher_path", str(source.path), *rest, "--detach"]) == 0
    )
    run = root.store.load(caught[0])
    assert (run["role"], run["kind"], run["teacher"]) == ("experiment", name, "abcd0001")
    assert run["path"].startswith(f"experiments/{name}/")
    specs = [student["spec"] for student in run["students"]]
    fields = ("student", "kd_T", "kd_S", "alpha", "bnn_samples", "fewshot_percent")
    assert [tuple(spec[field] for field in fields) for spec in specs] == students
    assert {(spec["epochs"], spec["learning_rate"], spec["teacher"]) for spec in specs} == {(200, 1e-3, "abcd0001")}
    assert len(caught) == 1  # the students are launched by the sweep's own process


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
        ("train mcmi --epochs 3", "train mcmi.teacher is missing"),
        ("train ensemble --members 3fa8", "at least two different teachers"),
        ("sweep grid --teacher nobody", "grid is missing"),
        ("sweep grid --teacher nobody --grid 4:1:0.5;2:x:1", "triple 2, '2:x:1': 'x' at character 11"),
        ("sweep grid --teacher nobody --grid 4:1:0.5", "No run answers"),
        ("sweep samples --bnn-samples 3", "sweep samples.teacher is missing"),
        ("sweep fewshots", "fewshot"),
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
