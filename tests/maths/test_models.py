"""Networks: sizes, protocol, a training step at every side, loading of weights, wide ResNets against a naive one."""

from functools import lru_cache

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bkd.catalog import ARCHITECTURES
from bkd.errors import CheckpointError, SpecError
from bkd.models.network import Network, PoolAboveOne
from bkd.models.shufflenet import channel_shuffle
from bkd.models.table import TABLE, build_model, count_parameters, load_weights

# Parameters for 3 channels and 100 classes: published integers where there are any (torchvision's less the larger stem
# and 900 classes, the field's tables for the CIFAR nets), else counted by hand from the layer shapes.
SIZES = {
    "resnet18": 11_689_512 - 7_680 - 900 * 513,
    "resnet34": 21_797_672 - 7_680 - 900 * 513,
    "resnet50": 25_557_032 - 7_680 - 900 * 2049,
    "resnet101": 44_549_160 - 7_680 - 900 * 2049,
    "resnet152": 60_192_808 - 7_680 - 900 * 2049,
    "resnet8x4": 1_233_540,
    "resnet32x4": 7_433_860,
    "wrn_16_1": 180_916,
    "wrn_16_2": 703_284,
    "wrn_40_1": 569_780,
    "wrn_40_2": 2_255_156,
    "vgg8": 3_965_028,
    "vgg11": 9_220_480 + 51_300,
    "vgg13": 9_404_992 + 51_300,
    "vgg16": 14_714_688 + 51_300,
    "vgg19": 20_024_384 + 51_300,
    "vgg11_bn": 9_220_480 + 51_300 + 2 * 2752,
    "vgg13_bn": 9_404_992 + 51_300 + 2 * 2944,
    "vgg16_bn": 14_714_688 + 51_300 + 2 * 4224,
    "vgg19_bn": 20_024_384 + 51_300 + 2 * 5504,
    "vgg_c8": 4_738_596,
    "vgg_c13": 9_459_236,
    "MobileNetV2": 812_836,
    "ShuffleV1": 949_258,
    "ShuffleV2": 1_355_528,
}
MILLIONS = {
    "resnet18": "11.22", "resnet34": "21.33", "resnet50": "23.71", "resnet101": "42.70", "resnet152": "58.34",
    "wrn_16_1": "0.181", "wrn_16_2": "0.703", "wrn_40_1": "0.570", "wrn_40_2": "2.255",
    "vgg11": "9.27", "vgg13": "9.46", "vgg16": "14.77", "vgg19": "20.08", "vgg_c8": "4.74", "vgg_c13": "9.46",
    "vgg8": "3.97", "resnet8x4": "1.23", "resnet32x4": "7.43", "MobileNetV2": "0.81", "ShuffleV1": "0.95",
    "ShuffleV2": "1.36",
}  # fmt: skip
FAMILIES = ("resnet18", "resnet50", "resnet8x4", "wrn_16_1", "vgg8", "vgg11", "vgg_c8", "MobileNetV2", "ShuffleV1",
            "ShuffleV2")  # fmt: skip


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


@lru_cache(maxsize=1)  # one at a time: ResNet-152 with its gradients takes 0.5 GB
def digits_network(arch: str) -> Network:
    return build_model(arch, in_channels=1, num_classes=10)


