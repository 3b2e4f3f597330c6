"""What the gradient statistics cost: their share of a WRN-16-2 step at 32x32 with B = 100, on one thread.

Run `python tests/benchmarks/bench_noise.py`. It times the meter's update within real steps, and adds the two-batch
probe at one step in 64; prints one JSON line.
"""

import json
import sys
import time
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[2]))
import torch

from bkd.losses import CrossEntropy
from bkd.models.table import build_model
from bkd.noise import LastLayer, NoiseMeter, variance

BAR, ROUNDS = 0.03, 9
PROBE_SHARE = 1 / 64  # one more forward and backward pass in 64 steps


def main() -> None:
    """Print the share."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    network = build_model("wrn_16_2", in_channels=3, num_classes=100)
    optimizer = torch.optim.Adam(network.parameters(), fused=True)
    meter, objective = NoiseMeter(has_bias=True), CrossEntropy()
    x, y = torch.randn(100, 3, 32, 32), torch.randint(0, 100, (100,))
    steps, updates = [], []
    for step in range(ROUNDS):
        began = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        phi = network.forward_features(x)
        logits = network.head(phi)
        objective.terms(logits, y)["loss"].backward()
        optimizer.step()
        middle = time.perf_counter()
        residual = objective.residual(logits.detach(), y)
        figures = meter.update(step, LastLayer(residual, logits.detach(), y, phi.detach(), logits.detach().softmax(1)))
        updates.append(time.perf_counter() - middle)
        steps.append(middle - began)
    assert torch.isclose(figures[0], variance(residual, phi.detach(), True).float())
    share = median(updates) / median(steps) + PROBE_SHARE
    figures = {"name": "gradient statistics' share of a step", "value": round(share, 4), "bar": BAR}
    print(
        json.dumps(
            figures | {"step_ms": median(steps) * 1e3, "update_ms": median(updates) * 1e3, "passed": share <= BAR}
        )
    )


if __name__ == "__main__":
    main()
