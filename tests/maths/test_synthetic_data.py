"""The mixture's class probabilities against scipy's densities, and the targets against their distributions."""

import pytest
import torch
from torch import Tensor

from bkd.rng import generator
from bkd.synthetic.data import Mixture, draw_targets, make_data
from bkd.synthetic.settings import EXACT, ONE_HOT, Arm, SyntheticSettings

SMALL = SyntheticSettings(examples=4000, dimensions=8, seed=3)


def repeated(probs: list[float], n: int) -> Tensor:
    return torch.tensor(probs, dtype=torch.float64).repeat(n, 1)


def test_class_probs_equal_bayes_rule_with_scipys_densities() -> None:
    from scipy.stats import multivariate_normal

    mixture = Mixture.draw(SyntheticSettings(seed=1))
    x, _ = mixture.sample(200, generator(1, "examples"))
    densities = [multivariate_normal(mean.numpy(), mixture.noise_variance).logpdf(x.numpy()) for mean in mixture.means]
    expected = torch.stack([torch.from_numpy(density) for density in densities], dim=1).softmax(1)
    torch.testing.assert_close(mixture.class_probs(x), expected, rtol=1e-9, atol=1e-12)


def test_sample_has_the_mixtures_moments() -> None:
    mixture = Mixture.draw(SMALL)
    assert set(mixture.means.flatten().tolist()) == {4.0, 5.0, 6.0}
    x, y = mixture.sample(50_000, generator(0, "examples"))
    for label, mean in enumerate(mixture.means):
        of_class = x[y == label]
        assert len(of_class) == pytest.approx(10_000, abs=5 * 90)
        torch.testing.assert_close(of_class.mean(0), mean, rtol=0, atol=5 * (2.5 / 10_000) ** 0.5)
        assert (of_class - mean).var().item() == pytest.approx(2.5, rel=0.03)


def test_labels_follow_the_class_probs() -> None:
    """Among examples to which a class gives a probability near p, a share p has that class."""
    mixture = Mixture.draw(SMALL)
    x, y = mixture.sample(50_000, generator(0, "examples"))
    probs = mixture.class_probs(x)
    hits = torch.nn.functional.one_hot(y, 5).double()
    for low in (0.1, 0.4, 0.7):
        near = (probs > low) & (probs < low + 0.2)
        assert hits[near].mean().item() == pytest.approx(probs[near].mean().item(), abs=4 * 0.5 / near.sum() ** 0.5)


def test_make_data_splits_and_scores() -> None:
    train, test, val = make_data(SMALL)
    assert (len(train), len(test), len(val)) == (1800, 1800, 400)
    sd, mean = torch.std_mean(train.x, dim=0)
    torch.testing.assert_close(mean, torch.zeros(8), rtol=0, atol=1e-5)
    torch.testing.assert_close(sd, torch.ones(8), rtol=1e-5, atol=0)
    assert not torch.equal(test.x.mean(0), torch.zeros(8))
    # the score is one affine map, so the probabilities are a softmax of an affine map of what the network sees
    design = torch.cat([torch.cat([part.x, torch.ones(len(part), 1)], 1).double() for part in (train, test, val)])
    logits = torch.cat([part.probs for part in (train, test, val)]).log()
    fitted = design @ torch.linalg.lstsq(design, logits - logits[:, :1]).solution
    torch.testing.assert_close(fitted, logits - logits[:, :1], rtol=0, atol=1e-4)


def test_bayes_loss_and_accuracy_estimate_those_with_labels() -> None:
    _, test, _ = make_data(SyntheticSettings(examples=20_000))
    losses = -test.probs.gather(1, test.labels[:, None]).log()
    assert test.bayes_loss == pytest.approx(losses.mean().item(), abs=(4 * losses.std() / len(test) ** 0.5).item())
    accuracy = (test.probs.argmax(1) == test.labels).double().mean().item()
    assert test.bayes_accuracy == pytest.approx(accuracy, abs=4 * 0.5 / len(test) ** 0.5)


def test_data_repeats_by_seed() -> None:
    first, again, other = make_data(SMALL), make_data(SMALL), make_data(SyntheticSettings(examples=4000, dimensions=8))
    for a, b, c in zip(first, again, other, strict=True):
        assert torch.equal(a.x, b.x)
        assert torch.equal(a.labels, b.labels)
        assert torch.equal(a.probs, b.probs)
        assert not torch.equal(a.x, c.x)


@pytest.mark.parametrize("concentration", [5.0, 0.5, 0.01])
def test_dirichlet_targets_have_mean_and_variance_of_theory(concentration: float) -> None:
    n = 200_000
    probs = repeated([0.7, 0.2, 0.1, 0.0], n)
    arm = Arm("d", "d", concentration)
    targets = draw_targets(arm, probs, torch.zeros(n, dtype=torch.int64), generator(0, "targets"))
    p = probs[0]
    torch.testing.assert_close(targets.sum(1), torch.ones(n, dtype=torch.float64))
    assert targets.min() >= 0
    torch.testing.assert_close(targets.mean(0), p, rtol=0, atol=5 * (0.25 / n) ** 0.5)
    assert targets[:, 3].abs().max() == 0
    cov = torch.cov(targets.T)
    expected = (p.diag() - torch.outer(p, p)) * arm.noise_theory
    torch.testing.assert_close(cov, expected, rtol=0.03, atol=2e-4)


def test_the_ends_of_the_scale() -> None:
    probs = repeated([0.6, 0.4], 3)
    labels = torch.tensor([1, 0, 1])
    draws = generator(0, "targets")
    assert draw_targets(EXACT, probs, labels, draws) is probs
    assert draw_targets(ONE_HOT, probs, labels, draws).tolist() == [[0, 1], [1, 0], [0, 1]]
    assert (ONE_HOT.noise_theory, EXACT.noise_theory) == (1, 0)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"val_fraction": 0.2}, "sum to 1"),
        ({"test_fraction": 0.0, "val_fraction": 0.55}, "above 0"),
        ({"examples": 4}, "at least 2 examples"),
        ({"examples": 100, "batch_size": 64}, "train on a batch of 64"),
        ({"concentrations": (1.0, 0.0)}, "above 0 and finite"),
        ({"concentrations": (2.0, 2.0)}, "differ"),
        ({"classes": 1}, "classes must be at least 2"),
        ({"validate_every": 0}, "validate_every must be at least 1"),
    ],
)
def test_settings_refuse_what_cannot_run(wrong: dict[str, object], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        SyntheticSettings(**wrong)  # type: ignore[arg-type]


def test_default_settings_are_the_papers() -> None:
    settings = SyntheticSettings()
    assert settings.steps == 45_000
    assert [arm.title for arm in settings.arms] == ["one-hot", "Dirichlet 0.5", "Dirichlet 5", "exact"]
    assert [round(arm.noise_theory, 4) for arm in settings.arms] == [1, 0.6667, 0.1667, 0]
