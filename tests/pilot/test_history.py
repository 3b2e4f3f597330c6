"""What records add up to: curves, gaps, shared positions; a long file that is read in the background."""

from itertools import islice
from pathlib import Path

import numpy as np
import orjson
import pytest
from pilot_save import CREATED, SaveRoot, append, until

from bkd import event_sample
from bkd.events import parse
from bkd.runfile import read_run, write_run
from tui import run_files
from tui.app import BkdApp
from tui.exact_history import ExactHistory
from tui.history import History
from tui.messages import EventsRead, HistoryRead
from tui.run_files import RunFiles
from tui.screens.run import RunScreen
from tui.widgets.chart_view import ChartView


def step(n, **values):
    metrics = {key.replace("_", "/", 1): value for key, value in values.items()}
    return {"t": CREATED + n, "kind": "step", "step": n, "epoch": 0, **metrics}


def history_of(records, part=1000):
    history = History()
    for start in range(0, len(records), part):
        history.add(records[start : start + part])
    return history


ODD = (-1, -(2**63), 2**63, 2**64 - 1, 1.5, 1e308, -1e308, "12", "", None, True, [1], {"a": 1}, float("nan"))


@pytest.mark.parametrize("odd", ODD, ids=repr)
@pytest.mark.parametrize("field", ["step", "epoch", "t", "kind", "train/loss", "lr", "time/images_per_s"])
def test_a_record_that_is_none_changes_no_other(field, odd):
    """Whatever stands in a field, in a step's record, an epoch's, or the first or last one of the file."""
    good = [step(n, train_loss=1 / n) for n in range(1, 20)]
    epoch = {"t": CREATED + 20, "kind": "epoch", "step": 20, "epoch": 1, "val/acc": 0.5}
    bad = [good[4] | {field: odd}, epoch | {field: odd}]
    for records in ([*bad, *good, epoch], [*good[:9], *bad, *good[9:], epoch], [*good, epoch, *bad]):
        for part in (1, 1000):
            history = history_of(records, part)
            assert 0 <= history.step <= 20
            assert 0 <= history.epoch <= 1
            assert 0 <= history.share(3) <= 1
            assert history.share(-3) == 0
            assert (history.eta_s(3) or 0) >= 0
            assert history.time_s is None or 0 < history.time_s < 1e12
            for trace in history.curves.values():
                for axis in ("step", "time", "epoch"):
                    x = trace.positions(axis)
                    assert np.isfinite(x[np.arange(len(x))]).all()
                    assert (np.diff(x[np.arange(len(x))]) >= 0).all()
                    assert len(x) == 0 or (field, odd) == ("t", 1.5) or (x.ends[0] > -2 and x.ends[1] < 1e6)


def points(history, key, kind="step"):
    trace = history.curves[kind, key]
    x = trace.positions("step")
    return list(zip(x[np.arange(len(x))].tolist(), trace.y.tolist(), strict=True))


MIXED = [
    step(1, grad_ratio=None, train_loss=5),
    step(2, train_loss=2.5, grad_full=1.0),
    step(3, train_loss=None, grad_ratio=0.5, bad=True),
    step(4, train_loss="nan", grad_ratio=0.25),
    step(5, train_loss=True, grad_ratio=None),
    step(6, train_loss=2**63, grad_ratio=0.125, grad_full=2.0),
]


@pytest.mark.parametrize("part", [1, 2, 4, 6])
def test_curves_are_the_same_in_parts_of_any_size(part):
    history = history_of(MIXED, part)
    nan = float("nan")
    assert str(points(history, "train/loss")) == str([(1.0, 5.0), (2.0, 2.5), (3.0, nan), (6.0, 2.0**63)])
    assert str(points(history, "grad/ratio")) == str([(3.0, 0.5), (4.0, 0.25), (5.0, nan), (6.0, 0.125)])
    assert points(history, "grad/full") == [(2.0, 1.0), (6.0, 2.0)]
    assert (history.step, history.last["grad/full"]) == (6, 2.0)


def test_metrics_of_every_record_share_their_positions():
    history = history_of([step(n, train_loss=1.0, train_acc=0.5) for n in range(1, 50)])
    first, second = (history.curves["step", key] for key in ("train/loss", "train/acc"))
    assert first.is_sharing
    assert np.shares_memory(first.x, second.x)
    history.add([step(50, train_acc=0.5)])
    assert (first.is_sharing, second.is_sharing) == (False, True)
    history.add([step(51, train_loss=0.5, train_acc=0.5)])
    assert (len(first), len(second)) == (50, 51)
    assert first.x[-2:].tolist() == [49, 51]


def test_a_step_that_goes_back_is_held():
    history = history_of([step(n, train_loss=float(n)) for n in (1, 5, 3, 6)])
    assert [x for x, _ in points(history, "train/loss")] == [1, 5, 5, 6]
    assert history.step == 6


def test_records_that_are_none_are_passed_over():
    odd = [{}, {"kind": "step"}, {"kind": "step", "step": "9"}, {"kind": "step", "step": True}, {"kind": ["step"]}]
    history = history_of(
        [*odd, {"kind": "epoch", "step": 4, "epoch": "x", "t": "y", "lr": 0.1}, step(5, train_loss=1.0)]
    )
    assert set(history.curves) == {("epoch", "lr"), ("step", "train/loss")}


