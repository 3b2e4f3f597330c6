"""The synthetic experiment at a fraction of its size: what it reports, and the order of the arms."""

import json
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from bkd.errors import TrainingFailed
from bkd.rng import generator
from bkd.synthetic.arms import Arms, init_layers
from bkd.synthetic.data import draw_targets, make_data
from bkd.synthetic.experiment import CURVE_POINTS, HeldOut, History, batches, measure, noise_at_optimum, run_synthetic
from bkd.synthetic.settings import SyntheticSettings

TINY = SyntheticSettings(examples=1000, hidden=16, validate_every=50, noise_every=4, noise_draws=2, seed=1)
KEYS = ["onehot", "dirichlet_0.5", "dirichlet_5", "exact"]
Records = list[tuple[int, dict[str, float]]]


def run(settings: SyntheticSettings, stop_after: int | None = None) -> tuple[dict[str, Any], Records]:
    records: Records = []
    asked = 0

    def should_stop() -> bool:
        nonlocal asked
        asked += 1
        return asked == stop_after

    result = run_synthetic(settings, lambda step, record: records.append((step, record)), should_stop)
    return result, records


def make_networks(settings: SyntheticSettings) -> Arms:
    sizes = (settings.dimensions, settings.hidden, settings.hidden, settings.classes)
    layers = init_layers(len(settings.arms), sizes, generator(settings.seed, "init"))
    return Arms([layer * 1.5 for layer in layers], 0.01, 0.9)


@pytest.fixture(scope="module")
def real() -> dict[str, Any]:
    """The whole experiment with 7,200 steps instead of 45,000."""
    return run(SyntheticSettings(examples=8000, validate_every=100, noise_draws=10))[0]


def values(result: dict[str, Any], key: str) -> list[float]:
    return [result["arms"][arm][key] for arm in KEYS]


@pytest.mark.parametrize("key", ["gap", "noise", "noise_ratio"])
def test_less_noisy_targets_come_closer_to_the_bayes_loss(real: dict[str, Any], key: str) -> None:
    found = values(real, key)
    assert found == sorted(found, reverse=True)
    assert found[0] > 2 * found[2]


def test_convergence_is_calmest_with_the_exact_probabilities(real: dict[str, Any]) -> None:
    onehot, _, dirichlet_5, exact = values(real, "loss_sd")
    assert onehot > 2 * dirichlet_5 > 2 * exact > 0


def test_noise_at_the_optimum_is_that_of_theory(real: dict[str, Any]) -> None:
    ratios, theory = values(real, "noise_ratio"), values(real, "noise_theory")
    assert theory == [1, pytest.approx(1 / 1.5), pytest.approx(1 / 6), 0]
    assert ratios == pytest.approx(theory, rel=0.05)


def test_figures_of_a_whole_run(real: dict[str, Any]) -> None:
    assert json.loads(json.dumps(real, allow_nan=False)) == real
    assert real["finished"]
    assert real["steps"] == 7200
    assert list(real["arms"]) == KEYS
    assert all(acc < real["bayes_acc"] for acc in values(real, "acc"))
    curve = real["curves"]["val/loss_exact"]
    assert curve["steps"] == list(range(100, 7300, 100))
    gaps = [value - real["bayes_loss"] for value in curve["values"][-18:]]
    assert real["arms"]["exact"]["gap"] == pytest.approx(sum(gaps) / 18, rel=1e-3)
    assert real["arms"]["exact"]["gap"] < 0.1 * (curve["values"][0] - real["bayes_loss"])


def test_repeats_bit_for_bit_and_differs_by_seed() -> None:
    first, records = run(TINY)
    again, same_records = run(TINY)
    other, _ = run(replace(TINY, seed=2))
    assert records == same_records
    assert first | {"seconds": 0} == again | {"seconds": 0}
    assert other["arms"]["exact"]["gap"] != first["arms"]["exact"]["gap"]


def test_what_is_recorded_when() -> None:
    result, records = run(replace(TINY, validate_every=70))
    steps = [step for step, _ in records]
    assert steps == [*range(70, 900, 70), 900]
    with_noise = [step for step, record in records if "grad/noise_exact" in record]
    assert with_noise == [280, 560, 840, 900]
    for _, record in records:
        assert {f"val/{name}_{arm}" for name in ("gap", "loss", "acc") for arm in KEYS} <= set(record)
        for arm in KEYS:
            assert record[f"val/gap_{arm}"] == pytest.approx(record[f"val/loss_{arm}"] - result["bayes_loss"])
    assert result["curves"]["grad/noise_exact"]["steps"] == with_noise


def test_every_example_comes_once_an_epoch_with_the_target_it_has() -> None:
    """Labels and Dirichlet draws are kept; only the order changes, and it is the same for all arms."""
    train, _, _ = make_data(TINY)
    steps = list(batches(TINY, train))
    assert [step for step, _, _ in steps] == list(range(1, 901))
    index = {tuple(x): i for i, x in enumerate(train.x.tolist())}
    orders = [[index[tuple(x[0].tolist())] for _, x, _ in epoch] for epoch in (steps[:450], steps[450:])]
    assert sorted(orders[0]) == sorted(orders[1]) == list(range(450))
    assert orders[0] != orders[1]
    targets = [torch.stack([t[:, 0] for _, _, t in epoch]) for epoch in (steps[:450], steps[450:])]
    first = targets[0][torch.tensor(orders[0]).argsort()]  # (N, A, C)
    assert torch.equal(first, targets[1][torch.tensor(orders[1]).argsort()])
    assert torch.equal(first[:, 0].argmax(1), train.labels)
    torch.testing.assert_close(first[:, 3], train.probs.float())


