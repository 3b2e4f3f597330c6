"""The printed comparison, and that it costs no torch."""

import subprocess
import sys
from typing import Any

from bkd.synthetic.table import comparison_lines

ARMS = {
    "onehot": ("one-hot", 0.02371, 0.0065, 1.0, 1.0),
    "exact": ("exact", 0.0035, 0.00023, 0.0, 0.0),
}


def make_result(**changes: Any) -> dict[str, Any]:
    names = ("title", "gap", "loss_sd", "noise_ratio", "noise_theory")
    arms = {key: dict(zip(names, row, strict=True)) | {"acc": 0.9012} for key, row in ARMS.items()}
    facts = {"seed": 2, "steps": 45_000, "finished": True, "seconds": 43.2, "bayes_loss": 0.18274, "bayes_acc": 0.93}
    return facts | {"arms": arms} | changes


def test_a_row_an_arm() -> None:
    lines = list(comparison_lines(make_result()))
    assert lines[0] == "Bayes loss 0.1827 nats, accuracy 0.9300; seed 2, 45,000 steps in 43s"
    assert lines[2].split("  ")[0] == "arm"
    assert lines[4].split() == ["one-hot", "0.0237", "0.00650", "1.000", "1.000", "0.9012"]
    assert lines[5].split() == ["exact", "0.0035", "0.00023", "0.000", "0.000", "0.9012"]
    assert not any("Stopped" in line for line in lines)


def test_it_fits_a_narrow_terminal() -> None:
    assert all(len(line) <= 80 for line in comparison_lines(make_result(), width=80))
    narrow = list(comparison_lines(make_result(), width=60))
    assert "accuracy" not in narrow[2]
    assert "theory" in narrow[2]


def test_a_stopped_run_shows_what_is_missing() -> None:
    result = make_result(finished=False)
    for arm in result["arms"].values():
        arm |= {"gap": None, "loss_sd": None, "noise_ratio": None, "acc": None}
    lines = list(comparison_lines(result))
    assert "Stopped early" in lines[1]
    assert lines[5].split() == ["one-hot", "-", "-", "-", "1.000", "-"]


def test_the_table_and_the_settings_load_nothing_heavy() -> None:
    code = "import sys, bkd.synthetic.table, bkd.synthetic.settings; print(*{m.split('.')[0] for m in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "numpy", "pydantic", "scipy", "rich", "typer"} & set(loaded)
