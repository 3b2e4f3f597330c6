"""Mean-field layers: local reparameterisation, KL and start."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from bkd.bayes.config import FFGConfig
from bkd.bayes.convert import bayesianize
from bkd.bayes.ffg import FFGConv2d, FFGLinear
from bkd.bayes.posterior import WeightPosterior
from bkd.rng import generator


def convolution(bias: bool = True) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(2, 4, 3, padding=1, groups=2, bias=bias)).double()


@pytest.mark.parametrize("width_scaling", [True, False])
def test_kl_is_torch_distributions(width_scaling: bool) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(2, 4, 3, bias=False), nn.Flatten(), nn.Linear(16, 3))
    bayesianize(model, FFGConfig(prior_sd=0.7, init_sd=0.2, max_sd=0.5, width_scaling=width_scaling))
    total = 0.0
    for layer, fan_in in ((model[0], 18), (model[2], 16)):
        with torch.no_grad():
            layer.rho += torch.randn_like(layer.rho)
        sd = F.softplus(layer.rho).clamp(max=0.5)
        prior = torch.distributions.Normal(0.0, 0.7 / (fan_in**0.5 if width_scaling else 1.0))
        total = total + torch.distributions.kl_divergence(torch.distributions.Normal(layer.mean, sd), prior).sum()
    assert torch.allclose(WeightPosterior(model).kl(), total, rtol=1e-5)


def test_kl_gradients() -> None:
    model = nn.Sequential(nn.Linear(3, 2)).double()
    bayesianize(model, FFGConfig(init_sd=0.3))
    posterior, layer = WeightPosterior(model), model[0]

    def kl(mean: torch.Tensor, rho: torch.Tensor) -> torch.Tensor:
        del layer.mean, layer.rho
        layer.mean, layer.rho = mean, rho
        return posterior.kl()

    parameters = [p.detach().clone().requires_grad_() for p in (layer.mean, layer.rho)]
    posterior._full_precision = _nothing  # it asks the layer for its parameters, which are plain tensors here
    assert torch.autograd.gradcheck(kl, parameters)


def _nothing() -> torch.enable_grad:
    return torch.enable_grad()


@pytest.mark.parametrize("bias", [True, False])
def test_starts_at_the_layer_it_replaces(bias: bool) -> None:
    model, x = convolution(bias), torch.randn(3, 2, 5, 5, dtype=torch.float64)
    expected = model(x)
    bayesianize(model, FFGConfig())
    posterior = WeightPosterior(model)
    assert isinstance(model[0], FFGConv2d)
    posterior.mean()
    assert torch.equal(model(x), expected)
    posterior.draw(generator(0, "weights"))
    noisy = model(x)
    assert not torch.equal(noisy, expected)
    assert torch.allclose(noisy, expected, atol=5e-3)
    assert torch.allclose(F.softplus(model[0].rho), torch.tensor(1e-4, dtype=torch.float64))


def test_both_kinds_of_draw_have_the_same_moments() -> None:
    """Outputs sampled locally and outputs of sampled weights agree in mean and variance, image by image."""
    model, x = convolution(), torch.randn(2, 2, 4, 4, dtype=torch.float64)
    bayesianize(model, FFGConfig(init_sd=0.3))
    posterior = WeightPosterior(model)
    moments = []
    for training in (True, False):
        model.train(training)
        outputs = []
        with torch.no_grad():
            for seed in range(3000):
                posterior.draw(generator(seed, "weights"))
                outputs.append(model(x))
        stacked = torch.stack(outputs)
        moments.append((stacked.mean(0), stacked.var(0)))
    (local_mean, local_var), (weight_mean, weight_var) = moments
    assert (local_mean - weight_mean).abs().max() < 6 * (local_var.max() * 2 / 3000).sqrt()
    assert (local_var / weight_var - 1).abs().max() < 0.2
    exact = F.conv2d(x**2, torch.full((4, 1, 3, 3), 0.09, dtype=torch.float64), None, 1, 1, 1, 2) + 0.09
    assert (local_var / exact - 1).abs().max() < 0.15


def test_local_noise_differs_between_images_and_repeats_with_the_generator() -> None:
    model, x = convolution(), torch.randn(1, 2, 4, 4, dtype=torch.float64).expand(2, -1, -1, -1)
    bayesianize(model, FFGConfig(init_sd=0.3))
    posterior = WeightPosterior(model)
    posterior.draw(generator(0, "weights"))
    first = model(x)
    assert not torch.allclose(first[0], first[1])
    posterior.draw(generator(0, "weights"))
    assert torch.equal(model(x), first)


def test_weight_in_training_is_the_mean() -> None:
    model = convolution()
    bayesianize(model, FFGConfig())
    posterior = WeightPosterior(model)
    posterior.draw(generator(0, "weights"))
    assert torch.equal(model[0].weight.flatten(1), model[0].mean[:, :-1])
    assert torch.equal(model[0].bias, model[0].mean[:, -1])


def test_a_draw_for_training_is_no_draw_for_evaluation() -> None:
    model = convolution()
    bayesianize(model, FFGConfig())
    posterior = WeightPosterior(model)
    posterior.draw(generator(0, "weights"))
    model.eval()
    with pytest.raises(RuntimeError, match="made for training"):
        model(torch.zeros(1, 2, 4, 4, dtype=torch.float64))
    posterior.draw(generator(0, "weights"))
    model(torch.zeros(1, 2, 4, 4, dtype=torch.float64))


def test_gradients_are_finite_where_inputs_are_zero() -> None:
    model = nn.Sequential(nn.Linear(3, 2, bias=False))
    bayesianize(model, FFGConfig())
    assert isinstance(model[0], FFGLinear)
    WeightPosterior(model).draw(generator(0, "weights"))
    x = torch.zeros(4, 3, requires_grad=True)
    model(x).square().sum().backward()
    assert torch.isfinite(x.grad).all()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters())


def test_max_sd_bounds_the_spread() -> None:
    model = nn.Sequential(nn.Linear(50, 50))
    bayesianize(model, FFGConfig(max_sd=0.01))
    with torch.no_grad():
        model[0].rho.fill_(3.0)
    posterior = WeightPosterior(model.eval())
    posterior.draw(generator(0, "weights"))
    assert (model[0].weight - model[0].mean[:, :-1]).std().item() == pytest.approx(0.01, rel=0.1)
