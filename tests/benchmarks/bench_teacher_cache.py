"""A student's step with a warm teacher cache against the live teacher, and what filling the cache costs.

Run `python tests/benchmarks/bench_teacher_cache.py [TEACHER]`. WRN-16-1 learns from WRN-40-2 (12 times its parameters)
on 28x28 pictures in batches of 100, on one thread. Three students of one trial take each step in turns: live, cold and
warm. All their figures and weights must agree bit for bit before a ratio is printed, as one JSON line.
"""

import json
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[2]))
import torch

from bkd.catalog import DATASETS
from bkd.data.batches import Batches
from bkd.devices import make_optimizer
from bkd.kinds.table import load_kind
from bkd.learner import Learner, Position, Recipe, Settings
from bkd.losses import Distillation
from bkd.models.table import build_model, count_parameters
from bkd.rng import generator
from bkd.specs import make_spec
from bkd.teacher_cache import open_cache
from bkd.teacher_cache_key import images_fingerprint
from bkd.teachers import NetworkTeacher, Prediction, Teacher
from bkd.train import Loop, ask_teacher

BAR, STEPS, BATCH = 1.5, 20, 100
INFO = DATASETS["fashion-mnist"]
IMAGES = torch.randint(0, 256, (STEPS * BATCH, 1, 28, 28), generator=generator(0, "images"), dtype=torch.uint8)
LABELS = torch.arange(len(IMAGES)) % INFO.classes
CPU = torch.device("cpu")


class Timed(NetworkTeacher):
    """Notes how long its network took at the last question."""

    seconds = 0.0

    def _predict(self, x: torch.Tensor, num_samples: int, generator: torch.Generator) -> Prediction:
        began = time.perf_counter()
        prediction = super()._predict(x, num_samples, generator)
        self.seconds = time.perf_counter() - began
        return prediction


class Student:
    """A student of one trial, that takes a step at a time."""

    def __init__(self, teacher: Teacher) -> None:
        torch.manual_seed(0)
        spec = make_spec(load_kind("Deterministic").spec, {"arch": "wrn_16_1"})
        settings = Settings(
            0, CPU, lambda epoch: 1e-3, lambda parameters: make_optimizer(spec, parameters, CPU), kd_T=4
        )
        network = build_model("wrn_16_1", in_channels=1, num_classes=INFO.classes)
        self.learner = Learner("a", Recipe(network, Distillation(0.5, 4.0, 1.0)), settings, teacher)
        batches = Batches(IMAGES, LABELS, torch.arange(len(IMAGES)), INFO, BATCH, seed=0)
        self.loop = Loop(batches, 1, 0, list, teacher=teacher)
        self.figures: list[torch.Tensor] = []
        self.seconds: list[float] = []
        self.asking: list[float] = []
        self.own: list[float] = []  # of asking, what is not the network's

    def step(self, step: int) -> None:
        """Make a batch, ask the teacher, learn; note the time. The probe of every 64th step is left out."""
        began, position = time.perf_counter(), Position(0, step, step + 1)
        batch = self.loop.batches.peek(0, step)
        asked = time.perf_counter()
        targets = ask_teacher(self.loop, batch, position, "teacher")
        answered = time.perf_counter()
        self.figures.append(self.learner.step(targets, position, lambda: targets))
        self.seconds.append(time.perf_counter() - began)
        self.asking.append(answered - asked)

    def is_same(self, other: "Student") -> bool:
        """Return whether figures and weights are another's, bit for bit."""
        mine, theirs = (student.learner.network.state_dict().values() for student in (self, other))
        figures = torch.stack(self.figures).view(torch.int32), torch.stack(other.figures).view(torch.int32)
        return torch.equal(*figures) and all(torch.equal(a, b) for a, b in zip(mine, theirs, strict=True))


def open_in(teacher: Teacher, folder: str) -> Teacher:
    """Return the teacher with a cache."""
    key = {"kind": "Deterministic", "images": images_fingerprint(IMAGES)}
    return open_cache(teacher, key, Path(folder), num_images=len(IMAGES), info=INFO, limit_gib=1, say=print)


def main() -> None:
    """Fill a cache, compare, report."""
    torch.set_num_threads(1)
    torch.manual_seed(1)
    arch = sys.argv[1] if len(sys.argv) > 1 else "wrn_40_2"
    teacher = Timed(build_model(arch, in_channels=1, num_classes=INFO.classes)).freeze()
    with tempfile.TemporaryDirectory() as filled, tempfile.TemporaryDirectory() as empty:
        filler = Student(open_in(teacher, filled))
        for step in range(STEPS):
            ask_teacher(filler.loop, filler.loop.batches.peek(0, step), Position(0, step, step), "teacher")
        live, cold, warm = Student(teacher), Student(open_in(teacher, empty)), Student(open_in(teacher, filled))
        for step in range(STEPS):
            for student in (live, cold, warm):
                teacher.seconds = 0.0
                student.step(step)
                student.own.append(student.asking[-1] - teacher.seconds)
    if not (live.is_same(cold) and live.is_same(warm)):
        sys.exit("students of the cached and the live teacher differ")
    report(arch, count_parameters(teacher.network) / count_parameters(live.learner.network), live, cold, warm)


def report(arch: str, size: float, live: Student, cold: Student, warm: Student) -> None:
    """Print the figures; the first step, which opens a cache, stands apart."""
    ratio = median(a / b for a, b in zip(live.seconds[1:], warm.seconds[1:], strict=True))
    overhead = median((b - a) / s for a, b, s in zip(live.own[1:], cold.own[1:], live.seconds[1:], strict=True))
    times = {"live": live, "cold": cold, "warm": warm}
    figures = {f"{name}_step_ms": round(1e3 * median(student.seconds[1:]), 1) for name, student in times.items()}
    figures |= {f"{name}_cache_ms": round(1e3 * median(student.own[1:]), 2) for name, student in times.items()}
    figures |= {f"{name}_opening_ms": round(1e3 * student.asking[0], 1) for name, student in times.items()}
    figures |= {"teacher": arch, "teacher_over_student": round(size, 1), "cold_overhead": round(overhead, 4)}
    print(
        json.dumps({"name": "teacher cache", "ratio": round(ratio, 2), "bar": BAR, "passed": ratio >= BAR, **figures})
    )


if __name__ == "__main__":
    main()
