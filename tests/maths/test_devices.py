"""What a run asks of its machine and what is then in force: device, precision, compiling, threads."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from bkd.assemble import open_data
from bkd.bayes.posterior import WeightPosterior
from bkd.child_train import TrainChild
from bkd.devices import Machine, open_machine, try_compile
from bkd.errors import SpecError
from bkd.events import read_events
from bkd.kinds.table import load_kind
from bkd.learner import Learner, Position, Targets
from bkd.locks import acquire
from bkd.models.table import build_model
from bkd.paths import RunFolder
from bkd.specs import Precision, make_spec
from bkd.stopping import StopFlag
from bkd.store import Store

BASE = {"arch": "wrn_16_1", "dataset": "digits", "train_limit": 100, "epochs": 4, "batch_size": 45, "device": "cpu"}


def spec_of(kind: str = "Deterministic", **values: Any) -> Any:
    return make_spec(load_kind(kind).spec, BASE | values)


def learner_of(spec: Any, tmp_path: Path) -> tuple[Learner, Machine, Any]:
    from bkd.assemble import make_learner

    machine = open_machine(spec)
    data = open_data(spec, tmp_path, machine.device)
    return make_learner("a", spec, data, machine, None), machine, data.batches(spec)


def step(learner: Learner, batches: Any, count: int = 2) -> list[float]:
    """Return the losses of the first steps, in the last epoch, where the KL counts."""
    losses = []
    for i in range(count):
        targets = [Targets(batches.peek(3, j)) for j in (i, i + 1)]
        figures = learner.step(targets[0], Position(3, i, 1 + i), lambda targets=targets: targets[1])
        losses.append(float(figures[0]))
    return losses


@pytest.fixture
def broken_compiler(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """A compiler that fails on its first call, as one without a C compiler does; returns what it was asked."""
    asked: list[Any] = []

    def compile(forward: Any) -> Any:
        def call(*args: Any) -> Any:
            asked.append(forward)
            raise OSError("no compiler")

        return call

    monkeypatch.setattr(torch, "compile", compile)
    return asked


@pytest.fixture
def counted_compiler(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """PyTorch's compiler with a back end that runs each graph as it is, in a moment; returns the graphs."""
    graphs: list[Any] = []
    real = torch.compile

    def backend(graph: Any, inputs: Any) -> Any:
        graphs.append(graph)
        return graph.forward

    monkeypatch.setattr(torch, "compile", lambda forward: real(forward, backend=backend))
    yield graphs
    torch.compiler.reset()


def test_a_compiler_that_fails_is_told_once_and_leaves_no_trace(broken_compiler: list[Any]) -> None:
    machine = Machine(torch.device("cpu"), Precision.FP32, is_compiled=True)
    network = build_model("wrn_16_1", in_channels=1, num_classes=10)
    before = {name: value.clone() for name, value in network.state_dict().items()}

    def forward(x: torch.Tensor) -> Any:
        return network(x), x

    for _ in range(3):  # learners of one process
        assert try_compile(forward, network, torch.zeros(4, 1, 8, 8), machine) is forward
    assert len(broken_compiler) == 1
    assert machine.notes == ["torch.compile does not work here (OSError): training uncompiled."]
    assert machine.environment()["compile"] is False
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize("kind", ["Deterministic", "Bayesian"])
def test_a_compiled_step_is_one_graph_and_the_plain_step(
    kind: str, tmp_path: Path, counted_compiler: list[Any]
) -> None:
    plain, _, batches = learner_of(spec_of(kind), tmp_path)
    compiled, machine, _ = learner_of(spec_of(kind, compile=True), tmp_path)
    assert (machine.notes, len(counted_compiler)) == ([], 1)
    for a, b in zip(plain.network.state_dict().values(), compiled.network.state_dict().values(), strict=True):
        assert torch.equal(a, b)  # the trial pass leaves no trace
    assert step(compiled, batches) == pytest.approx(step(plain, batches), rel=1e-5)
    assert len(counted_compiler) == 1  # neither a break nor a second compilation, draw after draw
    assert machine.environment()["compile"] is True


