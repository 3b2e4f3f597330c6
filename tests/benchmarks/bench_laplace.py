"""What a Laplace predictive costs: its head over laplace-torch's, its memory, and its share of a teacher's pass.

Run `python tests/benchmarks/bench_laplace.py`. Each part checks equality first where there is something to equal and
prints one JSON line; all run on one thread.
"""

import json
import resource
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parent)]
import torch
from bench_teacher_cache import IMAGES, LABELS, STEPS, Student
from torch import Tensor, nn

from bkd.data.batches import Batch
from bkd.laplace.fit import build_laplace, fit_laplace
from bkd.laplace.kron import KronPosterior
from bkd.laplace.settings import LaplaceSettings, LinkApproximation, PredictionType, Predictive
from bkd.laplace.teacher import LaplaceTeacher
from bkd.models.table import build_model
from bkd.teachers import NetworkTeacher

FEATURES, CLASSES = 512, 100
HEAD_BAR, MEMORY_BAR_GIB, PASS_BAR = 1000, 1.0, 1.05


def report(name: str, value: float, bar: float, passed: bool, **more: Any) -> None:
    """Print one line."""
    print(json.dumps({"name": name, "value": round(value, 4), "bar": bar, "passed": passed} | more), flush=True)


def seconds(work: Callable[[], Any], rounds: int) -> float:
    """Return the median time of `work`."""
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return median(times)


def library_and_ours() -> tuple[Any, KronPosterior, Tensor]:
    """Fit both to the same head and features; return them and features to predict."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from laplace import Laplace
    from torch.utils.data import DataLoader, TensorDataset

    torch.manual_seed(0)
    net = nn.Sequential(nn.Identity(), nn.Linear(FEATURES, CLASSES))
    phi, y = torch.randn(1000, FEATURES).relu(), torch.randint(CLASSES, (1000,))
    la = Laplace(net, "classification", "last_layer", "kron")
    la.fit(DataLoader(TensorDataset(phi, y), batch_size=100))
    ours = KronPosterior(FEATURES, CLASSES, True)
    ours.fit(net[1], zip(phi.split(100), y.split(100), strict=True))
    return la, ours, torch.randn(10, FEATURES).relu()


def bench_head() -> None:
    """Time the predictive of both from the same features, ten images at a time."""
    la, ours, phi = library_and_ours()

    def predict(link: str) -> Tensor:
        return ours.probs(phi, Predictive(PredictionType.GLM, LinkApproximation(link)), 1, None)[0]

    for link in ("probit", "bridge", "bridge_norm"):
        error = float((predict(link) - la(phi, pred_type="glm", link_approx=link)).abs().max())
        if error > 1e-5:
            sys.exit(f"the two predictives differ by {error} with {link}")
    theirs = seconds(lambda: la(phi, pred_type="glm", link_approx="probit"), 3)
    mine = seconds(lambda: predict("probit"), 201)
    ratio = theirs / mine
    report(
        f"laplace-torch's head over ours, F = {FEATURES}, C = {CLASSES}, times as slow", ratio, HEAD_BAR,
        ratio >= HEAD_BAR, theirs_ms_per_image=theirs * 100, ours_ms_per_image=mine * 100,
        bridge_ms_per_image=seconds(lambda: predict("bridge"), 51) * 100,
    )  # fmt: skip


def peak_gib() -> float:
    """Return this process's largest resident set so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def measure_memory() -> None:
    """Print by how much a ResNet-50 teacher's prediction raises the peak of its plain pass, in GiB."""
    torch.set_num_threads(1)
    network = build_model("resnet50", in_channels=3, num_classes=CLASSES).eval()
    x = torch.randn(100, 3, 32, 32)
    with torch.no_grad():
        network(x)
    plain = peak_gib()
    teacher = LaplaceTeacher(build_laplace(network, LaplaceSettings())).freeze()
    drawing = LaplaceTeacher(teacher.laplace, PredictionType.GLM, LinkApproximation.MC).freeze()
    draws = torch.Generator().manual_seed(0)
    teacher.predict(x, 1, draws)
    probit = peak_gib()
    drawing.predict(x, 10, draws)
    print(json.dumps({"probit": probit - plain, "mc": peak_gib() - plain, "plain": plain}))


