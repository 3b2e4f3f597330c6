"""What running runs write, followed at a bounded cost: figures, curves, and files that do not behave."""

import os
from pathlib import Path
from typing import Any

import orjson
import pytest
from pilot_save import CREATED, SaveRoot, append, steps

from bkd import event_sample
from bkd.paths import RunFolder
from bkd.runfile import read_run
from tui import live
from tui.live import LOOK_BYTES, Live, LiveReader, RunFollower
from tui.run_columns import STUDENTS, TEACHERS, eta, seen, step_text, took
from tui.sketch import LEVELS, MOST_BUCKETS, Sketch, bars
from tui.widgets.columns import place

RUNNING = {"status": "running", "epoch": 0, "epochs": 10, "ended": None}
SPEC = {"type": "train", "dataset": "digits", "epochs": 10, "batch_size": 100}


def running(save: SaveRoot, run_id: str = "aaaa0001", **values: Any) -> RunFolder:
    return save.teacher(run_id, **RUNNING, spec=SPEC | values)


def follower(folder: RunFolder, **options: int) -> RunFollower:
    return RunFollower(folder, read_run(folder), **options)


# ---- the small curve


def test_a_falling_curve_falls_in_few_cells() -> None:
    sketch = Sketch()
    for step in range(1, 100_001):
        sketch.add(step, 1000.0 / step)
    text = sketch.text(8)
    assert len(text) == 8
    assert (text[0], text[-1]) == (LEVELS[-1], LEVELS[0])
    assert len(sketch._buckets) <= MOST_BUCKETS


def test_a_curve_of_a_few_far_places_has_no_gaps() -> None:
    sketch = Sketch()
    for number, step in enumerate((1, 1000, 500_000, 999_999)):
        sketch.add(step, float(-number))
    levels = [LEVELS.index(block) for block in sketch.text(8)]
    assert levels == sorted(levels, reverse=True)
    assert len(set(levels)) == 3  # the first two places share a cell


def test_what_is_no_number_leaves_no_trace() -> None:
    sketch = Sketch()
    sketch.add(1, float("nan"))
    sketch.add(2, float("inf"))
    assert sketch.text(8) == ""
    assert bars([None, 1.0, None, 1.0]) == "▄▄▄▄"
    assert bars([1.0, float("nan"), 3.0]) == "▁▁█"
    assert bars([1e308 * 10, None]) == ""


# ---- one run


def test_figures_are_those_of_the_last_steps(save: SaveRoot) -> None:
    folder = running(save)
    append(folder.events, steps(1, 20))
    figures = follower(folder).look()
    assert (figures.step, figures.loss, figures.acc) == (20, 0.1, 0.5)
    assert figures.share == pytest.approx(20 / 120)
    assert figures.eta_s == pytest.approx(10.0)  # 100 of 120 steps at ten a second
    assert figures.time_s == CREATED + 2
    assert figures.curve[0] == "█"
    assert figures.is_going_on


