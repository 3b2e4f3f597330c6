import sys

import pytest

from bkd.locks import acquire


def test_deleting_a_teacher_with_students_is_refused_unless_forced(root, bkd):
    teacher = root.teacher("aaaa1111")
    root.student("cccc3333", teacher)
    answer = bkd("delete", "aaaa1111", "--yes")
    assert answer.code == 2
    assert "1 student came from aaaa1111 (cccc3333)" in answer.err
    assert root.folder(teacher).run.exists()
    assert bkd("delete", "aaaa1111", "--yes", "--force", "--json").json == {
        "id": "aaaa1111", "name": teacher["name"], "path": teacher["path"], "deleted": True,
    }  # fmt: skip
    assert not root.folder(teacher).path.exists()
    assert [row["id"] for row in bkd("list", "--json").json] == ["cccc3333"]


def test_delete_without_terminal_asks_for_yes(root, bkd):
    run = root.teacher("aaaa1111")
    answer = bkd("delete", "aaaa1111")
    assert answer.code == 2
    assert "--yes" in answer.err
    assert root.folder(run).run.exists()


@pytest.mark.parametrize(("typed", "is_kept"), [("y\n", False), ("n\n", True), ("\n", True)])
def test_delete_asks_on_a_terminal(root, bkd, monkeypatch, typed, is_kept):
    import io

    run = root.teacher("aaaa1111")
    keyboard = io.StringIO(typed)
    keyboard.isatty = lambda: True
    monkeypatch.setattr(sys, "stdin", keyboard)
    answer = bkd("delete", "aaaa1111")
    assert answer.code == 0
    assert root.folder(run).run.exists() is is_kept
    assert ("is kept" in answer.err) is is_kept


def test_a_running_run_is_not_deleted(root, bkd):
    import os

    run = root.teacher("aaaa1111", status="running")
    lock = acquire(root.folder(run).lock)
    try:
        answer = bkd("delete", "aaaa1111", "--yes", "--force")
    finally:
        os.close(lock)
    assert answer.code == 2
    assert "bkd stop aaaa1111" in answer.err


def test_tags_are_added_removed_and_listed(root, bkd):
    root.teacher("aaaa1111")
    assert bkd("tag", "aaaa", "one", "two words").out == "one, two words\n"
    assert bkd("tag", "aaaa", "three", "--remove", "one", "--json").json == {
        "id": "aaaa1111",
        "tags": ["two words", "three"],
    }
    assert bkd("tag", "aaaa").out == "two words, three\n"
    assert bkd("list", "--tag", "three", "--json").json[0]["tags"] == ["two words", "three"]
    assert "has no tag 'one'" in bkd("tag", "aaaa", "--remove", "one").err


@pytest.mark.parametrize("bad", ["", "  ", "a\x1b[31mb"])
def test_bad_tags_are_refused(root, bkd, bad):
    root.teacher("aaaa1111")
    assert bkd("tag", "aaaa", bad).code == 2
    assert bkd("tag", "aaaa", "--json").json["tags"] == []


def test_a_note_is_written_read_and_removed(root, bkd):
    root.teacher("aaaa1111")
    assert bkd("note", "aaaa", "looks", "good").out == "looks good\n"
    assert bkd("note", "aaaa").out == "looks good\n"
    assert bkd("note", "aaaa", "--json").json == {"id": "aaaa1111", "note": "looks good"}
    assert bkd("list", "--json").json[0]["note"] == "looks good"
    assert "has no note" in bkd("note", "aaaa", "").out


def test_stop_says_what_is_not_running(root, bkd):
    root.teacher("aaaa1111")
    answer = bkd("stop", "aaaa")
    assert answer.code == 2
    assert "not running" in answer.err
    assert bkd("stop").code == 2
    assert bkd("stop", "aaaa", "--all").code == 2
    assert "No run is running" in bkd("stop", "--all").err
    assert bkd("stop", "--all", "--json").json == []


def test_stop_reports_how_runs_ended(root, bkd, monkeypatch):
    import os

    from bkd import actions
    from bkd.runfile import read_run, write_run

    runs = [root.teacher(run_id, status="running") for run_id in ("aaaa1111", "bbbb2222")]
    locks = {run["id"]: acquire(root.folder(run).lock) for run in runs}
    asked = []

    def stop_run(store, ref, *, wait=True):
        asked.append((ref, wait))
        if wait:
            folder = store.find(ref)
            os.close(locks[ref])
            write_run(folder, read_run(folder) | {"status": "stopped"})
        return "stopped"

    monkeypatch.setattr(actions, "stop_run", stop_run)
    answer = bkd("stop", "--all", "--json")
    assert [run["status"] for run in answer.json] == ["stopped", "stopped"]
    assert asked == [("aaaa1111", False), ("bbbb2222", False), ("aaaa1111", True), ("bbbb2222", True)]


def test_resume_refuses_what_cannot_go_on(root, bkd):
    root.teacher("aaaa1111")
    root.teacher("bbbb2222", status="stopped", host="elsewhere")
    done, foreign = bkd("resume", "aaaa"), bkd("resume", "bbbb", "--detach")
    assert (done.code, foreign.code) == (2, 2)
    assert "done" in done.err
    assert "--force" in foreign.err


def test_resume_detached_prints_the_id(root, bkd, monkeypatch):
    run = root.teacher("aaaa1111", status="stopped")
    monkeypatch.setattr("bkd.actions.spawn", lambda folders, resume: 1)
    answer = bkd("resume", "aaaa", "--detach")
    assert (answer.code, answer.out) == (0, "aaaa1111\n")
    assert bkd("resume", "aaaa", "--detach", "--json").json["path"] == run["path"]