def test_a_short_last_batch_is_dropped() -> None:
    settings = replace(TINY, batch_size=4)
    steps = list(batches(settings, make_data(settings)[0]))
    assert len(steps) == settings.steps == 224
    assert all(len(x) == 4 and targets.shape == (4, 4, 5) for _, x, targets in steps)


def test_a_stopped_run_returns_what_it_has() -> None:
    result, records = run(TINY, stop_after=425)
    _, whole = run(TINY)
    assert (result["finished"], result["steps"]) == (False, 425)
    assert records == whole[:8]
    assert result["arms"]["exact"]["gap"] == pytest.approx(
        (whole[6][1]["val/gap_exact"] + whole[7][1]["val/gap_exact"]) / 2
    )
    assert values(result, "noise_ratio") == [None] * 4


def test_a_run_stopped_at_once_has_no_figures() -> None:
    result, records = run(TINY, stop_after=1)
    assert (result["steps"], records) == (1, [])
    assert result["bayes_loss"] > 0
    for key in ("gap", "acc", "noise", "loss_sd", "noise_optimum", "noise_ratio"):
        assert values(result, key) == [None] * 4
    assert result["curves"]["val/gap_exact"] == {"steps": [], "values": []}


def test_a_diverging_run_says_so() -> None:
    with pytest.raises(TrainingFailed, match=r"must stay finite, got nan after step \d+\. Use a smaller"):
        run(replace(TINY, learning_rate=1e4))


def test_measure_equals_its_definitions() -> None:
    _, _, val = make_data(TINY)
    networks = make_networks(TINY)
    targets = torch.stack([draw_targets(a, val.probs, val.labels, generator(0, a.key)) for a in TINY.arms]).float()
    networks.step(val.x[:1], targets[:, :1])
    found = measure(networks, TINY.arms, HeldOut(val, targets), with_noise=True)
    inputs, logits = networks.forward(val.x)
    for i, arm in enumerate(TINY.arms):
        q = logits[i].double().softmax(1)
        kl = (val.probs * (val.probs / q).log()).sum(1).mean().item()
        assert found[f"val/gap_{arm.key}"] == pytest.approx(kl, rel=1e-6)
        assert found[f"val/loss_{arm.key}"] == pytest.approx(kl + val.bayes_loss, rel=1e-6)
        hits = [val.probs[n, k].item() for n, k in enumerate(q.argmax(1).tolist())]
        assert found[f"val/acc_{arm.key}"] == pytest.approx(sum(hits) / len(hits))
    noise = networks.noise(inputs, logits.softmax(2) - targets).tolist()
    assert [found[f"grad/noise_{arm.key}"] for arm in TINY.arms] == pytest.approx(noise)


def test_noise_at_the_optimum_is_the_trace_of_the_targets_covariance() -> None:
    """V = E_x tr[J^T (diag P - P P^T) J] / (1 + c), with the Jacobian J of the exact arm's network from autograd."""
    settings = replace(TINY, noise_draws=200, examples=400)
    _, test, _ = make_data(settings)
    networks = make_networks(settings)
    for i in range(100):  # the arms apart, so that it matters whose Jacobian it is
        networks.step(test.x[i : i + 1], torch.eye(5)[[0, 1, 2, 3]][:, None])
    found = noise_at_optimum(settings, networks, test)
    expected = sum(_trace(networks, x, p) for x, p in zip(test.x, test.probs, strict=True)) / len(test)
    for arm in settings.arms:
        assert found[arm.key] == pytest.approx(expected * arm.noise_theory, rel=0.03)


def _trace(networks: Arms, x: Tensor, p: Tensor) -> float:
    layers = [layer[-1] for layer in networks.layers]

    def logits(*layers: Tensor) -> Tensor:
        h = x
        for layer in layers[:-1]:
            h = (layer[:, :-1] @ h + layer[:, -1]).relu()
        return layers[-1][:, :-1] @ h + layers[-1][:, -1]

    jacobian = torch.autograd.functional.jacobian(logits, tuple(layers))
    rows = torch.cat([part.flatten(1) for part in jacobian], dim=1).double()  # (C, P)
    return torch.trace((p.diag() - torch.outer(p, p)) @ rows @ rows.T).item()


def test_curves_are_thinned_and_end_at_the_last_record() -> None:
    history = History()
    for step in range(1, 1002):
        history.add(step, {"a": step / 3})
    curve = history.curve("a")
    assert len(curve["steps"]) == len(curve["values"]) <= CURVE_POINTS
    assert curve["steps"][-1] == 1001
    assert {b - a for a, b in zip(curve["steps"], curve["steps"][1:], strict=False)} == {7}
    assert curve["values"][-1] == 333.667
    assert history.last_quarter("a", 1001) == [step / 3 for step in range(751, 1002)]
