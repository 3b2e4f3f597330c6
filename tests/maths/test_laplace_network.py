"""A Laplace approximation from the batches of a real network to a frozen teacher."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from bkd.bayes.config import FFGConfig
from bkd.bayes.convert import bayesianize
from bkd.data.batches import Batch
from bkd.errors import SpecError
from bkd.laplace.fit import build_laplace, fit_laplace
from bkd.laplace.network import LaplaceNetwork
from bkd.laplace.prior import GRID
from bkd.laplace.settings import (
    HessianStructure,
    LaplaceSettings,
    LinkApproximation,
    PredictionType,
    PriorTuning,
)
from bkd.laplace.teacher import LaplaceTeacher
from bkd.losses import soften
from bkd.models.network import Network
from bkd.models.table import build_model, load_weights

C, N = 5, 60
GLM, NN = PredictionType.GLM, PredictionType.NN
KRON, FULL = HessianStructure.KRON, HessianStructure.FULL


def images(seed: int, count: int = N) -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(seed)
    x = torch.randn(count, 1, 8, 8, generator=draw)
    return x, (x.flatten(2)[:, 0, :C] + 0.5 * torch.randn(count, C, generator=draw)).argmax(1)


def batches(seed: int = 0) -> Iterator[Batch]:
    x, y = images(seed)
    return (Batch(x[i : i + 25], y[i : i + 25], torch.arange(i, min(i + 25, N)), None) for i in range(0, N, 25))


@pytest.fixture
def network() -> Network:
    """A wide residual network with batch norm whose head has seen the images."""
    torch.manual_seed(0)
    net = build_model("wrn_16_1", in_channels=1, num_classes=C)
    x, y = images(0)
    net.train()(x)  # running statistics
    optimizer = torch.optim.Adam(net.head.parameters(), lr=0.1)
    with torch.no_grad():
        phi = net.eval().forward_features(x)
    for _ in range(30):
        optimizer.zero_grad()
        nn.functional.cross_entropy(net.head(phi), y).backward()
        optimizer.step()
    return net.train()


def fitted(network: Network, settings: LaplaceSettings) -> tuple[LaplaceNetwork, dict[str, float]]:
    module = build_laplace(network, settings)
    return module, fit_laplace(module, batches, lambda: batches(1), settings)


def ask(teacher: Any, x: Tensor, num_samples: int = 3, seed: int = 0) -> Any:
    return teacher.predict(x, num_samples, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("structure", [KRON, HessianStructure.DIAG, FULL])
def test_from_a_trained_network_to_a_frozen_teacher(
    network: Network, structure: HessianStructure, tmp_path: Path
) -> None:
    statistics = network.bn.running_mean.clone()
    module, figures = fitted(network, LaplaceSettings(hess_struct=structure))
    assert torch.equal(network.bn.running_mean, statistics)
    x, y = images(0)
    with torch.no_grad():
        nll = float(nn.functional.cross_entropy(network(x), y))
    assert figures["laplace/train_nll"] == pytest.approx(nll, rel=1e-5)
    assert ("laplace/prior_precision_bias" in figures) == (structure is not FULL)
    assert 0 < figures["laplace/effective_parameters"] < C * 65
    assert figures["laplace/log_marglik"] < -N * nll

    save_file(module.state_dict(), tmp_path / "model.safetensors")
    settings = LaplaceSettings(hess_struct=structure)
    other = build_laplace(build_model("wrn_16_1", in_channels=1, num_classes=C), settings)
    load_weights(other, load_file(tmp_path / "model.safetensors"))
    teacher, again = LaplaceTeacher(module).freeze(), LaplaceTeacher(other).freeze()
    assert not any(p.requires_grad for p in module.parameters())
    held_out = images(1)[0]
    probs = ask(teacher, held_out).probs()
    assert torch.equal(probs, ask(again, held_out).probs())
    plain = network(held_out).softmax(1)
    entropies = [float(-(p * p.log()).sum(1).mean()) for p in (probs, plain)]
    assert entropies[0] > entropies[1] + 1e-3


def test_temperature_softens_the_predictive(network: Network) -> None:
    module, _ = fitted(network, LaplaceSettings())
    prediction = ask(LaplaceTeacher(module).freeze(), images(1)[0])
    p1 = prediction.probs(1.0)
    expected = p1**0.25 / (p1**0.25).sum(1, keepdim=True)
    torch.testing.assert_close(prediction.probs(4.0), expected)
    torch.testing.assert_close(prediction.probs(4.0), soften(p1, 4.0))


def test_only_draws_are_stochastic(network: Network) -> None:
    module, _ = fitted(network, LaplaceSettings())
    x = images(1, 6)[0]
    for link in LinkApproximation:
        for pred_type in PredictionType:
            teacher = LaplaceTeacher(module, pred_type, link).freeze()
            is_drawn = pred_type is NN or link is LinkApproximation.MC
            assert teacher.is_stochastic == is_drawn
            one, same, other = (ask(teacher, x, seed=seed).draw_probs() for seed in (0, 0, 1))
            assert one.shape == ((3, 6, C) if is_drawn else (1, 6, C))
            assert torch.equal(one, same)
            assert torch.equal(one, other) != is_drawn
            torch.testing.assert_close(one.sum(2), torch.ones(one.shape[:2]))


def test_a_draw_is_one_weight_for_the_whole_batch(network: Network) -> None:
    module, _ = fitted(network, LaplaceSettings())
    teacher, x = LaplaceTeacher(module, GLM, LinkApproximation.MC).freeze(), images(1, 6)[0]
    together = ask(teacher, x, seed=4).draw_probs()
    for i in range(6):
        torch.testing.assert_close(ask(teacher, x[i : i + 1], seed=4).draw_probs()[:, 0], together[:, i])


def test_predictive_is_in_full_precision_under_autocast(network: Network) -> None:
    module, _ = fitted(network, LaplaceSettings())
    x = images(1)[0]
    for link in ("probit", "mc", "bridge"):
        teacher = LaplaceTeacher(module, GLM, LinkApproximation(link)).freeze()
        expected = ask(teacher, x).draw_probs()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            got = ask(teacher, x).draw_probs()
        assert got.dtype == torch.float32
        torch.testing.assert_close(got, expected, rtol=0, atol=0.05)  # the features are bfloat16


@pytest.mark.parametrize("link", [LinkApproximation.PROBIT, LinkApproximation.MC])
def test_search_takes_the_precision_of_least_held_out_nll(network: Network, link: LinkApproximation) -> None:
    settings = LaplaceSettings(la_method=PriorTuning.GRIDSEARCH, link_approx=link, num_samples=4)
    module, figures = fitted(network, settings)
    x, y = images(1)
    if link is LinkApproximation.PROBIT:
        nlls = []
        for precision in GRID:
            module.posterior.set_prior_precision(precision)
            nlls.append(float(nn.functional.nll_loss(ask(LaplaceTeacher(module), x).probs().log(), y)))
        assert figures["laplace/val_nll"] == pytest.approx(min(nlls), rel=1e-5)
        assert figures["laplace/prior_precision"] == pytest.approx(GRID[nlls.index(min(nlls))])
    else:
        again = fit_laplace(module, batches, lambda: batches(1), settings)
        assert again == figures
    assert figures["laplace/prior_precision"] == figures["laplace/prior_precision_bias"]


def test_what_cannot_be_fitted_is_refused(network: Network) -> None:
    with pytest.raises(SpecError, match="needs held-out images, got 0"):
        fit_laplace(
            build_laplace(network, LaplaceSettings()), batches, lambda: iter(()),
            LaplaceSettings(la_method=PriorTuning.GRIDSEARCH),
        )  # fmt: skip
    with pytest.raises(SpecError, match="at least 1 image"):
        fit_laplace(build_laplace(network, LaplaceSettings()), lambda: iter(()), batches, LaplaceSettings())
    wide = build_model("wrn_16_2", in_channels=1, num_classes=200)
    with pytest.raises(SpecError, match=r"25,800\^2 x 4"):
        build_laplace(wide, LaplaceSettings(hess_struct=FULL))
    bayesianize(network, FFGConfig())
    with pytest.raises(SpecError, match="FFGLinear"):
        build_laplace(network, LaplaceSettings())


def test_temperature_of_the_posterior_is_part_of_its_state(network: Network) -> None:
    cold, _ = fitted(network, LaplaceSettings(temperature=0.1))
    warm, _ = fitted(network, LaplaceSettings(temperature=1.0))
    warm.posterior.set_prior_precision(*cold.posterior.prior_precision.tolist())
    phi = network.eval().forward_features(images(1)[0]).detach()
    assert (cold.posterior.logit_variance(phi) < warm.posterior.logit_variance(phi)).all()
    warm.load_state_dict(cold.state_dict())
    assert torch.equal(cold.posterior.logit_variance(phi), warm.posterior.logit_variance(phi))


def test_closed_forms_never_import_the_library() -> None:
    code = (
        "import sys, torch; from bkd.laplace import fit, teacher, settings\n"
        "from bkd.models.table import build_model\n"
        "net = build_model('wrn_16_1', in_channels=1, num_classes=3)\n"
        "teacher.LaplaceTeacher(fit.build_laplace(net, settings.LaplaceSettings()))\n"
        "print(*sorted({'laplace', 'scipy', 'curvlinops', 'torchmetrics', 'torchvision'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == ""


def test_settings_import_no_torch() -> None:
    code = "import sys, bkd.laplace.settings; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
