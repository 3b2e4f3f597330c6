"""Conversion of networks: what is replaced, how much it grows, initial values."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from bkd.bayes.config import FFGConfig, InducingConfig
from bkd.bayes.convert import bayesianize
from bkd.bayes.inducing import InducingConv2d, InducingLinear
from bkd.bayes.layer import VariationalLayer
from bkd.bayes.posterior import WeightPosterior
from bkd.models.table import build_model
from bkd.rng import generator


@pytest.mark.parametrize("config", [InducingConfig(), FFGConfig()], ids=["inducing", "ffg"])
@pytest.mark.parametrize("arch", ["wrn_16_1", "MobileNetV2", "ShuffleV1", "ShuffleV2", "vgg8"])
def test_networks_train_a_step(arch: str, config: InducingConfig | FFGConfig) -> None:
    torch.manual_seed(0)
    model = build_model(arch, in_channels=1, num_classes=10)
    before = sum(p.numel() for p in model.parameters())
    report = bayesianize(model, config, generator(0, "init"))
    assert not any(isinstance(module, (nn.Linear, nn.Conv2d)) for module in model.modules())
    assert report.parameters_before == before
    assert report.parameters_after == sum(p.numel() for p in model.parameters())
    assert report.factor == pytest.approx(report.parameters_after / before)
    posterior = WeightPosterior(model)
    posterior.draw(generator(0, "weights"))
    logits = model(torch.randn(4, 1, 8, 8))
    (F.cross_entropy(logits, torch.arange(4)) + posterior.kl() / 1000).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name


def test_head_is_linear_in_its_drawn_weight() -> None:
    torch.manual_seed(0)
    model = build_model("wrn_16_1", in_channels=1, num_classes=10)
    bayesianize(model, InducingConfig(), generator(0, "init"))
    posterior = WeightPosterior(model.eval())
    posterior.draw(generator(0, "weights"))
    x = torch.randn(4, 1, 8, 8)
    features = model.forward_features(x)
    assert isinstance(model.head, InducingLinear)
    assert torch.allclose(model(x), features @ model.head.weight.T + model.head.bias, atol=1e-5)
    assert torch.equal(model(x), model.head(features))


def test_published_growth_of_the_uncapped_default() -> None:
    model = build_model("wrn_16_1", in_channels=3, num_classes=100)
    report = bayesianize(model, InducingConfig(cap_to_layer=False))
    assert report.factor == pytest.approx(6.0, abs=0.1)


def test_sizes_are_capped_at_the_layer() -> None:
    model = nn.Sequential(
        nn.Conv2d(3, 16, 3, bias=False), nn.Conv2d(64, 256, 3), nn.Linear(20, 10), nn.Linear(500, 200)
    )
    bayesianize(model, InducingConfig())
    assert [tuple(layer.inducing_mean.shape) for layer in model] == [(16, 27), (128, 128), (10, 21), (100, 128)]
    model = nn.Sequential(nn.Conv2d(3, 16, 3, bias=False))
    bayesianize(model, InducingConfig(cap_to_layer=False))
    assert tuple(model[0].inducing_mean.shape) == (128, 128)


def test_initial_values_of_inducing_layers() -> None:
    model = nn.Sequential(nn.Conv2d(64, 256, 3))
    bayesianize(model, InducingConfig(), generator(0, "init"))
    layer = model[0]
    assert isinstance(layer, InducingConv2d)
    assert layer.z_col.shape == (128, 64 * 9 + 1)
    assert layer.z_row.std().item() == pytest.approx(128**-0.5, rel=0.02)
    assert layer.z_col.std().item() == pytest.approx(128**-0.5, rel=0.02)
    assert layer.inducing_mean.std().item() == pytest.approx(1.0, rel=0.02)
    for raw in (layer._inducing_sd, layer._lamda, layer._d_row, layer._d_col):
        assert torch.allclose(F.softplus(raw), torch.tensor(1e-3))
    assert layer.limits.prior_sd == pytest.approx((64 * 9 + 1) ** -0.5)
    WeightPosterior(model).mean()
    assert layer.weight.std().item() < 1.1 * layer.limits.prior_sd


def test_a_generator_fixes_the_initial_values() -> None:
    states = []
    for seed in (0, 0, 1):
        model = nn.Sequential(nn.Linear(4, 3))
        bayesianize(model, InducingConfig(), generator(seed, "init"))
        states.append(model[0].z_row)
    assert torch.equal(states[0], states[1])
    assert not torch.equal(states[0], states[2])


@pytest.mark.parametrize("config", [InducingConfig(), FFGConfig(init_sd=0.1)], ids=["inducing", "ffg"])
@pytest.mark.parametrize("groups", [2, 4])
def test_grouped_convolution_is_one_convolution_per_group(groups: int, config: InducingConfig | FFGConfig) -> None:
    model = nn.Sequential(nn.Conv2d(4, 8, 3, stride=2, padding=1, groups=groups))
    bayesianize(model, config, generator(0, "init"))
    posterior = WeightPosterior(model.eval())
    posterior.draw(generator(0, "weights"))
    assert model[0].matrix_shape == (8, 4 // groups * 9 + 1)
    x = torch.randn(2, 4, 6, 6)
    parts = zip(x.chunk(groups, 1), model[0].weight.chunk(groups), model[0].bias.chunk(groups), strict=True)
    expected = torch.cat([F.conv2d(part, kernel, bias, 2, 1) for part, kernel, bias in parts], 1)
    assert torch.allclose(model(x), expected, atol=1e-5)


def test_a_shared_layer_stays_shared() -> None:
    layer = nn.Linear(3, 3)
    model = nn.ModuleDict({"a": layer, "b": nn.Sequential(layer, nn.ReLU())})
    report = bayesianize(model, FFGConfig())
    assert model["a"] is model["b"][0]
    assert isinstance(model["a"], VariationalLayer)
    assert report.factor == 2


@pytest.mark.parametrize("model", [nn.Sequential(nn.ReLU()), nn.Linear(2, 2)], ids=["no layer", "itself a layer"])
def test_nothing_to_replace_is_refused(model: nn.Module) -> None:
    with pytest.raises(ValueError, match="could be made Bayesian"):
        bayesianize(model, FFGConfig())


def test_other_padding_is_refused() -> None:
    with pytest.raises(ValueError, match="reflect"):
        bayesianize(nn.Sequential(nn.Conv2d(1, 1, 3, padding=1, padding_mode="reflect")), FFGConfig())
