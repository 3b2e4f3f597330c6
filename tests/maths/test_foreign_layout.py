"""What the folders of the paper's scripts tell by their names."""

from pathlib import Path

import pytest
from foreign_tree import NAME, STUDENT_NAME, write

from bkd.errors import CheckpointError, SpecError
from bkd.foreign.layout import find_snapshots, read_folder

TREE = Path("/data/save")
RECIPE = {"epochs": 200, "learning_rate": 0.001, "lr_decay_rate": 0.1, "lr_decay_epochs": [100, 150], "trial": 1}


def test_a_deterministic_teacher():
    found = read_folder(TREE / "teachers" / "Deterministic" / "resnet50" / NAME)
    assert (found.role, found.kind, found.arch, found.parent, found.rank) == (
        "teacher", "Deterministic", "resnet50", "", 0,
    )  # fmt: skip
    assert found.settings == RECIPE
    assert found.key == f"teachers/Deterministic/resnet50/{NAME}"


def test_a_bayesian_teacher_has_its_phases():
    found = read_folder(TREE / "teachers" / "Bayesian" / "wrn_40_2" / "200_1e-05_0.5_[]_50_100_trial_12")
    assert found.settings == {
        "epochs": 200, "learning_rate": 1e-5, "lr_decay_rate": 0.5, "lr_decay_epochs": [], "trial": 12,
        "bnn_annealing_epochs": 50, "bnn_ml_epochs": 100,
    }  # fmt: skip


def test_a_laplace_teacher_knows_its_twin():
    folder = TREE / "teachers" / "Laplace" / "resnet50" / f"{NAME}_last_layer_kron_marglik_glm_bridge_norm"
    found = read_folder(folder)
    assert found.settings == {
        "trial": 1, "subs_weights": "last_layer", "hess_struct": "kron", "la_method": "marglik", "pred_type": "glm",
        "link_approx": "bridge_norm",
    }  # fmt: skip
    assert (found.parent, found.rank) == (NAME, 1)
    assert next(found.parent_folders()) == TREE / "teachers" / "Deterministic" / "resnet50" / NAME


def test_an_mcmi_teacher():
    found = read_folder(TREE / "teachers" / "MCMI" / "wrn_40_2" / f"{NAME}_0.15_20_0.0002_100_0.9")
    assert found.settings == {
        "trial": 1, "mcmi_param": 0.15, "epochs": 20, "learning_rate": 0.0002, "batch_size": 100,
    }  # fmt: skip
    assert found.parent == NAME


def test_a_student_repeats_its_teachers_trial():
    folder = TREE / "students" / "T:resnet50_S:wrn_40_1" / "Bayesian" / "lambd_0.5tempt_4.0temps_1.0" / STUDENT_NAME
    found = read_folder(folder)
    assert (found.role, found.kind, found.arch, found.student_arch, found.rank) == (
        "student", "Bayesian", "resnet50", "wrn_40_1", 2,
    )  # fmt: skip
    assert found.settings == {
        "epochs": 200, "learning_rate": 0.001, "lr_decay_rate": 0.1, "lr_decay_epochs": [100], "alpha": 0.5,
        "kd_T": 4.0, "kd_S": 1.0, "bnn_samples": 10, "trial": 1,
    }  # fmt: skip
    assert TREE / "teachers" / "Bayesian" / "resnet50" / NAME in found.parent_folders()


def test_a_few_shot_student():
    folder = TREE / "fewshot_experiment" / "10" / "T:resnet50_S:resnet18" / "MSE" / STUDENT_NAME
    found = read_folder(folder)
    assert (found.fewshot_percent, found.kind, found.settings["alpha"]) == (10, "MSE", 0.5)
    assert TREE / "teachers" / "MSE" / "resnet50" / NAME in found.parent_folders()


def test_names_that_do_not_parse_leave_the_settings_open():
    found = read_folder(TREE / "teachers" / "Deterministic" / "resnet50" / "my best one")
    assert (found.settings, found.parent) == ({}, "")
    found = read_folder(TREE / "teachers" / "Laplace" / "resnet50" / "renamed_trial_3_of_mine")
    assert found.settings == {"trial": 3}


def test_the_key_does_not_depend_on_where_the_tree_lies():
    tails = [
        Path("Bayesian", "resnet18", NAME),
        Path("T:resnet50_S:resnet18", "Bayesian", "lambd_1.0tempt_1.0temps_1.0", STUDENT_NAME),
    ]
    for tail in tails:
        assert read_folder(Path("/a/teachers") / tail).key == read_folder(Path("/b/c") / tail).key


@pytest.mark.parametrize(
    ("folder", "named"),
    [
        ("teachers/Deterministic/resnet8x4/x", "resnet8x4"),
        ("teachers/Bayesian/vgg8/x", "vgg8"),
        ("teachers/Dropout/resnet18/x", "Deterministic, Bayesian"),
        ("somewhere", "Deterministic, Bayesian"),
        ("students/T:resnet50_S:resnet18/Ensemble/lambd_1tempt_1temps_1/x", "Ensemble"),
        ("students/T:resnet50_S:alexnet/MSE/lambd_1tempt_1temps_1/x", "alexnet"),
    ],
)
def test_what_the_scripts_do_not_write_is_refused(folder, named):
    with pytest.raises(CheckpointError, match=named):
        read_folder(TREE / folder)


def test_snapshots_are_found_at_any_depth(tmp_path):
    folders = [tmp_path / "b" / "c", tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        write(folder, {}) if not folder.exists() else (folder / "snapshot_sd.pt").write_bytes(b"")
    (tmp_path / "d").mkdir()
    assert find_snapshots(tmp_path) == [tmp_path / "a", tmp_path / "b", tmp_path / "b" / "c"]
    assert find_snapshots(folders[0]) == [folders[0]]


def test_paths_without_snapshots_are_the_users_mistake(tmp_path):
    with pytest.raises(SpecError, match="does not exist"):
        find_snapshots(tmp_path / "nowhere")
    with pytest.raises(SpecError, match=r"holds no snapshot_sd\.pt"):
        find_snapshots(tmp_path)
    (tmp_path / "registry.json").write_text("{}")
    with pytest.raises(SpecError, match="save root of bkd"):
        find_snapshots(tmp_path)
    with pytest.raises(SpecError, match="is a file"):
        find_snapshots(tmp_path / "registry.json")
