"""`bkd import`: a tree of the paper's scripts becomes runs that are listed, evaluated and taught from."""

import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from foreign_tree import (
    NAME,
    STUDENT_NAME,
    STUDENT_TEXT,
    StageVGG,
    inducing_state,
    lived_in,
    student_metrics,
    teacher_metrics,
    write,
    wrn_16_1,
)

from bkd.catalog import DATASETS
from bkd.data.datasets import ImageData
from bkd.events import read_events
from bkd.runfile import read_run
from bkd.stopping import StopFlag
from bkd.store import Store

torch.set_num_threads(1)
LAPLACE_NAME = f"{NAME}_last_layer_kron_marglik_glm_probit"
SETTING = "lambd_0.5tempt_4.0temps_1.0"
KINDS = ("Deterministic", "Bayesian", "MSE", "MCMI", "Laplace")


def laplace_values(head: torch.nn.Linear) -> dict[str, Any]:
    """Return what laplace-torch saves of a last layer, a training batch included."""
    mean = torch.cat([head.weight.flatten(), head.bias]).detach()
    return {
        "mean": mean, "H": [[5 * torch.eye(100), torch.eye(64)], [5 * torch.eye(100)]], "loss": torch.tensor(3.0),
        "prior_mean": 0.0, "prior_precision": torch.tensor([2.0]), "sigma_noise": 1.0, "n_data": 50000,
        "n_outputs": 100, "likelihood": "classification", "temperature": 1.0, "enable_backprop": False,
        "cls_name": "KronLLLaplace", "data": (torch.zeros(2, 3, 32, 32), torch.zeros(2)), "_last_layer_name": None,
    }  # fmt: skip


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Path:
    """A tree with a teacher of each kind and a student; tests that change it take a copy."""
    save = tmp_path_factory.mktemp("foreign") / "save"
    net, teachers = wrn_16_1(), save / "teachers"
    write(teachers / "Deterministic" / "wrn_16_1" / NAME, net.state_dict(), teacher_metrics())
    write(teachers / "MSE" / "wrn_16_1" / NAME, wrn_16_1(1).state_dict())
    write(teachers / "MCMI" / "wrn_16_1" / f"{NAME}_0.15_20_0.0002_100_0.9", wrn_16_1(2).state_dict())
    write(teachers / "Bayesian" / "wrn_16_1" / NAME, inducing_state(net))
    write(teachers / "Laplace" / "wrn_16_1" / LAPLACE_NAME, laplace_values(net.fc))
    student = save / "students" / "T:wrn_16_1_S:vgg_c8" / "Bayesian" / SETTING / STUDENT_NAME
    torch.manual_seed(3)
    write(student, lived_in(StageVGG((64, 128, 256, 512))).state_dict(), student_metrics(), STUDENT_TEXT)
    return save


@pytest.fixture
def tree(written, tmp_path) -> Path:
    copy = tmp_path / "theirs" / "save"
    shutil.copytree(written, copy)
    return copy


def by_kind(root) -> dict[str, dict[str, Any]]:
    rows = root.store.rows()
    return {row["kind"] if row["role"] == "teacher" else "student": row for row in rows}


# ---- what is imported


def test_every_kind_is_imported_and_listed(root, tree, bkd):
    answer = bkd("import", str(tree))
    assert answer.code == 0, answer.err
    assert answer.out.splitlines()[-1] == "Imported 6 runs, 0 already there, 0 refused."
    assert answer.err == ""
    rows = bkd("list", "--json").json
    assert sorted(row["kind"] for row in rows if row["role"] == "teacher") == sorted(KINDS)
    assert all(row["tags"] == ["imported"] and row["status"] == "done" for row in rows)
    assert bkd("list", "--tag", "imported", "--json").json == rows
    assert bkd("registry", "check").code == 0
    assert "imported" in bkd("list").out
    for row in rows:
        assert bkd("show", row["id"]).code == 0
        assert row["path"].startswith("teachers/" if row["role"] == "teacher" else "students/T:wrn_16_1_S:vgg_c8/")
    assert bkd("tree").code == 0


