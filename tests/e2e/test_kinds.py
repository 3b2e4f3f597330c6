"""Teachers made from other teachers: made, killed and resumed, evaluated, and learnt from."""

import shutil
from typing import Any

import orjson
import pytest
import torch
from children import ended, kill, steps_of, student_spec, teacher_spec, timeless, until
from in_process import done, work_on
from safetensors.torch import load_file, save_file

from bkd import actions, checkpoint
from bkd.assemble import load_predictor
from bkd.cli.main import run as bkd_main
from bkd.events import read_events
from bkd.kinds.kind import NetworkShape
from bkd.kinds.table import load_kind
from bkd.runfile import read_run, write_run
from bkd.specs import Weights, make_spec
from bkd.store import Store

STEPS = 4  # an epoch: 400 images in batches of 100


@pytest.fixture(scope="module")
def save(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A save root that the tests of this module share."""
    return Store(tmp_path_factory.mktemp("kinds") / "save")


@pytest.fixture(scope="module")
def plain(save: Store) -> dict[str, Any]:
    return done(save, teacher_spec("Deterministic", epochs=6, learning_rate=5e-3))


@pytest.fixture(scope="module")
def bayesian(save: Store) -> dict[str, Any]:
    return done(save, teacher_spec("Bayesian", epochs=3, bnn_ml_epochs=0, bnn_annealing_epochs=1))


def derived(kind: str, **values: Any) -> Any:
    return make_spec(load_kind(kind).spec, values)


# ---- MCMI


def test_mcmi_moves_the_cmi_the_way_its_sign_says(save: Store, plain: dict[str, Any]) -> None:
    found = {}
    for sign in ("authors", "reference"):
        spec = derived("MCMI", teacher=plain["id"], mcmi_param=4, mcmi_sign=sign, epochs=4, learning_rate=1e-3)
        run = done(save, spec)
        found[sign] = {key: run["metrics"][f"mcmi/cmi_{key}"] for key in ("before", "after")}
        folder = save.folder(run["path"])
        assert run["spec"]["train_limit"] == plain["spec"]["train_limit"]
        assert run["split"] == plain["split"]
        assert f"CE {'-' if sign == 'authors' else '+'} 4 CMI" in str(read_events(folder.events)[1])
    before = found["authors"]["before"]
    assert before == found["reference"]["before"] > 0
    assert found["authors"]["after"] > 1.5 * before
    assert found["reference"]["after"] < 0.95 * before


def test_mcmi_killed_within_an_epoch_and_resumed_equals_unbroken(save: Store, plain: dict[str, Any]) -> None:
    """Also where the centroids are taken anew before each epoch: not from the network as it was when it was killed."""
    spec = derived(
        "MCMI", teacher=plain["id"], mcmi_param=2, refresh_centroids=True, epochs=6, learning_rate=2e-3,
        checkpoint_every=0.001,
    )  # fmt: skip
    broken = actions.launch(save, spec)
    until(lambda: steps_of(broken) > STEPS, "a step of the second epoch")
    kill(broken)
    newest = checkpoint.steps(broken.checkpoints)[0]
    if newest % STEPS == 0:  # as if it had been killed before it wrote the one between two epochs
        shutil.rmtree(broken.checkpoints / f"{newest:09d}")
    assert steps_of(broken) < 6 * STEPS
    actions.resume(save, str(broken.path))
    unbroken = done(save, spec)
    assert ended(save, broken)["status"] == "done", broken.log.read_text()

    run, folder = save.load(broken), save.folder(unbroken["path"])
    resumed_at = int(broken.log.read_text().split("Resuming at step ")[-1].split()[0])
    assert resumed_at % STEPS != 0
    assert broken.last_weights.read_bytes() == folder.last_weights.read_bytes()
    assert broken.best_weights.read_bytes() == folder.best_weights.read_bytes()
    assert timeless(broken) == timeless(folder)
    assert run["results"] == unbroken["results"]
    assert {k: v for k, v in run["metrics"].items() if k.startswith("mcmi/")} == {
        k: v for k, v in unbroken["metrics"].items() if k.startswith("mcmi/")
    }
    assert {"mcmi/cmi_before", "mcmi/cmi_after"} <= run["metrics"].keys()


# ---- kinds that only combine


COMBINED: dict[str, Any] = {
    "TTDA": lambda plain, bayesian: derived("TTDA", teacher=plain["id"], views=4),
    "Ensemble": lambda plain, bayesian: derived("Ensemble", members=[plain["id"], bayesian["id"]], bnn_test_samples=3),
}


@pytest.mark.parametrize("kind", COMBINED)
def test_a_combined_teacher_is_made_evaluated_and_learnt_from(
    save: Store, plain: dict[str, Any], bayesian: dict[str, Any], kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run = done(save, COMBINED[kind](plain, bayesian))
    folder = save.folder(run["path"])
    is_stochastic = kind == "Ensemble"
    assert not folder.last_weights.exists()
    assert (run["epoch"], run["environment"]["parameters"], run["split"]) == (1, 0, plain["split"])
    assert [run["results"][split]["images"] for split in ("val", "test")] == [144, 360]
    assert ("test/acc_sd" in run["metrics"]) is is_stochastic
    [epoch] = [event for event in read_events(folder.events) if event["kind"] == "epoch"]
    assert epoch["test/acc"] == run["metrics"]["test/acc"] > 0.5

    capsys.readouterr()
    assert bkd_main(["--save", str(save.root), "evaluate", run["id"][:6], "--json"]) == 0
    again = orjson.loads(capsys.readouterr().out)
    assert again["test/acc" if "test/acc" in again else "acc"] == pytest.approx(run["metrics"]["test/acc"], abs=0.05)

    student = done(save, student_spec(run["id"], epochs=1, kd_T=2))
    assert (student["kind"], student["teacher"], student["status"]) == (kind, run["id"], "done")
    steps = [event for event in read_events(save.folder(student["path"]).events) if event["kind"] == "step"]
    assert all(step["grad/noise_teacher"] > 0 for step in steps)
    assert ("grad/noise_shared" in steps[0]) is is_stochastic


def test_best_weights_of_a_combined_teacher_are_the_best_of_what_it_combines(
    save: Store, plain: dict[str, Any]
) -> None:
    """The last weights are made zero: only the best still tell one class from another."""
    run = done(save, teacher_spec("Deterministic", epochs=2, trial=9))
    views = done(save, derived("TTDA", teacher=run["id"], views=2))
    folder = save.folder(run["path"])
    weights = load_file(folder.last_weights)
    save_file({name: torch.zeros_like(value) for name, value in weights.items()}, folder.last_weights)

    def answers(which: Weights) -> torch.Tensor:
        shape, x = NetworkShape(1, 10, 100), torch.randn(8, 1, 8, 8, generator=torch.Generator().manual_seed(0))
        at = save.folder(views["path"])
        teacher = load_predictor(save.load(at), at, shape, torch.device("cpu"), which, save.read)
        return teacher.predict(x, 1, torch.Generator()).probs(1.0)

    assert torch.allclose(answers(Weights.LAST), torch.full((8, 10), 0.1))
    assert float(answers(Weights.BEST).std()) > 1e-3


def test_a_combined_teacher_that_was_interrupted_begins_again(save: Store, plain: dict[str, Any]) -> None:
    spec = derived("TTDA", teacher=plain["id"], views=2)
    folder = actions.create(save, spec)
    assert work_on([folder]) == 0
    once = timeless(folder)
    write_run(folder, read_run(folder) | {"status": "stopped"})  # as if it had been killed before it could say done
    assert work_on([folder], resume=True) == 0
    assert save.load(folder)["status"] == "done"
    assert timeless(folder) == once


def test_a_member_that_is_gone_is_named(save: Store) -> None:
    first, second = (done(save, teacher_spec("Deterministic", epochs=1, trial=trial)) for trial in (5, 6))
    ensemble = done(save, derived("Ensemble", members=[first["id"], second["id"]]))
    actions.delete(save, second["id"], force=True)
    folder = actions.create(save, student_spec(ensemble["id"], epochs=1))
    assert work_on([folder]) == 2
    run = save.load(folder)
    assert (run["status"], second["id"] in run["message"]) == ("failed", True)


def test_a_teacher_trained_on_logits_can_be_learnt_from(save: Store) -> None:
    teacher = done(save, teacher_spec("MSE", mse_on="logits", epochs=2))
    student = done(save, student_spec(teacher["id"], epochs=1, kd_T=0.25, alpha=0.5))
    assert (student["kind"], student["lineage"]["teacher_kind"]) == ("MSE", "MSE")
    assert teacher["spec"]["mse_on"] == "logits"


def test_an_mcmi_teacher_can_be_learnt_from_and_combined(save: Store, plain: dict[str, Any]) -> None:
    mcmi = done(save, derived("MCMI", teacher=plain["id"], epochs=1))
    assert done(save, student_spec(mcmi["id"], epochs=1))["kind"] == "MCMI"
    views = done(save, derived("TTDA", teacher=mcmi["id"], views=2))
    nested = done(save, derived("Ensemble", members=[views["id"], plain["id"]]))
    assert nested["arch"] == "wrn_16_1"
    assert done(save, student_spec(nested["id"], epochs=1))["kind"] == "Ensemble"


def test_a_run_computes_on_the_threads_that_it_was_given(save: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", given.append)
    done(save, teacher_spec("Deterministic", epochs=1, threads=3))
    assert 3 in given
