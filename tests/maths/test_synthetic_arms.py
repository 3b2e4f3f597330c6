"""Stacked networks with a written-out backward pass against autograd, torch.optim.SGD and per-example gradients."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bkd.losses import Distillation
from bkd.noise import variance
from bkd.noise_exact import HeldOut, per_sample_noise
from bkd.rng import generator
from bkd.synthetic.arms import Arms, init_layers

SIZES = (6, 16, 16, 4)
LEARNING_RATE, MOMENTUM = 0.02, 0.9


def make_layers(arms: int) -> list[Tensor]:
    return [layer.double() for layer in init_layers(arms, SIZES, generator(0, "init"))]


def make_module(layers: list[Tensor], arm: int) -> nn.Sequential:
    """Build one arm with torch's own layers."""
    modules: list[nn.Module] = []
    for layer in layers:
        linear = nn.Linear(layer.shape[2] - 1, layer.shape[1], dtype=torch.float64)
        with torch.no_grad():
            linear.weight.copy_(layer[arm, :, :-1])
            linear.bias.copy_(layer[arm, :, -1])
        modules += [linear, nn.ReLU()]
    return nn.Sequential(*modules[:-1])


def draw(shape: tuple[int, ...], stream: str) -> Tensor:
    return torch.randn(shape, generator=generator(0, stream), dtype=torch.float64)


@pytest.mark.parametrize("batch_size", [1, 3])
def test_steps_equal_autograd_and_torchs_sgd(batch_size: int) -> None:
    steps, arms = 300, 3
    x = draw((steps, batch_size, SIZES[0]), "x")
    targets = (3 * draw((steps, arms, batch_size, SIZES[-1]), "targets")).softmax(3)
    layers = make_layers(arms)
    networks = Arms(layers, LEARNING_RATE, MOMENTUM)
    for step in range(steps):
        networks.step(x[step], targets[step])
    for arm in range(arms):
        module = make_module(layers, arm)
        optimizer = torch.optim.SGD(module.parameters(), LEARNING_RATE, MOMENTUM)
        for step in range(steps):
            optimizer.zero_grad()
            log_probs = module(x[step]).log_softmax(1)
            F.kl_div(log_probs, targets[step, arm], reduction="batchmean").backward()
            optimizer.step()
        moved = 0.0
        for layer, linear, start in zip(networks.layers, module[::2], layers, strict=True):
            torch.testing.assert_close(layer[arm, :, :-1], linear.weight.detach(), rtol=0, atol=1e-10)
            torch.testing.assert_close(layer[arm, :, -1], linear.bias.detach(), rtol=0, atol=1e-10)
            moved += (layer[arm] - start[arm]).abs().max().item()
        assert moved > 0.5


def test_forward_gives_every_layers_inputs() -> None:
    networks = Arms(make_layers(2))
    x = draw((5, SIZES[0]), "x")
    inputs, logits = networks.forward(x)
    module = make_module(networks.layers, 1)
    torch.testing.assert_close(logits[1], module(x).detach())
    torch.testing.assert_close(inputs[0][1], x)
    torch.testing.assert_close(inputs[2][1], module[:4](x).detach())


def test_initial_weights_are_drawn_like_torchs_and_shared_by_all_arms() -> None:
    layers = init_layers(3, (30, 128, 5), generator(0, "init"))
    assert [tuple(layer.shape) for layer in layers] == [(3, 128, 31), (3, 5, 129)]
    linear = nn.Linear(30, 128)
    for layer, fan_in in zip(layers, (30, 128), strict=True):
        assert torch.equal(layer[0], layer[2])
        assert layer.abs().max() <= fan_in**-0.5
        assert layer.std().item() == pytest.approx((1 / (3 * fan_in)) ** 0.5, rel=0.06)
    assert linear.weight.std().item() == pytest.approx(layers[0].std().item(), rel=0.06)


def test_noise_equals_explicit_per_example_gradients() -> None:
    arms, n = 2, 40
    layers = [layer * (1 + 0.3 * torch.arange(arms, dtype=torch.float64)[:, None, None]) for layer in make_layers(arms)]
    networks = Arms(layers)
    x, targets = draw((n, SIZES[0]), "x"), (3 * draw((arms, n, SIZES[-1]), "targets")).softmax(2)
    inputs, logits = networks.forward(x)
    residual = logits.softmax(2) - targets
    found = networks.noise(inputs, residual)
    for arm in range(arms):
        module = make_module(layers, arm)
        rows = []
        for i in range(n):
            module.zero_grad()
            F.kl_div(module(x[i : i + 1]).log_softmax(1), targets[arm, i : i + 1], reduction="batchmean").backward()
            rows.append(torch.cat([parameter.grad.flatten() for parameter in module.parameters()]))
        gradients = torch.stack(rows)
        assert found[arm].item() == pytest.approx(gradients.var(0).sum().item(), rel=1e-10)
        last = SIZES[-1] * (SIZES[-2] + 1)
        of_last_layer = variance(residual[arm], inputs[-1][arm], has_bias=True).item()
        assert of_last_layer == pytest.approx(gradients[:, -last:].var(0).sum().item(), rel=1e-10)
        assert of_last_layer < found[arm].item()


def test_noise_equals_that_of_a_module() -> None:
    layers = make_layers(1)
    module = make_module(layers, 0)
    x, probs = draw((30, SIZES[0]), "x"), draw((30, SIZES[-1]), "targets").softmax(1)
    inputs, logits = Arms(layers).forward(x)
    expected = per_sample_noise(
        lambda parameters, images: torch.func.functional_call(module, parameters, (images,)),
        {name: parameter.detach() for name, parameter in module.named_parameters()},
        Distillation(),
        HeldOut(x, torch.zeros(30, dtype=torch.int64), probs),
    )
    found = Arms(layers).noise(inputs, logits.softmax(2) - probs)
    torch.testing.assert_close(found.float(), expected[:1])


def test_one_arm_alone_is_a_copy() -> None:
    networks = Arms(make_layers(2), LEARNING_RATE, MOMENTUM)
    alone = networks.only(1)
    before = alone.layers[0].clone()
    x = draw((1, SIZES[0]), "x")
    networks.step(x, draw((2, 1, SIZES[-1]), "targets").softmax(2))
    assert len(alone) == 1
    assert torch.equal(alone.layers[0], before)
    assert not torch.equal(networks.layers[0][1], before[0])