def randomise_norms(model: nn.Module) -> nn.Module:
    """Give batch norms statistics and scales that a swapped or skipped norm would show."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.1)
    return model


def test_table_names_are_the_catalog() -> None:
    assert tuple(TABLE) == ARCHITECTURES


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_parameter_count(arch: str) -> None:
    with torch.device("meta"):
        count = count_parameters(build_model(arch, in_channels=3, num_classes=100))
    assert count == SIZES[arch]
    if arch in MILLIONS:
        assert f"{count / 1e6:.{len(MILLIONS[arch].split('.')[1])}f}" == MILLIONS[arch]


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_channels_and_classes_change_only_the_ends(arch: str) -> None:
    with torch.device("meta"):
        digits = build_model(arch, in_channels=1, num_classes=7)
        colour = build_model(arch, in_channels=3, num_classes=100)
    stem, *_ = (m for m in colour.modules() if isinstance(m, nn.Conv2d))
    features = colour.head.in_features
    ends = 2 * stem.weight[:, 0].numel() + 93 * (features + 1)
    assert count_parameters(colour) - count_parameters(digits) == ends


@pytest.mark.parametrize(("arch", "side"), [(arch, side) for arch in ARCHITECTURES for side in (8, 28, 32, 64)])
def test_trains_a_step(arch: str, side: int) -> None:
    model = digits_network(arch).train()
    model.zero_grad(set_to_none=True)
    # A single image is enough where the last map has several pixels; at 8 it has one.
    images, labels = torch.randn(2 if side == 8 else 1, 1, side, side), torch.tensor([3, 8])
    loss = F.cross_entropy(model(images), labels[: len(images)])
    loss.backward()
    assert loss.isfinite()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
    assert model.head.weight.grad.abs().sum() > 0


@pytest.mark.parametrize("arch", ["resnet8x4", "wrn_16_1", "vgg8", "MobileNetV2", "ShuffleV1", "ShuffleV2"])
def test_a_few_steps_fit_a_batch(arch: str) -> None:
    model = build_model(arch, in_channels=1, num_classes=3).train()
    # At 8 pixels MobileNetV2 normalises its last maps over 6 values only, too noisy to judge a few steps by.
    images, labels = torch.randn(6, 1, 16, 16), torch.tensor([0, 1, 2, 0, 1, 2])
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    losses = []
    for _ in range(10):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 2


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_head_is_the_last_linear_layer(arch: str) -> None:
    with torch.device("meta"):
        model = build_model(arch, in_channels=1, num_classes=10)
    linears = [m for m in model.modules() if isinstance(m, nn.Linear)]
    assert linears == [model.head]
    assert model.head is getattr(model, model.head_name)


@pytest.mark.parametrize("arch", FAMILIES)
def test_forward_is_head_of_features(arch: str) -> None:
    model = randomise_norms(build_model(arch, in_channels=1, num_classes=10)).eval()
    images = torch.randn(2, 1, 32, 32)
    with torch.no_grad():
        features = model.forward_features(images)
        assert features.shape == (2, model.head.in_features)
        assert torch.equal(model(images), model.head(features))
        replacement = nn.Linear(model.head.in_features, 4)
        setattr(model, model.head_name, replacement)
        assert model.head is replacement
        assert torch.equal(model(images), replacement(features))


def test_assigning_head_replaces_the_layer_in_use() -> None:
    model = build_model("vgg8", in_channels=1, num_classes=10)
    replacement = nn.Linear(512, 4)
    model.head = replacement
    assert model.classifier is replacement
    assert "head" not in dict(model.named_children())


@pytest.mark.parametrize("arch", FAMILIES)
def test_per_example_gradients_by_vmap(arch: str) -> None:
    model = randomise_norms(build_model(arch, in_channels=1, num_classes=5)).eval().double()  # a ReLU flips by rounding
    images, labels = torch.randn(3, 1, 8, 8, dtype=torch.float64), torch.tensor([0, 2, 4])
    weights = {name: p.detach() for name, p in model.named_parameters()}

    def loss(weights: dict[str, Tensor], image: Tensor, label: Tensor) -> Tensor:
        logits = torch.func.functional_call(model, weights, (image[None],))
        return F.cross_entropy(logits, label[None])

    each = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0, 0))(weights, images, labels)
    F.cross_entropy(model(images), labels).backward()
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(each[name].mean(0), parameter.grad, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("arch", FAMILIES)
def test_seed_fixes_initial_values(arch: str) -> None:
    first = digits_network(arch).state_dict()
    torch.manual_seed(1)
    again = [build_model(arch, in_channels=1, num_classes=10).state_dict()]
    torch.manual_seed(1)
    again.append(build_model(arch, in_channels=1, num_classes=10).state_dict())
    assert all(torch.equal(again[0][name], again[1][name]) for name in first)
    weights = [name for name, tensor in first.items() if tensor.ndim > 1]
    assert weights
    assert not any(torch.equal(first[name], again[0][name]) for name in weights)


@pytest.mark.parametrize("arch", ["resnet18", "resnet8x4", "wrn_16_2", "vgg11", "vgg8", "vgg_c8", "MobileNetV2"])
def test_convolutions_start_he_normal(arch: str) -> None:
    model = build_model(arch, in_channels=3, num_classes=100)
    for name, module in model.named_modules():
        if isinstance(module, nn.Conv2d) and module.weight.numel() >= 4096 and module.groups == 1:
            k = module.kernel_size[0]
            expected = (2 / (k * k * module.out_channels)) ** 0.5
            assert module.weight.std().item() == pytest.approx(expected, rel=0.05), name
            assert module.bias is None or module.bias.abs().max() == 0


def test_resnet_names_and_strides() -> None:
    with torch.device("meta"):
        model = build_model("resnet50", in_channels=3, num_classes=100)
    assert model.conv1.stride == (1, 1)
    assert model.conv1.kernel_size == (3, 3)
    assert model.layer2[0].conv1.stride == (1, 1)
    assert model.layer2[0].conv2.stride == (2, 2)
    assert {"conv1.weight", "layer4.2.bn3.running_var", "layer1.0.downsample.0.weight", "fc.bias"} <= set(
        model.state_dict()
    )


def test_wrn_names() -> None:
    with torch.device("meta"):
        names = {
            name.rsplit(".", 1)[0] for name in build_model("wrn_16_2", in_channels=3, num_classes=100).state_dict()
        }
    blocks = {f"group{g}.{i}.{part}" for g in (1, 2, 3) for i in (0, 1) for part in ("bn1", "conv1", "bn2", "conv2")}
    assert names == {"conv1", "bn", "fc"} | blocks | {f"group{g}.0.shortcut" for g in (1, 2, 3)}


@pytest.mark.parametrize(("arch", "stages", "side"), [("vgg_c8", 4, 8), ("vgg_c13", 5, 4)])
def test_vgg_c_names_and_pools(arch: str, stages: int, side: int) -> None:
    model = build_model(arch, in_channels=3, num_classes=100).eval()
    parts = {name.rsplit(".", 1)[0] for name in model.state_dict()}
    assert parts == {f"stage{s}.{i}" for s in range(1, stages + 1) for i in (0, 1, 3, 4)} | {"classifier"}
    assert not any(isinstance(m, nn.Conv2d) and m.bias is not None for m in model.modules())
    x, sides = torch.randn(1, 3, 32, 32), []
    with torch.no_grad():
        for s in range(1, stages + 1):
            x = model.get_submodule(f"stage{s}")(x)
            sides.append(x.shape[-1])
    assert sides[0] == 32
    assert sides[-1] == sides[-2] == side


@pytest.mark.parametrize(
    ("arch", "image_side", "side"),
    [("vgg8", 32, 4), ("vgg8", 64, 4), ("MobileNetV2", 32, 2), ("ShuffleV1", 32, 4), ("ShuffleV2", 32, 4)],
)
def test_side_of_the_last_map(arch: str, image_side: int, side: int, monkeypatch: pytest.MonkeyPatch) -> None:
    sides = []
    average = F.adaptive_avg_pool2d
    monkeypatch.setattr(F, "adaptive_avg_pool2d", lambda x, size: sides.append(x.shape[-1]) or average(x, size))
    with torch.no_grad():
        build_model(arch, in_channels=3, num_classes=10).eval()(torch.randn(1, 3, image_side, image_side))
    assert sides == [side]


def test_channel_shuffle_equals_torch() -> None:
    x = torch.randn(2, 12, 3, 5)
    assert torch.equal(channel_shuffle(x, 3), nn.ChannelShuffle(3)(x))


def test_pool_leaves_one_pixel() -> None:
    x = torch.randn(1, 2, 1, 1)
    assert torch.equal(PoolAboveOne()(x), x)
    assert PoolAboveOne()(torch.randn(1, 2, 5, 4)).shape == (1, 2, 2, 2)


def naive_wrn(state: dict[str, Tensor], x: Tensor, blocks: int, preact_shortcut: bool, training: bool) -> Tensor:
    """Compute a WRN's logits from its tensors alone."""

    def norm(x: Tensor, name: str) -> Tensor:
        mean, var = state[f"{name}.running_mean"], state[f"{name}.running_var"]
        if training:
            mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3), unbiased=False)
        scale = state[f"{name}.weight"] / (var + 1e-5).sqrt()
        return (x - mean[:, None, None]) * scale[:, None, None] + state[f"{name}.bias"][:, None, None]

    x = F.conv2d(x, state["conv1.weight"], padding=1)
    for group in (1, 2, 3):
        for i in range(blocks):
            at = f"group{group}.{i}"
            stride = 2 if group > 1 and i == 0 else 1
            active = norm(x, f"{at}.bn1").relu()
            y = F.conv2d(active, state[f"{at}.conv1.weight"], stride=stride, padding=1)
            y = F.conv2d(norm(y, f"{at}.bn2").relu(), state[f"{at}.conv2.weight"], padding=1)
            if f"{at}.shortcut.weight" in state:
                x = F.conv2d(active if preact_shortcut else x, state[f"{at}.shortcut.weight"], stride=stride)
            x = x + y
    return norm(x, "bn").relu().mean((2, 3)) @ state["fc.weight"].T + state["fc.bias"]


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("preact_shortcut", [True, False])
@pytest.mark.parametrize(("arch", "blocks"), [("wrn_16_1", 2), ("wrn_16_2", 2), ("wrn_40_1", 6)])
def test_wrn_equals_naive(arch: str, blocks: int, preact_shortcut: bool, training: bool) -> None:
    model = build_model(arch, in_channels=3, num_classes=7, preact_shortcut=preact_shortcut)
    randomise_norms(model).double().train(training)
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    images = torch.randn(3, 3, 12, 12, dtype=torch.float64)
    with torch.no_grad():
        logits = model(images)
        torch.testing.assert_close(logits, naive_wrn(state, images, blocks, preact_shortcut, training))
        other = naive_wrn(state, images, blocks, not preact_shortcut, training)
    assert (logits - other).abs().max() > 1e-3


