"""Reading what is compared, and seeing what becomes of it."""

import pytest

from bkd.compare_runs import DELETED, RunWatch, read_compared, read_ids
from bkd.errors import RunNotFound
from bkd.paths import RunFolder
from bkd.runfile import write_run
from bkd.store import Store


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "save")


def add(store, run_id, **fields):
    run = {
        "id": run_id,
        "name": run_id,
        "role": "teacher",
        "status": "done",
        "path": f"teachers/MSE/x/{run_id}",
    } | fields
    folder = store.folder(run["path"])
    folder.path.mkdir(parents=True, exist_ok=True)
    write_run(folder, run)
    store.register(run)
    return folder


def ids(runs):
    return [run["id"] for run in runs]


def test_runs_are_read_with_all_that_they_came_from(store):
    for run_id in ("base0001", "base0002"):
        add(store, run_id)
    add(store, "lapl0001", teacher="base0001")
    add(store, "ense0001", members=["lapl0001", "base0002", "gone0001"])
    add(store, "stud0001", role="student", teacher="ense0001")
    for found in (read_compared(store, ["stud", "base0002", "stud0001"]), read_ids(store, ["stud0001", "base0002"])):
        assert ids(found.runs) == ["stud0001", "base0002"]
        assert set(found.origins) == {"ense0001", "lapl0001", "base0001", "base0002"}


def test_an_unknown_name_is_refused_and_an_unknown_id_left_out(store):
    add(store, "aaaa0001")
    with pytest.raises(RunNotFound):
        read_compared(store, ["aaaa", "zzzz"])
    assert ids(read_ids(store, ["zzzz0001", "aaaa0001"]).runs) == ["aaaa0001"]


def test_an_unreadable_origin_is_as_good_as_gone(store):
    add(store, "base0001").run.write_text("{")
    add(store, "stud0001", role="student", teacher="base0001")
    assert read_ids(store, ["stud0001"]).origins == {}


def test_a_watch_sees_what_changes_and_nothing_else(store):
    folder, other = add(store, "aaaa0001"), add(store, "bbbb0001")
    watch = RunWatch(store, read_ids(store, ["aaaa0001", "bbbb0001"]))
    assert watch.look() is None
    write_run(folder, {"id": "aaaa0001", "status": "failed", "path": "teachers/MSE/x/aaaa0001"})
    assert [run["status"] for run in watch.look().runs] == ["failed", "done"]
    assert watch.look() is None
    remove(other)
    assert [run["status"] for run in watch.look().runs] == ["failed", DELETED]
    assert watch.look() is None


def test_a_watch_asks_the_lock_of_a_run_that_goes_on(store):
    add(store, "aaaa0001", status="running", host=None)
    watch = RunWatch(store, read_ids(store, ["aaaa0001"]))
    assert watch.look() is None  # nobody holds its lock: it was lost from the start
    add(store, "aaaa0001", status="done")
    assert [run["status"] for run in watch.look().runs] == ["done"]


def remove(folder: RunFolder) -> None:
    folder.run.unlink()
    folder.path.rmdir()
