"""Foreign weights compute the same logits in bkd's networks as in networks written anew; misfits are refused."""

import pytest
import torch
from foreign_tree import (
    NAME,
    STUDENT_NAME,
    FlatVGG,
    RawWRN,
    StageVGG,
    inducing_state,
    lived_in,
    naive_logits,
    resnet18,
    weight_shapes,
    write,
    wrn_16_1,
)

from bkd.bayes.posterior import WeightPosterior
from bkd.errors import CheckpointError
from bkd.foreign.layout import read_folder
from bkd.foreign.names import dataset_of, inducing_size, to_bkd
from bkd.foreign.runs import check_shortcut, make_run
from bkd.foreign.snapshot import read_snapshot, state_of
from bkd.foreign.specs import network_settings
from bkd.models.table import build_model
from bkd.specs import LoopSpec, TrainSpec

torch.set_num_threads(1)

BUILDERS = {
    "wrn_16_1": lambda: RawWRN(2, 1),
    "wrn_40_2": lambda: RawWRN(6, 2),
    "resnet18": resnet18,
    "vgg11": lambda: FlatVGG("A", False),
    "vgg13_bn": lambda: FlatVGG("B", True),
    "vgg_c8": lambda: StageVGG((64, 128, 256, 512)),
}


def images(count: int = 2) -> torch.Tensor:
    return torch.randn(count, 3, 32, 32, generator=torch.Generator().manual_seed(5))


def imported(tmp_path, kind: str, arch: str, state, name: str = NAME):
    folder = write(tmp_path / "teachers" / kind / arch / name, state)
    content = (folder / "snapshot_sd.pt").read_bytes()
    return make_run(read_folder(folder), state_of(read_snapshot(content)), "0" * 32, None)


@pytest.mark.parametrize("arch", list(BUILDERS))
def test_logits_are_those_of_an_independent_network(tmp_path, arch):
    torch.manual_seed(1)
    foreign = lived_in(BUILDERS[arch]())
    result = imported(tmp_path, "Deterministic", arch, foreign.state_dict())
    x = images()
    with torch.no_grad():
        expected, got = foreign(x), result.network(x)
    assert expected.std() > 1e-3
    assert torch.allclose(got, expected, rtol=1e-4, atol=1e-4 * expected.abs().max().item())
    assert result.run["spec"]["preact_shortcut"] is (not arch.startswith("wrn"))
    assert result.run["imported"]["wrn_shortcut"] == ("raw" if arch.startswith("wrn") else None)


def test_the_variants_that_names_do_not_tell_change_the_logits():
    """The comparison above would notice a published shortcut and a kept first pool."""
    foreign = wrn_16_1()
    published = build_model("wrn_16_1", in_channels=3, num_classes=100).eval()
    published.load_state_dict(foreign.state_dict())
    with torch.no_grad():
        assert (published(images()) - foreign(images())).abs().max() > 0.1


@pytest.mark.parametrize("kind", ["MSE", "MCMI"])
def test_other_kinds_hold_the_same_network(tmp_path, kind):
    foreign = wrn_16_1()
    name = f"{NAME}_0.15_20_0.0002_100_0.9" if kind == "MCMI" else NAME
    result = imported(tmp_path, kind, "wrn_16_1", foreign.state_dict(), name)
    with torch.no_grad():
        assert torch.allclose(result.network(images()), foreign(images()), atol=1e-4)
    spec = result.run["spec"]
    told = {"MSE": ("mse_on", "logits"), "MCMI": ("mcmi_sign", "reference")}[kind]
    assert spec[told[0]] == told[1]
    assert spec["trial"] == 1


@pytest.mark.parametrize("size", [None, 24], ids=["as configured", "another size"])
def test_inducing_layers_predict_as_the_formulas(tmp_path, size):
    foreign = wrn_16_1()
    state = inducing_state(foreign, size)
    result = imported(tmp_path, "Bayesian", "wrn_16_1", state)
    assert result.run["spec"]["inducing_size"] == size
    posterior, x = WeightPosterior(result.network), images()
    with torch.no_grad():
        posterior.mean()
        mean, naive_mean = result.network(x), naive_logits(foreign, state, None, x)
        posterior.draw(torch.Generator().manual_seed(3))
        drawn = result.network(x)
        naive_drawn = naive_logits(foreign, state, noise_of(posterior, result.network, 3), x)
    scale = naive_mean.abs().max()
    assert (mean - naive_mean).abs().max() < 1e-4 * scale
    assert (drawn - naive_drawn).abs().max() < 1e-4 * scale
    assert (drawn - mean).abs().max() > 1e-2 * scale


def noise_of(posterior: WeightPosterior, network, seed: int) -> dict[str, dict[str, torch.Tensor]]:
    """Return the standard normal numbers of the draw with this seed, by layer name."""
    names = {module: name for name, module in network.named_modules()}
    batch, found = posterior._inducing, {}
    for block, noise in zip(batch.blocks, batch.noise(torch.Generator().manual_seed(seed)), strict=True):
        small, large = noise[:4], [e1 for run in noise[4:] for e1 in run]
        for i, layer in enumerate(block.layers):
            parts = zip(("eps_u", "e2", "e3", "e4"), small, strict=True)
            found[names[layer]] = {name: part[i].double() for name, part in parts} | {"e1": large[i].double()}
    return found


