"""The KL ramp, and that specs can use it without torch."""

import subprocess
import sys

import pytest

from bkd.bayes.config import FFGConfig, InducingConfig
from bkd.bayes.schedule import kl_weight
from bkd.errors import SpecError


@pytest.mark.parametrize(("epoch", "expected"), [(0, 0.0), (100, 0.0), (101, 0.02), (125, 0.5), (150, 1.0), (199, 1.0)])
def test_ramp_of_the_paper(epoch: int, expected: float) -> None:
    assert kl_weight(epoch, 100, 50) == pytest.approx(expected)


def test_no_annealing_is_a_step() -> None:
    assert [kl_weight(epoch, 2, 0) for epoch in range(4)] == [0.0, 0.0, 1.0, 1.0]


def test_settings_import_no_torch() -> None:
    code = "import bkd.bayes.schedule, bkd.bayes.config, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("config", "values", "names"),
    [
        (InducingConfig, {"conv_rows": 0}, "inducing.conv_rows"),
        (InducingConfig, {"init_lamda": 0.03}, "inducing.max_lamda"),
        (InducingConfig, {"init_sd_u": 0.2}, "inducing.init_sd_u"),
        (InducingConfig, {"prior_sd": float("nan")}, "inducing.prior_sd"),
        (FFGConfig, {"init_sd": -1.0}, "ffg.init_sd"),
        (FFGConfig, {"max_sd": 1e-4}, "ffg.max_sd"),
    ],
)
def test_settings_that_cannot_work_are_refused(config: type, values: dict, names: str) -> None:
    with pytest.raises(SpecError, match=names):
        config(**values)
