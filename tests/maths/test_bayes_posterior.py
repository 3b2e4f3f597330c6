"""Draws, mean and KL of whole networks with inducing layers."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from bkd.bayes.config import FFGConfig, InducingConfig
from bkd.bayes.convert import bayesianize
from bkd.bayes.inducing import InducingLayer
from bkd.bayes.inducing_batch import InducingBatch
from bkd.bayes.matheron import InducingNoise, RawInducing, standard_normal_kl, weight_and_kl
from bkd.bayes.posterior import WeightPosterior
from bkd.bayes.products import is_large, multiply_transposed
from bkd.rng import generator

SMALL = InducingConfig(conv_rows=4, conv_cols=6, linear_rows=4, linear_cols=6)
CONFIGS = pytest.mark.parametrize("config", [SMALL, FFGConfig(init_sd=0.05)], ids=["inducing", "ffg"])


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(2, 6, 3, padding=1),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.Conv2d(6, 6, 3, padding=1, groups=2, bias=False),
        nn.ReLU(),
        nn.Conv2d(6, 6, 3, padding=1, groups=2, bias=False),
        nn.ReLU(),
        nn.Conv2d(6, 6, 3, stride=2, bias=False),
        nn.Flatten(),
        nn.Linear(24, 24),
        nn.ReLU(),
        nn.Linear(24, 3),
    )


def converted(config: InducingConfig | FFGConfig = SMALL) -> tuple[nn.Sequential, WeightPosterior]:
    model = network()
    bayesianize(model, config, generator(0, "init"))
    return model.double(), WeightPosterior(model)


def images(count: int = 4) -> Tensor:
    return torch.randn(count, 2, 6, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def drawn(posterior: WeightPosterior) -> list[Tensor]:
    return [layer.weight.detach().clone() for layer in posterior.layers]


def test_batched_draw_equals_layer_by_layer() -> None:
    model, posterior = converted()
    posterior.draw(generator(0, "weights"))
    batch = InducingBatch([layer for layer in model if isinstance(layer, InducingLayer)])
    checked = 0
    for block, (eps_u, e2, e3, e4, *e1s) in zip(batch.blocks, batch.noise(generator(0, "weights")), strict=True):
        flat_e1s = [e1 for stack in e1s for e1 in stack]
        for i, layer in enumerate(block.layers):
            noise = InducingNoise(eps_u[i], e2[i], e3[i], e4[i])
            matrix, _ = weight_and_kl(layer.raw(), noise, flat_e1s[i], layer.limits)
            kernel, bias = layer.split(matrix)
            assert torch.allclose(layer.weight, kernel, rtol=0, atol=1e-12)
            assert (bias is None) == (layer.bias is None)
            assert bias is None or torch.allclose(layer.bias, bias, rtol=0, atol=1e-12)
            checked += 1
    assert checked == 6
    assert any(len(run.layers) > 1 for block in batch.blocks for run in block.runs)
    assert any(len(block.runs) > 1 for block in batch.blocks)


def test_gradients_of_a_batched_draw_equal_layer_by_layer() -> None:
    model, posterior = converted()
    posterior.draw(generator(0, "weights"))
    sum(layer.weight.pow(3).sum() for layer in posterior.layers).backward()
    batched = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    batch = InducingBatch([layer for layer in model if isinstance(layer, InducingLayer)])
    for block, (eps_u, e2, e3, e4, *e1s) in zip(batch.blocks, batch.noise(generator(0, "weights")), strict=True):
        flat_e1s = [e1 for stack in e1s for e1 in stack]
        for i, layer in enumerate(block.layers):
            noise = InducingNoise(eps_u[i], e2[i], e3[i], e4[i])
            layer.split(weight_and_kl(layer.raw(), noise, flat_e1s[i], layer.limits)[0])[0].pow(3).sum().backward()
    assert len(batched) == 6 * 7
    for name, parameter in model.named_parameters():
        if name in batched:
            assert torch.allclose(parameter.grad, batched[name], rtol=1e-8, atol=1e-12), name


@pytest.mark.parametrize("is_frozen", [True, False])
def test_draws_of_large_layers_equal_layer_by_layer(is_frozen: bool) -> None:
    """Layers whose products are made one by one in float32: two of one shape, one with a bias; and a small one."""
    torch.manual_seed(0)
    model = nn.Sequential(*(nn.Linear(1024, 128, bias) for bias in (False, False, True)), nn.Linear(1024, 8))
    bayesianize(model, InducingConfig(linear_rows=16, linear_cols=24, init_lamda=0.02), generator(0, "init"))
    posterior, batch = WeightPosterior(model), InducingBatch(list(model))
    if is_frozen:
        posterior.freeze()
    posterior.draw(generator(0, "weights"))
    runs = [z for block in batch.prepare().blocks for z in block.z]
    assert [z.col_t is not None for z in runs] == [True, True, False]
    for block, (eps_u, e2, e3, e4, *e1s) in zip(batch.blocks, batch.noise(generator(0, "weights")), strict=True):
        flat_e1s = [e1 for stack in e1s for e1 in stack]
        for i, layer in enumerate(block.layers):
            raw = RawInducing(**{name: value.double() for name, value in vars(layer.raw()).items()})
            noise = InducingNoise(*(n[i].double() for n in (eps_u, e2, e3, e4)))
            matrix, _ = weight_and_kl(raw, noise, flat_e1s[i].double(), layer.limits)
            kernel, bias = layer.split(matrix)
            assert torch.allclose(layer.weight.double(), kernel, rtol=1e-4, atol=1e-5 * kernel.abs().max().item())
            assert bias is None or torch.allclose(layer.bias.double(), bias, rtol=1e-4, atol=1e-6)


def test_gradients_of_large_layers_equal_layer_by_layer() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(*(nn.Linear(1024, 128, bias) for bias in (False, True)))
    bayesianize(model, InducingConfig(linear_rows=16, linear_cols=24, init_lamda=0.02), generator(0, "init"))
    posterior, batch = WeightPosterior(model), InducingBatch(list(model))
    posterior.draw(generator(0, "weights"))
    sum(layer.weight.pow(2).sum() for layer in posterior.layers).backward()
    found = [{name: p.grad.double() for name, p in layer.named_parameters()} for layer in batch.layers]
    model.zero_grad()
    [(eps_u, e2, e3, e4, *e1s)] = batch.noise(generator(0, "weights"))
    for i, (layer, e1) in enumerate(zip(batch.layers, e1s, strict=True)):
        raw = RawInducing(**{name: value.double() for name, value in vars(layer.raw()).items()})
        noise = InducingNoise(*(n[i].double() for n in (eps_u, e2, e3, e4)))
        layer.split(weight_and_kl(raw, noise, e1[0].double(), layer.limits)[0])[0].pow(2).sum().backward()
        for name, parameter in layer.named_parameters():
            scale = parameter.grad.abs().max().item()
            assert torch.allclose(found[i][name], parameter.grad.double(), rtol=1e-3, atol=1e-3 * scale), name


def test_frozen_draws_take_the_memory_of_one_draw() -> None:
    model = nn.Sequential(nn.Linear(1024, 128, bias=False), nn.Conv2d(4, 8, 3, bias=False))
    bayesianize(model, InducingConfig(), generator(0, "init"))
    posterior = WeightPosterior(model)
    posterior.draw(generator(0, "weights"))
    with_gradients = drawn(posterior)
    posterior.freeze()
    places = []
    for seed in (1, 0):
        posterior.draw(generator(seed, "weights"))
        places.append([layer.weight.data_ptr() for layer in posterior.layers])
        posterior.clear()
    assert places[0] == places[1]
    posterior.draw(generator(0, "weights"))
    assert all(torch.equal(a, b) for a, b in zip(drawn(posterior), with_gradients, strict=True))


@pytest.mark.parametrize("shape", [(128, 1024, 40), (147, 1000, 16)])
def test_a_large_product_and_its_gradients(shape: tuple[int, int, int]) -> None:
    p, q, r = shape
    torch.manual_seed(0)
    a, b, weight = torch.randn(p, q), torch.randn(r, q), torch.randn(p, r)
    assert is_large(a, p, q)
    results = []
    for product, dtype in ((multiply_transposed, torch.float32), (lambda a, b: a @ b.mT, torch.float64)):
        x, y = (value.to(dtype, copy=True).requires_grad_() for value in (a, b))
        result = product(x, y)
        (result * weight).sum().backward()
        results.append((result, x.grad, y.grad))
    for found, expected in zip(*results, strict=True):
        assert found.is_contiguous()
        assert torch.allclose(found.double(), expected, rtol=1e-4, atol=1e-3)


def test_small_and_double_products_are_left_to_the_library() -> None:
    like = torch.zeros(1)
    assert is_large(like, 128, 1024)
    assert not is_large(like, 128, 1023)
    assert not is_large(like.double(), 128, 1024)
    assert not is_large(torch.zeros(1, device="meta"), 128, 1024)


def test_kl_is_the_sum_over_layers() -> None:
    _, posterior = converted()
    total = 0.0
    for layer in posterior.layers:
        small = torch.zeros(4, *layer.inducing_mean.shape, dtype=torch.float64)
        e1 = torch.zeros(layer.matrix_shape, dtype=torch.float64)
        total = total + weight_and_kl(layer.raw(), InducingNoise(*small), e1, layer.limits)[1]
    kl = posterior.kl()
    assert kl.shape == ()
    assert kl.item() == pytest.approx(total.item(), rel=1e-12)
    kl.backward()
    for layer in posterior.layers:
        assert layer._lamda.grad is not None
        assert layer._inducing_sd.grad is not None
        assert torch.allclose(layer.inducing_mean.grad, layer.inducing_mean)
        assert layer.z_row.grad is None


def test_kl_of_both_families_adds_up() -> None:
    front, back = network()[:8], nn.Sequential(network()[9])
    bayesianize(front, SMALL, generator(0, "init"))
    bayesianize(back, FFGConfig())
    parts = WeightPosterior(front).kl() + WeightPosterior(back).kl()
    assert torch.allclose(WeightPosterior(nn.Sequential(front, back)).kl(), parts)


@CONFIGS
def test_equal_generators_give_equal_draws(config: InducingConfig | FFGConfig) -> None:
    model, posterior = converted(config)
    model.eval()
    posterior.draw(generator(3, "weights"))
    first = drawn(posterior)
    posterior.draw(generator(3, "weights"))
    assert all(torch.equal(a, b) for a, b in zip(first, drawn(posterior), strict=True))
    posterior.draw(generator(4, "weights"))
    assert not any(torch.equal(a, b) for a, b in zip(first, drawn(posterior), strict=True))


def test_draw_order_is_fixed() -> None:
    """All noise is one vector: by inducing size, in it eps_u, E2, E3, E4 of all layers, then E1 by weight shape."""
    _, posterior = converted()
    noise = InducingBatch(list(posterior.layers)).noise(generator(0, "weights"))
    flat = torch.cat([part.flatten() for block in noise for part in block])
    expected = torch.randn(len(flat), generator=generator(0, "weights"), dtype=torch.float64)
    assert torch.equal(flat, expected)
    shapes = [tuple(part.shape) for part in noise[0]]
    assert shapes[:4] == [(5, 4, 6)] * 4
    assert shapes[4:] == [(1, 6, 19), (2, 6, 27), (1, 6, 54), (1, 24, 25)]
    assert [tuple(part.shape) for part in noise[1]] == [(1, 3, 6)] * 4 + [(1, 3, 25)]


@CONFIGS
def test_a_batch_shares_its_draw(config: InducingConfig | FFGConfig) -> None:
    model, posterior = converted(config)
    model.eval()
    posterior.draw(generator(0, "weights"))
    same = images(1).expand(5, -1, -1, -1)
    logits = model(same)
    assert torch.allclose(logits, logits[:1].expand(5, -1), atol=1e-12)
    posterior.draw(generator(1, "weights"))
    assert not torch.allclose(model(same), logits)


@CONFIGS
def test_freezing_changes_no_bit(config: InducingConfig | FFGConfig) -> None:
    model, posterior = converted(config)
    model.eval()
    posterior.draw(generator(0, "weights"))
    expected = drawn(posterior)
    assert posterior.layers[0].weight.requires_grad
    with posterior.freeze():
        for _ in range(2):
            posterior.draw(generator(0, "weights"))
            assert all(torch.equal(a, b) for a, b in zip(expected, drawn(posterior), strict=True))
        assert not any(layer.weight.requires_grad for layer in posterior.layers)
    posterior.draw(generator(0, "weights"))
    assert posterior.layers[0].weight.requires_grad
    posterior.freeze()
    with torch.no_grad():
        next(iter(posterior.layers[0].parameters())).add_(1.0)
    with pytest.raises(RuntimeError, match="changed while the posterior was frozen"):
        posterior.draw(generator(0, "weights"))
    posterior.unfreeze()
    posterior.draw(generator(0, "weights"))


@CONFIGS
def test_mean_is_the_middle_of_draws(config: InducingConfig | FFGConfig) -> None:
    model, posterior = converted(config)
    model.eval()
    posterior.mean()
    means = drawn(posterior)
    sums = [torch.zeros_like(mean) for mean in means]
    spread = 0.0
    with posterior.freeze():
        for seed in range(400):
            posterior.draw(generator(seed, "weights"))
            for total, mean, weight in zip(sums, means, drawn(posterior), strict=True):
                total += weight - mean
            spread = max(spread, (weight - mean).abs().max().item())
    assert spread > 0
    assert all((total / 400).abs().max() < 0.3 * spread for total in sums)


def test_forward_without_a_draw_says_what_to_do() -> None:
    model, posterior = converted()
    with pytest.raises(RuntimeError, match=r"WeightPosterior.draw\(generator\)"):
        model(images())
    posterior.mean()
    model(images())
    posterior.clear()
    with pytest.raises(RuntimeError, match="no weight yet"):
        model(images())


def test_a_moved_or_copied_layer_forgets_its_draw() -> None:
    model, posterior = converted()
    posterior.draw(generator(0, "weights"))
    twin = copy.deepcopy(model)
    model(images())
    with pytest.raises(RuntimeError, match="no weight yet"):
        twin(images())
    model.float()
    with pytest.raises(RuntimeError, match="no weight yet"):
        model(images().float())


@CONFIGS
def test_state_dict_reloads_strictly_and_has_no_draw(config: InducingConfig | FFGConfig) -> None:
    model, posterior = converted(config)
    posterior.mean()
    expected = model.eval()(images())
    state = model.state_dict()
    names = {name.split(".", 1)[1] for name in state if not name.startswith("1.")}
    inducing = {"z_row", "z_col", "inducing_mean", "_inducing_sd", "_lamda", "_d_row", "_d_col"}
    assert names == (inducing if config is SMALL else {"mean", "rho"})
    other = network()
    bayesianize(other, config, generator(9, "init"))
    other.double().load_state_dict(state, strict=True)
    WeightPosterior(other).mean()
    assert torch.equal(other.eval()(images()), expected)


def test_posterior_maths_ignores_autocast() -> None:
    model, posterior = converted()
    model.float()
    posterior.draw(generator(0, "weights"))
    expected, kl = drawn(posterior), posterior.kl()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        posterior.draw(generator(0, "weights"))
        assert posterior.kl() == kl
        F.cross_entropy(model(images().float()), torch.tensor([0, 1, 2, 0])).backward()
    assert all(torch.equal(a, b) for a, b in zip(expected, drawn(posterior), strict=True))
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


class _Operations(TorchDispatchMode):
    """Counts operations by name."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.names.append(func.overloadpacket.__name__)
        return func(*args, **(kwargs or {}))


