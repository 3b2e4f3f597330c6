"""What is said of a run that goes on, and when that is looked at."""

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pilot_save import SaveRoot, append, steps

from bkd.locks import acquire
from bkd.system import append_sample
from tui import row_watch, selected_run
from tui.live import Live
from tui.messages import RowsRead
from tui.row_watch import RowWatch
from tui.selected_run import Followed, SelectedRun
from tui.widgets.now_block import age_of, figures_text, machine_text, pace_text, progress_text, two_digits
from tui.widgets.status import is_going_on

TEACHER = {"role": "teacher", "kind": "Deterministic", "epoch": 3, "epochs": 10}


# ---- words


def test_progress_counts_epochs_of_a_run_and_students_of_a_sweep() -> None:
    assert progress_text(TEACHER, Live()).startswith("epoch 3/10 ━━━━━─")
    assert progress_text(TEACHER, Live(share=0.5, epoch=5)).startswith("epoch 5/10 ━━━━━━━━━─")
    assert progress_text({"role": "experiment", "kind": "grid", "epoch": 2, "epochs": 8}, Live()).startswith("2/8 done")
    assert progress_text({"role": "teacher", "epochs": None}, Live()) == "made in one pass, without training"
    assert age_of({"role": "teacher", "epochs": None}, Live(), 7.0) == ""


def test_figures_are_said_as_far_as_they_are_known() -> None:
    assert figures_text(Live()) == pace_text(Live()) == ""
    assert figures_text(Live(step=12345)) == "step 12,345"
    known = Live(step=12, loss=0.1234567, loss_name="NLL", acc=0.953, eta_s=725.0, images_per_s=1047.0)
    assert figures_text(known) == "step 12  NLL 0.1235  acc 95.3%"
    assert pace_text(known) == "ETA 12m 00s  1,000 images/s"


@pytest.mark.parametrize(("value", "rounded"), [(1047.0, 1000), (0.0, 0), (86.4, 86), (9.87, 9.9), (123456, 120000)])
def test_a_speed_has_two_digits(value: float, rounded: float) -> None:
    assert two_digits(value) == pytest.approx(rounded)


def test_a_silent_run_is_told_by_its_age_and_its_usual_pace() -> None:
    quick, slow = Live(time_s=100.0, step_s=0.1), Live(time_s=100.0, step_s=60.0)
    assert age_of(TEACHER, quick, 101.0) == "last event now"
    assert age_of(TEACHER, quick, 128.0) == "last event 25s ago"
    assert age_of(TEACHER, quick, 131.0) == "silent for 30s; a step took 0.1s"
    assert age_of(TEACHER, slow, 400.0) == "last event 5m ago"
    assert age_of(TEACHER, slow, 701.0) == "silent for 10m; a step took 1m 00s"
    assert age_of(TEACHER, Live(time_s=100.0), 200.0) == "silent for 1m"
    assert age_of(TEACHER, Live(), 200.0) == "no event yet"
    assert age_of(TEACHER, Live(time_s=300.0), 200.0) == "last event now"  # another machine's clock is ahead


def test_a_machine_is_said_in_one_short_line() -> None:
    gpu = {"index": 0, "util_percent": 93.0, "mem_mib": 2048.0, "mem_total_mib": 81920.0}
    sample = {"cpu_percent": 98.4, "rss_mib": 412.0, "gpu": [gpu], "process_runs": 3}
    assert machine_text(sample) == "CPU 98%  412 MiB  GPU 0 93% 2.0 GiB  for 3 runs"
    assert machine_text({"cpu_percent": "x", "gpu": None, "process_runs": 1}) == ""


def test_an_unknown_run_may_still_write() -> None:
    assert [is_going_on(s) for s in ("queued", "running", "unknown (on a)", "lost", "done", "", None)] == [
        True, True, True, False, False, False, False,
    ]  # fmt: skip


# ---- the selected run


def told(save: SaveRoot, monkeypatch: pytest.MonkeyPatch, now: float = 0.0) -> Iterator[Followed]:
    monkeypatch.setattr(selected_run, "TELL_EVERY_S", 0.0)
    row = save.store.rows()[0]
    return SelectedRun(save.store, row | {"status": "running"}, clock=lambda: now).changes(never, lambda: True)


def never() -> bool:
    return False


def test_the_selected_run_is_told_from_its_first_step_to_its_last(
    save: SaveRoot, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = save.teacher("aaaa0001", status="running")
    append(folder.events, [*steps(1, 20), {"kind": "epoch", "step": 20, "epoch": 0, "t": 1.0, "val/loss": 0.3}])
    append_sample(folder.system, {"t": 100.0, "cpu_percent": 50.0})
    changes = told(save, monkeypatch, now=105.0)
    first = next(changes)
    assert first.plot is not None
    assert first.history is not None
    assert {key for _, key in first.history.curves} == {"train/loss", "val/loss"}
    assert first.live is not None
    assert first.live.step == 20
    assert first.system is not None
    append(folder.events, steps(21, 25))
    second = next(changes)
    assert second.history is None
    assert [record["step"] for record in second.records] == [25]  # a small chart shows no more
    assert second.live is not None
    assert second.live.step == 25


def test_an_old_sample_of_the_machine_is_not_told(save: SaveRoot, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = save.teacher("aaaa0001", status="running")
    append(folder.events, steps(1, 2))
    append_sample(folder.system, {"t": 100.0, "cpu_percent": 50.0})
    assert next(told(save, monkeypatch, now=300.0)).system is None


def test_a_run_without_training_or_without_a_folder_has_nothing_to_follow(save: SaveRoot) -> None:
    save.teacher("aaaa0001", kind="Laplace", spec={"type": "train", "kind": "Laplace"})
    save.sweep("eeee0001", "aaaa0001", [])
    for row in (*save.store.rows(), {"id": "gone0001", "path": "teachers/gone", "status": "running"}):
        changes = SelectedRun(save.store, row).changes(never, lambda: True)
        assert list(changes) == [Followed(str(row["id"]))]


def test_who_is_overtaken_reads_nothing(save: SaveRoot, monkeypatch: pytest.MonkeyPatch) -> None:
    save.teacher("aaaa0001", status="running")
    monkeypatch.setattr(save.store, "load", None)
    assert list(SelectedRun(save.store, save.store.rows()[0]).changes(lambda: True, never)) == []


# ---- behind other screens


def next_rows(watch: RowWatch, monkeypatch: pytest.MonkeyPatch, looks: int) -> RowsRead | None:
    """Return what an unwatched look brings, None if some waits end without one."""
    monkeypatch.setattr(row_watch, "LOOK_EVERY_S", 0.0)
    monkeypatch.setattr(row_watch, "LOOK_BEHIND_S", 0.0)
    waits = iter(range(looks))
    asked: Callable[[], bool] = lambda: next(waits, None) is None  # noqa: E731
    return next(watch.changes(asked, never), None)


@pytest.mark.parametrize(("status", "is_noticed"), [("queued", True), ("stopped", False)])
def test_rows_that_nobody_sees_are_read_while_a_run_may_end(
    save: SaveRoot, monkeypatch: pytest.MonkeyPatch, status: str, is_noticed: bool
) -> None:
    folder = save.teacher("aaaa0001", status=status)
    lock = acquire(folder.lock)
    watch = RowWatch(save.store)
    rows: Any = watch.first()
    assert rows[0]["status"] == status
    os.close(lock)
    save.student("bbbb0001", "aaaa0001")
    found = next_rows(watch, monkeypatch, looks=12)
    assert (found is not None) == is_noticed
    if found is not None:
        assert {row["status"] for row in found.rows} == {"lost", "done"}