def test_what_came_from_what_is_kept(root, tree, bkd):
    bkd("import", str(tree))
    rows = by_kind(root)
    assert rows["student"]["teacher"] == rows["Bayesian"]["id"]
    assert rows["Laplace"]["teacher"] == rows["MCMI"]["teacher"] == rows["Deterministic"]["id"]
    student = read_run(root.folder(rows["student"]))
    assert student["spec"]["teacher"] == rows["Bayesian"]["id"]
    assert student["lineage"]["teacher_name"] == rows["Bayesian"]["name"]


def test_figures_and_origin_are_recorded(root, tree, bkd):
    bkd("import", str(tree))
    rows = by_kind(root)
    teacher, student = (read_run(root.folder(rows[kind])) for kind in ("Deterministic", "student"))
    assert (teacher["epoch"], teacher["epochs"]) == (3, 200)
    assert teacher["metrics"]["test/acc"] == pytest.approx(0.5)
    assert teacher["spec"]["protocol"] == "paper"
    told = teacher["imported"]
    assert told["from"] == str(tree / "teachers" / "Deterministic" / "wrn_16_1" / NAME)
    assert told["wrn_shortcut"] == "raw"
    assert told["assumed"] == ["batch_size"]
    assert len(told["hash"]) == 32
    epochs = [event for event in read_events(root.folder(rows["Deterministic"]).events) if event["kind"] == "epoch"]
    assert [event["step"] for event in epochs] == [4, 8, 12]
    assert epochs[2]["test/acc"] == pytest.approx(0.5)
    assert student["metrics"] == {"test/acc": 0.6125, "train/loss": 0.75, "test/acc5": 0.88}
    assert student["results"]["test"]["protocol"] == "paper"
    assert student["imported"]["chosen_on_test"] == {
        "acc": 0.625, "acc5": 0.89, "epoch": 0,
    }  # fmt: skip


def test_one_folder_and_a_part_of_the_tree_can_be_imported(root, tree, bkd):
    assert bkd("import", str(tree / "teachers" / "MSE" / "wrn_16_1" / NAME)).out.endswith(
        "Imported 1 run, 0 already there, 0 refused.\n"
    )
    answer = bkd("import", str(tree / "students"))
    assert answer.code == 0
    assert by_kind(root)["student"]["teacher"] is None
    assert "teacher is gone" in bkd("tree").out
    assert bkd("show", by_kind(root)["student"]["id"]).code == 0


def test_a_few_shot_student_keeps_its_percent(root, tree, bkd):
    student = next((tree / "students").glob("*/*/*/T*"))
    folder = tree / "fewshot_experiment" / "10" / "T:wrn_16_1_S:vgg_c8" / "Bayesian" / STUDENT_NAME
    shutil.copytree(student, folder)
    assert "Imported 7 runs" in bkd("import", str(tree)).out
    runs = [run for run in Store(root.path).runs() if run["role"] == "student"]
    assert sorted(str(run["spec"]["fewshot_percent"]) for run in runs) == ["10.0", "None"]


# ---- twice, and without writing


def test_a_second_import_finds_all_there(root, tree, bkd):
    bkd("import", str(tree))
    before = root.store.rows()
    answer = bkd("import", str(tree))
    assert answer.code == 0
    assert answer.out.splitlines()[-1] == "Imported 0 runs, 6 already there, 0 refused."
    assert f"already imported as {by_kind(root)['Bayesian']['id']}" in answer.out
    moved = tree.parent / "elsewhere"
    tree.rename(moved)
    assert bkd("import", str(moved), "--json").json["imported"] == []
    assert root.store.rows() == before
    assert len(list(root.store.runs())) == 6


def test_weights_that_were_trained_on_are_another_run(root, tree, bkd):
    bkd("import", str(tree / "teachers" / "MSE"))
    torch.save(wrn_16_1(9).state_dict(), tree / "teachers" / "MSE" / "wrn_16_1" / NAME / "snapshot_sd.pt")
    assert "Imported 1 run, 0 already" in bkd("import", str(tree / "teachers" / "MSE")).out


