"""`bkd demo` with real children, fewer epochs than people see."""

import warnings
from pathlib import Path

import orjson
import pytest

from bkd.paths import RunFolder
from bkd.runfile import read_run, write_run
from bkd.store import Store

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    from bkd.cli import demo
    from bkd.cli.main import run as run_cli


@pytest.fixture
def save(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(demo, "TEACHER_EPOCHS", 4)
    monkeypatch.setattr(demo, "STUDENT_EPOCHS", 1)
    monkeypatch.setenv("BKD_SAVE", str(tmp_path))
    return tmp_path


def forget_new_settings(folder: RunFolder) -> None:
    """Make a run look as an earlier version wrote it."""
    run = read_run(folder)
    del run["spec"]["threads"]
    write_run(folder, run)


def test_the_demo_trains_reports_and_reuses(save: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_cli(["demo", "--json"]) == 0
    groups = orjson.loads(capsys.readouterr().out)
    assert [(group["kind"], group["n"]) for group in groups] == [("Deterministic", 3), ("Bayesian", 3)]
    bayesian = groups[1]
    assert bayesian["teacher_metrics"]["kl/weight"] == 1
    assert bayesian["teacher_metrics"]["test/probs_sd"] > 0
    assert bayesian["students"]["val/grad/noise_ratio"]["n"] == 3
    store = Store(save)
    rows = store.rows()
    assert len(rows) == 8
    assert {row["status"] for row in rows} == {"done"}
    for row in rows:
        forget_new_settings(store.folder(row["path"]))
    assert run_cli(["demo"]) == 0
    shown = capsys.readouterr().out
    assert "3 students of 1 teacher" in shown
    assert len(store.rows()) == 8