def test_mean_field_layers_are_not_compiled(tmp_path: Path, counted_compiler: list[Any]) -> None:
    """They take random numbers within a pass, where a graph would break at every layer."""
    learner, machine, batches = learner_of(spec_of("Bayesian", vi="ffg", compile=True), tmp_path)
    assert isinstance(learner.recipe.posterior, WeightPosterior)
    step(learner, batches)
    assert counted_compiler == []
    assert machine.notes == [
        "torch.compile cannot hold mean-field layers, which draw within a pass: training uncompiled."
    ]
    assert machine.environment()["compile"] is False


def test_bf16_is_the_forward_passs_and_no_more(tmp_path: Path) -> None:
    learner, machine, batches = learner_of(spec_of(precision="bf16"), tmp_path)
    assert (machine.environment()["precision"], machine.notes) == ("bf16", [])
    exact, _, _ = learner_of(spec_of(), tmp_path)
    batch = batches.peek(0, 0)
    with machine.autocast():
        assert learner._plain_forward(batch.x)[0].dtype is torch.bfloat16
    found, expected = step(learner, batches), step(exact, batches)
    assert found == pytest.approx(expected, rel=0.05)
    assert found != expected
    assert {p.dtype for p in learner.network.parameters()} == {torch.float32}
    assert {p.grad.dtype for p in learner.network.parameters() if p.grad is not None} == {torch.float32}


def test_a_device_without_bf16_trains_in_fp32_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    machine = open_machine(spec_of(precision="bf16", device="mps"))
    assert machine.environment()["precision"] == "fp32"
    assert machine.notes == ["mps has no bf16 autocast: training in fp32."]
    assert open_machine(spec_of(device="mps")).notes == []
    with machine.autocast():
        assert not torch.is_autocast_enabled("mps")


def test_a_device_that_is_not_there_is_refused() -> None:
    with pytest.raises(SpecError, match=r"device cuda:77 is not on this machine.*Use --device auto or cpu"):
        open_machine(spec_of(device="cuda:77"))


def test_threads_are_the_runs_own() -> None:
    before = torch.get_num_threads()
    try:
        assert open_machine(spec_of(threads=3)).environment()["threads"] == 3
        assert torch.get_num_threads() == 3
        assert open_machine(spec_of()).environment()["threads"] == 3  # unset: as it is
    finally:
        torch.set_num_threads(before)


def run_here(tmp_path: Path, **values: Any) -> tuple[dict[str, Any], list[str]]:
    """Run a child's work in this process; return run.json and what the run's log events say."""
    from bkd import actions

    store = Store(tmp_path / "save")
    folder: RunFolder = actions.create(store, spec_of(epochs=1, threads=torch.get_num_threads(), **values))
    assert TrainChild([folder], [acquire(folder.lock)], StopFlag(), is_resume=False).run() == 0
    said = [str(event["message"]) for event in read_events(folder.events) if event["kind"] == "log"]
    return store.load(folder), said


def test_a_run_records_what_was_in_force(
    tmp_path: Path, broken_compiler: list[Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("bkd.devices._has_bf16", lambda device: False)
    run, said = run_here(tmp_path, compile=True, precision="bf16")
    assert run["status"] == "done"
    assert (run["spec"]["compile"], run["spec"]["precision"]) == (True, "bf16")
    assert (run["environment"]["compile"], run["environment"]["precision"]) == (False, "fp32")
    assert said == [
        "cpu has no bf16 autocast: training in fp32.",
        "torch.compile does not work here (OSError): training uncompiled.",
    ]
    printed = capsys.readouterr().out
    assert [printed.count(sentence) for sentence in said] == [1, 1]


def test_a_run_that_is_granted_its_wishes_says_nothing(tmp_path: Path, counted_compiler: list[Any]) -> None:
    run, said = run_here(tmp_path, compile=True, precision="bf16")
    assert (run["environment"]["compile"], run["environment"]["precision"]) == (True, "bf16")
    assert said == []
    assert counted_compiler