def write(path: Path, first: int, last: int) -> None:
    append(path, (step(n, train_loss=1 / n) for n in range(first, last + 1)))


def test_an_exact_history_holds_every_record_up_to_its_end_and_what_came_later(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    write(path, 1, 20_000)
    size = path.stat().st_size
    write(path, 20_001, 20_003)
    exact = ExactHistory(path, size)
    exact.follow([step(20_001, train_loss=0.5)])
    while not exact.read_part():
        pass
    assert [x for x, _ in points(exact.history, "train/loss")] == list(range(1, 20_002))


@pytest.mark.parametrize("harm", ["cut", "gone", "junk"])
def test_an_exact_history_ends_when_the_file_does(tmp_path: Path, harm: str) -> None:
    path = tmp_path / "events.jsonl"
    write(path, 1, 20_000)
    exact = ExactHistory(path, path.stat().st_size)
    assert not exact.read_part()
    if harm == "cut":
        path.write_bytes(b"")
    elif harm == "gone":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:600_000] + b"\xff" * 3_000_000)
    for _ in range(20):
        if exact.read_part():
            break
    else:
        raise AssertionError("it goes on for ever")


# ---- following


def files_of(save: SaveRoot, monkeypatch: pytest.MonkeyPatch, **values: object) -> RunFiles:
    monkeypatch.setattr(run_files, "LONG_BYTES", 100_000)
    monkeypatch.setattr(run_files, "PATIENCE_S", 0.0)
    monkeypatch.setattr(event_sample, "MOST_PLACES", 128)
    folder = save.teacher("aaaa0001", **values)
    write(folder.events, 1, 20_000)
    return RunFiles(save.store, folder, save.store.load(folder))


def test_a_long_file_is_sampled_then_read_while_events_go_on(save: SaveRoot, monkeypatch: pytest.MonkeyPatch) -> None:
    files = files_of(save, monkeypatch)
    history = History()
    files.open(history)
    assert history.is_sampled
    assert history.step == 20_000
    assert 1000 < len(history.curves["step", "train/loss"]) < 20_000
    write(save.store.folder("teachers/Deterministic/wrn_16_1/aaaa0001").events, 20_001, 20_002)
    later = []
    for message in files.changes(lambda: False):
        if isinstance(message, EventsRead):
            later += [record["step"] for record in message.records]
            history.add(message.records)
        if isinstance(message, HistoryRead):
            history.become(message.history)
            break
    assert later == [20_001, 20_002]
    assert not history.is_sampled
    assert [x for x, _ in points(history, "train/loss")] == list(range(1, 20_003))


def test_a_long_file_that_is_rewound_is_sampled_anew(save: SaveRoot, monkeypatch: pytest.MonkeyPatch) -> None:
    files = files_of(save, monkeypatch)
    history = History()
    files.open(history)
    events = save.store.folder("teachers/Deterministic/wrn_16_1/aaaa0001").events
    events.write_bytes(b"".join(events.read_bytes().splitlines(keepends=True)[:9000]))
    changes = (message for message in files.changes(lambda: False) if isinstance(message, HistoryRead))
    read = list(islice(changes, 2))
    assert [(one.history.is_sampled, one.history.step) for one in read] == [(True, 9000), (False, 9000)]


async def test_the_chart_says_sampled_until_all_is_read(save: SaveRoot, monkeypatch: pytest.MonkeyPatch) -> None:
    files_of(save, monkeypatch)
    monkeypatch.setattr(run_files, "PATIENCE_S", 1.0)
    app = BkdApp(save.path)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, RunScreen))
        chart = app.screen.query_one("#loss", ChartView)

        def heading() -> str:
            return chart.line(0).text + chart.line(1).text

        await until(pilot, lambda: "sampled" in heading())
        assert app.screen.history.step == 20_000
        await until(pilot, lambda: "sampled" not in heading())
        assert len(chart.series[0].trace) == 20_000


def test_lines_in_one_go_are_those_one_by_one():
    good = [orjson.dumps(step(n)) for n in range(5)]
    assert len(parse(b"\n".join(good) + b"\n")) == 5
    assert len(parse(b"\n".join([*good, b"torn{", b"", *good]) + b"\n")) == 10
    assert parse(b"") == parse(b"\n\n") == parse(b"3\n[1]\n") == []


async def test_the_curves_stay_when_the_file_vanishes_and_begin_anew_with_a_new_one(save: SaveRoot) -> None:
    folder = save.teacher("aaaa0001")
    write(folder.events, 1, 50)
    app = BkdApp(save.path)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, RunScreen) and app.screen.history.step == 50)
        assert isinstance(app.screen, RunScreen)
        history = app.screen.history
        folder.events.rename(folder.events.with_suffix(".away"))
        write_run(folder, {**read_run(folder), "message": "read anew"})
        await until(pilot, lambda: app.screen.run.get("message") == "read anew")
        assert history.step == 50
        write(folder.events, 1, 9)
        await until(pilot, lambda: history.step == 9)
        assert len(history.curves["step", "train/loss"]) == 9
