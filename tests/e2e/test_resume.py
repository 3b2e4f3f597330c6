"""A run that is killed and resumed ends with the weights and events of one that was not."""

import random
from typing import Any

import pytest
from children import ended, finished, kill, steps_of, student_spec, teacher_spec, timeless, until

from bkd import actions
from bkd.store import Store

# 360 images in batches of 100: 3 steps an epoch, 12 in all; milestones at epochs 2 (and 3), KL ramp in epochs 1 to 3
CASES: dict[str, tuple[Any, int]] = {
    "Deterministic, mid-epoch": (lambda _: teacher_spec("Deterministic"), random.choice([4, 5, 8])),
    "Deterministic with sgd, at the milestone": (
        lambda _: teacher_spec("Deterministic", optimizer="sgd", lr_decay_epochs="2", learning_rate=0.05), 6,
    ),
    "MSE with cosine": (lambda _: teacher_spec("MSE", lr_schedule="cosine"), random.choice([2, 7])),
    "Bayesian, inducing, inside the KL ramp": (
        lambda _: teacher_spec("Bayesian", bnn_ml_epochs=1, bnn_annealing_epochs=2), random.choice([7, 8]),
    ),
    "Bayesian, ffg, inside the KL ramp": (
        lambda _: teacher_spec("Bayesian", vi="ffg", bnn_ml_epochs=1, bnn_annealing_epochs=2), random.choice([7, 8]),
    ),
    "student of a Bayesian teacher": (
        lambda store: student_spec(
            finished(store, teacher_spec("Bayesian", epochs=2, bnn_ml_epochs=0, bnn_annealing_epochs=1))["id"],
            alpha=0.7, kd_T=4,
        ),
        random.choice([4, 7, 8]),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_killed_and_resumed_equals_unbroken(store: Store, case: str) -> None:
    make, kill_at = CASES[case]
    spec = make(store)
    unbroken, broken = actions.launch(store, spec), actions.launch(store, spec)
    until(lambda: steps_of(broken) >= kill_at, f"step {kill_at}")
    kill(broken)
    assert store.load(broken)["status"] == "lost"
    assert next(row for row in store.rows() if row["id"] == store.load(broken)["id"])["status"] == "lost"

    actions.resume(store, str(broken.path))

    assert ended(store, broken)["status"] == "done", broken.log.read_text()
    assert ended(store, unbroken)["status"] == "done", unbroken.log.read_text()
    resumed_at = int(broken.log.read_text().split("Resuming at step ")[1].split()[0])
    assert resumed_at > 0
    assert broken.last_weights.read_bytes() == unbroken.last_weights.read_bytes()
    assert broken.best_weights.read_bytes() == unbroken.best_weights.read_bytes()
    assert timeless(broken) == timeless(unbroken)
    results = [store.load(folder)["results"] for folder in (broken, unbroken)]
    assert results[0] == results[1]