def test_only_what_came_is_read_on(save: SaveRoot, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = running(save)
    append(folder.events, steps(1, 20))
    one = follower(folder)
    assert one.look().step == 20
    assert one.is_anew
    monkeypatch.setattr(live, "sample_events", None)
    append(folder.events, steps(21, 23))
    assert one.look().step == 23
    assert [record["step"] for record in one.fresh] == [21, 22, 23]
    assert not one.is_anew
    append(folder.events, [{"t": CREATED + 3, "kind": "epoch", "step": 23, "epoch": 0, "val/acc": 0.5}])
    figures = one.look()
    assert figures.epoch == 1
    assert figures.share == pytest.approx(0.1)  # an epoch has 23 steps after all


def test_a_torn_line_waits_for_its_end(save: SaveRoot) -> None:
    folder = running(save)
    append(folder.events, steps(1, 2))
    one = follower(folder)
    line = orjson.dumps(steps(3, 3)[0]) + b"\n"
    one.look()
    with folder.events.open("ab") as file:
        file.write(line[:30])
    assert one.look().step == 2
    with folder.events.open("ab") as file:
        file.write(line[30:])
    assert one.look().step == 3


def test_a_rewound_file_is_read_anew(save: SaveRoot) -> None:
    folder = running(save)
    append(folder.events, steps(1, 30))
    one = follower(folder)
    one.look()
    folder.events.write_bytes(b"")
    append(folder.events, steps(1, 10))
    assert one.look().step == 10
    assert one.is_anew
    append(folder.events, steps(11, 60))
    assert one.look().step == 60


def test_a_file_that_vanishes_leaves_what_was_known(save: SaveRoot) -> None:
    folder = running(save)
    one = follower(folder)
    assert one.look() == Live(is_going_on=True, share=0.0)
    append(folder.events, steps(1, 30))
    assert one.look().step == 30
    folder.events.unlink()
    assert one.look().step == 30
    folder.events.mkdir()
    assert one.look().step == 30
    folder.events.rmdir()
    append(folder.events, steps(1, 5))
    assert one.look().step == 5


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_without_rights_is_no_fault(save: SaveRoot) -> None:
    folder = running(save)
    append(folder.events, steps(1, 30))
    folder.events.chmod(0)
    assert follower(folder).look().step is None


ODD: list[Any] = [
    {"kind": "step", "step": "7"}, {"kind": "step", "step": True}, {"kind": "step", "step": -1}, {"kind": ["step"]},
    {"kind": "step", "step": 5, "epoch": "x", "t": "now", "train/loss": "low", "train/acc": None},
    {"kind": "epoch", "step": 0, "epoch": -3, "t": None}, {},
]  # fmt: skip


def test_records_that_are_none_are_passed_over(save: SaveRoot) -> None:
    folder = running(save)
    append(folder.events, [*steps(1, 4), *ODD])
    with folder.events.open("ab") as file:
        file.write(b'nonsense\n[1]\n\xff\xfe\n{"kind":"step","step":6,"train/loss":1e999}\n')
    figures = follower(folder).look()
    assert figures.loss is None
    assert figures.time_s == CREATED + 0.4
    assert figures.curve


def test_the_nll_stands_for_a_loss_with_a_kl_term(save: SaveRoot) -> None:
    folder = running(save, bnn_annealing_epochs=5)
    append(folder.events, [record | {"train/loss": 1e6, "train/ce": 0.5} for record in steps(1, 5)])
    figures = follower(folder).look()
    assert (figures.loss_name, figures.loss) == ("NLL", 0.5)


def big_file(path: Path, size: int) -> None:
    lines = b"".join(orjson.dumps(record | {"pad": "x" * 200}) + b"\n" for record in steps(1, 2000))
    with path.open("wb") as file:
        while file.tell() < size:
            file.write(lines)


def test_a_look_at_a_big_file_reads_little_of_it(save: SaveRoot, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = running(save)
    big_file(folder.events, 50_000_000)
    taken = []
    pread = os.pread
    monkeypatch.setattr(event_sample.os, "pread", lambda fd, n, at: taken.append(n) or pread(fd, n, at))
    one = follower(folder)
    assert one.look().step is not None
    assert sum(taken) < 400_000
    taken.clear()
    with folder.events.open("ab") as file:  # as if the app had been stopped for an hour
        file.write(b" " * 3 * LOOK_BYTES + b"\n")
    append(folder.events, steps(2001, 2010))
    assert one.look().step == 2010
    assert sum(taken) < 400_000


# ---- the runs in view


def test_a_run_that_has_ended_is_sampled_once(save: SaveRoot, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = save.teacher("aaaa0001")
    append(folder.events, steps(1, 30))
    reader = LiveReader(save.store)
    looks = []
    sample = live.sample_events
    monkeypatch.setattr(live, "sample_events", lambda *a, **k: looks.append(1) or sample(*a, **k))
    first = reader.read(save.store.rows())["aaaa0001"]
    assert (first.step, first.eta_s, first.is_going_on, len(first.curve)) == (30, None, False, 8)
    assert reader.read(save.store.rows())["aaaa0001"] == first
    assert len(looks) == 1
    append(folder.events, steps(31, 33))
    assert reader.read(save.store.rows())["aaaa0001"].step == 33


def test_one_look_begins_with_a_few_ended_runs_only(save: SaveRoot) -> None:
    for number in range(30):
        append(save.teacher(f"aaaa00{number:02d}").events, steps(1, 3))
    append(running(save, "live0001").events, steps(1, 3))
    reader = LiveReader(save.store)
    rows = [row | {"status": "running"} if row["id"] == "live0001" else row for row in save.store.rows()]
    first = reader.read(rows)
    assert first["live0001"].step == 3
    assert len(first) < 20
    for _ in range(3):
        found = reader.read(rows)
    assert len(found) == 31


def test_a_run_out_of_view_is_followed_no_more(save: SaveRoot) -> None:
    folder = running(save)
    append(folder.events, steps(1, 3))
    rows = [row | {"status": "running"} for row in save.store.rows()]
    reader = LiveReader(save.store)
    reader.read(rows)
    assert len(reader._followers) == 1
    reader.read([])
    assert not reader._followers


def test_sweeps_and_runs_without_a_folder_have_no_figures(save: SaveRoot) -> None:
    save.teacher("aaaa0001")
    save.sweep("eeee0001", "aaaa0001", ["cccc0001"])
    rows = [*save.store.rows(), {"id": "gone0001", "path": None, "status": "running", "role": "teacher"}]
    assert LiveReader(save.store).read(rows) == dict.fromkeys(("aaaa0001", "eeee0001", "gone0001"), Live())


# ---- the columns


@pytest.mark.parametrize("columns", [TEACHERS, STUDENTS], ids=["teachers", "students"])
def test_a_narrow_table_keeps_status_name_epoch_and_accuracy(columns: Any) -> None:
    titles = {placed.column.title for placed in place(columns, 80)}
    assert {"Status", "Name", "Epoch", "Acc"} <= titles
    assert {"Curve", "ETA"} <= {placed.column.title for placed in place(columns, 120)}


def test_columns_of_a_run_that_has_ended_tell_no_future(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: 130.0)
    figures = Live(is_going_on=True, eta_s=50.0, time_s=100.0, step=7)
    row = {"status": "running", "started": 10.0, "live": figures}
    assert (eta(row), seen(row), took(row)) == (50.0, 30.0, None)
    row = row | {"status": "done", "ended": 70.0}
    assert (eta(row), seen(row), took(row)) == (None, None, 60.0)
    assert (eta({"status": "running"}), seen({"status": "running"}), took({})) == (None, None, None)


def test_steps_fit_their_column() -> None:
    assert [step_text(n) for n in (None, 0, 12_345, 999_999, 1_234_567, 10**9)] == [
        "-", "0", "12,345", "999,999", "1.23M", "1e+09",
    ]  # fmt: skip