@CONFIGS
def test_a_step_never_waits_for_the_device(config: InducingConfig | FFGConfig) -> None:
    model, posterior = converted(config)
    posterior.kl()  # the first call may send its constants
    with _Operations() as operations:
        posterior.draw(generator(0, "weights"))
        (model(images()).logsumexp(1).sum() + posterior.kl()).backward()
    waiting = {"_local_scalar_dense", "item", "is_nonzero", "nonzero", "equal", "masked_select", "lift_fresh"}
    assert len(operations.names) > 50
    assert not waiting & set(operations.names)


def test_one_cholesky_call_per_inducing_size() -> None:
    _, posterior = converted()
    with _Operations() as operations:
        posterior.draw(generator(0, "weights"))
    sizes = {size for layer in posterior.layers for size in layer.inducing_mean.shape}
    assert operations.names.count("linalg_cholesky_ex") == len(sizes)
    assert operations.names.count("normal_") == 1


def test_model_without_variational_layers_is_refused() -> None:
    with pytest.raises(ValueError, match="bayesianize"):
        WeightPosterior(network())


def test_training_lowers_nll_and_then_kl() -> None:
    """A two-layer net on separable clusters: NLL falls first, KL falls once it is weighed, accuracy stays."""
    g = torch.Generator().manual_seed(0)
    labels = torch.randint(3, (300,), generator=g)
    centres = 3 * torch.randn(3, 5, generator=g)
    inputs = centres[labels] + torch.randn(300, 5, generator=g)
    model = nn.Sequential(nn.Linear(5, 16), nn.ReLU(), nn.Linear(16, 3))
    bayesianize(model, InducingConfig(), generator(0, "init"))
    posterior = WeightPosterior(model)
    optimiser = torch.optim.Adam(model.parameters(), 1e-2)
    nlls, kls = [], []
    for step in range(300):
        weight = min(max((step - 100) / 100, 0.0), 1.0)
        posterior.draw(generator(0, "weights", 0, step))
        nll, kl = F.cross_entropy(model(inputs), labels), posterior.kl()
        optimiser.zero_grad()
        (nll + weight * kl / len(inputs)).backward()
        optimiser.step()
        nlls.append(nll.item())
        kls.append(kl.item())
    assert nlls[100] < 0.25 * nlls[0]
    assert kls[-1] < 0.8 * kls[100]
    assert nlls[-1] < 0.5 * nlls[0]
    assert all(torch.isfinite(p).all() for p in model.parameters())


def test_kl_is_zero_where_posterior_is_prior() -> None:
    assert standard_normal_kl(torch.zeros(3), torch.ones(3)).sum() == 0
