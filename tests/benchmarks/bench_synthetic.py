"""The synthetic experiment's speed: a step of four arms in lockstep over four separate autograd steps, and a whole run.

Run `python tests/benchmarks/bench_synthetic.py`. It checks that both ways end at the same weights, then times them
alternately on one thread; then it runs the experiment in full and holds its time against the bar of 5 min, its order
and its noise ratios against theory. Prints one JSON line each.
"""

import json
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[2]))
import torch
from torch import Tensor, nn

from bkd.rng import generator
from bkd.synthetic.arms import Arms, init_layers
from bkd.synthetic.experiment import run_synthetic
from bkd.synthetic.settings import SyntheticSettings
from bkd.synthetic.table import comparison_lines

STEP_BAR, RUN_BAR_S, RATIO_BAR = 5.0, 300.0, 0.05
STEPS, ROUNDS, SEED = 300, 7, 2


def main() -> int:
    """Return 0 if every bar is met."""
    torch.set_num_threads(1)
    passed = [report_steps(), report_run()]
    return 0 if all(passed) else 1


def report_steps() -> bool:
    """Print how many times faster a lockstep step is."""
    settings = SyntheticSettings()
    sizes = (settings.dimensions, settings.hidden, settings.hidden, settings.classes)
    layers = init_layers(4, sizes, generator(0, "init"))
    networks = Arms(layers, settings.learning_rate, settings.momentum)
    modules = [_module(layers, arm) for arm in range(4)]
    optimizers = [torch.optim.SGD(m.parameters(), settings.learning_rate, settings.momentum) for m in modules]
    x = torch.randn(STEPS, 1, sizes[0])
    targets = torch.randn(STEPS, 4, 1, sizes[-1]).softmax(3)

    def lockstep() -> None:
        for step in range(STEPS):
            networks.step(x[step], targets[step])

    def separate() -> None:
        for step in range(STEPS):
            for arm, (module, optimizer) in enumerate(zip(modules, optimizers, strict=True)):
                optimizer.zero_grad()
                nn.functional.kl_div(
                    module(x[step]).log_softmax(1), targets[step, arm], reduction="batchmean"
                ).backward()
                optimizer.step()

    times = [(_seconds(lockstep), _seconds(separate)) for _ in range(ROUNDS)]
    for arm, module in enumerate(modules):
        torch.testing.assert_close(networks.layers[1][arm, :, :-1], module[2].weight.detach(), rtol=1e-3, atol=1e-4)
    ratio = median(slow / fast for fast, slow in times)
    step_us = median(fast for fast, _ in times) / STEPS * 1e6
    return _print("four arms in lockstep over four autograd steps", ratio, STEP_BAR, ratio >= STEP_BAR, step_us=step_us)


def report_run() -> bool:
    """Print the seconds of a whole run, and its table."""
    result = run_synthetic(SyntheticSettings(seed=SEED), lambda step, record: None)
    arms = list(result["arms"].values())
    is_in_order = all(a[key] > b[key] for a, b in pairwise(arms) for key in ("gap", "noise"))
    errors = [abs(arm["noise_ratio"] / arm["noise_theory"] - 1) for arm in arms if arm["noise_theory"]]
    passed = result["seconds"] <= RUN_BAR_S and is_in_order and max(errors) <= RATIO_BAR
    print(*comparison_lines(result), sep="\n")
    return _print("synthetic experiment, s", result["seconds"], RUN_BAR_S, passed, largest_ratio_error=max(errors))


def _module(layers: list[Tensor], arm: int) -> nn.Sequential:
    modules: list[nn.Module] = []
    for layer in layers:
        linear = nn.Linear(layer.shape[2] - 1, layer.shape[1])
        with torch.no_grad():
            linear.weight.copy_(layer[arm, :, :-1])
            linear.bias.copy_(layer[arm, :, -1])
        modules += [linear, nn.ReLU()]
    return nn.Sequential(*modules[:-1])


def _seconds(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _print(name: str, value: float, bar: float, passed: bool, **more: float) -> bool:
    print(json.dumps({"name": name, "value": round(value, 2), "bar": bar} | more | {"passed": passed}), flush=True)
    return passed


if __name__ == "__main__":
    sys.exit(main())
