"""What a Bayesian teacher's weight draws cost beside its forward passes: ResNet-18, 32x32, B = 100, C = 100.

Run `python tests/benchmarks/bench_vi.py [rounds [threads]]`. It times S draws with their passes against S passes of
the same network with fixed weights, in turns: on one thread (processor seconds, without what other processes
take) and on two (seconds on the wall, which mean something only where both cores are free); prints JSON lines.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[2]))
import torch
from torch import Tensor

from bkd.bayes.config import InducingConfig
from bkd.bayes.convert import bayesianize
from bkd.bayes.inducing import InducingLayer
from bkd.bayes.inducing_batch import InducingBatch
from bkd.bayes.matheron import JITTER
from bkd.bayes.posterior import WeightPosterior
from bkd.models.table import build_model
from bkd.rng import generator
from bkd.teachers import NetworkTeacher, VariationalTeacher

BAR, ROUNDS, SAMPLES = 1.15, 9, 4


def main() -> None:
    """Check equality, then print the ratios."""
    torch.manual_seed(0)
    plain = NetworkTeacher(build_model("resnet18", in_channels=3, num_classes=100)).freeze()
    network = build_model("resnet18", in_channels=3, num_classes=100)
    bayesianize(network, InducingConfig())
    teacher = VariationalTeacher(network, WeightPosterior(network))
    teacher.freeze()
    check(teacher.posterior)
    images = torch.randn(100, 3, 32, 32)
    draws = generator(0, "teacher")
    rounds, *chosen = [int(word) for word in sys.argv[1:]] or [ROUNDS]
    for threads in chosen or (1, 2):
        clock = time.process_time if threads == 1 else time.perf_counter
        torch.set_num_threads(threads)
        passes, drawn = in_turns(
            lambda: [plain.predict(images, 1, draws) for _ in range(SAMPLES)],
            lambda: teacher.predict(images, SAMPLES, draws),
            clock=clock,
            rounds=rounds,
        )
        ratio = median(drawn) / median(passes)
        print(
            json.dumps(
                {
                    "name": f"{SAMPLES} draws over {SAMPLES} deterministic passes, threads = {threads}",
                    "value": round(ratio, 3),
                    "bar": BAR,
                    "pass_ms": median(passes) * 1e3 / SAMPLES,
                    "draw_and_pass_ms": median(drawn) * 1e3 / SAMPLES,
                    "passed": ratio <= BAR,
                }
            ),
            flush=True,
        )


def in_turns(*calls: Callable[[], object], clock: Callable[[], float], rounds: int) -> list[list[float]]:
    """Return the seconds of each call, made in turns so that a busy machine slows all alike; two rounds warm up."""
    times: list[list[float]] = [[] for _ in calls]
    for _ in range(rounds + 2):
        for call, seconds in zip(calls, times, strict=True):
            began = clock()
            call()
            seconds.append(clock() - began)
    return [seconds[2:] for seconds in times]


def check(posterior: WeightPosterior) -> None:
    """Fail unless a draw's weights are those of the formula, computed in float64, for the same noise."""
    posterior.draw(generator(0, "weights"))
    batch = InducingBatch([layer for layer in posterior.layers if isinstance(layer, InducingLayer)])
    for block, (eps_u, e2, e3, e4, *e1s) in zip(batch.blocks, batch.noise(generator(0, "weights")), strict=True):
        each = [e1 for stack in e1s for e1 in stack]
        for i, layer in enumerate(block.layers):
            expected = formula(layer, [n[i].double() for n in (eps_u, e2, e3, e4)], each[i].double())
            assert layer.weight is not None
            found = layer.weight.flatten(1).double()
            error = (found - expected[:, : found.shape[1]]).abs().max() / expected.abs().max()
            assert error < 1e-4, error


def formula(layer: InducingLayer, small: list[Tensor], e1: Tensor) -> Tensor:
    """Return prior_sd (T_r U T_c + lam (E1 - T_r u_bar T_c)) with everything in it formed, (do, di)."""
    raw, limits = layer.raw(), layer.limits
    z_r, z_c = raw.z_row.double(), raw.z_col.double()
    d_r, d_c = (torch.nn.functional.softplus(d.double()) for d in (raw.d_row, raw.d_col))
    (l_r, a_r, t_r), (l_c, a_c, t_c) = (side(z, d) for z, d in ((z_r, d_r), (z_c, d_c)))
    eps_u, e2, e3, e4 = small
    sd = torch.nn.functional.softplus(raw.inducing_sd.double()).clamp(max=limits.max_sd_u)
    lam = torch.nn.functional.softplus(raw.lamda.double()).clamp(max=limits.max_lamda)
    u = l_r @ (raw.inducing_mean.double() + sd * eps_u) @ l_c.T
    u_bar = z_r @ e1 @ z_c.T + a_r @ e2 * d_c + d_r[:, None] * (e3 @ a_c.T) + d_r[:, None] * e4 * d_c
    return limits.prior_sd * (t_r.T @ u @ t_c + lam * (e1 - t_r.T @ u_bar @ t_c))


def side(z: Tensor, d: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return L and A with L L^T = Z Z^T + diag(d^2) and A A^T = Z Z^T, both with jitter, and K^-1 Z."""
    gram = z @ z.T
    k = gram + torch.diag(d * d)
    l_factor, a_factor = (
        torch.linalg.cholesky(m + JITTER * m.diagonal().mean() * torch.eye(len(m), dtype=m.dtype)) for m in (k, gram)
    )
    return l_factor, a_factor, torch.cholesky_solve(z, l_factor)


if __name__ == "__main__":
    main()