def test_wrn_is_published_form_by_default() -> None:
    with torch.device("meta"):
        assert build_model("wrn_16_1", in_channels=3, num_classes=10).group2[0].preact_shortcut


def test_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(SpecError, match=r"'resnet51'.*Did you mean 'resnet50'"):
        build_model("resnet51", in_channels=3, num_classes=10)
    with pytest.raises(SpecError, match=r"'zzzzzzzz'.*Known are resnet18"):
        build_model("zzzzzzzz", in_channels=3, num_classes=10)


@pytest.mark.parametrize(
    ("arch", "option"), [("resnet18", "preact_shortcut"), ("wrn_16_1", "depth"), ("vgg8", "widths")]
)
def test_unknown_option_is_refused(arch: str, option: str) -> None:
    with pytest.raises(SpecError, match=f"{arch} has .*'{option}'"):
        build_model(arch, in_channels=3, num_classes=10, **{option: 1})


def test_load_weights_round_trip() -> None:
    source, target = (build_model("wrn_16_1", in_channels=1, num_classes=10) for _ in range(2))
    randomise_norms(source)
    load_weights(target, source.state_dict())
    images = torch.randn(2, 1, 8, 8)
    assert torch.equal(source.eval()(images), target.eval()(images))


def test_load_weights_names_faults_and_leaves_the_model() -> None:
    model = build_model("wrn_16_1", in_channels=1, num_classes=10)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    given = {name: torch.ones_like(tensor) for name, tensor in before.items() if name != "bn.bias"}
    given["fc.weight"] = torch.ones(100, 64)
    given["fc.extra"] = torch.ones(1)
    with pytest.raises(CheckpointError) as caught:
        load_weights(model, given)
    text = str(caught.value)
    assert "bn.bias is missing" in text
    assert "fc.weight has shape (100, 64), must be (10, 64)" in text
    assert "fc.extra is unexpected" in text
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_load_weights_names_at_most_five() -> None:
    model = build_model("wrn_16_1", in_channels=1, num_classes=10)
    total = len(model.state_dict())
    with pytest.raises(CheckpointError) as caught:
        load_weights(model, {})
    assert str(caught.value).count("is missing") == 5
    assert f"and {total - 5} more" in str(caught.value)
