"""Runs that end: which are told of, how, and what the terminal is sent."""

import pytest
from pilot_save import SaveRoot, until

from bkd.runfile import read_run, write_run
from tui.alerts import Alert, alert_named, alert_sequence
from tui.app import BkdApp
from tui.endings import Endings, ending_text
from tui.messages import Row, RunsEnded


@pytest.mark.parametrize(
    ("alert", "environment", "sent"),
    [
        (Alert.OFF, {}, ""),
        (Alert.BELL, {"TMUX": "/tmp/tmux"}, "\x07"),
        (Alert.OSC9, {}, "\x1b]9;a is done.\x07"),
        (Alert.OSC9, {"TMUX": "/tmp/tmux"}, "\x1bPtmux;\x1b\x1b]9;a is done.\x07\x1b\\"),
    ],
)
def test_sequence(alert: Alert, environment: dict[str, str], sent: str) -> None:
    assert alert_sequence(alert, "a is done.", environment) == sent


def test_a_runs_name_cannot_end_the_sequence() -> None:
    sent = alert_sequence(Alert.OSC9, "a\x07\x1b]0;title\x1b\\" + "b" * 999, {})
    assert sent.count("\x1b") == 1
    assert sent.count("\x07") == 1
    assert len(sent) < 220


def test_unknown_alert_is_none() -> None:
    assert (alert_named("bell"), alert_named("horn")) == (Alert.BELL, Alert.OFF)


def run(run_id: str, status: str, **values: object) -> Row:
    return {"id": run_id, "name": f"wrn_{run_id}", "status": status} | values


def test_each_end_is_told_once_whoever_reports_it() -> None:
    endings = Endings()
    assert endings.know([run("a", "running"), run("b", "done"), run("c", "queued")]) == []
    now = [run("a", "done"), run("b", "done"), run("c", "stopped")]
    assert [row["id"] for row in endings.know(now)] == ["a", "c"]
    endings.add(endings.know(now))
    endings.add([now[0]])
    assert [row["id"] for row in endings.take()] == ["a"]  # whoever stopped c knows
    assert (endings.take(), endings.know(now)) == ([], [])


def test_a_resumed_run_ends_again() -> None:
    endings = Endings()
    for status in ("running", "failed", "running", "done"):
        endings.add(endings.know([run("a", status)]))
        told = endings.take()
    assert [row["status"] for row in told] == ["done"]


def test_sentences() -> None:
    assert ending_text([run("a", "done", metrics={"test/acc": 0.982})]) == "wrn_a is done, acc 98.20%."
    assert ending_text([run("a", "done")]) == "wrn_a is done."
    assert ending_text([run("a\x1b[31m", "failed")]) == "wrn_a has failed; its view tells why."
    assert ending_text([run("a", "lost")]) == "wrn_a is lost: its process is gone. r resumes it."
    several = [run("a", "done"), run("b", "done"), run("c", "failed")]
    assert ending_text(several) == "3 runs ended: 2 done and 1 failed. Not done: wrn_c."
    many = [run(str(n), "failed") for n in range(9)]
    assert ending_text(many) == "9 runs ended: 9 failed. Not done: wrn_0, wrn_1, wrn_2 and 6 more."


async def test_app_tells_of_a_run_that_ends_behind_another_screen(
    save: SaveRoot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tui.row_watch.LOOK_BEHIND_S", 0.1)
    folder = save.teacher("aaaa0001", status="queued", host="elsewhere")
    folder.lock.touch()
    app = BkdApp(save.path, alert=Alert.BELL)
    sent: list[str] = []
    monkeypatch.setattr(app, "send", sent.append)
    async with app.run_test() as pilot:
        await until(pilot, lambda: any(worker.group == "rows" for worker in app.workers))
        await pilot.press("question_mark")
        write_run(folder, {**read_run(folder), "status": "done", "metrics": {"test/acc": 0.5}})
        await until(pilot, lambda: bool(list(app._notifications)))
        notice = next(iter(app._notifications))
        assert notice.message == "wrn_16_1_digits_aaaa0001 is done, acc 50.00%."
        assert sent == ["\x07"]


async def test_runs_that_end_at_once_are_one_notice(save: SaveRoot) -> None:
    folders = [save.teacher(f"aaaa000{n}", status="queued", host="elsewhere") for n in range(3)]
    for folder in folders:
        folder.lock.touch()
    app = BkdApp(save.path)
    async with app.run_test() as pilot:
        rows = [{**read_run(folder), "status": "done"} for folder in folders]
        for row in rows:
            app.post_message(RunsEnded([row]))
        app.post_message(RunsEnded(rows))
        await until(pilot, lambda: bool(list(app._notifications)))
        await pilot.pause(1.0)
        assert [one.message for one in app._notifications] == ["3 runs ended: 3 done."]


async def test_alert_is_chosen_in_the_palette_and_remembered(save: SaveRoot) -> None:
    app = BkdApp(save.path)
    async with app.run_test():
        commands = {command.title: command for command in app.get_system_commands(app.screen)}
        await commands["Alert: desktop notice"].callback()
        assert app.alert is Alert.OSC9
    assert BkdApp(save.path).alert is Alert.OSC9
    assert BkdApp(save.path, alert=Alert.OFF).alert is Alert.OFF
