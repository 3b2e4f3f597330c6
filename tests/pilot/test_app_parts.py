"""What the app is made of, without a screen: commands, form fields, curves, the paint budget."""

from pathlib import Path

import numpy as np
import pytest
from pilot_save import CREATED, steps

from bkd.cli.main import run
from bkd.cli.options import spec_command
from bkd.command_line import command_for
from bkd.kinds.table import KINDS, load_kind
from bkd.specs import DistillSpec
from tui.budget import PaintBudget
from tui.form_fields import FormField, faults_of, fields_of, short_fault
from tui.history import History
from tui.run_columns import short_number
from tui.screens.home import at_work_text


def test_command_reads_back_as_the_same_values() -> None:
    values = {"teacher": "aaaa0001", "student": "vgg8", "alpha": "0.5", "compile": True, "data": "/a b/c"}
    words = command_for(DistillSpec.command(), values)
    assert words == "bkd distill --teacher aaaa0001 --student vgg8 --alpha 0.5 --compile --data '/a b/c' --detach"
    taken: dict[str, object] = {}
    command = spec_command("distill", DistillSpec, lambda given, options: taken.update(given), "")
    arguments = [
        "--teacher",
        "aaaa0001",
        "--student",
        "vgg8",
        "--alpha",
        "0.5",
        "--compile",
        "--data",
        "/a b/c",
        "--detach",
    ]
    command.main(arguments, standalone_mode=False)
    assert taken == values


def test_command_names_the_save_root_unless_it_is_the_usual_one() -> None:
    command = load_kind("MSE").spec.command()
    assert command_for(command, {}, Path("/s")) == "bkd train mse --save /s --detach"
    assert command_for(command, {}, Path("save").absolute()) == "bkd train mse --detach"


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_has_help_and_the_usual_ones_come_first(kind: str) -> None:
    fields = fields_of(load_kind(kind).spec)
    usual = ["teacher", "members", "arch", "dataset", "epochs", "trial"]
    shown = [field.name for field in fields]
    assert shown[: len(usual)][:2] == [name for name in usual if name in shown][:2]
    assert ("arch" in shown) == ("teacher" not in shown and "members" not in shown)  # else it is the teacher's
    for field in fields:
        assert str(field.info.description) in field.help()
        assert ("default: " in field.help()) != field.is_required


def test_field_tells_its_range() -> None:
    fields = {field.name: field for field in fields_of(DistillSpec)}
    assert fields["alpha"].range == ">= 0 and <= 1"
    assert fields["train_limit"].range == ">= 1"
    assert fields["weights"].choices == ("last", "best")
    assert isinstance(fields["student"], FormField)
    assert fields["teacher"].is_required
    assert "dataset" not in fields  # it is the teacher's


def test_fault_is_short_beside_its_field() -> None:
    faults = faults_of(DistillSpec, {"teacher": "a", "kd_T": "0"})
    assert short_fault(faults["kd_T"], "kd_T") == "must be > 0, got 0"


def test_curves_grow_and_gaps_stay_gaps() -> None:
    history = History()
    history.add(steps(1, 1000))
    history.add([{"t": CREATED, "kind": "step", "step": 1001, "epoch": 0, "train/loss": None, "bad": True}])
    series = history.series("train", "train/loss")
    assert series is not None
    assert len(np.asarray(series.x)) == 1001
    assert np.isnan(np.asarray(series.y)[-1])
    assert history.series("val", "val/loss") is None


def test_curves_go_by_step_time_and_by_epoch_once_its_steps_are_known() -> None:
    history = History()
    history.add(steps(1, 4))
    series = history.series("train", "train/loss")
    assert series is not None
    assert series.trace.axes == ("step", "time")
    times = series.trace.positions("time")
    assert times is not None
    assert times[[0, 3]] == pytest.approx([0.0, 0.3], abs=1e-6)
    history.add([{"t": CREATED + 1, "kind": "epoch", "step": 4, "epoch": 0, "val/loss": 0.5}])
    assert series.trace.axes == ("step", "time", "epoch")
    epochs = series.trace.positions("epoch")
    assert epochs is not None
    assert epochs[[0, 3]] == pytest.approx([0.25, 1.0])
    later = history.series("val", "val/loss")
    assert later is not None
    assert "epoch" in later.trace.axes


def test_eta_is_what_is_left_at_the_speed_of_the_last_steps() -> None:
    history = History()
    assert history.eta_s(10) is None
    history.know_steps_per_epoch(12.0)
    history.add(steps(1, 20))
    assert history.eta_s(10) == pytest.approx(10.0)  # 100 of 120 steps at ten a second
    history.add([{"t": CREATED + 2, "kind": "epoch", "step": 20, "epoch": 0, "val/acc": 0.5}])
    assert history.eta_s(10) == pytest.approx(18.0)  # an epoch has 20 steps after all
    assert history.share(10) == pytest.approx(0.1)


def test_budget_refills_with_time() -> None:
    now = [0.0]
    budget = PaintBudget(100.0, 200.0, clock=lambda: now[0])
    budget.spend(350)
    assert not budget.has_room
    now[0] = 1.4
    assert not budget.has_room
    now[0] = 1.6
    assert budget.has_room
    now[0] = 100.0
    assert budget.has_room
    budget.spend(201)
    assert not budget.has_room


def test_tui_without_a_terminal_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["tui"]) == 2
    assert "bkd list" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"), (0.0985, "0.0985"), (0.02634, "0.0263"), (0.001234, "0.0012"), (1.234e-5, "1e-05"),
        (-0.12345, "-0.123"), (12345.6, "12346"), (1531461.0, "2e+06"), (float("inf"), "inf"), (float("nan"), "nan"),
    ],
)  # fmt: skip
def test_figure_of_a_table_is_rounded_not_cut(value: float | None, text: str) -> None:
    assert short_number(value) == text


def test_runs_that_wait_do_not_count_as_running() -> None:
    assert at_work_text({}) == ""
    assert at_work_text({"running": 2, "queued": 1}) == "● 2 running, 1 queued"
    assert at_work_text({"queued": 1}) == "○ 1 queued"
