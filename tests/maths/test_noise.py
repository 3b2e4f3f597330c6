"""Gradient-noise figures against per-sample gradients, simulation and plain recomputation."""

import math

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from bkd import noise
from bkd.errors import CheckpointError
from bkd.losses import CrossEntropy, Distillation, minus_one_hot
from bkd.noise import KEYS, LastLayer, NoiseMeter

B, C, F = 12, 4, 6


def draws(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def make_batch(seed: int = 0, size: int = B, has_teacher: bool = True) -> LastLayer:
    draw = draws(seed)
    logits = torch.randn(size, C, generator=draw, dtype=torch.float64)
    phi = torch.randn(size, F, generator=draw, dtype=torch.float64).relu()
    labels = torch.randint(C, (size,), generator=draw)
    probs = torch.randn(size, C, generator=draw, dtype=torch.float64).softmax(1)
    loss = Distillation(0.6, 4.0, 2.0) if has_teacher else CrossEntropy()
    residual = loss.residual(logits, labels, noise_target(probs))
    return LastLayer(residual, logits, labels, phi, probs if has_teacher else None)


def noise_target(probs: Tensor) -> Tensor:
    """A target unlike the teacher's probabilities at temperature 1."""
    return (0.25 * probs.log()).softmax(1)


def trace_cov(a: Tensor, b: Tensor) -> Tensor:
    """Trace of the covariance of per-sample gradients (B, P), by its definition."""
    return ((a - a.mean(0)) * (b - b.mean(0))).sum() / (len(a) - 1)


@pytest.mark.parametrize("has_bias", [True, False])
def test_last_layer_figures_equal_per_sample_gradients(has_bias: bool) -> None:
    torch.manual_seed(1)
    net = nn.Sequential(nn.Linear(5, F), nn.ReLU(), nn.Linear(F, C, bias=has_bias)).double()
    head, x = net[2], torch.randn(B, 5, dtype=torch.float64)
    labels, probs = torch.randint(C, (B,)), torch.randn(B, C, dtype=torch.float64).softmax(1)
    losses = {"mixed": Distillation(0.6, 4.0, 2.0), "onehot": CrossEntropy(), "teacher": Distillation(1.0)}

    gradients: dict[str, list[Tensor]] = {name: [] for name in losses}
    for i in range(B):
        for name, loss in losses.items():
            net.zero_grad()
            loss.terms(net(x[i : i + 1]), labels[i : i + 1], probs[i : i + 1])["loss"].backward()
            gradients[name].append(torch.cat([p.grad.flatten() for p in head.parameters()]))
    g = {name: torch.stack(rows) for name, rows in gradients.items()}

    logits, phi = net(x).detach(), net[:2](x).detach()
    r = {name: loss.residual(logits, labels, probs) for name, loss in losses.items()}
    for name in losses:
        got = noise.variance(r[name], phi, has_bias)
        torch.testing.assert_close(got, trace_cov(g[name], g[name]), rtol=1e-10, atol=1e-12)
    cross = noise.covariance(r["onehot"], r["teacher"], phi, has_bias)
    torch.testing.assert_close(cross, trace_cov(g["onehot"], g["teacher"]), rtol=1e-10, atol=1e-12)
    gradient = noise.batch_gradient(r["mixed"], phi, has_bias)
    weight = g["mixed"].mean(0)[: C * F].unflatten(0, (C, F))
    torch.testing.assert_close(gradient[:, :F], weight, rtol=1e-10, atol=1e-12)
    if has_bias:
        torch.testing.assert_close(gradient[:, F], g["mixed"].mean(0)[C * F :], rtol=1e-10, atol=1e-12)

    v = {name: trace_cov(g[name], g[name]) for name in losses}
    expected = (v["onehot"] - cross) / (v["onehot"] + v["teacher"] - 2 * cross)
    assert 0 < expected < 1
    torch.testing.assert_close(noise.alpha_star(v["onehot"], v["teacher"], cross), expected, rtol=1e-10, atol=1e-12)
    distance = (g["onehot"].mean(0) - g["teacher"].mean(0)).square().sum()
    bias = distance - (v["onehot"] + v["teacher"] - 2 * cross) / B
    got = noise.bias_numerator(r["onehot"], r["teacher"], phi, has_bias)
    torch.testing.assert_close(got, bias, rtol=1e-10, atol=1e-12)

    figures = NoiseMeter(has_bias).update(0, LastLayer(r["mixed"], logits, labels, phi, probs)).double()
    assert figures.isnan().tolist() == [key == "grad/noise_shared" for key in KEYS]
    ratios = [v["teacher"] / v["onehot"], bias / v["onehot"], expected]
    exact = torch.stack([v["mixed"], v["onehot"], v["teacher"], *ratios])
    torch.testing.assert_close(figures[[0, 1, 2, 4, 5, 6]], exact, rtol=1e-6, atol=1e-7)


def test_variance_of_a_mixed_label_is_exact_and_alpha_star_its_minimum() -> None:
    plain = make_batch(4)
    near = (plain.logits + torch.randn(B, C, generator=draws(5), dtype=torch.float64)).softmax(1)
    batch = LastLayer(plain.residual, plain.logits, plain.labels, plain.phi, near)
    _, onehot, teacher = batch.residuals()
    v11, vtt = (noise.variance(r, batch.phi, True) for r in (onehot, teacher))
    v1t = noise.covariance(onehot, teacher, batch.phi, True)
    shared = torch.tensor(0.7, dtype=torch.float64)
    grid = torch.linspace(0, 1, 2001, dtype=torch.float64)
    mixed = []
    for a in grid:
        residual = Distillation(float(a)).residual(batch.logits, batch.labels, batch.teacher_probs)
        mixed.append(noise.variance(residual, batch.phi, True))
    formula = (1 - grid) ** 2 * v11 + 2 * grid * (1 - grid) * v1t + grid**2 * vtt
    torch.testing.assert_close(torch.stack(mixed), formula, rtol=1e-10, atol=1e-12)
    for extra in (torch.zeros(()), shared):
        best = grid[(formula + grid**2 * extra).argmin()]
        assert 0 < best < 1
        assert abs(best - noise.alpha_star(v11, vtt, v1t, extra)) <= 0.5 / 2000 + 1e-9


def test_alpha_star_is_clamped_and_ratios_null_without_a_denominator() -> None:
    one, two, three = (torch.tensor(float(v)) for v in (1, 2, 3))
    assert noise.alpha_star(one, three, 1.5 * one) == 0
    assert noise.alpha_star(three, one, 1.5 * one) == 1
    assert noise.alpha_star(one, three, two).isnan()
    assert noise.alpha_star(one, one, one).isnan()
    assert noise.noise_ratio(torch.zeros(()), one).isnan()
    assert noise.noise_ratio(two, one, one) == 1


def test_dirichlet_teacher_has_the_ratio_of_theory() -> None:
    """Targets p ~ Dirichlet(c P) and labels y ~ P, at the optimum softmax(z) = P: V ratio 1 / (1 + c)."""
    torch.manual_seed(5)
    size, c = 40_000, 3.0
    logits = torch.randn(size, C)
    P, phi = logits.softmax(1), torch.randn(size, F)
    labels = torch.multinomial(P, 1)[:, 0]
    probs = torch.distributions.Dirichlet(c * P, validate_args=False).sample()
    residual = CrossEntropy().residual(logits, labels)
    batch = LastLayer(residual, logits, labels, phi, probs)
    v, v11, vtt, _, ratio, bias, alpha = noise.offline([batch], has_bias=True).tolist()
    assert v == v11
    assert ratio == pytest.approx(vtt / v11)
    assert ratio == pytest.approx(1 / (1 + c), rel=0.03)
    assert alpha == pytest.approx((1 + c) / (2 + c), rel=0.03)
    assert abs(bias) < 1e-3


@pytest.mark.parametrize("offset", [0.0, 1.0])
def test_bias_is_unbiased(offset: float) -> None:
    """Mean over many small batches of a fixed population against the true squared distance of mean gradients."""
    torch.manual_seed(6)
    size, repeats, batch_size = 500, 4000, 10
    logits, phi = torch.randn(size, C, dtype=torch.float64), torch.randn(size, F, dtype=torch.float64)
    P = torch.randn(size, C, dtype=torch.float64).softmax(1)
    teacher = (P.log() + offset * torch.randn(C, dtype=torch.float64) * phi[:, :1]).softmax(1)
    difference = (teacher - P).T @ nn.functional.pad(phi, (0, 1), value=1.0) / size  # E g_onehot - E g_teacher
    true = difference.square().sum()
    values = []
    for _ in range(repeats):
        i = torch.randint(size, (batch_size,))
        probs = logits[i].softmax(1)
        labels = torch.multinomial(P[i], 1)[:, 0]
        values.append(noise.bias_numerator(minus_one_hot(probs, labels), probs - teacher[i], phi[i], True))
    found = torch.stack(values)
    error = found.std() / math.sqrt(repeats)
    assert abs(found.mean() - true) < 4 * error
    assert (true > 10 * error) == (offset > 0)  # so the test tells a biased teacher from an unbiased one


def test_a_shared_part_below_zero_leaves_no_ratio_without_a_denominator() -> None:
    """By chance an unbiased estimate of a small part is negative; alpha* is then null where it would divide by it."""
    meter, batch = NoiseMeter(True, is_stochastic=True), make_batch(3)
    figures = dict(zip(KEYS, meter.update(0, batch, torch.tensor(-1e3)).tolist(), strict=True))
    assert figures["grad/noise_shared"] == -1e3
    assert math.isnan(figures["grad/alpha_star"])
    assert figures["grad/noise_ratio"] < 0  # its denominator is V11
    for step in range(1, 64):
        after = meter.update(step, batch, torch.tensor(0.0))
    assert after[6].isnan()  # the window still holds the first step
    for step in range(64, 128):
        after = meter.update(step, batch, torch.tensor(0.1))
    assert 0 < after[6] < 1


def test_two_batch_probe_is_unbiased() -> None:
    torch.manual_seed(9)
    sd = torch.tensor([0.5, 1.0, 2.0])
    g1 = 3 + sd * torch.randn(4000, 8, 3)
    g2 = 3 + sd * torch.randn(4000, 2, 3)
    values = [
        noise.full_variance([a[:1], a[1:]], [b[:1], b[1:]], 8, 2) for a, b in zip(g1.mean(1), g2.mean(1), strict=True)
    ]
    assert torch.stack(values).mean() == pytest.approx(float(sd.square().sum()), rel=0.06)
    with pytest.raises(ValueError, match="shorter"):
        noise.full_variance([sd, sd], [sd], 1, 1)


def test_meter_equals_recomputation_over_the_last_64_steps() -> None:
    meter = NoiseMeter(has_bias=True, is_stochastic=True)
    batches = [make_batch(seed) for seed in range(150)]
    history = []
    probe = torch.nan
    for step, batch in enumerate(batches):
        if step % 50 == 0:
            probe = 1.0 + step
        figures = meter.update(step, batch, torch.tensor(probe) if step % 50 == 0 else None)
        _, onehot, teacher = batch.residuals()
        row = [noise.variance(r, batch.phi, True) for r in (onehot, teacher)]
        row.append(noise.covariance(onehot, teacher, batch.phi, True))
        row += [torch.tensor(probe), noise.bias_numerator(onehot, teacher, batch.phi, True, probe)]
        history.append([float(value) for value in row])
        v11, vtt, v1t, shared, bias = (sum(column) for column in zip(*history[-64:], strict=True))
        expected = [
            float(noise.variance(batch.residual, batch.phi, True)),
            *history[-1][:2],
            probe,
            (vtt + shared) / v11,
            bias / v11,
            min(max((v11 - v1t) / (v11 + vtt + shared - 2 * v1t), 0), 1),
        ]
        torch.testing.assert_close(figures, torch.tensor(expected), rtol=1e-5, atol=1e-6)


def test_meter_without_a_teacher_has_no_teacher_figures() -> None:
    meter, batch = NoiseMeter(has_bias=True), make_batch(has_teacher=False)
    for step in range(3):
        figures = dict(zip(KEYS, meter.update(step, batch).tolist(), strict=True))
    assert figures["grad/noise"] == figures["grad/noise_onehot"] > 0
    assert all(math.isnan(value) for key, value in figures.items() if key not in ("grad/noise", "grad/noise_onehot"))


def test_stochastic_teacher_has_no_ratio_before_its_probe() -> None:
    meter = NoiseMeter(has_bias=True, is_stochastic=True)
    before = meter.update(0, make_batch(0))
    assert before.isnan().tolist() == [False, False, False, True, True, True, True]
    for step in range(1, 65):
        after = meter.update(step, make_batch(step), torch.tensor(2.0))
    assert after.isfinite().all()
    assert after[3] == 2


def test_one_example_has_no_variance() -> None:
    figures = NoiseMeter(has_bias=True).update(0, make_batch(size=1))
    assert figures.isnan().all()


@pytest.mark.parametrize("is_stochastic", [False, True])
def test_state_round_trip_goes_on_bit_equal(is_stochastic: bool) -> None:
    unbroken = NoiseMeter(True, is_stochastic=is_stochastic)
    shared = torch.tensor(0.5) if is_stochastic else None
    for step in range(70):
        unbroken.update(step, make_batch(step), shared)
    resumed = NoiseMeter(True, is_stochastic=is_stochastic)
    state = unbroken.state_dict()
    resumed.load_state_dict(state)
    for step in range(70, 75):
        a, b = unbroken.update(step, make_batch(step)), resumed.update(step, make_batch(step))
        torch.testing.assert_close(a, b, rtol=0, atol=0, equal_nan=True)
        assert a[4].isfinite()
    torch.testing.assert_close(state["rows"], resumed.state_dict()["rows"], rtol=0, atol=10)  # a copy, not a view
    assert not torch.equal(state["rows"], resumed.state_dict()["rows"])


def test_foreign_state_is_refused() -> None:
    with pytest.raises(CheckpointError, match=r"noise rows must have shape \(64, 6\), got shape \(3,\)"):
        NoiseMeter(True).load_state_dict({"rows": torch.zeros(3)})
    with pytest.raises(CheckpointError, match="got nothing"):
        NoiseMeter(True).load_state_dict({})


class NoSync(TorchDispatchMode):
    """Fails on whatever would make the host wait for a device."""

    FORBIDDEN = ("_local_scalar_dense", "nonzero", "is_nonzero", "equal", "item", "unique")

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        name = func.overloadpacket.__name__
        assert name not in self.FORBIDDEN, f"{name} waits for the device"
        return func(*args, **(kwargs or {}))


def test_no_sync_mode_notices_a_sync() -> None:
    with pytest.raises(AssertionError, match="_local_scalar_dense waits"), NoSync():
        torch.ones(()).item()


@pytest.mark.parametrize("has_teacher", [True, False])
def test_nothing_waits_for_the_device(has_teacher: bool) -> None:
    batch = make_batch(has_teacher=has_teacher)
    meter = NoiseMeter(True, is_stochastic=has_teacher)
    with NoSync():
        loss = Distillation(0.5, 4.0) if has_teacher else CrossEntropy()
        loss.terms(batch.logits, batch.labels, batch.teacher_probs)
        loss.residual(batch.logits, batch.labels, batch.teacher_probs)
        shared = noise.shared_draw_variance(torch.stack([batch.residual] * 4), batch.phi, True, 2)
        meter.update(3, batch, shared if has_teacher else None)
        meter.update(4, batch)
        noise.full_variance([batch.phi], [batch.phi], 2, 2)
        noise.offline([batch, batch], has_bias=True)
        meter.load_state_dict(meter.state_dict())


def test_offline_equals_one_large_batch() -> None:
    whole = make_batch(11, size=30)
    columns = (whole.residual, whole.logits, whole.labels, whole.phi, whole.teacher_probs)
    parts = [LastLayer(*rows) for rows in zip(*(column.split([7, 22, 1]) for column in columns), strict=True)]
    shared = torch.tensor(0.3)
    expected = NoiseMeter(True, is_stochastic=True).update(0, whole, shared)
    torch.testing.assert_close(noise.offline([whole], True, shared, 30), expected)
    assert expected.isfinite().all()
    plain = NoiseMeter(True).update(0, whole)
    torch.testing.assert_close(noise.offline(iter(parts), True), plain, equal_nan=True)


def test_short_floats_and_autocast_are_computed_in_float32() -> None:
    batch = make_batch(12)
    short = LastLayer(
        batch.residual.float(), batch.logits.bfloat16(), batch.labels, batch.phi.bfloat16(), batch.teacher_probs.float()
    )
    plain = LastLayer(short.residual, short.logits.float(), short.labels, short.phi.float(), short.teacher_probs)
    expected = NoiseMeter(True).update(0, plain)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(NoiseMeter(True).update(0, short), expected, rtol=0, atol=0, equal_nan=True)


def test_float32_keeps_the_variance_under_a_large_mean() -> None:
    """Per-example gradients that differ by a hundredth of their mean."""
    draw = draws(13)
    residual = 1 + 0.01 * torch.randn(100, C, generator=draw, dtype=torch.float64)
    phi = 1 + 0.01 * torch.randn(100, F, generator=draw, dtype=torch.float64)
    exact = noise.variance(residual, phi, True)
    assert noise.variance(residual.float(), phi.float(), True) == pytest.approx(float(exact), rel=2e-3)


def test_convergence_noise() -> None:
    values = [5.0, 1.0, 2.0, 4.0, 3.0]
    differences = torch.tensor([1.0, 2.0, -1.0])
    assert noise.convergence_noise(values, [0.1] * 5, k=4) == pytest.approx(float(differences.std()))
    assert noise.convergence_noise(values, [1.0, 0.1, 0.1, 0.1, 0.1], k=4) is not None
    assert noise.convergence_noise(values, [0.1, 0.1, 0.1, 0.1, 0.01], k=4) is None
    assert noise.convergence_noise(values, [0.1] * 5) is None
    assert noise.convergence_noise([1.0, None, 2.0, 3.0], [0.1] * 4, k=4) is None
    assert noise.convergence_noise([1.0, math.nan, 2.0, 3.0], [0.1] * 4, k=4) is None
    assert noise.convergence_noise([float(i) for i in range(20)], [0.1] * 20) == 0