def test_every_inducing_layer_is_there():
    foreign = wrn_16_1()
    assert len(weight_shapes(foreign)) == 16
    assert inducing_size(inducing_state(foreign)) is None
    assert inducing_size(inducing_state(foreign, 7)) == 7


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda s: s.pop("group2.0.shortcut.weight"), "group2.0.shortcut.weight is missing"),
        (lambda s: s.update({"extra.weight": torch.zeros(2)}), "extra.weight is unexpected"),
        (lambda s: s.update({"conv1.weight": torch.zeros(16, 3, 5, 5)}), "conv1.weight has shape (16, 3, 5, 5)"),
        (lambda s: s.update({"conv1.weight": s["conv1.weight"].long()}), "conv1.weight has numbers of type"),
        (lambda s: s.update({"fc.weight": torch.zeros(7, 64)}), "7 classes"),
        (lambda s: s.pop("fc.weight"), "no last layer"),
        (lambda s: s.update({"conv1.weight": "text"}), "'conv1.weight' is no tensor"),
        (lambda s: s.update({"conv1.weight": torch.eye(3).to_sparse()}), "'conv1.weight' is no tensor"),
    ],
    ids=["missing", "unexpected", "shape", "type", "classes", "headless", "no tensor", "sparse"],
)
def test_what_does_not_fit_is_refused_by_name(tmp_path, change, named):
    state = dict(wrn_16_1().state_dict())
    change(state)
    with pytest.raises(CheckpointError) as error:
        imported(tmp_path, "Deterministic", "wrn_16_1", state)
    assert named in str(error.value)


def test_the_architecture_of_the_folder_is_checked_by_shapes(tmp_path):
    with pytest.raises(CheckpointError, match="do not fit"):
        imported(tmp_path, "Deterministic", "wrn_16_2", wrn_16_1().state_dict())
    with pytest.raises(CheckpointError, match="no inducing_mean"):
        imported(tmp_path, "Bayesian", "wrn_16_1", wrn_16_1().state_dict())


def test_a_tensor_at_the_place_of_the_pool_fits_nothing():
    names = to_bkd(
        "vgg11", {name: torch.zeros(1) for name in ("features.0.bias", "features.2.bias", "features.3.bias")}
    )
    assert list(names) == ["features.0.bias", "features.[2].bias", "features.2.bias"]


def test_mixed_inducing_sizes_are_refused():
    state = inducing_state(wrn_16_1(), 8)
    state["fc.inducing_mean"] = torch.zeros(5, 8)
    with pytest.raises(CheckpointError, match=r"inducing_mean has shape"):
        inducing_size(state)


def test_the_data_set_is_told_by_the_classes():
    assert dataset_of({"classifier.weight": torch.zeros(10, 512)}) == "cifar10"
    assert dataset_of({"fc.z_row": torch.zeros(100, 100)}) == "cifar100"


@pytest.mark.parametrize("arch", ["vgg_c8", "wrn_16_1"])
def test_students_hold_their_own_network(tmp_path, arch):
    torch.manual_seed(2)
    foreign = lived_in(BUILDERS[arch]())
    folder = write(
        tmp_path / "students" / f"T:resnet50_S:{arch}" / "Bayesian" / "lambd_0.5tempt_4.0temps_1.0" / STUDENT_NAME,
        foreign.state_dict(),
    )
    result = make_run(read_folder(folder), state_of(dict(foreign.state_dict())), "0" * 32, None)
    with torch.no_grad():
        assert torch.allclose(result.network(images()), foreign(images()), atol=1e-4)
    run, spec = result.run, result.run["spec"]
    assert (run["role"], run["kind"], run["arch"], run["student_arch"]) == ("student", "Bayesian", "resnet50", arch)
    assert run["teacher"] is None
    assert spec["preact_shortcut"] is (arch == "vgg_c8")
    assert (spec["alpha"], spec["kd_T"], spec["kd_S"], spec["bnn_samples"], spec["trial"]) == (0.5, 4.0, 1.0, 10, 1)


def test_a_shortcut_that_settings_cannot_say_is_refused(tmp_path):
    """Weights fit either network: without a setting bkd would compute other logits from them."""
    found = read_folder(tmp_path / "students" / "T:resnet50_S:wrn_40_1" / "Bayesian" / STUDENT_NAME)
    with pytest.raises(CheckpointError, match="shortcut on the raw input"):
        network_settings(found, LoopSpec)
    with pytest.raises(CheckpointError, match="built them on relu"):
        check_shortcut(build_model("wrn_16_1", in_channels=3, num_classes=100))
    assert network_settings(found, TrainSpec) == {"student": "wrn_40_1", "preact_shortcut": False}