def test_a_dry_run_writes_nothing(root, tree, bkd):
    answer = bkd("import", str(tree), "--dry-run")
    assert answer.code == 0
    assert answer.out.count("would import") == 6
    assert "Would import 6 runs" in answer.out
    assert not root.path.exists()
    told = bkd("import", str(tree), "--dry-run", "--json").json
    assert told["dry_run"] is True
    assert {one["id"] for one in told["imported"]} == {None}
    assert not root.path.exists()


def test_json_names_each_folder(root, tree, bkd):
    (tree / "teachers" / "MSE" / "wrn_16_1" / NAME / "snapshot_sd.pt").write_bytes(b"PK")
    told = bkd("import", str(tree), "--json").json
    assert len(told["imported"]) == 5
    assert [one["from"] for one in told["refused"]] == [str(tree / "teachers" / "MSE" / "wrn_16_1" / NAME)]
    assert {one["id"] for one in told["imported"]} == {row["id"] for row in root.store.rows()}
    assert [one["id"] for one in bkd("import", str(tree), "--json").json["known"]]


# ---- refusals


class Evil:
    """Pickles to a call that writes a marker."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return os.system, (f"touch {self.marker}",)


def test_hostile_and_broken_files_are_refused_and_the_rest_goes_on(root, tree, tmp_path, bkd):
    marker, teachers = tmp_path / "executed", tree / "teachers"
    deterministic = teachers / "Deterministic" / "wrn_16_1"
    (deterministic / NAME / "metrics.pkl").write_bytes(pickle.dumps({"acc": [0.5], "x": Evil(marker)}))
    evil = write(deterministic / "a", {"conv1.weight": Evil(marker)})
    raw = write(deterministic / "b", {})
    (raw / "snapshot_sd.pt").write_bytes(pickle.dumps(Evil(marker)))
    cut = write(deterministic / "c", wrn_16_1(5).state_dict())
    os.truncate(cut / "snapshot_sd.pt", 5000)
    other = write(deterministic / "d", {"fc.weight": torch.zeros(100, 64)})
    alien = write(teachers / "Dropout" / "wrn_16_1" / NAME, {})
    answer = bkd("import", str(tree))
    assert answer.code == 0
    assert answer.out.splitlines()[-1] == "Imported 6 runs, 0 already there, 5 refused."
    lines = answer.err.splitlines()
    assert len(lines) == 6
    for folder, named in (
        (evil, "Nothing in it was run"), (raw, "no file of torch.save"), (cut, "truncated"), (other, "conv1.weight is"),
        (alien, "with a kind of"),
    ):  # fmt: skip
        assert any(str(folder) in line and named in line for line in lines), (folder, lines)
    assert any("metrics.pkl is passed over" in line and ".system" in line for line in lines)
    assert not marker.exists()
    deterministic_run = read_run(root.folder(by_kind(root)["Deterministic"]))
    assert deterministic_run["metrics"] == {}
    assert deterministic_run["epoch"] == 200


def test_odd_files_and_names_are_refused(root, tree, bkd):
    teachers = tree / "teachers" / "MSE" / "wrn_16_1"
    pipe = teachers / "pipe"
    pipe.mkdir()
    os.mkfifo(pipe / "snapshot_sd.pt")
    write(teachers / "bad\udcffname\x1b[31m", {})
    (teachers / NAME / "metrics.txt").write_bytes(b"x" * 100_000)
    told = bkd("import", str(tree), "--json")
    assert told.code == 0
    assert [one["reason"].rpartition("/")[2] for one in told.json["refused"]] == [
        "bad\N{REPLACEMENT CHARACTER}name is no name in UTF-8. Rename the folder.",
        "snapshot_sd.pt is refused: snapshot_sd.pt is no ordinary file. Nothing in it was run.",
    ]
    [mse] = [one for one in told.json["imported"] if one["kind"] == "MSE"]
    assert "metrics.txt has 100,000 bytes" in mse["notes"][0]


def test_a_laplace_teacher_without_its_twin_is_refused(root, tree, bkd):
    shutil.rmtree(tree / "teachers" / "Deterministic")
    answer = bkd("import", str(tree / "teachers" / "Laplace"))
    assert answer.code == 0
    assert "Imported 0 runs, 0 already there, 1 refused." in answer.out
    assert f"Its Deterministic teacher {NAME} of wrn_16_1 is not among the imported runs" in answer.err
    assert not list(root.path.rglob("run.json"))


def test_a_laplace_teacher_of_another_twin_is_refused(root, tree, bkd):
    torch.save(wrn_16_1(8).state_dict(), tree / "teachers" / "Deterministic" / "wrn_16_1" / NAME / "snapshot_sd.pt")
    answer = bkd("import", str(tree))
    assert "5 runs, 0 already there, 1 refused" in answer.out
    assert "mean is not the last layer" in answer.err


def test_a_laplace_teacher_finds_the_twin_that_came_before(root, tree, bkd):
    bkd("import", str(tree / "teachers" / "Deterministic"))
    bkd("import", str(tree / "teachers" / "Laplace"))
    rows = by_kind(root)
    assert rows["Laplace"]["teacher"] == rows["Deterministic"]["id"]


def test_paths_that_hold_nothing_are_the_users_mistake(root, tmp_path, bkd):
    for path, named in ((tmp_path / "nowhere", "does not exist"), (tmp_path, "holds no snapshot_sd.pt")):
        answer = bkd("import", str(path))
        assert answer.code == 2
        assert named in answer.err
    assert bkd("import").code == 2


# ---- what an imported run is good for


def test_help_waits_for_no_torch():
    code = "import sys; from bkd.cli.main import run; run(['import', '--help']); sys.exit('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "--dry-run" in done.stdout


@pytest.fixture
def images(monkeypatch) -> ImageData:
    """A few images in place of CIFAR-100."""
    draws = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (160, 3, 32, 32), generator=draws, dtype=torch.uint8)
    labels = torch.arange(160) % 100
    data = ImageData(DATASETS["cifar100"], pixels[:100], labels[:100], pixels[100:], labels[100:])
    monkeypatch.setattr("bkd.assemble.load_dataset", lambda name, root: data)
    return data


def test_an_imported_teacher_is_evaluated_as_the_network_that_it_was(root, tree, images, bkd):
    info = images.info
    with torch.no_grad():
        x = (images.test_images / 255 - torch.tensor(info.mean).view(3, 1, 1)) / torch.tensor(info.sd).view(3, 1, 1)
        log_probs = wrn_16_1()(x).log_softmax(1)
    nll = -log_probs[torch.arange(60), images.test_labels].mean().item()
    bkd("import", str(tree))
    figures = bkd("evaluate", by_kind(root)["Deterministic"]["id"], "--device", "cpu", "--json").json
    assert figures["nll"] == pytest.approx(nll, rel=1e-4)
    assert figures["acc"] == pytest.approx(log_probs.argmax(1).eq(images.test_labels).float().mean().item())
    assert bkd("evaluate", by_kind(root)["student"]["id"], "--device", "cpu", "--json").json["images"] == 60


def test_students_are_distilled_from_every_kind(root, tree, images, bkd, monkeypatch):
    from bkd.child_train import TrainChild
    from bkd.locks import acquire

    started = []
    monkeypatch.setattr("bkd.actions.spawn", lambda folders, **_: started.extend(folders))
    bkd("import", str(tree / "teachers"))
    for kind, row in by_kind(root).items():
        options = ("--student", "wrn_16_1", "--epochs", "1", "--batch-size", "50", "--bnn-samples", "1")
        answer = bkd("distill", "--teacher", row["id"], *options, "--device", "cpu", "--detach", "--json")
        assert answer.code == 0, (kind, answer.err)
    for folder in started:
        assert TrainChild([folder], [acquire(folder.lock)], StopFlag(), is_resume=False).run() == 0
    students = [row for row in root.store.rows() if row["role"] == "student"]
    assert sorted((row["kind"], row["status"]) for row in students) == sorted((kind, "done") for kind in KINDS)
