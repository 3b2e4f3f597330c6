"""How long a run will take: from finished ones, scaled by images, epochs and steps."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from bkd import actions
from bkd.estimate import estimate, images_of, rough_duration
from bkd.kinds.table import load_kind
from bkd.paths import RunFolder
from bkd.runfile import read_run, write_run
from bkd.specs import make_spec
from bkd.store import Store

T0 = 1_790_000_000.0
SMALL = {"dataset": "digits", "arch": "wrn_16_1", "epochs": 4, "train_limit": 1000}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "save")


def plan(store: Store, **values: Any) -> dict[str, Any]:
    return actions.plan(store, make_spec(load_kind("Deterministic").spec, SMALL | values)).run


def finished(store: Store, *, epoch_s: float = 10.0, rest_s: float = 7.0, epochs: int = 4, **values: Any) -> RunFolder:
    """Write a run whose epochs of 10 steps took `epoch_s` each, and everything else `rest_s`."""
    folder = actions.create(store, make_spec(load_kind("Deterministic").spec, SMALL | {"epochs": epochs} | values))
    records = [
        {"v": 1, "t": T0 + 5 + epoch_s * n, "kind": "epoch", "step": 10 * n, "epoch": n - 1}
        for n in range(1, epochs + 1)
    ]  # fmt: skip
    folder.events.write_bytes(b"".join(orjson.dumps(record) + b"\n" for record in records))
    run = read_run(folder) | {"status": "done", "started": T0, "ended": T0 + rest_s + epoch_s * epochs}
    write_run(folder, run | {"split": {"train": 1000}})
    store.register(read_run(folder))
    return folder


def seconds(store: Store, run: dict[str, Any], **more: Any) -> float:
    found = estimate(store, run, store.rows(), **more)
    assert found is not None
    return found.seconds


def test_no_similar_run_gives_no_estimate(store: Store) -> None:
    assert estimate(store, plan(store), store.rows()) is None
    finished(store, arch="vgg8")
    finished(store, device="cuda:1")
    assert estimate(store, plan(store), store.rows()) is None


def test_runs_of_other_machines_do_not_count(store: Store) -> None:
    folder = finished(store)
    write_run(folder, read_run(folder) | {"host": "elsewhere"})
    store.rebuild()
    assert estimate(store, plan(store), store.rows()) is None


def test_the_estimate_grows_with_epochs_and_images_but_the_rest_does_not(store: Store) -> None:
    finished(store)
    assert seconds(store, plan(store)) == pytest.approx(47)
    assert seconds(store, plan(store, epochs=40)) == pytest.approx(407)
    assert seconds(store, plan(store, train_limit=500)) == pytest.approx(27)
    assert seconds(store, plan(store), trials=3) == pytest.approx(141)


def test_the_middle_of_several_is_taken_and_counted(store: Store) -> None:
    for epoch_s in (10.0, 12.0, 100.0):
        finished(store, epoch_s=epoch_s)
    found = estimate(store, plan(store), store.rows())
    assert found is not None
    assert found.seconds == pytest.approx(55)
    assert found.text() == "about 55 s, from 3 similar runs on this machine"


def test_runs_with_as_many_threads_are_believed_alone(store: Store) -> None:
    finished(store, epoch_s=10.0)
    finished(store, epoch_s=50.0, threads=1)
    assert seconds(store, plan(store, threads=1)) == pytest.approx(207)
    assert seconds(store, plan(store)) == pytest.approx(47)


def test_a_pause_before_a_resume_is_not_taken_for_work(store: Store) -> None:
    finished(store, rest_s=50_000.0)
    finished(store, rest_s=7.0)
    assert seconds(store, plan(store)) == pytest.approx(47)


def test_files_that_tell_nothing_are_passed_over(store: Store) -> None:
    folder = finished(store)
    write_run(folder, read_run(folder) | {"ended": None})
    assert estimate(store, plan(store), store.rows()) is None
    folder.run.write_text("{")
    assert estimate(store, plan(store), store.rows()) is None


@pytest.mark.parametrize(
    ("values", "images"),
    [
        ({}, 1293), ({"protocol": "paper"}, 1437), ({"train_limit": 100}, 100), ({"fewshot_percent": 10}, 129),
        ({"train_limit": 10**9}, 1293),
    ],
)  # fmt: skip
def test_images_of_a_pass(values: dict[str, Any], images: int) -> None:
    assert images_of({"dataset": "digits", "val_fraction": 0.1} | values) == images


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.3, "5 s"), (61, "60 s"), (89, "90 s"), (700, "12 min"), (12_600, "3.5 h"), (200_000, "2.3 days")],
)
def test_forecasts_are_rough(value: float, text: str) -> None:
    assert rough_duration(value) == text