def bench_memory() -> None:
    """Measure it in a fresh process, whose peak is nothing else's."""
    done = subprocess.run([sys.executable, __file__, "--memory"], capture_output=True, text=True, check=True)
    extra = json.loads(done.stdout)
    worst = max(extra["probit"], extra["mc"])
    name = "peak memory above the plain pass's, ResNet-50, B = 100, GiB"
    report(name, worst, MEMORY_BAR_GIB, worst < MEMORY_BAR_GIB, **extra)


def bench_pass() -> None:
    """Time a WRN-16-1 teacher's pass with and without the posterior, in turns."""
    network = build_model("wrn_16_1", in_channels=3, num_classes=CLASSES).eval()
    x, draws = torch.randn(100, 3, 32, 32), torch.Generator().manual_seed(0)
    module, batch = build_laplace(network, LaplaceSettings()), Batch(x, torch.arange(100), torch.arange(100), None)
    fit_laplace(module, lambda: [batch], list, LaplaceSettings())
    laplace, plain = LaplaceTeacher(module).freeze(), NetworkTeacher(network).freeze()
    phi = network.forward_features(x)
    logits = module.posterior.logits(phi)
    if not torch.allclose(logits, plain.predict(x, 1, draws).logits[0], rtol=1e-4, atol=1e-5):
        sys.exit("the posterior's mean logits are not the network's")
    times: dict[str, list[float]] = {"plain": [], "laplace": []}
    for _ in range(31):
        for name, teacher in (("plain", plain), ("laplace", laplace)):
            times[name].append(seconds(lambda teacher=teacher: teacher.predict(x, 1, draws).probs(2.0), 1))
    ratio = min(times["laplace"]) / min(times["plain"])  # the least disturbed pass of each
    head = seconds(lambda: module.posterior.probs(phi, Predictive(), 1, None), 201)
    report(
        "Laplace teacher's pass over the plain network's, WRN-16-1, B = 100", ratio, PASS_BAR, ratio <= PASS_BAR,
        plain_ms=min(times["plain"]) * 1e3, head_ms=head * 1e3,
        median_ratio=median(times["laplace"]) / median(times["plain"]),
    )  # fmt: skip


def bench_epoch() -> None:
    """Time an epoch of a student of a teacher with and without the posterior, step by step in turns."""
    network = build_model("wrn_16_1", in_channels=1, num_classes=10).eval()
    module = build_laplace(network, LaplaceSettings())
    batch = Batch(IMAGES[:100].float(), LABELS[:100], torch.arange(100), None)
    fit_laplace(module, lambda: [batch], list, LaplaceSettings())
    students = Student(NetworkTeacher(network).freeze()), Student(LaplaceTeacher(module).freeze())
    for step in range(STEPS):
        for student in students if step % 2 else students[::-1]:
            student.step(step)
    plain, laplace = (student.seconds[1:] for student in students)  # the first step warms up
    ratio = median(b / a for a, b in zip(plain, laplace, strict=True))
    report(
        f"epoch of a student of the Laplace teacher over the Deterministic one's, {STEPS} steps, WRN-16-1, B = 100",
        ratio, PASS_BAR, ratio <= PASS_BAR, plain_s=sum(plain), laplace_s=sum(laplace),
    )  # fmt: skip


def main() -> None:
    """Run every part."""
    torch.set_num_threads(1)
    bench_head()
    bench_memory()
    bench_pass()
    bench_epoch()


if __name__ == "__main__":
    measure_memory() if "--memory" in sys.argv else main()
